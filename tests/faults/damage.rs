//! A record that the disk has damaged: what lies before it and behind it is read.

use std::path::PathBuf;
use std::time::Duration;

use millrace_tests::{Client, Service};
use serde_json::{Value, json};
use store::disk::simulated::SimulatedDisk;
use store::disk::{Disk, DiskFile};
use store::embedded::format::{FRAME_HEADER_BYTES, FrameHeader};

const SEED: u64 = 7;
const RECORDS: usize = 12;
/// The record that is damaged, from 0.
const HIT: usize = 5;
/// Bytes before the first frame of a segment.
const SEGMENT_HEADER_BYTES: u64 = 64;

fn data(number: usize) -> String {
    format!("{number:08}")
}

/// The one segment that holds as many frames as there are records, and where its frames begin.
fn segment(disk: &SimulatedDisk) -> (PathBuf, Vec<u64>) {
    let files = disk.files().into_iter().map(|(path, _)| path);
    let segments = files.filter(|path| path.starts_with("logs"));
    let found = segments.map(|path| {
        let file = disk.open(&path).unwrap();
        (path, frames(file.as_ref()))
    });
    let mut found = found.filter(|(_, frames)| frames.len() == RECORDS);
    found.next().unwrap()
}

fn frames(file: &dyn DiskFile) -> Vec<u64> {
    let (mut offsets, mut at) = (Vec::new(), SEGMENT_HEADER_BYTES);
    loop {
        let mut header = [0; FRAME_HEADER_BYTES];
        file.read_at(&mut header, at).unwrap();
        let Some((header, _)) = FrameHeader::decode(&header) else {
            return offsets;
        };
        offsets.push(at);
        at += header.frame_bytes() as u64;
    }
}

async fn read_from(client: &Client, start: Value) -> Value {
    let iterator = client.iterator("orders", start).await;
    client
        .call("GetRecords", json!({"ShardIterator": iterator}))
        .await
}

fn numbers_in(answer: &Value) -> Vec<String> {
    let records = answer["Records"].as_array().unwrap().iter();
    records
        .map(|record| record["Data"].as_str().unwrap().to_owned())
        .collect()
}

fn from(first: usize) -> Vec<String> {
    (first..RECORDS).map(data).collect()
}

/// All of it was an internal failure, from the first record on; of a damaged header, so was every
/// place behind it.
#[tokio::test]
async fn a_damaged_record_hides_no_other_and_its_reader_is_told_how_to_pass_it() {
    let header = 20;
    let body = FRAME_HEADER_BYTES as u64 + 9;
    for damaged in [header, body] {
        let disk = SimulatedDisk::new(SEED);
        let service = Service::start_on(disk.clone()).await;
        let client = service.client();
        client.create("orders", 1).await;
        let (mut numbers, mut times) = (Vec::new(), Vec::new());
        for number in 0..RECORDS {
            service.pass(Duration::from_secs(1));
            let put = client.put("orders", &data(number)).await;
            numbers.push(put["SequenceNumber"].as_str().unwrap().to_owned());
            times.push(service.now().0 / 1000);
        }
        let meanwhile = || {
            let (path, offsets) = segment(&disk);
            assert!(disk.flip(&path, offsets[HIT] + damaged, 1));
        };
        let service = service.restart_after(meanwhile).await;
        let client = service.client();

        let oldest = json!({"ShardIteratorType": "TRIM_HORIZON"});
        let answer = read_from(&client, oldest.clone()).await;
        let before: Vec<_> = (0..HIT).map(data).collect();
        assert_eq!(numbers_in(&answer), before);
        assert_ne!(answer["MillisBehindLatest"], 0);
        let iterator = client.iterator("orders", oldest).await;
        let limited = json!({"ShardIterator": iterator, "Limit": HIT});
        let limited = client.call("GetRecords", limited).await;
        assert_eq!(numbers_in(&limited), before);
        assert_ne!(limited["MillisBehindLatest"], 0);

        let next = json!({"ShardIterator": answer["NextShardIterator"]});
        let refusal = client.refusal("GetRecords", next).await;
        assert_eq!(refusal.status, 500);
        assert!(refusal.message.contains(&numbers[HIT + 1]), "{refusal:?}");
        for (kind, number) in [
            ("AT_SEQUENCE_NUMBER", &numbers[HIT + 1]),
            ("AFTER_SEQUENCE_NUMBER", &numbers[HIT]),
        ] {
            let start = json!({"ShardIteratorType": kind, "StartingSequenceNumber": number});
            assert_eq!(numbers_in(&read_from(&client, start).await), from(HIT + 1));
        }
        let later = json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": times[HIT + 2]});
        assert_eq!(numbers_in(&read_from(&client, later).await), from(HIT + 2));

        let (status, health) = client.health().await;
        assert_eq!(status, 200);
        assert!(health.starts_with("degraded: logs/"), "{health}");
        assert!(health.contains(" at byte "), "{health}");
        let metrics = client.metrics_of_all().await;
        assert!(
            metrics.contains("\nmillrace_store_unreadable 1\n"),
            "{metrics}"
        );
        // It goes with its stream.
        client.delete("orders").await;
        let service = service.restart().await;
        assert_eq!(service.client().health().await, (200, "ok\n".to_owned()));
        service.stop().await;
    }
}
