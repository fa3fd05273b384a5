//! Records that the disk does not give back, and those around them.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod support;

use serde_json::json;
use store::disk::Disk;
use store::disk::simulated::SimulatedDisk;
use support::{UNTHROTTLED, World, from, keys};

/// Flips a bit of the first place in the disk's files that holds `text`.
fn spoil(disk: &SimulatedDisk, text: &[u8]) {
    for (path, bytes) in disk.files() {
        let mut content = vec![0; usize::try_from(bytes).unwrap()];
        let file = disk.open(&path).unwrap();
        let read = file.read_at(&mut content, 0).unwrap();
        let mut windows = content[..read].windows(text.len());
        if let Some(at) = windows.position(|window| window == text) {
            assert!(disk.flip(&path, at as u64, 1));
            return;
        }
    }
    panic!("no file holds the text");
}

/// A shard of which the write-ahead log had lost a record took no other any more, for ever.
#[tokio::test]
async fn of_ten_shards_one_that_lost_a_record_takes_those_that_come_like_the_others() {
    let world = World::new().await;
    world.stream("s", 10).await;
    let width = u128::MAX / 10;
    let call = |key: &str| {
        let records = (0..10).map(|shard: u128| {
            let (key, hash_key) = (format!("{key}{shard}"), (shard * width + 9).to_string());
            json!({"PartitionKey": key, "Data": "", "ExplicitHashKey": hash_key})
        });
        json!({"StreamName": "s", "Records": records.collect::<Vec<_>>()})
    };
    ok!(world, put_records, call("first-of-"));
    let second = ok!(world, put_records, call("second-of-"));
    ok!(world, put_records, call("third-of-"));
    let image = world.disk.after_kill();
    spoil(&image, b"first-of-3");
    let world = World::on(image, world.clock.clone(), UNTHROTTLED).await;
    for _ in 0..2 {
        let put = ok!(world, put_records, call("later-of-"));
        assert_eq!(put["FailedRecordCount"], 0, "{put}");
    }
    for (shard, record) in (0..).zip(second["Records"].as_array().unwrap()) {
        let behind = json!({
            "ShardIteratorType": "AT_SEQUENCE_NUMBER",
            "StartingSequenceNumber": record["SequenceNumber"],
        });
        let read = world.read(&world.iterator("s", shard, behind).await).await;
        assert_eq!(keys(&read).len(), 4);
    }
}

/// It was an internal failure from the first record on, without a way past it.
#[tokio::test]
async fn get_records_reads_around_what_the_disk_does_not_give_back() {
    for is_gone in [false, true] {
        let world = World::new().await;
        world.stream("s", 1).await;
        let first = world.put("s", "first", "").await;
        let world = world.reopened().await;
        let segments = |world: &World| {
            let files = world.disk.files().into_iter().map(|(path, _)| path);
            let segments = files.filter(|path| path.starts_with("logs"));
            segments.collect::<Vec<_>>()
        };
        let [segment] = &segments(&world)[..] else {
            panic!("{:?}", segments(&world))
        };
        if is_gone {
            world.disk.remove(segment).unwrap();
        } else {
            world.disk.spoil(segment, 0..u64::MAX);
        }
        let second = world.put("s", "second", "").await;
        let horizon = json!({"ShardIteratorType": "TRIM_HORIZON"});
        let body = json!({"ShardIterator": world.iterator("s", 0, horizon.clone()).await});
        let (code, text) = err!(world, get_records, body);
        let next = second["SequenceNumber"].as_str().unwrap();
        assert_eq!(code, "InternalFailure");
        assert_eq!(
            text,
            format!(
                "Records of shardId-000000000000 are damaged on disk; the next one that can be \
                 read has SequenceNumber {next}."
            )
        );
        for (kind, number) in [
            ("AT", next),
            ("AFTER", first["SequenceNumber"].as_str().unwrap()),
        ] {
            let start = json!({
                "ShardIteratorType": format!("{kind}_SEQUENCE_NUMBER"),
                "StartingSequenceNumber": number,
            });
            assert_eq!(keys(&from(&world, start).await), ["second"]);
        }
        let (told, file) = (world.engine.unreadable(), segment.display().to_string());
        assert!(!told.is_empty());
        assert!(told.iter().all(|told| told.starts_with(&file)), "{told:?}");
        world.engine.health().unwrap();
        if !is_gone {
            world.disk.forget_faults();
            assert_eq!(keys(&from(&world, horizon).await), ["first", "second"]);
        }
    }
}

/// A file of records that is whole but for its first 64 bytes.
#[tokio::test]
async fn get_records_gives_all_of_a_segment_whose_header_is_damaged() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.put("s", "first", "").await;
    world.put("s", "second", "").await;
    let world = world.reopened().await;
    let mut files = world.disk.files().into_iter().map(|(path, _)| path);
    let segment = files.find(|path| path.starts_with("logs")).unwrap();
    assert!(world.disk.flip(&segment, 10, 1));
    let horizon = json!({"ShardIteratorType": "TRIM_HORIZON"});
    assert_eq!(keys(&from(&world, horizon).await), ["first", "second"]);
    assert_eq!(world.engine.unreadable().len(), 1);
    world.engine.health().unwrap();
}
