//! A stream's life under load: scaled from one shard to eight and back to three, split and merged,
//! and killed with SIGKILL at every step. Records go in by 500, and are read by a consumer that
//! goes from parents to children and carries on after each kill where it stood. Nothing
//! acknowledged is lost, nothing is read twice, and the records of each key come in the order of
//! their puts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{Connection, Server, text};
use crate::streams::{check_open, create_stream, list_shards, open_of, range, until_active};

const CYCLES: usize = 20;
const STREAM: &str = "life";
const WRITERS: u16 = 4;
/// Partition keys of each writer; a call has a record of each.
const KEYS: u16 = 500;
/// Open shards in the life of the stream, as UpdateShardCount makes them: at most twice as many as
/// before, at least half as many, and ten times a day.
const COUNTS: [usize; 5] = [2, 4, 8, 4, 3];
/// Calls that must be answered before a cycle reshards; some have more, so that kills come early
/// and late.
const CALLS_MIN: usize = 8;

/// The record of a key that a writer put in one of its turns.
type Id = (u16, u16, u32);

/// What a writer knows: the turn that it is at, and what was acknowledged.
#[derive(Default)]
struct Written {
    turn: u32,
    acknowledged: Vec<Id>,
}

/// Where a consumer stands in a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Stand {
    /// Before its first record.
    #[default]
    Beginning,
    /// After the record of this number.
    After(String),
    /// It is read to its end.
    End,
}

/// A consumer, with what it keeps between two runs.
#[derive(Default)]
struct Consumer {
    stands: BTreeMap<String, Stand>,
    /// The last turn that was read of each key.
    last: HashMap<(u16, u16), u32>,
    seen: HashSet<Id>,
}

/// A moment for a kill, by the resharding of its cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The request is sent, and nobody knows what became of it.
    Asked,
    /// The server has promised it.
    Answered,
    /// It is done.
    Done,
    /// It is done and the new shards have taken records.
    Later,
}

const MOMENTS: [Moment; 4] = [Moment::Asked, Moment::Answered, Moment::Done, Moment::Later];

#[test]
fn a_stream_that_is_resharded_and_killed_under_load_loses_nothing_and_keeps_each_keys_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut written: Vec<Written> = (0..WRITERS).map(|_| Written::default()).collect();
    let mut consumer = Consumer::default();
    let mut life = Life::default();
    let mut under_load = Duration::ZERO;
    for cycle in 0..CYCLES {
        let server = Server::start(directory.path(), None);
        if cycle == 0 {
            create_stream(&mut server.connect(), STREAM, 1);
        }
        let begun = Instant::now();
        let (answers, answered) = channel();
        let writers: Vec<JoinHandle<Written>> = written
            .drain(..)
            .zip(0..)
            .map(|(written, number)| {
                let (connection, answers) = (server.connect(), answers.clone());
                thread::spawn(move || write(connection, number, written, &answers))
            })
            .collect();
        let connection = server.connect();
        let reading = thread::spawn(move || consumer.read_on(connection, false));
        let mut connection = server.connect();
        let calls = CALLS_MIN + cycle * 7 % 24;
        wait_for(&answered, calls);
        life.reshard(&mut connection, MOMENTS[cycle % MOMENTS.len()], cycle);
        if MOMENTS[cycle % MOMENTS.len()] == Moment::Later {
            wait_for(&answered, calls);
        }
        server.kill();
        written.extend(writers.into_iter().map(|writer| writer.join().unwrap()));
        under_load += begun.elapsed();
        consumer = reading.join().unwrap();
    }
    let server = Server::start(directory.path(), None);
    let mut connection = server.connect();
    life.end(&mut connection);
    let consumer = consumer.read_on(server.connect(), true);
    let acknowledged: Vec<&Id> = written.iter().flat_map(|w| &w.acknowledged).collect();
    let lost = acknowledged
        .iter()
        .filter(|id| !consumer.seen.contains(**id));
    assert_eq!(lost.count(), 0, "acknowledged records are lost");
    let shards = list_shards(&mut connection, STREAM).unwrap();
    let read: Vec<&String> = consumer.stands.keys().collect();
    let there: Vec<String> = shards.iter().map(|shard| text(&shard["ShardId"])).collect();
    assert!(read.into_iter().eq(&there), "a shard was not come to");
    println!(
        "{CYCLES} kills, {} reshardings, {} shards: {} records acknowledged at {:.0} a second, {} \
         read in the order of their keys; none lost",
        life.done,
        there.len(),
        acknowledged.len(),
        acknowledged.len() as f64 / under_load.as_secs_f64(),
        consumer.seen.len(),
    );
    let least = CYCLES * CALLS_MIN * usize::from(KEYS);
    assert!(least <= acknowledged.len(), "there was hardly any load");
    assert!(CYCLES / 2 <= life.done, "shards were hardly resharded");
    server.stop();
}

/// Waits until so many more calls were answered.
fn wait_for(answered: &Receiver<()>, calls: usize) {
    // Those that came before are over.
    answered.try_iter().for_each(drop);
    let count = answered.iter().take(calls).count();
    assert_eq!(count, calls, "the writers end");
}

/// Puts a record of each of its keys in every turn, until the server is gone. What was not answered
/// is not put again: it may be there.
fn write(
    mut connection: Connection,
    writer: u16,
    mut written: Written,
    answers: &Sender<()>,
) -> Written {
    loop {
        let turn = written.turn;
        written.turn += 1;
        let records = (0..KEYS).map(|key| {
            // Digits in groups of four are base64 that decodes and encodes to itself.
            let data = format!("{writer:04}{key:04}{turn:08}").repeat(8);
            format!(r#"{{"Data":"{data}","PartitionKey":"{writer}-{key}"}}"#)
        });
        let records = records.collect::<Vec<_>>().join(",");
        let input = format!(r#"{{"StreamName":"{STREAM}","Records":[{records}]}}"#);
        let Some(answer) = connection.kinesis_text("PutRecords", &input) else {
            return written;
        };
        let places = (0..).zip(answer["Records"].as_array().unwrap());
        // A record may fail on its own; it was not acknowledged then.
        let good = places.filter(|(_, place)| place.get("ErrorCode").is_none());
        let good = good.map(|(key, _)| (writer, key, turn));
        written.acknowledged.extend(good);
        answers.send(()).expect("the test is there");
    }
}

impl Consumer {
    /// Reads what there is, parents before children, from where it stands: until the server is
    /// gone, or once all that is there was read.
    fn read_on(mut self, mut connection: Connection, until_tip: bool) -> Self {
        loop {
            let Some(shards) = list_shards(&mut connection, STREAM) else {
                return self;
            };
            let mut is_at_tip = true;
            for shard in &shards {
                let id = text(&shard["ShardId"]);
                let stand = self.stands.get(&id).cloned().unwrap_or_default();
                if stand == Stand::End || !self.has_read_parents(shard) {
                    continue;
                }
                let Some(stand) = self.read_shard(&mut connection, &id, stand) else {
                    return self;
                };
                // Its children may be read now.
                is_at_tip &= stand != Stand::End;
                self.stands.insert(id, stand);
            }
            if until_tip && is_at_tip {
                return self;
            }
        }
    }

    fn has_read_parents(&self, shard: &Value) -> bool {
        let parents = ["ParentShardId", "AdjacentParentShardId"];
        let mut parents = parents.iter().filter_map(|parent| shard.get(parent));
        parents.all(|parent| self.stands.get(&text(parent)) == Some(&Stand::End))
    }

    /// Reads a shard as far as it goes now; where that is, or nothing once the server is gone. What
    /// was read before that stays read.
    fn read_shard(
        &mut self,
        connection: &mut Connection,
        shard: &str,
        mut stand: Stand,
    ) -> Option<Stand> {
        let mut input = json!({"StreamName": STREAM, "ShardId": shard});
        match &stand {
            Stand::After(number) => {
                input["ShardIteratorType"] = json!("AFTER_SEQUENCE_NUMBER");
                input["StartingSequenceNumber"] = json!(number);
            }
            _ => input["ShardIteratorType"] = json!("TRIM_HORIZON"),
        }
        let mut iterator = text(&connection.kinesis("GetShardIterator", &input)?["ShardIterator"]);
        loop {
            let input = json!({"ShardIterator": iterator});
            let answer = connection.kinesis("GetRecords", &input)?;
            let records = answer["Records"].as_array().unwrap();
            for record in records {
                self.take(&text(&record["Data"]), shard);
                stand = Stand::After(text(&record["SequenceNumber"]));
            }
            self.stands.insert(shard.to_owned(), stand.clone());
            match answer.get("NextShardIterator") {
                None => {
                    let children = answer["ChildShards"].as_array().unwrap();
                    assert!(!children.is_empty(), "{shard} ends without children");
                    return Some(Stand::End);
                }
                Some(next) if !records.is_empty() => iterator = text(next),
                Some(_) => return Some(stand),
            }
        }
    }

    fn take(&mut self, data: &str, shard: &str) {
        let (writer, key) = (data[..4].parse().unwrap(), data[4..8].parse().unwrap());
        let turn: u32 = data[8..16].parse().unwrap();
        let before = self.last.insert((writer, key), turn);
        assert!(
            before.is_none_or(|before| before < turn),
            "in {shard} turn {turn} of {writer}-{key} comes after {before:?}"
        );
        self.seen.insert((writer, key, turn));
    }
}

/// How far the stream has come.
#[derive(Default)]
struct Life {
    /// How many of [`COUNTS`] are reached.
    reached: usize,
    /// Reshardings that are known to be done.
    done: usize,
    /// The shards of the last look.
    shards: usize,
}

impl Life {
    /// Reshards the stream, up to the moment at which the server is to be killed: scales it until
    /// it has been through all of its counts, and then splits and merges its shards.
    fn reshard(&mut self, connection: &mut Connection, moment: Moment, cycle: usize) {
        let shards = self.look(connection);
        let open = open_of(&shards);
        let (operation, input) = match COUNTS.get(self.reached) {
            Some(count) => (
                "UpdateShardCount",
                json!({
                    "StreamName": STREAM, "TargetShardCount": count,
                    "ScalingType": "UNIFORM_SCALING",
                }),
            ),
            None => one_more_or_less(&open, cycle),
        };
        if moment == Moment::Asked {
            connection.begin_kinesis(operation, &input);
            return;
        }
        let answer = connection.kinesis(operation, &input);
        answer.expect("the server answers");
        if moment != Moment::Answered {
            assert!(until_active(connection, STREAM));
            self.look(connection);
        }
    }

    /// What the stream is now, once what was begun is done: also what a kill has interrupted.
    fn look(&mut self, connection: &mut Connection) -> Vec<Value> {
        assert!(until_active(connection, STREAM));
        let shards = list_shards(connection, STREAM).expect("the server answers");
        check_open(&shards);
        if COUNTS.get(self.reached) == Some(&open_of(&shards).len()) {
            self.reached += 1;
        }
        self.done += usize::from(self.shards < shards.len() && self.shards > 0);
        self.shards = shards.len();
        shards
    }

    fn end(&mut self, connection: &mut Connection) {
        self.look(connection);
        assert_eq!(self.reached, COUNTS.len(), "it was scaled to all counts");
    }
}

/// Splits a shard in its middle or merges two, so that there are three or four.
fn one_more_or_less(open: &[&Value], cycle: usize) -> (&'static str, Value) {
    let place = cycle % (open.len() - 1);
    if open.len() > COUNTS[COUNTS.len() - 1] {
        let merge = json!({
            "StreamName": STREAM, "ShardToMerge": open[place]["ShardId"],
            "AdjacentShardToMerge": open[place + 1]["ShardId"],
        });
        return ("MergeShards", merge);
    }
    let (first, last) = range(open[place]);
    let split = json!({
        "StreamName": STREAM, "ShardToSplit": open[place]["ShardId"],
        "NewStartingHashKey": (first + (last - first) / 2).to_string(),
    });
    ("SplitShard", split)
}
