//! A stream's whole life under load: scaled from one shard to eight and back to three, with a
//! kill -9 on the way, while several connections put as fast as they are answered. Afterwards all
//! of it is read, parents before children: nothing that was acknowledged may be missing, and the
//! records of each partition key must come in the order of their puts.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::Failure;
use crate::answer::Answer;
use crate::bench::Bench;
use crate::calls;
use crate::child::Server;
use crate::report::{Goal, Line};
use crate::requests::{Service, Signer};

const STREAM: &str = "bench";
/// Open shards that the stream comes to, one after the other: UpdateShardCount at most doubles and
/// at least halves them.
const COUNTS: [usize; 5] = [2, 4, 8, 4, 3];
/// The count on whose way the server is killed.
const KILLED_AT: usize = 8;
const WRITERS: u16 = 4;
/// Partition keys of a writer; each of its calls has a record of each.
const KEYS: u16 = 500;
/// How often the text that names a record is repeated in its data, which then has 96 bytes.
const REPEATED: usize = 8;
const RECORDS_PER_SECOND_GOAL: f64 = 20_000.0;
/// How long a writer looks for the server after it was killed.
const GONE_MAX: Duration = Duration::from_secs(60);
const READ_MAX: Duration = Duration::from_secs(60);

/// The record of a key that a writer put in one of its turns.
type Id = (u16, u16, u32);

/// Acknowledged records a second over the whole life; records lost; records out of order.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let mut server = Server::start(bench, dir.path())?;
    calls::create_stream(server.address, STREAM, 1)?;
    let place = Place::new(server.address);
    let begin = Instant::now();
    let acknowledged = std::thread::scope(|scope| -> Result<Vec<Id>, Failure> {
        let place = &place;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || Writer::new(writer).run(place)))
            .collect();
        let lived = live(bench, dir.path(), place, &mut server);
        place.end();
        let mut acknowledged = Vec::new();
        for writer in writers {
            acknowledged.extend(writer.join().map_err(|_| "a writer panicked")??);
        }
        lived.map(|()| acknowledged)
    })?;
    let took = begin.elapsed();
    let found = read(server.address)?;
    let missing = acknowledged.iter();
    let lost = missing.filter(|id| !found.times.contains_key(*id)).count();
    let rate = acknowledged.len() as f64 / took.as_secs_f64();
    let line = |name: &str, value: usize| Line {
        goal: Some(Goal::AtMost(0.0)),
        ..Line::new(
            format!("reshard_under_load/{name}"),
            value as f64,
            "records",
        )
    };
    Ok(vec![
        Line {
            goal: Some(Goal::AtLeast(RECORDS_PER_SECOND_GOAL)),
            note: format!(
                "1 -> 8 -> 3 shards and a kill -9 in {:.1} s; {} acknowledged, {} read",
                took.as_secs_f64(),
                acknowledged.len(),
                found.times.len()
            ),
            ..Line::new("reshard_under_load", rate, "records/s")
        },
        line("lost", lost),
        line("out_of_order", found.out_of_order),
        line(
            "read_twice",
            found.times.values().filter(|times| **times > 1).count(),
        ),
    ])
}

/// Takes the stream through its counts, each for its part of the run's time.
fn live(bench: &Bench, dir: &Path, place: &Place, server: &mut Server) -> Result<(), Failure> {
    let stay = bench.options.duration().div_f64(COUNTS.len() as f64 + 1.0);
    for count in COUNTS {
        std::thread::sleep(stay);
        let scale = json!({
            "StreamName": STREAM, "TargetShardCount": count, "ScalingType": "UNIFORM_SCALING",
        });
        calls::call(server.address, "UpdateShardCount", &scale)?;
        if count == KILLED_AT {
            place.leave();
            server.kill()?;
            *server = Server::start(bench, dir)?;
            place.move_to(server.address);
        }
        calls::until_active(server.address, STREAM)?;
    }
    std::thread::sleep(stay);
    Ok(())
}

/// Where the server is, for those who put to it.
struct Place {
    address: Mutex<Option<SocketAddr>>,
    moved: Condvar,
    is_over: AtomicBool,
}

impl Place {
    fn new(address: SocketAddr) -> Self {
        Self {
            address: Mutex::new(Some(address)),
            moved: Condvar::new(),
            is_over: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<SocketAddr>> {
        self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is nowhere for a while.
    fn leave(&self) {
        *self.lock() = None;
    }

    fn move_to(&self, address: SocketAddr) {
        *self.lock() = Some(address);
        self.moved.notify_all();
    }

    /// Nothing more is to be put.
    fn end(&self) {
        // With the lock, so that it falls between nobody's look and sleep.
        let address = self.lock();
        self.is_over.store(true, Ordering::Relaxed);
        drop(address);
        self.moved.notify_all();
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Where it is, once it is anywhere; `None` if nothing more is to be put.
    fn find(&self) -> Result<Option<SocketAddr>, Failure> {
        let is_nowhere = |address: &mut Option<SocketAddr>| address.is_none() && !self.is_over();
        let waited = self
            .moved
            .wait_timeout_while(self.lock(), GONE_MAX, is_nowhere);
        let (address, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if self.is_over() {
            return Ok(None);
        }
        address
            .map(Some)
            .ok_or_else(|| "the server does not come back".into())
    }
}

/// What is looked at in an answer of PutRecords.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    failed_record_count: u32,
    records: Vec<Landed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Landed {
    error_code: Option<IgnoredAny>,
}

/// One connection that puts a record of each of its keys in every turn, one turn after the other.
struct Writer {
    number: u16,
    turn: u32,
    acknowledged: Vec<Id>,
    answer: Answer,
}

impl Writer {
    fn new(number: u16) -> Self {
        Self {
            number,
            turn: 0,
            acknowledged: Vec::new(),
            answer: Answer::default(),
        }
    }

    /// Puts until the life is over. A call that is not answered is not made again: its records may
    /// be there.
    fn run(mut self, place: &Place) -> Result<Vec<Id>, Failure> {
        while let Some(address) = place.find()? {
            let Ok(socket) = TcpStream::connect(address) else {
                continue; // It is being killed, which its place is about to tell.
            };
            socket.set_nodelay(true)?;
            socket.set_read_timeout(Some(READ_MAX))?;
            self.put_to(socket, address, place)?;
        }
        Ok(self.acknowledged)
    }

    /// Puts until the server is gone or the life is over.
    fn put_to(
        &mut self,
        mut socket: TcpStream,
        address: SocketAddr,
        place: &Place,
    ) -> Result<(), Failure> {
        let signer = Signer::new(address, Service::STREAMS)?;
        while !place.is_over() {
            let request = signer.request("PutRecords", self.body().as_bytes())?;
            let turn = self.turn;
            self.turn += 1;
            self.answer.clear();
            match exchange(&mut socket, &request, &mut self.answer) {
                Ok(true) => self.note(turn)?,
                Ok(false) => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    fn body(&self) -> String {
        let (writer, turn) = (self.number, self.turn);
        let records = (0..KEYS).map(|key| {
            // Digits in groups of four are base64 that decodes and encodes to itself.
            let data = format!("{writer:04}{key:04}{turn:08}").repeat(REPEATED);
            format!(r#"{{"Data":"{data}","PartitionKey":"{writer}-{key}"}}"#)
        });
        let records = records.collect::<Vec<_>>().join(",");
        format!(r#"{{"StreamName":"{STREAM}","Records":[{records}]}}"#)
    }

    /// Notes what was acknowledged.
    fn note(&mut self, turn: u32) -> Result<(), Failure> {
        let put: Put = serde_json::from_slice(self.answer.body()?)?;
        let landed = (0..KEYS).zip(&put.records);
        let landed = landed.filter(|(_, record)| record.error_code.is_none());
        let before = self.acknowledged.len();
        let ids = landed.map(|(key, _)| (self.number, key, turn));
        self.acknowledged.extend(ids);
        let failed = usize::from(KEYS) - (self.acknowledged.len() - before);
        if failed != usize::try_from(put.failed_record_count)? {
            return Err("an answer does not count its failed records".into());
        }
        Ok(())
    }
}

/// Sends a request and reads its answer; `false`: the server is gone.
fn exchange(socket: &mut TcpStream, request: &[u8], answer: &mut Answer) -> Result<bool, Failure> {
    if socket.write_all(request).is_err() {
        return Ok(false);
    }
    loop {
        match socket.read(answer.room()?) {
            Ok(0) => return Ok(false),
            Ok(count) => {
                if answer.grew(count)? {
                    return Ok(true);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(error.into()),
            Err(_) => return Ok(false),
        }
    }
}

/// What was read of the whole stream.
#[derive(Default)]
struct Found {
    /// How often each record was there.
    times: HashMap<Id, u32>,
    /// Records that came after a later one of their keys.
    out_of_order: usize,
    last: HashMap<(u16, u16), u32>,
}

/// Reads all shards, each after its parents, which have lower numbers.
fn read(address: SocketAddr) -> Result<Found, Failure> {
    let mut found = Found::default();
    for mut iterator in calls::oldest_iterators(address, STREAM)? {
        loop {
            let answer = calls::call(address, "GetRecords", &json!({"ShardIterator": iterator}))?;
            let records = answer["Records"].as_array().ok_or("no records")?;
            for record in records {
                found.take(record)?;
            }
            let is_at_tip = records.is_empty() && answer["MillisBehindLatest"] == 0;
            match answer["NextShardIterator"].as_str() {
                Some(next) if !is_at_tip => iterator = next.to_owned(),
                _ => break,
            }
        }
    }
    Ok(found)
}

impl Found {
    fn take(&mut self, record: &Value) -> Result<(), Failure> {
        let data = record["Data"].as_str().unwrap_or_default();
        let digits = |range| data.get(range).ok_or("a record that nobody put");
        let (writer, key) = (digits(0..4)?.parse()?, digits(4..8)?.parse()?);
        let turn = digits(8..16)?.parse()?;
        *self.times.entry((writer, key, turn)).or_default() += 1;
        let before = self.last.insert((writer, key), turn);
        self.out_of_order += usize::from(before.is_some_and(|before| turn < before));
        Ok(())
    }
}
