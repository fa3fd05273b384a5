//! What a batch asks for: reads of tables, writes, records for other streams. Nothing of it is done
//! before the batch is; then it becomes part of the batch's one transaction, with a check on every
//! row that was read, so that batches of all shards come to what they would one after the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use store::codec::damaged;
use store::{Expect, RowCheck, Transaction, Version};
use tables::Tables;
use tables::application::{ApplicationError, TableRef, first_after};
use tokio::runtime::Handle;
use tokio::time::timeout;
use types::{Caller, PartitionKey, StreamName};
use wasm::{EffectError, Effects, PluginName, Slab};

use crate::budget::Share;
use crate::limits::{
    EMITTED_BYTES_MAX, EMITTED_PER_BATCH_MAX, READ_BYTES_MAX, READ_KEY_BYTES_MAX,
    ROWS_PER_BATCH_MAX, WRITE_BYTES_MAX,
};

/// How long a read of a table may take. After that the batch is tried again later.
const READ_TIME_MAX: Duration = Duration::from_secs(10);
/// What a row that a batch keeps in memory costs besides its bytes.
const ROW_OVERHEAD_BYTES: usize = 128;

/// What an operator lets a plugin do. All else is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Tables that it reads and writes, by name.
    pub tables: BTreeSet<String>,
    /// Streams that it puts records to, by name.
    pub emit: BTreeSet<String>,
}

impl Grants {
    /// Which of what is asked for these do not have, as lines for the server's configuration;
    /// `None`: they have all.
    pub fn lacking(&self, plugin: &PluginName, asked: &Self) -> Option<String> {
        if asked.tables.is_subset(&self.tables) && asked.emit.is_subset(&self.emit) {
            return None;
        }
        let list = |asked: &BTreeSet<String>, granted: &BTreeSet<String>| {
            let all: Vec<_> = asked
                .union(granted)
                .map(|name| format!("{name:?}"))
                .collect();
            all.join(", ")
        };
        let mut lines = format!("[[plugin_grants]] name = \"{plugin}\"");
        if !(asked.tables.is_empty() && self.tables.is_empty()) {
            lines.push_str(&format!(
                " tables = [{}]",
                list(&asked.tables, &self.tables)
            ));
        }
        if !(asked.emit.is_empty() && self.emit.is_empty()) {
            lines.push_str(&format!(" emit = [{}]", list(&asked.emit, &self.emit)));
        }
        Some(lines)
    }
}

/// Where a batch's reads come from.
#[derive(Clone)]
pub struct Sources {
    /// The tables.
    pub tables: Arc<Tables>,
    /// What the tables' operations run on.
    pub runtime: Handle,
    /// Account and region of all that is named.
    pub owner: Caller,
    /// The plugin.
    pub plugin: PluginName,
    /// What it may use.
    pub grants: Grants,
}

/// What the batch at work has asked for. The instance has it in its hands while it is called, and
/// whoever calls it takes what is in it afterwards.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<Gathered>>);

/// What a batch has read and wants done.
#[derive(Default)]
pub struct Gathered {
    /// Tables by name: those that were used since the last conflict.
    tables: HashMap<String, TableRef>,
    /// What was read, by table and key.
    reads: BTreeMap<RowName, Option<(Bytes, Version)>>,
    /// What is written, by table and key: a value, or the row's removal.
    writes: BTreeMap<RowName, Option<Bytes>>,
    /// Records for streams, in the order in which they were emitted.
    emitted: Vec<(StreamName, Slab, Slab)>,
    /// The first so many records of the batch are done, and stand alone.
    done: u32,
    sizes: Sizes,
    /// The batch's memory.
    share: Option<Share>,
}

type RowName = (String, Bytes);

#[derive(Clone, Copy, Default)]
struct Sizes {
    read_keys: usize,
    read: usize,
    written: usize,
    emitted_records: usize,
    emitted: usize,
}

/// What became of a batch's wishes, with what it takes to commit them.
#[derive(Default)]
pub struct Wishes {
    /// Records for streams.
    pub emitted: Vec<(StreamName, Slab, Slab)>,
    /// Rows that are written.
    pub rows: u64,
    /// The batch's memory.
    pub share: Option<Share>,
}

impl Desk {
    /// A batch begins, within this share of memory. Nothing is left of the one before.
    pub fn begin(&self, share: Option<Share>) {
        let mut gathered = self.lock();
        let tables = std::mem::take(&mut gathered.tables);
        *gathered = Gathered {
            tables,
            share,
            ..Gathered::default()
        };
    }

    /// Forgets what tables are like: one of them may be another by now.
    pub fn forget_tables(&self) {
        self.lock().tables.clear();
    }

    /// Takes what the batch wants, and puts rows and checks into `effects`.
    ///
    /// # Errors
    /// A row cannot be one, which the calls have refused.
    pub fn take(
        &self,
        tables: &Tables,
        effects: &mut Transaction,
    ) -> Result<Wishes, ApplicationError> {
        let mut gathered = self.lock();
        let reads = std::mem::take(&mut gathered.reads);
        let writes = std::mem::take(&mut gathered.writes);
        let mut used = BTreeSet::new();
        for (name, value) in &writes {
            let table = gathered.table(&name.0)?;
            let read = reads.get(name);
            let expect = read.map_or(Expect::Any, |read| expected(read.as_ref()));
            let write = tables.write(table, &name.1, value.as_deref(), expect)?;
            effects.writes.push(write);
            used.insert(name.0.clone());
        }
        for (name, read) in &reads {
            let table = gathered.table(&name.0)?;
            used.insert(name.0.clone());
            if !writes.contains_key(name) {
                let (table, key) = table.place(&name.1)?;
                let expect = expected(read.as_ref());
                effects.checks.push(RowCheck { table, key, expect });
            }
        }
        for name in used {
            let (table, key, version) = gathered.table(&name)?.definition();
            let expect = Expect::Version(version);
            effects.checks.push(RowCheck { table, key, expect });
        }
        Ok(Wishes {
            emitted: std::mem::take(&mut gathered.emitted),
            rows: writes.len() as u64,
            share: gathered.share.take(),
        })
    }

    /// The first so many records of the batch that the guest said are done, and the batch's memory.
    pub fn leave(&self) -> (u32, Option<Share>) {
        let mut gathered = self.lock();
        let share = gathered.share.take();
        let done = gathered.done;
        (gathered.reads, gathered.writes) = (BTreeMap::new(), BTreeMap::new());
        gathered.emitted.clear();
        // It may have failed for a table that is another one by now, which no commit would notice.
        gathered.tables.clear();
        (done, share)
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        // Each call under the lock leaves what was gathered whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn expected(read: Option<&(Bytes, Version)>) -> Expect {
    read.map_or(Expect::Absent, |(_, version)| Expect::Version(*version))
}

/// What an instance's calls go to.
pub struct BatchEffects {
    sources: Sources,
    desk: Desk,
}

impl BatchEffects {
    /// Calls that gather on this desk.
    pub fn new(sources: Sources, desk: Desk) -> Self {
        Self { sources, desk }
    }

    /// Waits for what the tables say.
    fn wait<T>(
        &self,
        asked: impl Future<Output = Result<T, ApplicationError>>,
    ) -> Result<T, EffectError> {
        let answered = self.sources.runtime.block_on(async {
            // The timer belongs to the runtime, so that it is made inside.
            timeout(READ_TIME_MAX, asked).await
        });
        match answered {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error @ ApplicationError::Store(_))) => {
                Err(EffectError::Unavailable(error.to_string()))
            }
            Ok(Err(error)) => Err(EffectError::Refused(error.to_string())),
            Err(_) => {
                let seconds = READ_TIME_MAX.as_secs();
                let why = format!("a table did not answer within {seconds} s");
                Err(EffectError::Unavailable(why))
            }
        }
    }

    /// The table of that name, which is made if it is not there.
    fn table(&self, name: &str) -> Result<TableRef, EffectError> {
        let Sources {
            tables,
            owner,
            plugin,
            grants,
            ..
        } = &self.sources;
        if !grants.tables.contains(name) {
            let asked = Grants {
                tables: BTreeSet::from([name.to_owned()]),
                ..Grants::default()
            };
            let lines = grants.lacking(plugin, &asked).unwrap_or_default();
            return Err(EffectError::Refused(format!(
                "the table {name} is not granted; the operator would write {lines}"
            )));
        }
        if let Some(table) = self.desk.lock().tables.get(name) {
            return Ok(table.clone());
        }
        let table = self.wait(tables.ensure_application_table(owner, name))?;
        let known = table.clone();
        self.desk.lock().tables.insert(name.to_owned(), known);
        Ok(table)
    }
}

impl Effects for BatchEffects {
    fn get(&mut self, table: &str, keys: &Slab) -> Result<Vec<Option<Bytes>>, EffectError> {
        let handle = self.table(table)?;
        let mut values = vec![None; keys.len()];
        let (mut missing, mut places) = (Vec::new(), Vec::new());
        for (place, key) in keys.iter().enumerate() {
            let name = (table.to_owned(), Bytes::copy_from_slice(key));
            match self.desk.lock().known(&name) {
                Some(value) => values[place] = value,
                None => {
                    missing.push(name.1);
                    places.push(place);
                }
            }
        }
        if missing.is_empty() {
            return Ok(values);
        }
        self.desk.lock().may_read(&missing)?;
        let found = self.wait(self.sources.tables.get(&handle, &missing))?;
        let mut desk = self.desk.lock();
        for ((key, place), row) in missing.into_iter().zip(places).zip(found) {
            values[place] = row.as_ref().map(|(value, _)| value.clone());
            desk.has_read((table.to_owned(), key), row)?;
        }
        Ok(values)
    }

    fn write(
        &mut self,
        table: &str,
        entries: Vec<(Bytes, Option<Bytes>)>,
    ) -> Result<(), EffectError> {
        self.table(table)?;
        self.desk.lock().write(table, entries)
    }

    fn scan(
        &mut self,
        table: &str,
        prefix: &[u8],
        first: &[u8],
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, EffectError> {
        let handle = self.table(table)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let begin = Bytes::copy_from_slice(first.max(prefix));
        let (mut from, mut merged) = (begin.clone(), BTreeMap::new());
        loop {
            let scanned = self
                .sources
                .tables
                .scan(&handle, prefix, Some(&from), limit);
            let rows = self.wait(scanned)?;
            let mut desk = self.desk.lock();
            let last = rows.rows.last().map(|row| row.key.clone());
            let end = last.clone().filter(|_| !rows.is_at_end);
            for row in rows.rows {
                let name = (table.to_owned(), row.key);
                if !desk.reads.contains_key(&name) {
                    desk.may_read(std::slice::from_ref(&name.1))?;
                    desk.has_read(name.clone(), Some((row.value, row.version)))?;
                }
                // What was read before counts: the commit finds out whether it is so still.
                if let Some(value) = desk.known(&name).flatten() {
                    merged.insert(name.1, value);
                }
            }
            desk.add_written(table, (prefix, &begin, end.as_ref()), &mut merged);
            drop(desk);
            match (last, end) {
                (Some(last), Some(_)) if merged.len() < limit => from = first_after(&last),
                _ => return Ok(merged.into_iter().take(limit).collect()),
            }
        }
    }

    fn emit(&mut self, stream: &str, keys: Slab, data: Slab) -> Result<(), EffectError> {
        let Sources { plugin, grants, .. } = &self.sources;
        if !grants.emit.contains(stream) {
            let asked = Grants {
                emit: BTreeSet::from([stream.to_owned()]),
                ..Grants::default()
            };
            let lines = grants.lacking(plugin, &asked).unwrap_or_default();
            return Err(EffectError::Refused(format!(
                "the stream {stream} is not granted; the operator would write {lines}"
            )));
        }
        let refused = |what: String| EffectError::Refused(what);
        let stream = StreamName::parse(stream).map_err(|it| refused(it.to_string()))?;
        for key in keys.iter() {
            let text = std::str::from_utf8(key)
                .map_err(|_| refused("a partition key is not UTF-8".to_owned()))?;
            PartitionKey::parse(text).map_err(|it| refused(it.to_string()))?;
        }
        self.desk.lock().emit(stream, keys, data)
    }

    fn done(&mut self, records: u32) -> Result<(), EffectError> {
        self.desk.lock().done = records;
        Ok(())
    }
}

impl Gathered {
    /// The table of a row that was read or written: it was found before that.
    fn table(&self, name: &str) -> Result<&TableRef, ApplicationError> {
        let table = self.tables.get(name);
        table.ok_or_else(|| damaged("the table of a batch's row").into())
    }

    /// What the batch sees of a row without a look at its table: `None` if it has not read it.
    fn known(&self, name: &RowName) -> Option<Option<Bytes>> {
        if let Some(written) = self.writes.get(name) {
            return Some(written.clone());
        }
        let read = self.reads.get(name)?;
        Some(read.as_ref().map(|(value, _)| value.clone()))
    }

    fn may_read(&mut self, keys: &[Bytes]) -> Result<(), EffectError> {
        let bytes: usize = keys.iter().map(Bytes::len).sum();
        if self.reads.len() + keys.len() > ROWS_PER_BATCH_MAX {
            let what = format!("a batch reads at most {ROWS_PER_BATCH_MAX} rows");
            return Err(EffectError::Refused(what));
        }
        if self.sizes.read_keys + bytes > READ_KEY_BYTES_MAX {
            let what = format!("a batch reads keys of at most {READ_KEY_BYTES_MAX} bytes");
            return Err(EffectError::Refused(what));
        }
        self.sizes.read_keys += bytes;
        self.grow(bytes + keys.len() * ROW_OVERHEAD_BYTES)
    }

    fn has_read(
        &mut self,
        name: RowName,
        row: Option<(Bytes, Version)>,
    ) -> Result<(), EffectError> {
        let bytes = row.as_ref().map_or(0, |(value, _)| value.len());
        if self.sizes.read + bytes > READ_BYTES_MAX {
            let what = format!("a batch reads values of at most {READ_BYTES_MAX} bytes");
            return Err(EffectError::Refused(what));
        }
        self.sizes.read += bytes;
        self.grow(bytes)?;
        self.reads.insert(name, row);
        Ok(())
    }

    fn write(
        &mut self,
        table: &str,
        entries: Vec<(Bytes, Option<Bytes>)>,
    ) -> Result<(), EffectError> {
        let bytes_of = |key: &Bytes, value: Option<&Bytes>| key.len() + value.map_or(0, Bytes::len);
        for (key, value) in entries {
            let name = (table.to_owned(), key);
            let new = bytes_of(&name.1, value.as_ref());
            let old = self.writes.get(&name);
            let old_bytes = old.map_or(0, |old| bytes_of(&name.1, old.as_ref()));
            let bytes = self.sizes.written - old_bytes + new;
            if old.is_none() && self.writes.len() >= ROWS_PER_BATCH_MAX {
                let what = format!("a batch writes at most {ROWS_PER_BATCH_MAX} rows");
                return Err(EffectError::Refused(what));
            }
            if bytes > WRITE_BYTES_MAX {
                let what = format!("a batch writes at most {WRITE_BYTES_MAX} bytes");
                return Err(EffectError::Refused(what));
            }
            // Twice: as it was asked for, and as it is written.
            self.grow(2 * new + ROW_OVERHEAD_BYTES)?;
            self.sizes.written = bytes;
            self.writes.insert(name, value);
        }
        Ok(())
    }

    fn emit(&mut self, stream: StreamName, keys: Slab, data: Slab) -> Result<(), EffectError> {
        let records = self.sizes.emitted_records + data.len();
        let bytes = self.sizes.emitted + keys.bytes() + data.bytes();
        if records > EMITTED_PER_BATCH_MAX {
            let what = format!("a batch emits at most {EMITTED_PER_BATCH_MAX} records");
            return Err(EffectError::Refused(what));
        }
        if bytes > EMITTED_BYTES_MAX {
            let what = format!("a batch emits at most {EMITTED_BYTES_MAX} bytes");
            return Err(EffectError::Refused(what));
        }
        let new = bytes - self.sizes.emitted;
        // Twice: as it was asked for, and as frames.
        self.grow(2 * new + data.len() * ROW_OVERHEAD_BYTES)?;
        (self.sizes.emitted_records, self.sizes.emitted) = (records, bytes);
        self.emitted.push((stream, keys, data));
        Ok(())
    }

    /// Adds what the batch wrote between two keys, to before a last one that is not known.
    fn add_written(
        &self,
        table: &str,
        (prefix, from, to): (&[u8], &Bytes, Option<&Bytes>),
        merged: &mut BTreeMap<Bytes, Bytes>,
    ) {
        let begin = Bound::Included((table.to_owned(), from.clone()));
        for ((of, key), value) in self.writes.range((begin, Bound::Unbounded)) {
            let is_beyond = to.is_some_and(|to| key > to);
            if of != table || !key.starts_with(prefix) || is_beyond {
                return;
            }
            if let Some(value) = value {
                merged.insert(key.clone(), value.clone());
            }
        }
    }

    /// Takes more memory for the batch.
    fn grow(&mut self, bytes: usize) -> Result<(), EffectError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if self.share.as_mut().is_none_or(|share| share.grow(bytes)) {
            return Ok(());
        }
        let why = "there is no memory for what the batch asks for; it waits for more";
        Err(EffectError::Unavailable(why.to_owned()))
    }
}
