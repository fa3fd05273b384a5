//! The stream that a delivery stream reads is split, merged and scaled while it is delivered.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use store::disk::simulated::{Random, Survival};
use tokio::task::JoinSet;
use types::HashKey;

use crate::buckets::Put;
use crate::world::{Components, Ground, Origin, SOURCE, World, call, destination, json};

const LIVES: u64 = 200;
const LIVES_AT_ONCE: usize = 4;
const STEPS_PER_LIFE: u64 = 30;
const KEYS: u64 = 5;

/// What was put, and what was made of it before the last crash.
struct Life {
    random: Random,
    count: u64,
    /// By key, in the order in which they were acknowledged.
    put: BTreeMap<String, Vec<u64>>,
    made: Vec<Put>,
    changes: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_record_is_delivered_once_and_after_those_before_it_however_shards_change() {
    let components = Components::none();
    let mut lives = JoinSet::new();
    let mut changes = 0;
    for seed in 0..LIVES {
        if lives.len() == LIVES_AT_ONCE {
            changes += lives.join_next().await.unwrap().unwrap();
        }
        lives.spawn(live(components.ground(seed), seed));
    }
    while let Some(life) = lives.join_next().await {
        changes += life.unwrap();
    }
    assert!(changes > LIVES, "{changes}");
}

async fn live(ground: Ground, seed: u64) -> u64 {
    let mut world = World::open(ground).await;
    world
        .create(Origin::Stream, &destination("first", "a/"))
        .await;
    let mut life = Life {
        random: Random::new(seed),
        count: 0,
        put: BTreeMap::new(),
        made: Vec::new(),
        changes: 0,
    };
    for _ in 0..STEPS_PER_LIFE {
        match life.random.below(12) {
            0..=5 => life.put(&world).await,
            6..=9 => life.change(&world).await,
            10 => assert!(world.flush().await, "{:?}", world.status()),
            _ => world = life.crash(world).await,
        }
    }
    assert!(world.flush().await, "{:?}", world.status());
    life.check(&world, seed);
    world.close().await;
    life.changes
}

impl Life {
    async fn put(&mut self, world: &World) {
        let mut put = Vec::new();
        let records = (0..1 + self.random.below(5)).map(|_| {
            self.count += 1;
            let key = format!("key-{}", self.random.below(KEYS));
            let data = format!("{key} {}", self.count);
            let data = base64_simd::STANDARD.encode_to_string(data);
            put.push((key.clone(), self.count));
            json!({"PartitionKey": key, "Data": data})
        });
        let input = json!({"StreamName": SOURCE, "Records": records.collect::<Vec<_>>()});
        let answer = streams::ops::put_records::handle(&world.streams, call(&input)).await;
        assert_eq!(json(answer.unwrap())["FailedRecordCount"], 0);
        for (key, number) in put {
            self.put.entry(key).or_default().push(number);
        }
    }

    /// Changes the shards, if it is allowed at the moment.
    async fn change(&mut self, world: &World) {
        let filter = json!({"StreamName": SOURCE, "ShardFilter": {"Type": "AT_LATEST"}});
        let listed = streams::ops::list_shards::handle(&world.streams, call(&filter)).await;
        let mut open = json(listed.unwrap())["Shards"].as_array().unwrap().clone();
        let end = |shard: &Value, end: &str| {
            let text = shard["HashKeyRange"][end].as_str().unwrap();
            HashKey::parse(text).unwrap().0
        };
        open.sort_by_key(|shard| end(shard, "StartingHashKey"));
        let place = usize::try_from(self.random.below(open.len() as u64)).unwrap();
        let (shard, streams) = (&open[place], &world.streams);
        let changed = match self.random.below(3) {
            0 => {
                let first = end(shard, "StartingHashKey");
                let middle = first + (end(shard, "EndingHashKey") - first) / 2;
                let split = json!({
                    "StreamName": SOURCE, "ShardToSplit": shard["ShardId"],
                    "NewStartingHashKey": middle.to_string(),
                });
                streams::ops::split_shard::handle(streams, call(&split)).await
            }
            1 => {
                let merge = json!({
                    "StreamName": SOURCE, "ShardToMerge": shard["ShardId"],
                    "AdjacentShardToMerge": open[(place + 1) % open.len()]["ShardId"],
                });
                streams::ops::merge_shards::handle(streams, call(&merge)).await
            }
            _ => {
                let scale = json!({
                    "StreamName": SOURCE, "TargetShardCount": 1 + self.random.below(4),
                    "ScalingType": "UNIFORM_SCALING",
                });
                streams::ops::update_shard_count::handle(streams, call(&scale)).await
            }
        };
        self.changes += u64::from(changed.is_ok());
    }

    async fn crash(&mut self, world: World) -> World {
        let random = &mut self.random;
        let disk = &world.ground.disk;
        let (disk, buckets) = world.ground.buckets.cut_off(|| match random.below(2) {
            0 => disk.after_kill(),
            _ => disk.after_power_cut(random, Survival::Random),
        });
        let kept = buckets.objects();
        let made = world.ground.buckets.made().into_iter();
        self.made
            .extend(made.filter(|put| kept.contains_key(&put.name)));
        let ground = Ground {
            disk,
            buckets,
            ..world.ground.clone()
        };
        world.give_up().await;
        World::open(ground).await
    }

    fn check(&self, world: &World, seed: u64) {
        let buckets = &world.ground.buckets;
        assert_eq!(buckets.clashes(), []);
        let mut delivered: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let (mut names, mut count) = (BTreeSet::new(), 0);
        for put in self.made.iter().chain(&buckets.made()) {
            assert!(
                names.insert(put.name.clone()),
                "{:?} is made twice",
                put.name
            );
            for line in std::str::from_utf8(&put.content).unwrap().lines() {
                let (key, number) = line.split_once(' ').unwrap();
                let of_key = delivered.entry(key.to_owned());
                of_key.or_default().push(number.parse().unwrap());
                count += 1;
            }
        }
        assert_eq!(delivered, self.put, "seed {seed}");
        let status = world.status().unwrap();
        assert_eq!((status.records_in, status.delivered), (count, count));
        assert_eq!((status.lost, status.waiting_records), (0, 0));
    }
}
