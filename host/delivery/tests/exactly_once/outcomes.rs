//! The disk fails under one commit after the other, so that nobody knows whether it is there: the
//! producer's, the one that keeps a cut, the one that ends it.

use std::path::PathBuf;

use serde_json::json;
use store::disk::simulated::{AfterFailedSync, Call, Failure, Fault, Random, Survival};
use tokio::task::JoinSet;

use crate::check::{Through, check};
use crate::ledger::{Kind, Ledger};
use crate::world::{Components, Ground, Origin, World, destination};

/// Puts, each followed by a flush.
const ROUNDS: u32 = 3;
/// Runs at the same time.
const RUNS_MAX: usize = 8;

/// A run in which a call fails; whether there was such a call.
async fn run(ground: Ground, origin: Origin, fault: Fault) -> bool {
    let (disk, buckets) = (ground.disk.clone(), ground.buckets.clone());
    let world = World::open(ground).await;
    // Only a flush makes a cut, so that none may be forgotten with a cut that was not kept.
    let mut patient = destination("first", "a/");
    patient["BufferingHints"]["IntervalInSeconds"] = json!(900);
    world.create(origin, &patient).await;
    let ledger = Ledger::default();
    disk.plan(fault);
    for round in 0..ROUNDS {
        // What is refused may be kept or not.
        world
            .put(&ledger, origin, &[Kind::Line; 3], round % 2)
            .await;
        assert!(world.flush().await, "{:?}", world.status());
    }
    let was_hit = 0 < disk.faults_hit();
    disk.forget_faults();
    check(
        &ledger,
        &buckets,
        &world.status().unwrap(),
        Through::Nothing,
    );

    let survival = Survival::Nothing;
    let (image, left) = buckets.cut_off(|| disk.after_power_cut(&mut Random::new(1), survival));
    let ground = Ground {
        disk: image,
        buckets: left.clone(),
        ..world.ground.clone()
    };
    world.close().await;
    let world = World::open(ground).await;
    assert!(world.put(&ledger, origin, &[Kind::Line], 0).await);
    assert!(world.flush().await);
    check(&ledger, &left, &world.status().unwrap(), Through::Nothing);
    world.close().await;
    was_hit
}

/// Fails each call of a kind in turn until there is none that fails; how many did.
async fn at_each_call(origin: Origin, call: Option<Call>, after: AfterFailedSync) -> u64 {
    let components = Components::none();
    let mut runs = JoinSet::new();
    let (mut nth, mut hit) = (0, 0);
    let mut has_more = true;
    while has_more || !runs.is_empty() {
        if has_more {
            nth += 1;
            let ground = components.ground(nth);
            ground.disk.set_after_failed_sync(after);
            let fault = Fault {
                call,
                under: PathBuf::from("wal"),
                nth,
                times: 1,
                failure: Failure::Io,
            };
            runs.spawn(run(ground, origin, fault));
        }
        if !has_more || RUNS_MAX <= runs.len() {
            let was_hit = runs.join_next().await.unwrap().unwrap();
            hit += u64::from(was_hit);
            has_more &= was_hit;
        }
    }
    hit
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_unknown_outcome_neither_loses_nor_repeats_a_record() {
    let mut hit = 0;
    for after in [
        AfterFailedSync::StillDirty,
        AfterFailedSync::CleanButLost,
        AfterFailedSync::Reverted,
    ] {
        for origin in [Origin::Direct, Origin::Stream] {
            hit += at_each_call(origin, Some(Call::Sync), after).await;
        }
    }
    println!("{hit} syncs failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_under_any_commit_neither_loses_nor_repeats_a_record() {
    let after = AfterFailedSync::CleanButLost;
    let hit = at_each_call(Origin::Direct, None, after).await;
    println!("{hit} calls of the disk failed");
}
