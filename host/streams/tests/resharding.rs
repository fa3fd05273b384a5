//! Shards are split, merged and scaled, and no record is lost, doubled or out of its order by that.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use store::disk::simulated::{Random, SimulatedDisk, Survival};
use support::{NOON, UNTHROTTLED, World};
use types::HashKey;

const DAY_SECONDS: u64 = 24 * 3_600;
/// Lives of a stream that are played, each from a seed.
const LIVES: usize = 2_000;
/// Lives that are played at the same time.
const LIVES_AT_ONCE: usize = 4;
const STEPS_PER_LIFE: u64 = 25;
const KEYS: u64 = 12;

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}

fn hash_key(range: &Value, member: &str) -> u128 {
    HashKey::parse(text(range, member)).unwrap().0
}

/// All shards that are listed.
async fn shards(world: &World) -> Vec<Value> {
    let mut all = Vec::new();
    let mut input = json!({"StreamName": "s"});
    loop {
        let listed = ok!(world, list_shards, input);
        all.extend(listed["Shards"].as_array().unwrap().clone());
        match listed.get("NextToken") {
            Some(token) => input = json!({"NextToken": token}),
            None => return all,
        }
    }
}

fn is_open(shard: &Value) -> bool {
    shard["SequenceNumberRange"]
        .get("EndingSequenceNumber")
        .is_none()
}

/// The open shards in order of their hash keys, which cover all of them once.
async fn open_shards(world: &World) -> Vec<Value> {
    let mut open = shards(world).await;
    open.retain(is_open);
    open.sort_by_key(|shard| hash_key(&shard["HashKeyRange"], "StartingHashKey"));
    let mut next = Some(0);
    for shard in &open {
        let range = &shard["HashKeyRange"];
        assert_eq!(Some(hash_key(range, "StartingHashKey")), next, "{open:?}");
        next = hash_key(range, "EndingHashKey").checked_add(1);
    }
    assert_eq!(next, None, "{open:?}");
    open
}

/// All records of a shard with their numbers, to the end of it.
async fn records_of(world: &World, shard: &Value) -> Vec<(String, String, String)> {
    let mut input = json!({"StreamName": "s", "ShardId": shard["ShardId"]});
    input["ShardIteratorType"] = json!("TRIM_HORIZON");
    let mut iterator = ok!(world, get_shard_iterator, input)["ShardIterator"].clone();
    let mut records = Vec::new();
    loop {
        let read = ok!(world, get_records, json!({"ShardIterator": iterator}));
        for record in read["Records"].as_array().unwrap() {
            let part = |member| text(record, member).to_owned();
            records.push((part("PartitionKey"), part("Data"), part("SequenceNumber")));
        }
        match read.get("NextShardIterator") {
            None => {
                assert!(!is_open(shard), "the end of an open shard");
                assert!(!read["ChildShards"].as_array().unwrap().is_empty());
                return records;
            }
            Some(_) if read["MillisBehindLatest"] == 0 && is_open(shard) => return records,
            Some(next) => iterator = next.clone(),
        }
    }
}

/// What is read of the stream by somebody who reads parents before their children: the data of each
/// partition key in the order of reading, whose numbers rise.
async fn read_all(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    // A child's name comes after those of its parents.
    for shard in shards(world).await {
        for (key, data, number) in records_of(world, &shard).await {
            let before = last.insert(key.clone(), number.clone());
            assert!(before.is_none_or(|before| before < number), "{key}");
            all.entry(key).or_default().push(data);
        }
    }
    all
}

/// One life of a stream, and what was put into it.
struct Life {
    world: World,
    random: Random,
    put: BTreeMap<String, Vec<String>>,
    count: u64,
    /// Changes of the shards that were not refused.
    changes: u64,
}

impl Life {
    async fn begin(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let world = World::new().await;
        world
            .stream("s", 1 + u32::try_from(random.below(4)).unwrap())
            .await;
        Self {
            world,
            random,
            put: BTreeMap::new(),
            count: 0,
            changes: 0,
        }
    }

    /// Some records, which are put in one call.
    fn records(&mut self) -> Vec<Value> {
        let records = (0..1 + self.random.below(6)).map(|_| {
            self.count += 1;
            let key = format!("key-{}", self.random.below(KEYS));
            let data = wire_base64(&self.count.to_be_bytes());
            json!({"PartitionKey": key, "Data": data})
        });
        records.collect()
    }

    fn note(&mut self, records: &[Value]) {
        for record in records {
            let of_key = self.put.entry(text(record, "PartitionKey").to_owned());
            of_key.or_default().push(text(record, "Data").to_owned());
        }
    }

    async fn put(&mut self) {
        let records = self.records();
        let body = json!({"StreamName": "s", "Records": records});
        assert_eq!(ok!(self.world, put_records, body)["FailedRecordCount"], 0);
        self.note(&records);
    }

    /// A change of the shards that may be allowed.
    async fn change(&mut self) -> (&'static str, Value) {
        let open = open_shards(&self.world).await;
        let place = usize::try_from(self.random.below(open.len() as u64)).unwrap();
        let (shard, name) = (&open[place], "StreamName");
        match self.random.below(3) {
            0 => {
                let range = &shard["HashKeyRange"];
                let first = hash_key(range, "StartingHashKey");
                let middle = first + (hash_key(range, "EndingHashKey") - first) / 2;
                let split = json!({
                    name: "s", "ShardToSplit": shard["ShardId"],
                    "NewStartingHashKey": middle.to_string(),
                });
                ("split", split)
            }
            1 => {
                let adjacent = &open[(place + 1) % open.len()]["ShardId"];
                let merge = json!({
                    name: "s", "ShardToMerge": shard["ShardId"], "AdjacentShardToMerge": adjacent,
                });
                ("merge", merge)
            }
            _ => {
                let target = 1 + self.random.below(9);
                let scale = json!({
                    name: "s", "TargetShardCount": target, "ScalingType": "UNIFORM_SCALING",
                });
                ("scale", scale)
            }
        }
    }

    /// Puts while the shards are being changed.
    async fn put_and_change(&mut self) {
        let (kind, change) = self.change().await;
        let records = self.records();
        let body = json!({"StreamName": "s", "Records": records});
        let world = &self.world;
        let changing = async {
            let (streams, call) = (&world.streams, world.call(&change));
            let changed = match kind {
                "split" => streams::ops::split_shard::handle(streams, call).await,
                "merge" => streams::ops::merge_shards::handle(streams, call).await,
                _ => streams::ops::update_shard_count::handle(streams, call).await,
            };
            if let Err(refused) = &changed {
                let code = refused.code();
                let is_known = ["InvalidArgument", "LimitExceeded", "ResourceInUse"]
                    .iter()
                    .any(|known| code.starts_with(known));
                assert!(is_known, "{refused:?}");
            }
            changed.is_ok()
        };
        let putting = async { ok!(world, put_records, body) };
        let (is_changed, put) = tokio::join!(changing, putting);
        self.changes += u64::from(is_changed);
        assert_eq!(put["FailedRecordCount"], 0, "{put}");
        self.note(&records);
    }

    /// Another process on what a crash left of this one.
    async fn crash(self) -> Self {
        let Self {
            world, mut random, ..
        } = self;
        let disk = match random.below(3) {
            0 => world.disk.after_kill(),
            1 => world.disk.after_power_cut(&mut random, Survival::Nothing),
            _ => world.disk.after_power_cut(&mut random, Survival::Random),
        };
        let next = World::on(disk, world.clock.clone(), UNTHROTTLED).await;
        world.streams.close().await;
        Self {
            world: next,
            random,
            put: self.put,
            count: self.count,
            changes: self.changes,
        }
    }
}

fn wire_base64(data: &[u8]) -> String {
    let mut out = Vec::new();
    wire::json::write_base64(&mut out, data);
    String::from_utf8(out).unwrap()
}

/// Random puts, splits, merges, scalings and crashes against what was put.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_the_shards_each_record_is_there_once_and_in_its_order() {
    let lives = (0..LIVES_AT_ONCE).map(|first| {
        tokio::spawn(async move {
            let mut changes = 0;
            for seed in (first..LIVES).step_by(LIVES_AT_ONCE) {
                changes += live(seed as u64).await;
            }
            changes
        })
    });
    let lives: Vec<_> = lives.collect();
    let mut changes = 0;
    for life in lives {
        changes += life.await.unwrap();
    }
    assert!(changes > 2 * LIVES as u64, "{changes}");
}

/// One life; how often the shards were changed in it.
async fn live(seed: u64) -> u64 {
    let mut life = Life::begin(seed).await;
    for _ in 0..STEPS_PER_LIFE {
        match life.random.below(10) {
            0..=4 => life.put().await,
            5..=7 => life.put_and_change().await,
            8 => life
                .world
                .clock
                .advance(std::time::Duration::from_millis(700)),
            _ => life = life.crash().await,
        }
    }
    life.world.until_active("s").await;
    open_shards(&life.world).await;
    assert_eq!(read_all(&life.world).await, life.put, "seed {seed}");
    life.world.streams.close().await;
    life.changes
}

/// The state of the disk after each of its changes, while shards are changed in every way.
#[tokio::test]
async fn a_crash_at_any_step_rolls_forward() {
    let disk = SimulatedDisk::new(3);
    let world = World::on(disk.clone(), clock(), UNTHROTTLED).await;
    world.stream("s", 2).await;
    let mut put = BTreeMap::new();
    for number in 0..10_u64 {
        let (key, data) = (format!("key-{number}"), wire_base64(&number.to_be_bytes()));
        world.put("s", &key, &data).await;
        put.insert(key, vec![data]);
    }
    disk.record();
    let scale = |target: u32| {
        json!({
            "StreamName": "s", "TargetShardCount": target, "ScalingType": "UNIFORM_SCALING",
        })
    };
    ok!(world, update_shard_count, scale(3));
    world.until_active("s").await;
    let open = open_shards(&world).await;
    let merge = json!({
        "StreamName": "s", "ShardToMerge": open[0]["ShardId"],
        "AdjacentShardToMerge": open[1]["ShardId"],
    });
    ok!(world, merge_shards, merge);
    world.until_active("s").await;
    let split = json!({
        "StreamName": "s", "ShardToSplit": open[2]["ShardId"],
        "NewStartingHashKey": (u128::MAX - 5).to_string(),
    });
    ok!(world, split_shard, split);
    world.until_active("s").await;
    assert_eq!(open_shards(&world).await.len(), 3);
    world.streams.close().await;

    let (mut counts, mut random) = (BTreeMap::new(), Random::new(5));
    let mut replay = disk.trace().unwrap().replay();
    loop {
        for disk in [
            replay.after_kill(&mut random),
            replay.after_power_cut(&mut random, Survival::Random),
        ] {
            let next = World::on(disk, clock(), UNTHROTTLED).await;
            let summary = ok!(next, describe_stream_summary, json!({"StreamName": "s"}));
            let summary = &summary["StreamDescriptionSummary"];
            assert_eq!(summary["StreamStatus"], "ACTIVE");
            let open = open_shards(&next).await;
            assert_eq!(summary["OpenShardCount"], open.len());
            *counts.entry(open.len()).or_insert(0) += 1;
            assert_eq!(read_all(&next).await, put, "{} changes", replay.done());
            // Nothing is given twice: what comes now comes after all that there is.
            next.put("s", "key-0", "AAAA").await;
            let read = read_all(&next).await;
            assert_eq!(read["key-0"].last().unwrap(), "AAAA");
            next.streams.close().await;
        }
        if !replay.advance() {
            break;
        }
    }
    // Before, after the scaling (and after the split), after the merge.
    assert_eq!(
        counts.keys().copied().collect::<Vec<_>>(),
        [2, 3],
        "{counts:?}"
    );
}

fn clock() -> std::sync::Arc<types::ManualClock> {
    std::sync::Arc::new(types::ManualClock::new(NOON))
}

async fn scale(world: &World, target: u32) -> Value {
    let scale = json!({
        "StreamName": "s", "TargetShardCount": target, "ScalingType": "UNIFORM_SCALING",
    });
    let scaled = ok!(world, update_shard_count, scale);
    world.until_active("s").await;
    scaled
}

#[tokio::test]
async fn a_closed_shard_goes_with_its_last_record_and_its_name_is_not_given_again() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.put("s", "a", "AA==").await;
    scale(&world, 2).await;
    world.advance(DAY_SECONDS / 2);
    world.put("s", "a", "AQ==").await;
    scale(&world, 1).await;
    let ids = |shards: &[Value]| -> Vec<String> {
        let ids = shards.iter().map(|shard| text(shard, "ShardId").to_owned());
        ids.collect()
    };
    let named = |numbers: &[u32]| -> Vec<String> {
        let names = numbers.iter().map(|number| format!("shardId-{number:012}"));
        names.collect()
    };
    assert_eq!(ids(&shards(&world).await), named(&[0, 1, 2, 3]));
    world.advance(DAY_SECONDS / 2 + 1);
    world.streams.trim_expired().await;
    assert_eq!(ids(&shards(&world).await), named(&[1, 2, 3]));
    assert_eq!(read_all(&world).await["a"], ["AQ=="]);
    let world = world.reopened().await;
    assert_eq!(ids(&shards(&world).await), named(&[1, 2, 3]));
    // Neither its row nor its log is left.
    world.advance(DAY_SECONDS);
    world.streams.trim_expired().await;
    assert_eq!(ids(&shards(&world).await), named(&[3]));
    for log in 0..3 {
        assert!(world.engine.tip(store::LogId(log)).is_err());
    }
    assert!(world.engine.tip(store::LogId(3)).is_ok());
    scale(&world, 2).await;
    let world = world.reopened().await;
    assert_eq!(ids(&shards(&world).await), named(&[3, 4, 5]));
}

#[tokio::test]
async fn a_stream_is_scaled_ten_times_a_day_also_by_two_processes() {
    let world = World::new().await;
    world.stream("s", 1).await;
    for round in 0..10 {
        let scaled = scale(&world, 2 - round % 2).await;
        assert_eq!(scaled["CurrentShardCount"], 1 + round % 2);
        world.advance(3_600);
    }
    let world = world.reopened().await;
    let eleventh = json!({
        "StreamName": "s", "TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING",
    });
    let (code, _) = err!(world, update_shard_count, eleventh);
    assert_eq!(code, "LimitExceededException");
    world.advance(14 * 3_600 + 1);
    scale(&world, 2).await;
    let (code, _) = err!(world, update_shard_count, eleventh);
    assert_eq!(code, "LimitExceededException");
    // It is a limit of each stream.
    world.stream("t", 1).await;
    let other = json!({
        "StreamName": "t", "TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING",
    });
    ok!(world, update_shard_count, other);
}

/// Puts `mib` MiB into the stream within a second, spread over all shards.
async fn put_mib(world: &World, mib: u64) {
    // The partition key counts as well.
    let data = wire_base64(&vec![0; 1024 * 1024 - 1]);
    for number in 0..mib {
        let hash_key = (u128::MAX / u128::from(mib)) * u128::from(number);
        let put = json!({
            "StreamName": "s", "PartitionKey": "k", "Data": data,
            "ExplicitHashKey": hash_key.to_string(),
        });
        ok!(world, put_record, put);
    }
}

#[tokio::test]
async fn a_stream_on_demand_has_room_for_twice_what_comes_and_fewer_shards_after_quiet() {
    let world = World::new().await;
    let mode = json!({"StreamMode": "ON_DEMAND"});
    ok!(
        world,
        create_stream,
        json!({"StreamName": "s", "StreamModeDetails": mode})
    );
    world.until_active("s").await;
    let mut loads = streams::scaling::Loads::default();
    let mut shards_after = async |mib: u64, seconds: u64| {
        put_mib(&world, mib).await;
        world.advance(seconds);
        world.streams.scale_on_demand(&mut loads).await;
        world.until_active("s").await;
        open_shards(&world).await.len()
    };
    // The first look only sees what there is.
    assert_eq!(shards_after(0, 1).await, 4);
    assert_eq!(shards_after(2, 1).await, 4);
    assert_eq!(shards_after(3, 1).await, 6);
    assert_eq!(shards_after(6, 1).await, 12);
    assert_eq!(shards_after(3, 1).await, 12);
    // Less than a quarter for a quarter of an hour.
    assert_eq!(shards_after(1, 10).await, 12);
    assert_eq!(shards_after(0, 14 * 60).await, 12);
    assert_eq!(shards_after(0, 60).await, 6);
    assert_eq!(shards_after(0, 15 * 60).await, 6);
    assert_eq!(shards_after(0, 15 * 60).await, 4);
    for _ in 0..4 {
        assert_eq!(shards_after(0, 15 * 60).await, 4);
    }
    let summary = ok!(world, describe_stream_summary, json!({"StreamName": "s"}));
    assert_eq!(summary["StreamDescriptionSummary"]["OpenShardCount"], 4);
}
