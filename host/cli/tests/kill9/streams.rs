//! The real server under load, killed with SIGKILL again and again: nothing that it acknowledged
//! is lost, no sequence number is used twice, and nothing that was read vanishes.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails where it stands, and says what it saw"
)]

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use serde_json::{Value, json};

const CYCLES: u32 = 20;
const SHARDS: u32 = 4;
const WRITERS: u32 = 8;
const READERS: u32 = 2;
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
}

#[test]
fn a_server_that_is_killed_under_load_keeps_its_word() {
    let directory = tempfile::tempdir().unwrap();
    let mut oracle = Oracle::default();
    for cycle in 0..CYCLES {
        let server = Server::start(directory.path());
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
    let server = Server::start(directory.path());
    oracle.check(&server);
    println!(
        "{CYCLES} kills: {} records acknowledged, {} read, {} kept though unanswered; none lost",
        oracle.acknowledged, oracle.read, oracle.unanswered
    );
    assert!(
        CYCLES as usize * 500 < oracle.acknowledged,
        "there was hardly any load"
    );
    assert!(0 < oracle.read, "nothing was read under load");
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
        for shard in (0..SHARDS).map(shard_id) {
            let mut last = String::new();
            for (number, data) in read_all(&mut connection, &shard) {
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
    let mut connection = server.connect();
    let input = json!({"StreamName": STREAM, "ShardCount": SHARDS});
    connection
        .call("CreateStream", &input)
        .expect("the stream is created");
    let name = json!({"StreamName": STREAM});
    let is_active = |connection: &mut Connection| {
        let answer = connection.call("DescribeStreamSummary", &name).unwrap();
        answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"
    };
    assert!(
        (0..10_000).any(|_| is_active(&mut connection)),
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
        let Some(answer) = connection.call(operation, &input) else {
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

/// Follows every shard from its oldest record on, until the server is gone.
fn read(mut connection: Connection, learned: &Sender<Learned>) {
    let mut iterators = BTreeMap::new();
    for shard in (0..SHARDS).map(shard_id) {
        let Some(iterator) = oldest(&mut connection, &shard) else {
            return;
        };
        iterators.insert(shard, iterator);
    }
    loop {
        for (shard, iterator) in &mut iterators {
            let input = json!({"ShardIterator": iterator});
            let Some(answer) = connection.call("GetRecords", &input) else {
                return;
            };
            for record in answer["Records"].as_array().unwrap() {
                let place = (shard.clone(), text(&record["SequenceNumber"]));
                learned
                    .send(Learned::Read(place, text(&record["Data"])))
                    .expect("the test is there");
            }
            *iterator = text(&answer["NextShardIterator"]);
        }
    }
}

/// Everything that a shard holds.
fn read_all(connection: &mut Connection, shard: &str) -> Vec<(String, String)> {
    let mut iterator = oldest(connection, shard).expect("the server answers");
    let mut records = Vec::new();
    loop {
        let input = json!({"ShardIterator": iterator});
        let answer = connection
            .call("GetRecords", &input)
            .expect("the server answers");
        let page = answer["Records"].as_array().unwrap();
        records.extend(
            page.iter()
                .map(|r| (text(&r["SequenceNumber"]), text(&r["Data"]))),
        );
        if page.is_empty() && answer["MillisBehindLatest"] == 0 {
            return records;
        }
        iterator = text(&answer["NextShardIterator"]);
    }
}

fn oldest(connection: &mut Connection, shard: &str) -> Option<String> {
    let start = json!({"ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
    let answer = connection.call("GetShardIterator", &with_stream(&start))?;
    Some(text(&answer["ShardIterator"]))
}

fn with_stream(input: &Value) -> Value {
    let mut input = input.clone();
    input["StreamName"] = json!(STREAM);
    input
}

fn shard_id(index: u32) -> String {
    format!("shardId-{index:012}")
}

fn text(value: &Value) -> String {
    value.as_str().expect("the member is text").to_owned()
}

/// `millrace serve` as a process.
struct Server {
    process: Child,
    address: String,
    /// A server whose standard output was closed could not print.
    _printed: Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn start(data: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_millrace"))
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--no-throttle",
                "--data",
            ])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = printed
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ready http://").map(str::to_owned))
            .expect("the server says where it listens");
        Self {
            process,
            address,
            _printed: printed,
        }
    }

    fn connect(&self) -> Connection {
        let socket = TcpStream::connect(&self.address).unwrap();
        socket.set_nodelay(true).unwrap();
        Connection(BufReader::new(socket))
    }

    /// SIGKILL, by dropping it: the process has no chance to do anything more.
    fn kill(self) {}

    /// SIGTERM, as an operator ends it.
    fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        assert!(
            self.process.wait().unwrap().success(),
            "it ends with exit code 0"
        );
    }
}

impl Drop for Server {
    /// No server outlives its test, however the test ends. One that has ended is left alone.
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            self.process.kill().unwrap();
            self.process.wait().unwrap();
        }
    }
}

/// One connection, HTTP/1.1 with keep-alive.
struct Connection(BufReader<TcpStream>);

impl Connection {
    /// The answer; none once the server is gone. An answer that is an error fails the test.
    fn call(&mut self, operation: &str, input: &Value) -> Option<Value> {
        let body = input.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.1\r\n\
             x-amz-target: Kinesis_20131202.{operation}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.0.get_mut().write_all((head + &body).as_bytes()).ok()?;
        let mut status = String::new();
        self.0.read_line(&mut status).ok()?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        let shown = String::from_utf8_lossy(&body);
        assert!(
            status.starts_with("HTTP/1.1 200"),
            "{operation}: {status}{shown}"
        );
        match body.is_empty() {
            true => Some(Value::Null),
            false => Some(serde_json::from_slice(&body).unwrap()),
        }
    }
}
