//! Streams whose encryption changes while the disk fails and the server is killed.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use store::disk::Disk;
use store::disk::simulated::{Call, Failure, Fault, Random, SimulatedDisk};
use streams::Streams;
use streams::kms::{Kms, KmsSettings, MasterKeySetting};
use support::{NOON, UNTHROTTLED, World, caller, engine};
use tempfile::TempDir;
use types::ManualClock;

/// Random lives, and steps of each.
const LIVES: u64 = 200;
const STEPS: u64 = 40;
/// Master keys there are.
const KEYS: u8 = 3;

struct KeyFiles(TempDir);

impl KeyFiles {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for key in 0..KEYS {
            let path = files.path(key);
            fs::write(&path, [key; 32]).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
        files
    }

    fn path(&self, key: u8) -> PathBuf {
        self.0.path().join(key.to_string())
    }

    fn kms(&self) -> Kms {
        let key = |number: u8| MasterKeySetting {
            id: number.to_string(),
            aliases: Vec::new(),
            file: self.path(number),
            account: None,
            enabled: true,
        };
        let keys = (0..KEYS).map(key).collect();
        Kms::open(KmsSettings {
            keys,
            service_keys: None,
        })
        .unwrap()
    }

    async fn new_world(&self, seed: u64) -> World {
        let clock = Arc::new(ManualClock::new(NOON));
        self.world(SimulatedDisk::new(seed), clock).await
    }

    async fn world(&self, disk: SimulatedDisk, clock: Arc<ManualClock>) -> World {
        let engine = engine(&disk);
        let streams = Streams::open_with(engine.clone(), clock.clone(), UNTHROTTLED, self.kms());
        World {
            streams: streams.await.unwrap(),
            engine,
            clock,
            disk,
            caller: caller("000000000000", "eu-west-1"),
        }
    }

    /// The world as the next server finds it after this one was killed.
    async fn killed(&self, world: World) -> World {
        let (disk, clock) = (world.disk.after_kill(), world.clock.clone());
        world.streams.close().await;
        // What it still writes goes to a disk that nobody looks at any more.
        let _ = world.engine.close().await;
        self.world(disk, clock).await
    }
}

fn failing_sync(nth: u64) -> Fault {
    Fault {
        call: Some(Call::Sync),
        under: PathBuf::from("wal"),
        nth,
        times: 1,
        failure: Failure::Io,
    }
}

fn with_key(key: u8) -> Value {
    json!({"StreamName": "s", "EncryptionType": "KMS", "KeyId": key.to_string()})
}

async fn summary(world: &World) -> Value {
    let summary = ok!(world, describe_stream_summary, json!({"StreamName": "s"}));
    summary["StreamDescriptionSummary"].clone()
}

/// Data and encryption of all records.
async fn records(world: &World) -> Vec<(String, bool)> {
    let oldest = json!({"ShardIteratorType": "TRIM_HORIZON"});
    let mut iterator = world.iterator("s", 0, oldest).await;
    let mut found = Vec::new();
    loop {
        let read = world.read(&iterator).await;
        let records = read["Records"].as_array().unwrap();
        if records.is_empty() {
            return found;
        }
        found.extend(records.iter().map(|record| {
            let data = record["Data"].as_str().unwrap().to_owned();
            (data, record["EncryptionType"] == "KMS")
        }));
        iterator = read["NextShardIterator"].as_str().unwrap().to_owned();
    }
}

#[tokio::test]
async fn a_change_that_was_answered_is_finished_by_the_next_server() {
    let files = KeyFiles::new();
    let world = files.new_world(1).await;
    world.stream("s", 1).await;
    // The first commit keeps what comes, the second puts it in force.
    world.disk.plan(failing_sync(2));
    ok!(world, start_stream_encryption, with_key(0));
    while world.disk.faults_hit() == 0 {
        tokio::task::yield_now().await;
    }
    let shown = summary(&world).await;
    assert_eq!(shown["StreamStatus"], "UPDATING");
    assert_eq!(shown["EncryptionType"], "NONE");
    let (code, _) = err!(world, start_stream_encryption, with_key(1));
    assert_eq!(code, "ResourceInUseException");
    let (code, _) = err!(world, stop_stream_encryption, with_key(0));
    assert_eq!(code, "ResourceInUseException");
    // Records are taken meanwhile, as they were before.
    assert_eq!(
        world.put("s", "a", "AAAA").await.get("EncryptionType"),
        None
    );
    let world = files.killed(world).await;
    let shown = summary(&world).await;
    assert_eq!(shown["StreamStatus"], "ACTIVE");
    assert_eq!(shown["EncryptionType"], "KMS");
    world.put("s", "a", "AAAB").await;
    let expected = [("AAAA".to_owned(), false), ("AAAB".to_owned(), true)];
    assert_eq!(records(&world).await, expected);
}

#[tokio::test]
async fn a_change_that_was_not_kept_is_refused_and_leaves_no_key_behind() {
    let files = KeyFiles::new();
    let world = files.new_world(1).await;
    world.stream("s", 1).await;
    world.disk.plan(failing_sync(1));
    let (code, _) = err!(world, start_stream_encryption, with_key(0));
    assert_eq!(code, "InternalFailure");
    let shown = summary(&world).await;
    assert_eq!(shown["StreamStatus"], "ACTIVE");
    assert_eq!(shown["EncryptionType"], "NONE");
    let keys = streams::kms::KeyOwner::Stream(0);
    assert!(world.streams.kms().keys_of(keys).is_empty());
    ok!(world, start_stream_encryption, with_key(0));
    world.until_active("s").await;
    assert_eq!(world.streams.kms().keys_of(keys).len(), 1);
    // They go with their stream.
    ok!(world, delete_stream, json!({"StreamName": "s"}));
    while !world.streams.kms().keys_of(keys).is_empty() {
        tokio::task::yield_now().await;
    }
}

/// A stream that is given another key each day would have as many for ever.
#[tokio::test]
async fn a_data_key_goes_once_nothing_that_is_kept_needs_it() {
    const DAY_SECONDS: u64 = 24 * 3_600;
    let files = KeyFiles::new();
    let world = files.new_world(1).await;
    world.stream("s", 1).await;
    let owner = streams::kms::KeyOwner::Stream(0);
    let mut counts = Vec::new();
    for (key, data) in [(0, "AAAA"), (1, "AAAB"), (2, "AAAC"), (0, "AAAD")] {
        ok!(world, start_stream_encryption, with_key(key));
        world.until_active("s").await;
        world.put("s", "a", data).await;
        counts.push(world.streams.kms().keys_of(owner).len());
        // Longer than records are kept, and than puts are on their way.
        world.advance(2 * DAY_SECONDS + 60);
    }
    // The first is outlived once its successor is so old, which the next change looks at.
    assert_eq!(counts, [1, 2, 2, 2]);
    let world = files.killed(world).await;
    assert_eq!(world.streams.kms().keys_of(owner).len(), 2);
    world.put("s", "a", "AAAE").await;
    assert!(records(&world).await.contains(&("AAAE".to_owned(), true)));
}

/// A change waits for the resharding that is under way, and a resharding for the change.
#[tokio::test]
async fn a_stream_is_split_and_encrypted_one_after_the_other() {
    let files = KeyFiles::new();
    let world = files.new_world(1).await;
    world.stream("s", 1).await;
    for (shards, key) in [(2, 0), (1, 1), (2, 2)] {
        ok!(world, start_stream_encryption, with_key(key));
        world.until_active("s").await;
        let scale = json!({
            "StreamName": "s", "TargetShardCount": shards, "ScalingType": "UNIFORM_SCALING",
        });
        ok!(world, update_shard_count, scale);
        world.until_active("s").await;
        let put = world.put("s", "a", "AAAA").await;
        assert_eq!(put["EncryptionType"], "KMS");
        assert_eq!(summary(&world).await["KeyId"], key.to_string());
    }
}

/// Data of its own for a record, in base64 and as it is.
fn data(life: u64, number: u64) -> (String, Vec<u8>) {
    let raw = format!("record {number:04} of life {life:04}, in clear");
    let mut out = Vec::new();
    wire::json::write_base64(&mut out, raw.as_bytes());
    (String::from_utf8(out).unwrap(), raw.into_bytes())
}

fn is_on(disk: &SimulatedDisk, text: &[u8]) -> bool {
    disk.files().into_iter().any(|(path, bytes)| {
        let mut content = vec![0; usize::try_from(bytes).unwrap()];
        disk.open(&path).unwrap().read_at(&mut content, 0).unwrap();
        content.windows(text.len()).any(|at| at == text)
    })
}

async fn live(life: u64, files: &KeyFiles) {
    let mut random = Random::new(life);
    let mut world = files.new_world(life).await;
    world.stream("s", 1).await;
    let mut expected: Vec<(String, bool)> = Vec::new();
    let mut texts = Vec::new();
    for number in 0..STEPS {
        match random.below(12) {
            0 => world = files.killed(world).await,
            1 => {
                ok!(world, stop_stream_encryption, with_key(0));
                world.until_active("s").await;
            }
            2 | 3 => {
                let key = u8::try_from(random.below(u64::from(KEYS))).unwrap();
                ok!(world, start_stream_encryption, with_key(key));
                // Sometimes a kill comes first.
                if random.one_in(3) {
                    world = files.killed(world).await;
                }
                world.until_active("s").await;
            }
            4 => assert_eq!(records(&world).await, expected, "life {life}"),
            _ => {
                let (encoded, raw) = data(life, number);
                let put = world.put("s", "a", &encoded).await;
                let is_sealed = put["EncryptionType"] == "KMS";
                expected.push((encoded, is_sealed));
                texts.push((raw, is_sealed));
            }
        }
        world.advance(60);
    }
    let world = files.killed(world).await;
    assert_eq!(records(&world).await, expected, "life {life}");
    for (text, is_sealed) in texts.iter().rev().take(3) {
        assert_eq!(is_on(&world.disk, text), !is_sealed, "life {life}");
    }
}

#[test]
fn records_are_what_was_put_and_sealed_as_was_told_through_any_life() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let files = KeyFiles::new();
    for life in 0..LIVES {
        runtime.block_on(live(life, &files));
    }
}
