//! The real server while an application counts words, killed with SIGKILL again and again, with a
//! shard split in between: the table and the alerts are what the records of the stream come to,
//! each counted once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use base64_simd::STANDARD;
use serde_json::{Value, json};

use crate::counter::counter;
use crate::server::{Connection, Server, text};
use crate::streams::{create_stream, list_shards, read_all};

const CYCLES: u32 = 12;
/// The kill of each of so many cycles comes in the middle of work, the others whenever it is.
const WORKS_EVERY: u32 = 3;
/// Another number of kills, for a long run.
const CYCLES_VARIABLE: &str = "MILLRACE_TEST_KILLS";
const SHARDS: u32 = 3;
const WRITERS: u32 = 3;
/// The cycle in which the first shard is split.
const SPLIT_IN: u32 = 5;
const STREAM: &str = "text";
const ALERTS: &str = "alerts";
const GRANTS: &str = "[[plugin_grants]]\nname = \"counter\"\ntables = [\"words\"]\n\
                      emit = [\"alerts\"]\n";

#[test]
fn a_server_that_is_killed_while_an_application_counts_counts_every_record_once() {
    let data = tempfile::tempdir().unwrap();
    let plugins = tempfile::tempdir().unwrap();
    fs::write(plugins.path().join("counter.wasm"), counter().component()).unwrap();
    let config = plugins.path().join("grants.toml");
    fs::write(&config, GRANTS).unwrap();
    let start = || {
        let more = ["--config", config.to_str().unwrap()];
        let program = Path::new(env!("CARGO_BIN_EXE_millrace"));
        Server::start_as(program, data.path(), Some(plugins.path()), &more)
    };
    let cycles = cycles();
    let (mut acknowledged, mut done) = (0, Vec::new());
    for cycle in 0..cycles {
        let server = start();
        let mut connection = server.connect();
        wait_until_in_force(&mut connection);
        match cycle {
            0 => create(&mut connection),
            SPLIT_IN => split(&mut connection),
            _ => {}
        }
        let (learned, lessons) = channel();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (connection, learned) = (server.connect(), learned.clone());
                thread::spawn(move || write(connection, (cycle, writer), &learned))
            })
            .collect();
        drop(learned);
        let answers = 1 + usize::try_from(cycle).unwrap() * 397 % 1_100;
        acknowledged += learn(&lessons, answers);
        if cycle % WORKS_EVERY == 0 {
            wait_until_more(&mut connection, done.last().copied());
        }
        done.push(processed(&mut connection).unwrap_or(0));
        server.kill();
        acknowledged += learn(&lessons, usize::MAX);
        for writer in writers {
            writer.join().unwrap();
        }
    }
    let server = start();
    let mut connection = server.connect();
    let records = records_of(&mut connection, STREAM);
    assert!(
        records.len() >= acknowledged,
        "acknowledged records are lost"
    );
    wait_until_processed(&mut connection, records.len() as u64);
    let words = counted(records.iter().cloned());
    assert_eq!(table(&mut connection), words);
    let expected = words.iter().map(|(word, count)| (word.clone(), count / 10));
    let expected: BTreeMap<_, _> = expected.filter(|(_, alerts)| *alerts > 0).collect();
    let alerts = records_of(&mut connection, ALERTS).into_iter();
    assert_eq!(counted(alerts), expected);
    println!(
        "{cycles} kills: {} records, of which {done:?} were done at the kills",
        records.len()
    );
    assert!(done.iter().any(|count| *count > 0), "no kill met work");
    assert!(
        records.len() > cycles as usize * 200,
        "there was hardly any load"
    );
    server.stop();
}

/// How often each is there.
fn counted(all: impl Iterator<Item = String>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts
}

fn cycles() -> u32 {
    match std::env::var(CYCLES_VARIABLE) {
        Ok(number) => number.parse().unwrap(),
        Err(_) => CYCLES,
    }
}

fn create(connection: &mut Connection) {
    create_stream(connection, STREAM, SHARDS);
    create_stream(connection, ALERTS, 1);
    let body = json!({"stream": STREAM, "plugin": "counter"});
    connection
        .post_page("apps/counts/create", &body)
        .expect("the application is made");
}

fn split(connection: &mut Connection) {
    let input = json!({
        "StreamName": STREAM, "ShardToSplit": "shardId-000000000000",
        "NewStartingHashKey": (1_u128 << 100).to_string(),
    });
    connection.kinesis("SplitShard", &input).unwrap();
}

fn wait_until_in_force(connection: &mut Connection) {
    loop {
        let page = connection.page("plugins").unwrap();
        if page["plugins"][0]["state"] == "running" {
            return;
        }
        thread::yield_now();
    }
}

/// Puts records until the server is gone, and tells how many were acknowledged.
fn write(mut connection: Connection, (cycle, writer): (u32, u32), learned: &Sender<usize>) {
    for call in 0_u32.. {
        let records: Vec<_> = (0..20_u32)
            .map(|number| {
                let word = (call * 7 + number * number + writer) % 41;
                let data = STANDARD.encode_to_string(format!("word-{word}"));
                let key = format!("{cycle}-{writer}-{call}-{number}");
                json!({"Data": data, "PartitionKey": key})
            })
            .collect();
        let input = json!({"StreamName": STREAM, "Records": records});
        let Some(answer) = connection.kinesis("PutRecords", &input) else {
            return;
        };
        let all = answer["Records"].as_array().unwrap().iter();
        let kept = all.filter(|record| record["ErrorCode"].is_null()).count();
        if learned.send(kept).is_err() {
            return;
        }
    }
}

fn learn(lessons: &Receiver<usize>, answers: usize) -> usize {
    let mut count = 0;
    while count < answers {
        let Ok(kept) = lessons.recv() else {
            return count;
        };
        count += kept;
    }
    count
}

fn processed(connection: &mut Connection) -> Option<u64> {
    connection.page("apps/counts")?["processed"].as_u64()
}

/// Returns in the middle of work that was not done before.
fn wait_until_more(connection: &mut Connection, before: Option<u64>) {
    while processed(connection) <= before.or(Some(0)) {
        thread::yield_now();
    }
}

fn wait_until_processed(connection: &mut Connection, records: u64) {
    loop {
        let app = connection.page("apps/counts").unwrap();
        let processed = app["processed"].as_u64().unwrap();
        assert!(processed <= records, "{app}");
        if processed == records && app["waiting"] == 0 {
            return;
        }
        thread::yield_now();
    }
}

/// The data of all records of a stream.
fn records_of(connection: &mut Connection, stream: &str) -> Vec<String> {
    let shards = list_shards(connection, stream).expect("the server answers");
    let mut all = Vec::new();
    for shard in shards.iter().map(|shard| text(&shard["ShardId"])) {
        let records = read_all(connection, stream, &shard).into_iter();
        all.extend(records.map(|(_, data)| {
            let data = STANDARD.decode_to_vec(data).unwrap();
            String::from_utf8(data).unwrap()
        }));
    }
    all
}

fn table(connection: &mut Connection) -> BTreeMap<String, u64> {
    let page = connection.dynamodb("Scan", &json!({"TableName": "words"}));
    let page = page.unwrap();
    assert!(page["LastEvaluatedKey"].is_null());
    let items = page["Items"].as_array().unwrap().iter();
    let bytes = |item: &Value, name: &str| {
        let text = item[name]["B"].as_str().unwrap();
        STANDARD.decode_to_vec(text).unwrap()
    };
    let rows = items.map(|item| {
        let count = bytes(item, "value").try_into().map(u64::from_le_bytes);
        (
            String::from_utf8(bytes(item, "key")).unwrap(),
            count.unwrap(),
        )
    });
    rows.collect()
}
