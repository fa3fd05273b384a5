//! Random lives of a delivery stream: puts, flushes, stores that fail, refuse and hang, disks that
//! fail, other destinations, kills, power cuts and clean restarts in any order.
//!
//! `MILLRACE_SEQUENCES` says how many, `MILLRACE_SEED` runs the one sequence of a seed that a
//! failure printed.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use store::disk::simulated::{
    AfterFailedSync, Call, Failure, Fault, Random, SimulatedDisk, Survival,
};
use tokio::task::JoinSet;

use crate::buckets::Does;
use crate::check::{Through, check};
use crate::ledger::{Kind, Ledger, any_kind};
use crate::world::{Components, Ground, Origin, World, destination, processing};

/// Sequences that the test command runs.
const SEQUENCES: u64 = 300;
/// Steps of a sequence, at most.
const STEPS_MAX: u64 = 24;
/// Sequences at the same time.
const LIVES_MAX: usize = 8;
const PLUGINS: [&str; 2] = ["parse-access-log", "drop-bots"];
const BUCKETS: [&str; 3] = ["first", "second", "third"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_is_delivered_once_through_any_life() {
    let components = Components::of(&PLUGINS);
    if let Some(seed) = number_from("MILLRACE_SEED") {
        return live(components.ground(seed), seed).await;
    }
    let sequences = number_from("MILLRACE_SEQUENCES").unwrap_or(SEQUENCES);
    let mut lives = JoinSet::new();
    for seed in 0..sequences {
        lives.spawn(live(components.ground(seed), seed));
        if LIVES_MAX <= lives.len() {
            lives.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(life) = lives.join_next().await {
        life.unwrap();
    }
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Says which seed was being played when something fails.
struct Playing(u64);

impl Drop for Playing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to play this sequence again: MILLRACE_SEED={}", self.0);
        }
    }
}

struct Life {
    random: Random,
    origin: Origin,
    ledger: Ledger,
    /// The disk of this process fails already.
    fails: bool,
}

async fn live(ground: Ground, seed: u64) {
    let _playing = Playing(seed);
    let mut random = Random::new(seed);
    let origin = if random.one_in(2) {
        Origin::Direct
    } else {
        Origin::Stream
    };
    let mut first = destination("first", "a/");
    first["ProcessingConfiguration"] = processing(plugin(&mut random));
    let packs = random.one_in(2);
    let mut world = World::open(Ground { packs, ..ground }).await;
    world.create(origin, &first).await;
    let mut life = Life {
        random,
        origin,
        ledger: Ledger::default(),
        fails: false,
    };
    for _ in 0..6 + life.random.below(STEPS_MAX - 6) {
        world = life.step(world).await;
    }
    world.ground.disk.forget_faults();
    world.ground.buckets.release();
    assert!(world.flush().await, "{:?}", world.status());
    life.check(&world);
    world.close().await;
}

fn plugin(random: &mut Random) -> Option<&'static str> {
    let is_any = random.one_in(2);
    random.pick(&PLUGINS).copied().filter(|_| is_any)
}

impl Life {
    async fn step(&mut self, world: World) -> World {
        match self.random.below(20) {
            0 | 1 => self.misbehave(&world),
            2 => self.refuse_a_bucket(&world),
            3 => self.hang(&world).await,
            4 => world.ground.buckets.release(),
            5 | 6 => self.update(&world).await,
            7 => self.fail_a_sync(&world),
            8 => {
                let seconds = self.random.below(600);
                world.ground.clock.advance(Duration::from_secs(seconds));
            }
            9 | 10 => self.flush(&world).await,
            11 => {
                self.fails = false;
                world.ground.disk.forget_faults();
                // A store that hangs would be waited for.
                world.ground.buckets.release();
                return world.reopened().await;
            }
            12 | 13 => return self.crash(world).await,
            _ => self.put(&world).await,
        }
        world
    }

    fn check(&self, world: &World) {
        let status = world.status().unwrap();
        let buckets = &world.ground.buckets;
        check(&self.ledger, buckets, &status, Through::Any);
    }

    /// Some producers at the same time.
    async fn put(&mut self, world: &World) {
        let mut puts = Vec::new();
        for _ in 0..1 + self.random.below(4) {
            let count = 1 + self.random.below(13);
            let kinds = (0..count).map(|_| any_kind(&mut self.random)).collect();
            let lane = u32::from(self.random.one_in(2));
            puts.push((kinds, lane));
        }
        let put = async |(kinds, lane): &(Vec<Kind>, u32)| {
            let put = world.put(&self.ledger, self.origin, kinds, *lane).await;
            assert!(put || self.fails, "a put failed");
        };
        match &puts[..] {
            [a, b, c, d] => {
                tokio::join!(put(a), put(b), put(c), put(d));
            }
            [a, b, ..] => {
                tokio::join!(put(a), put(b));
            }
            rest => {
                for one in rest {
                    put(one).await;
                }
            }
        }
    }

    /// The next few puts of objects end badly.
    fn misbehave(&mut self, world: &World) {
        let ends = [
            Does::Well,
            Does::FailBefore,
            Does::FailAfter,
            Does::FailAfter,
            Does::Refuse,
        ];
        let pattern: Vec<Does> = (0..1 + self.random.below(5))
            .filter_map(|_| self.random.pick(&ends).copied())
            .collect();
        world.ground.buckets.rule(move |call, _| {
            let place = usize::try_from(call - 1).unwrap();
            pattern.get(place).copied().unwrap_or(Does::Well)
        });
    }

    /// A bucket does not let anybody in, until another rule is made.
    fn refuse_a_bucket(&mut self, world: &World) {
        let refused = self.random.pick(&BUCKETS).copied().unwrap();
        world.ground.buckets.rule(move |_, bucket| match bucket {
            bucket if bucket == refused => Does::Refuse,
            _ => Does::Well,
        });
    }

    async fn hang(&mut self, world: &World) {
        let does = if self.random.one_in(2) {
            Does::HangBefore
        } else {
            Does::HangAfter
        };
        world.ground.buckets.rule(move |_, _| does);
        self.put(world).await;
    }

    async fn update(&mut self, world: &World) {
        let bucket = self.random.pick(&BUCKETS).copied().unwrap();
        let version = world.status().unwrap().version_id;
        let interval = if self.random.one_in(3) { 900 } else { 0 };
        let mut changes = json!({
            "BucketARN": format!("arn:aws:s3:::{bucket}"),
            "Prefix": format!("{version}/"),
            "CompressionFormat": if self.random.one_in(3) { "GZIP" } else { "UNCOMPRESSED" },
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": interval},
        });
        if self.random.one_in(2) {
            changes["ProcessingConfiguration"] = processing(plugin(&mut self.random));
        }
        let updated = world.update(version, &changes).await;
        assert!(updated.is_ok() || self.fails, "{updated:?}");
    }

    fn fail_a_sync(&mut self, world: &World) {
        // A second one makes the engine take no more writes.
        if !self.fails {
            self.fails = true;
            let afters = [
                AfterFailedSync::StillDirty,
                AfterFailedSync::CleanButLost,
                AfterFailedSync::Reverted,
            ];
            let after = self.random.pick(&afters).copied().unwrap();
            world.ground.disk.set_after_failed_sync(after);
            world.ground.disk.plan(Fault {
                call: Some(Call::Sync),
                under: PathBuf::from("wal"),
                nth: 1 + self.random.below(8),
                times: 1,
                failure: Failure::Io,
            });
        }
    }

    async fn flush(&mut self, world: &World) {
        world.ground.buckets.release();
        assert!(world.flush().await, "{:?}", world.status());
        self.check(world);
    }

    /// The process or the machine dies while it works.
    async fn crash(&mut self, world: World) -> World {
        let mut random = Random::new(self.random.number());
        let ledger = self.ledger.clone();
        let crashing = async {
            for _ in 0..random.below(200) {
                tokio::task::yield_now().await;
            }
            let acknowledged = ledger.acknowledged();
            let disk = &world.ground.disk;
            let left = world.ground.buckets.cut_off(|| image(disk, &mut random));
            (left, ledger.known(&acknowledged))
        };
        let ((), ((disk, buckets), ledger)) = tokio::join!(self.put(&world), crashing);
        let ground = Ground {
            disk,
            buckets,
            ..world.ground.clone()
        };
        world.give_up().await;
        self.ledger = ledger;
        self.fails = false;
        World::open(ground).await
    }
}

fn image(disk: &SimulatedDisk, random: &mut Random) -> SimulatedDisk {
    match random.below(8) {
        0 => disk.after_power_cut(random, Survival::Nothing),
        1 => disk.after_power_cut(random, Survival::Everything),
        2..5 => disk.after_kill(),
        _ => disk.after_power_cut(random, Survival::Random),
    }
}
