//! Versions that keep state take each other's place again and again while records flow and shards
//! rest, on a disk that crashes at any write: each record has its effects once, and what a shard's
//! instances know goes from one to the next without a record missing or there twice.

use std::collections::BTreeMap;

use store::disk::simulated::{Random, Survival};

use crate::consumer_guest::ConsumerGuest;
use crate::counter::{counter_that, numbered, that_says_when_it_ends};
use crate::world::{Ground, World, counted, in_time, input};

/// Records of a run; how many come between two swaps, and in one put.
const RECORDS: usize = 300;
const BETWEEN_SWAPS: usize = 25;
const AT_ONCE: usize = 5;
const CRASHES: usize = 60;
const SHARDS: u32 = 3;

/// One that keeps in `words`, under the id of its shard, how many records its shard has seen as far
/// as its state knows. Memory: 400 that number, 408 the shard's id.
fn version(number: u32) -> ConsumerGuest {
    let mut guest = counter_that(
        "(i64.store (i32.const 400) (i64.add (i64.load (i32.const 336)) (i64.const 1)))
         (call $put (i32.const 256) (i32.const 5) (i32.const 408) (i32.const 20)
           (i32.const 400) (i32.const 8) (i32.const 96))
         (if (i32.load8_u (i32.const 96)) (then (unreachable)))",
    );
    guest.initialize = "(i64.store (i32.const 408) (i64.load (local.get $shard)))
        (i64.store (i32.const 416) (i64.load offset=8 (local.get $shard)))
        (i32.store (i32.const 424) (i32.load offset=16 (local.get $shard)))"
        .to_owned();
    numbered(number, that_says_when_it_ends(guest))
}

/// Puts another version in force, and returns once it is.
async fn swap(ground: &Ground, number: u32) {
    let component = version(number).component();
    let mut changes = ground.plugins.changes();
    let before = ground.in_force();
    ground.put(&component);
    in_time("to be in force", async {
        while ground.in_force() == before {
            changes.changed().await.unwrap();
        }
    })
    .await;
}

/// Does what is not done of a run, with a swap after each so many records.
async fn run(world: &World, numbers: &mut impl Iterator<Item = u32>) {
    world.make_streams(SHARDS).await;
    world.make_application().await;
    let there = world.numbers_there().await;
    for part in input(RECORDS).chunks(BETWEEN_SWAPS) {
        if let Some(number) = numbers.next() {
            swap(&world.ground, number).await;
        }
        for part in part.chunks(AT_ONCE) {
            let lacking = part.iter().filter(|(number, _)| !there.contains(number));
            world.put(&lacking.cloned().collect::<Vec<_>>()).await;
        }
    }
    world.until_done(RECORDS as u64).await;
    world.until_all_work_with(world.ground.in_force()).await;
}

/// All words but `ends` are those of the input; the shards together have seen each record, and each
/// time that one of their instances was told that it ends.
async fn check(world: &World) -> u64 {
    let (words, alerts) = counted(&input(RECORDS));
    let mut found = world.words().await;
    let ends = found.remove("ends").unwrap_or(0);
    let seen: BTreeMap<_, _> = found
        .extract_if(.., |word, _| word.starts_with("shardId-"))
        .collect();
    assert_eq!(found, words);
    assert_eq!(seen.len(), SHARDS as usize);
    assert_eq!(seen.values().sum::<u64>(), RECORDS as u64 + ends);
    let mut found = world.alerts().await;
    assert_eq!(found.remove("ends").unwrap_or(0), ends / 10);
    assert_eq!(found, alerts);
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_that_take_each_others_place_under_load_lose_and_repeat_nothing() {
    let ground = Ground::with(&version(0).component());
    ground.disk.record();
    let mut numbers = 1..;
    let world = World::open(ground.clone()).await;
    run(&world, &mut numbers).await;
    // Each shard has worked with some of them; the last one has taken the place of one in each.
    let ends = check(&world).await;
    assert!(
        ends >= u64::from(SHARDS),
        "{ends} instances were told that they end"
    );
    let (trace, changes) = (ground.disk.trace().unwrap(), ground.disk.recorded());
    let (mut replay, mut random) = (trace.replay(), Random::new(11));
    let (mut crashes, step) = (0, (changes / CRASHES).max(1));
    while replay.advance() {
        if !replay.done().is_multiple_of(step) {
            continue;
        }
        let disk = match crashes % 3 {
            0 => replay.after_kill(&mut random),
            1 => replay.after_power_cut(&mut random, Survival::Nothing),
            _ => replay.after_power_cut(&mut random, Survival::Random),
        };
        let world = World::open(Ground {
            disk,
            ..ground.clone()
        });
        let world = world.await;
        let mut one_more = numbers.by_ref().take(1);
        run(&world, &mut one_more).await;
        check(&world).await;
        world.close().await;
        crashes += 1;
    }
    assert!(crashes >= CRASHES, "{crashes} crashes in {changes} changes");
}

/// Less memory than two batches want: they take turns, and all of it is given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_memory_is_shared_by_all_shards_and_all_of_it_is_given_back() {
    let ground = Ground::with(&version(0).component());
    let world = World::open_within(ground, 4 << 20).await;
    world.make_streams(6).await;
    world.make_application().await;
    let all = input(400);
    for part in all.chunks(20) {
        world.put(part).await;
    }
    world.until_done(400).await;
    let mut words = world.words().await;
    words.retain(|word, _| word.starts_with('w'));
    assert_eq!(words, counted(&all).0);
    in_time("to give it back", async {
        while world.consumers.work().0 > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.close().await;
}
