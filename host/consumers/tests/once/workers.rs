//! Several workers over one store: they share the shards, and when one vanishes the others take
//! over after its deadline, with each record having its effects once.

use std::sync::Arc;
use std::time::Duration;

use consumers::{Consumers, Owner};

use crate::counter::counter;
use crate::world::{Ground, World, counted, in_time, input};

/// How many shards a worker has lanes for.
fn shards_of(worker: &Consumers) -> usize {
    let all = worker.statuses(Owner::Anybody);
    let shards = all.iter().flat_map(|application| &application.shards);
    shards.filter(|shard| shard.shown.is_here).count()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    in_time(what, async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_share_the_shards_and_one_takes_over_when_the_other_vanishes() {
    let ground = Ground::with(&counter().component());
    let world = World::open(ground).await;
    world.make_streams(4).await;
    world.make_application().await;
    let all = input(400);
    world.put(&all[..100]).await;
    world.until_done(100).await;
    let second = world.another_worker().await;
    let first = Arc::clone(&world.consumers);
    until("to share", || {
        shards_of(&first) == 2 && shards_of(&second) == 2
    })
    .await;
    world.put(&all[100..200]).await;
    world.until_done(200).await;
    second.vanish();
    world.put(&all[200..300]).await;
    // Nobody takes over before the deadline.
    assert!(shards_of(&first) <= 2);
    world.ground.clock.advance(Duration::from_secs(11));
    until("to take over", || shards_of(&first) == 4).await;
    world.put(&all[300..]).await;
    world.until_done(400).await;
    let (words, alerts) = counted(&all);
    assert_eq!(world.words().await, words);
    assert_eq!(world.alerts().await, alerts);
    world.close().await;
}

/// The one whose deadline has passed goes on as if it lived: its clock stands still, or it hangs.
/// What it commits after another has taken its shards is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_taken_for_gone_and_is_not_does_nothing_twice() {
    let ground = Ground::with(&counter().component());
    let world = World::open(ground).await;
    world.make_streams(2).await;
    world.make_application().await;
    let all = input(600);
    let second = world.another_worker().await;
    for part in all.chunks(50) {
        world.put(part).await;
        // More than any worker lives: each finds the other gone whenever it looks.
        world.ground.clock.advance(Duration::from_secs(20));
    }
    world.until_done(600).await;
    let (words, alerts) = counted(&all);
    assert_eq!(world.words().await, words);
    assert_eq!(world.alerts().await, alerts);
    in_time("to close", second.close()).await;
    world.close().await;
}
