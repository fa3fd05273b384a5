//! The real server while an application of SQL passes rows on and counts them in windows, killed
//! with SIGKILL again and again, with a shard split in between: each record is in one row that was
//! passed on, and in one window.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use base64_simd::STANDARD;
use serde_json::{Value, json};

use crate::server::{Connection, Server, text};
use crate::streams::{create_stream, list_shards, read_all};

const CYCLES: u32 = 10;
/// Another number of kills, for a long run.
const CYCLES_VARIABLE: &str = "MILLRACE_TEST_KILLS";
const SHARDS: u32 = 3;
const WRITERS: u32 = 3;
/// The cycle in which the first shard is split.
const SPLIT_IN: u32 = 4;
const STREAM: &str = "clicks";
const PASSED: &str = "passed";
const COUNTED: &str = "counted";

const CODE: &str = r#"
CREATE OR REPLACE STREAM "PASSED" (K VARCHAR(64), W VARCHAR(16));
CREATE OR REPLACE PUMP "PASSING" AS INSERT INTO "PASSED"
    SELECT STREAM "k", "w" FROM "SOURCE_SQL_STREAM_001";
CREATE OR REPLACE STREAM "COUNTED" (W VARCHAR(16), C BIGINT);
CREATE OR REPLACE PUMP "COUNTING" AS INSERT INTO "COUNTED"
    SELECT STREAM "w", COUNT(*) FROM "SOURCE_SQL_STREAM_001"
    GROUP BY "w", STEP("SOURCE_SQL_STREAM_001".ROWTIME BY INTERVAL '1' SECOND);
"#;

#[test]
fn a_server_that_is_killed_while_sql_is_at_work_has_each_record_in_its_rows_once() {
    let data = tempfile::tempdir().unwrap();
    let cycles = cycles();
    let (mut acknowledged, mut done) = (0, Vec::new());
    for cycle in 0..cycles {
        let server = Server::start(data.path(), None);
        let mut connection = server.connect();
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
        done.push(rows(&mut connection, PASSED).len());
        server.kill();
        acknowledged += learn(&lessons, usize::MAX);
        for writer in writers {
            writer.join().unwrap();
        }
    }
    let server = Server::start(data.path(), None);
    let mut connection = server.connect();
    let records = rows(&mut connection, STREAM);
    assert!(
        records.len() >= acknowledged,
        "acknowledged records are lost"
    );
    let passed = loop {
        let passed = rows(&mut connection, PASSED);
        assert!(passed.len() <= records.len(), "rows are there twice");
        if passed.len() == records.len() {
            break passed;
        }
    };
    assert_eq!(column(&passed, "K"), column(&records, "k"));
    let words = column(&records, "w");
    let counted = loop {
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        for row in rows(&mut connection, COUNTED) {
            *counted.entry(text(&row["W"])).or_default() += row["C"].as_u64().unwrap();
        }
        // The last windows are over a second after the last record.
        if counted.values().sum::<u64>() >= records.len() as u64 {
            break counted;
        }
    };
    assert_eq!(counted, words);
    println!(
        "{cycles} kills: {} records, of which {done:?} were passed on at the kills",
        records.len()
    );
    assert!(done.iter().any(|count| *count > 0), "no kill met work");
    server.stop();
}

/// How often each value of a column is there.
fn column(rows: &[Value], name: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(text(&row[name])).or_default() += 1;
    }
    counts
}

fn cycles() -> u32 {
    match std::env::var(CYCLES_VARIABLE) {
        Ok(number) => number.parse().unwrap(),
        Err(_) => CYCLES,
    }
}

fn arn(stream: &str) -> String {
    format!("arn:aws:kinesis:us-east-1:000000000000:stream/{stream}")
}

fn create(connection: &mut Connection) {
    create_stream(connection, STREAM, SHARDS);
    create_stream(connection, PASSED, 2);
    create_stream(connection, COUNTED, 1);
    let role = "arn:aws:iam::000000000000:role/any";
    let output = |name: &str, stream: &str| {
        json!({
            "Name": name, "DestinationSchema": {"RecordFormatType": "JSON"},
            "KinesisStreamsOutput": {"ResourceARN": arn(stream), "RoleARN": role},
        })
    };
    let column = |name: &str, sql_type: &str| {
        let mapping = format!("$.{name}");
        json!({"Name": name, "Mapping": mapping, "SqlType": sql_type})
    };
    let application = json!({
        "ApplicationName": "counts",
        "ApplicationCode": CODE,
        "Inputs": [{
            "NamePrefix": "SOURCE_SQL_STREAM",
            "KinesisStreamsInput": {"ResourceARN": arn(STREAM), "RoleARN": role},
            "InputSchema": {
                "RecordFormat": {
                    "RecordFormatType": "JSON",
                    "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}},
                },
                "RecordEncoding": "UTF-8",
                "RecordColumns": [column("k", "VARCHAR(64)"), column("w", "VARCHAR(16)")],
            },
        }],
        "Outputs": [output("PASSED", PASSED), output("COUNTED", COUNTED)],
    });
    connection
        .analytics("CreateApplication", &application)
        .expect("the application is made");
    let name = json!({"ApplicationName": "counts"});
    let described = connection.analytics("DescribeApplication", &name).unwrap();
    let input = &described["ApplicationDetail"]["InputDescriptions"][0]["InputId"];
    let start = json!({
        "ApplicationName": "counts",
        "InputConfigurations": [{
            "Id": input,
            "InputStartingPositionConfiguration": {"InputStartingPosition": "TRIM_HORIZON"},
        }],
    });
    connection
        .analytics("StartApplication", &start)
        .expect("it begins");
}

fn split(connection: &mut Connection) {
    let input = json!({
        "StreamName": STREAM, "ShardToSplit": "shardId-000000000000",
        "NewStartingHashKey": (1_u128 << 100).to_string(),
    });
    connection.kinesis("SplitShard", &input).unwrap();
}

/// Puts records until the server is gone, and tells how many were acknowledged.
fn write(mut connection: Connection, (cycle, writer): (u32, u32), learned: &Sender<usize>) {
    for call in 0_u32.. {
        let records: Vec<_> = (0..20_u32)
            .map(|number| {
                let word = (call * 7 + number * number + writer) % 41;
                let key = format!("{cycle}-{writer}-{call}-{number}");
                let row = json!({"k": key, "w": format!("w{word}")}).to_string();
                json!({"Data": STANDARD.encode_to_string(row), "PartitionKey": key})
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

/// The rows that a stream holds.
fn rows(connection: &mut Connection, stream: &str) -> Vec<Value> {
    let shards = list_shards(connection, stream).expect("the server answers");
    let mut all = Vec::new();
    for shard in shards.iter().map(|shard| text(&shard["ShardId"])) {
        let records = read_all(connection, stream, &shard).into_iter();
        all.extend(records.map(|(_, data)| {
            let data = STANDARD.decode_to_vec(data).unwrap();
            serde_json::from_slice::<Value>(&data).unwrap()
        }));
    }
    all
}
