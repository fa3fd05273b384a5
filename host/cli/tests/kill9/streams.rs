//! The real server under load, killed with SIGKILL again and again: nothing that it acknowledged
//! is lost, no sequence number is used twice, and nothing that was read vanishes, while shards are
//! split and merged all the time.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use serde_json::{Value, json};

use crate::server::{Connection, Server, text};

const CYCLES: u32 = 20;
const SHARDS: u32 = 4;
const WRITERS: u32 = 8;
const READERS: u32 = 2;
/// Splits and merges of a cycle, if it is long enough.
const RESHARDINGS: u32 = 12;
/// Open shards beyond which shards are merged, until there are as many as at first.
const SHARDS_MAX: usize = 8;
const STREAM: &str = "under-fire";

/// A record's place: the shard and the sequence number in it.
type Place = (String, String);

/// What a client of the server learned.
enum Learned {
    /// The server said that it keeps the record.
    Acknowledged(Place, String),
    /// The server gave the record to a reader.
    Read(Place, String),
}

/// All that was learned in all cycles, to be held against what the server has after each kill.
#[derive(Default)]
struct Oracle {
    records: HashMap<Place, String>,
    acknowledged: usize,
    read: usize,
    /// Records found after a kill whose answer never came.
    unanswered: usize,
    /// Shards that were there at the last look, open and closed.
    shards: usize,
}

#[test]
fn a_server_that_is_killed_under_load_keeps_its_word() {
    let directory = tempfile::tempdir().unwrap();
    let mut oracle = Oracle::default();
    for cycle in 0..CYCLES {
        let server = Server::start(directory.path(), None);
        match cycle {
            0 => create(&server),
            _ => oracle.check(&server),
        }
        let (learned, lessons) = channel();
        let clients = start_clients(&server, cycle, &learned);
        drop(learned);
        // Early, late and in between; by count and not by time, so that a slow machine sees load.
        let answers = 1 + usize::try_from(cycle).unwrap() * 397 % 2_500;
        oracle.learn_until(&lessons, answers);
        server.kill();
        oracle.learn_until(&lessons, usize::MAX);
        for client in clients {
            client.join().unwrap();
        }
    }
    let server = Server::start(directory.path(), None);
    oracle.check(&server);
    println!(
        "{CYCLES} kills: {} records acknowledged, {} read, {} kept though unanswered, in {} \
         shards; none lost",
        oracle.acknowledged, oracle.read, oracle.unanswered, oracle.shards
    );
    assert!(
        CYCLES as usize * 500 < oracle.acknowledged,
        "there was hardly any load"
    );
    assert!(0 < oracle.read, "nothing was read under load");
    assert!(
        CYCLES as usize * 2 < oracle.shards,
        "shards were hardly split"
    );
    server.stop();
}

impl Oracle {
    /// Takes in what the clients learn until `acknowledged` records were, or the clients ended.
    fn learn_until(&mut self, lessons: &Receiver<Learned>, acknowledged: usize) {
        let until = self.acknowledged.saturating_add(acknowledged);
        while self.acknowledged < until {
            let Ok(lesson) = lessons.recv() else { return };
            let (place, data) = match lesson {
                Learned::Acknowledged(place, data) => {
                    self.acknowledged += 1;
                    (place, data)
                }
                Learned::Read(place, data) => {
                    self.read += 1;
                    (place, data)
                }
            };
            self.know(place, data);
        }
    }

    fn know(&mut self, place: Place, data: String) {
        if let Some(before) = self.records.insert(place.clone(), data.clone()) {
            assert_eq!(before, data, "{place:?} was used twice");
        }
    }

    /// Reads everything and holds it against what is known.
    fn check(&mut self, server: &Server) {
        let mut connection = server.connect();
        let mut kept = HashMap::new();
        let shards = list_shards(&mut connection, STREAM).expect("the server answers");
        self.shards = shards.len();
        check_open(&shards);
        for shard in shards.iter().map(|shard| text(&shard["ShardId"])) {
            let mut last = String::new();
            for (number, data) in read_all(&mut connection, STREAM, &shard) {
                assert!(last < number, "{number} after {last} in {shard}");
                last.clone_from(&number);
                kept.insert((shard.clone(), number), data);
            }
        }
        for (place, data) in &self.records {
            assert_eq!(kept.get(place), Some(data), "{place:?} is lost");
        }
        let mut data: Vec<&String> = kept.values().collect();
        data.sort_unstable();
        assert!(data.is_sorted_by(|a, b| a < b), "a record is there twice");
        self.unanswered += kept.len() - self.records.len();
        // From now on they were read, and must stay.
        self.records = kept;
    }
}

fn create(server: &Server) {
    create_stream(&mut server.connect(), STREAM, SHARDS);
}

/// Creates a stream and waits until it is ACTIVE.
pub fn create_stream(connection: &mut Connection, stream: &str, shards: u32) {
    let input = json!({"StreamName": stream, "ShardCount": shards});
    connection
        .kinesis("CreateStream", &input)
        .expect("the stream is created");
    let name = json!({"StreamName": stream});
    let is_active = |connection: &mut Connection| {
        let answer = connection.kinesis("DescribeStreamSummary", &name).unwrap();
        answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"
    };
    assert!(
        (0..10_000).any(|_| is_active(connection)),
        "it becomes ACTIVE"
    );
}

fn start_clients(
    server: &Server,
    cycle: u32,
    learned: &Sender<Learned>,
) -> Vec<thread::JoinHandle<()>> {
    let mut clients = Vec::new();
    for writer in 0..WRITERS {
        let (connection, learned) = (server.connect(), learned.clone());
        clients.push(thread::spawn(move || {
            write(connection, cycle, writer, &learned)
        }));
    }
    let connection = server.connect();
    clients.push(thread::spawn(move || reshard(connection, cycle)));
    for _ in 0..READERS {
        let (connection, learned) = (server.connect(), learned.clone());
        clients.push(thread::spawn(move || read(connection, &learned)));
    }
    clients
}

/// Puts records of its own, one by one and many at once, until the server is gone.
fn write(mut connection: Connection, cycle: u32, writer: u32, learned: &Sender<Learned>) {
    for turn in 0_u32.. {
        let count = if turn % 2 == 0 { 1 } else { 2 + turn % 19 };
        let records: Vec<Value> = (0..count)
            .map(|index| {
                // Digits in groups of four are base64 that decodes and encodes to itself.
                let data = format!("{cycle:04}{writer:04}{turn:08}{index:04}").repeat(8);
                json!({"Data": data, "PartitionKey": format!("{writer}-{turn}-{index}")})
            })
            .collect();
        let (operation, input) = match &records[..] {
            [record] => ("PutRecord", with_stream(record)),
            _ => (
                "PutRecords",
                json!({"StreamName": STREAM, "Records": records}),
            ),
        };
        let Some(answer) = connection.kinesis(operation, &input) else {
            return;
        };
        let alone = [answer.clone()];
        let places = answer["Records"]
            .as_array()
            .map_or(&alone[..], Vec::as_slice);
        for (record, place) in records.iter().zip(places) {
            // A record of PutRecords may fail on its own; it was not acknowledged then.
            if place.get("ErrorCode").is_none() {
                let place = (text(&place["ShardId"]), text(&place["SequenceNumber"]));
                let lesson = Learned::Acknowledged(place, text(&record["Data"]));
                learned.send(lesson).expect("the test is there");
            }
        }
    }
}

/// All shards of a stream; none once the server is gone.
pub fn list_shards(connection: &mut Connection, stream: &str) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    let mut input = json!({"StreamName": stream});
    loop {
        let page = connection.kinesis("ListShards", &input)?;
        all.extend(page["Shards"].as_array().unwrap().clone());
        match page.get("NextToken") {
            Some(token) => input = json!({"NextToken": token}),
            None => return Some(all),
        }
    }
}

/// First and last hash key.
pub fn range(shard: &Value) -> (u128, u128) {
    let end = |end: &str| text(&shard["HashKeyRange"][end]).parse().unwrap();
    (end("StartingHashKey"), end("EndingHashKey"))
}

/// The open ones of these shards, in order of their hash keys.
pub fn open_of(shards: &[Value]) -> Vec<&Value> {
    let is_open = |shard: &&Value| {
        let numbers = &shard["SequenceNumberRange"];
        numbers.get("EndingSequenceNumber").is_none()
    };
    let mut open: Vec<_> = shards.iter().filter(is_open).collect();
    open.sort_by_key(|shard| range(shard));
    open
}

/// Each hash key has one open shard.
pub fn check_open(shards: &[Value]) {
    let mut next = Some(0);
    for shard in open_of(shards) {
        let (first, last) = range(shard);
        assert_eq!(Some(first), next, "{shards:?}");
        next = last.checked_add(1);
    }
    assert_eq!(next, None, "{shards:?}");
}

/// Splits and merges one shard after the other, until the server is gone.
fn reshard(mut connection: Connection, cycle: u32) {
    let mut is_growing = true;
    for turn in 0..RESHARDINGS {
        let Some(shards) = list_shards(&mut connection, STREAM) else {
            return;
        };
        let open = open_of(&shards);
        is_growing = match open.len() {
            count if count >= SHARDS_MAX => false,
            count if count <= SHARDS as usize => true,
            _ => is_growing,
        };
        let place = (cycle * RESHARDINGS + turn) as usize * 7 % (open.len() - 1);
        let shard = &open[place];
        let (operation, input) = if is_growing {
            let (first, last) = range(shard);
            let middle = (first + (last - first) / 2).to_string();
            let split = json!({
                "StreamName": STREAM, "ShardToSplit": shard["ShardId"],
                "NewStartingHashKey": middle,
            });
            ("SplitShard", split)
        } else {
            let merge = json!({
                "StreamName": STREAM, "ShardToMerge": shard["ShardId"],
                "AdjacentShardToMerge": open[place + 1]["ShardId"],
            });
            ("MergeShards", merge)
        };
        let changed = connection.kinesis(operation, &input);
        if changed.is_none() || !until_active(&mut connection, STREAM) {
            return;
        }
    }
}

/// Waits until a stream is ACTIVE; false once the server is gone.
pub fn until_active(connection: &mut Connection, stream: &str) -> bool {
    let name = json!({"StreamName": stream});
    for _ in 0..10_000 {
        let Some(answer) = connection.kinesis("DescribeStreamSummary", &name) else {
            return false;
        };
        if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
            return true;
        }
    }
    panic!("it does not become ACTIVE");
}

/// Follows every shard, and its children, from its oldest record on, until the server is gone.
fn read(mut connection: Connection, learned: &Sender<Learned>) {
    let mut iterators = BTreeMap::new();
    let Some(shards) = list_shards(&mut connection, STREAM) else {
        return;
    };
    for shard in shards.iter().map(|shard| text(&shard["ShardId"])) {
        let Some(iterator) = oldest(&mut connection, STREAM, &shard) else {
            return;
        };
        iterators.insert(shard, iterator);
    }
    loop {
        let mut next = BTreeMap::new();
        for (shard, iterator) in iterators {
            let input = json!({"ShardIterator": iterator});
            let Some(answer) = connection.kinesis("GetRecords", &input) else {
                return;
            };
            for record in answer["Records"].as_array().unwrap() {
                let place = (shard.clone(), text(&record["SequenceNumber"]));
                learned
                    .send(Learned::Read(place, text(&record["Data"])))
                    .expect("the test is there");
            }
            match answer.get("NextShardIterator") {
                Some(iterator) => {
                    next.insert(shard, text(iterator));
                }
                None => {
                    for child in answer["ChildShards"].as_array().unwrap() {
                        let child = text(&child["ShardId"]);
                        let Some(iterator) = oldest(&mut connection, STREAM, &child) else {
                            return;
                        };
                        next.entry(child).or_insert(iterator);
                    }
                }
            }
        }
        iterators = next;
    }
}

/// Everything that a shard of a stream holds.
pub fn read_all(connection: &mut Connection, stream: &str, shard: &str) -> Vec<(String, String)> {
    let mut iterator = oldest(connection, stream, shard).expect("the server answers");
    let mut records = Vec::new();
    loop {
        let input = json!({"ShardIterator": iterator});
        let answer = connection
            .kinesis("GetRecords", &input)
            .expect("the server answers");
        let page = answer["Records"].as_array().unwrap();
        records.extend(
            page.iter()
                .map(|r| (text(&r["SequenceNumber"]), text(&r["Data"]))),
        );
        match answer.get("NextShardIterator") {
            Some(next) if !page.is_empty() || answer["MillisBehindLatest"] != 0 => {
                iterator = text(next);
            }
            _ => return records,
        }
    }
}

fn oldest(connection: &mut Connection, stream: &str, shard: &str) -> Option<String> {
    let start = json!({
        "StreamName": stream,
        "ShardId": shard,
        "ShardIteratorType": "TRIM_HORIZON",
    });
    let answer = connection.kinesis("GetShardIterator", &start)?;
    Some(text(&answer["ShardIterator"]))
}

fn with_stream(input: &Value) -> Value {
    let mut input = input.clone();
    input["StreamName"] = json!(STREAM);
    input
}

pub fn shard_id(index: u32) -> String {
    format!("shardId-{index:012}")
}
