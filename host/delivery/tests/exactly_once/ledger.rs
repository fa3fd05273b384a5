//! What producers put and what they were told: all that the check knows of the truth.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use store::disk::simulated::Random;

/// A record's number; it stands in its data.
pub type Id = u64;

/// What a record is to the plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A line of an access log.
    Line,
    /// One that a bot caused.
    Bot,
    /// No line at all.
    Bad,
    /// One that takes much of the plugin that it goes through.
    Heavy,
}

/// Everything that is known of one record.
#[derive(Clone, Debug)]
pub struct Entry {
    pub kind: Kind,
    /// The shard that it goes to.
    pub lane: u32,
    /// When it was sent, in ticks.
    pub begun: u64,
    /// When the server said that it keeps it, in ticks and in changes of the disk.
    pub acknowledged: Option<(u64, usize)>,
    /// Its sequence number and its place in its aggregate, where there is one.
    pub sequence: Option<String>,
}

#[derive(Default)]
struct Book {
    ticks: u64,
    entries: BTreeMap<Id, Entry>,
}

/// The records of a test. Clones are the same.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

impl Ledger {
    /// Notes a record before it is sent; its number and its data.
    pub fn begin(&self, kind: Kind, lane: u32, padding: usize) -> (Id, Vec<u8>) {
        let mut book = self.lock();
        book.ticks += 1;
        let begun = book.ticks;
        let id = book.entries.len() as u64;
        let entry = Entry {
            kind,
            lane,
            begun,
            acknowledged: None,
            sequence: None,
        };
        book.entries.insert(id, entry);
        (id, data(id, kind, padding))
    }

    /// Notes that the server keeps a record.
    pub fn acknowledge(&self, id: Id, sequence: Option<String>, at: usize) {
        let mut book = self.lock();
        book.ticks += 1;
        let tick = book.ticks;
        let entry = book.entries.get_mut(&id).unwrap();
        entry.acknowledged = Some((tick, at));
        entry.sequence = sequence;
    }

    pub fn entries(&self) -> BTreeMap<Id, Entry> {
        self.lock().entries.clone()
    }

    /// What was known when the disk had seen `changes`.
    pub fn by(&self, changes: usize) -> Self {
        let mut entries = self.entries();
        for entry in entries.values_mut() {
            entry.acknowledged = entry.acknowledged.filter(|(_, at)| *at <= changes);
        }
        let ticks = self.lock().ticks;
        Self(Arc::new(Mutex::new(Book { ticks, entries })))
    }

    pub fn acknowledged(&self) -> HashSet<Id> {
        let entries = self.entries().into_iter();
        let sure = entries.filter(|(_, entry)| entry.acknowledged.is_some());
        sure.map(|(id, _)| id).collect()
    }

    /// The same for the successor of a process of which only so much is certain.
    pub fn known(&self, acknowledged: &HashSet<Id>) -> Self {
        let book = self.lock();
        let mut entries = book.entries.clone();
        for (id, entry) in &mut entries {
            entry.acknowledged = entry.acknowledged.filter(|_| acknowledged.contains(id));
        }
        Self(Arc::new(Mutex::new(Book {
            ticks: book.ticks,
            entries,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap()
    }
}

/// Mostly lines.
pub fn any_kind(random: &mut Random) -> Kind {
    match random.below(8) {
        0 => Kind::Bot,
        1 => Kind::Bad,
        _ => Kind::Line,
    }
}

/// Lines, and some that take much of a plugin.
pub fn any_weight(random: &mut Random) -> Kind {
    if random.one_in(3) {
        Kind::Heavy
    } else {
        Kind::Line
    }
}

fn data(id: Id, kind: Kind, padding: usize) -> Vec<u8> {
    let agent = match kind {
        Kind::Line => "Mozilla/5.0",
        Kind::Bot => "ExampleBot/1.0",
        Kind::Bad => return format!("id={id:08}/ is no line").into_bytes(),
        Kind::Heavy => return format!("id={id:08}/ is heavy!").into_bytes(),
    };
    let time = "10/Oct/2000:13:55:36 -0700";
    let padding = "x".repeat(padding);
    let line =
        format!("h - - [{time}] \"GET /id={id:08}/{padding} HTTP/1.0\" 200 5 \"-\" \"{agent}\"");
    line.into_bytes()
}

/// The number in a record's data, however a plugin changed the rest.
pub fn id_in(text: &str) -> Id {
    let (_, rest) = text.split_once("id=").expect("a record has a number");
    let (digits, _) = rest.split_once('/').expect("a record's number ends");
    digits.parse().expect("a record's number is one")
}
