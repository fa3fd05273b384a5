//! What a stream retains is delivered once more. That is recorded with every change of the disk and
//! every object that is made; after each of them the power goes or the process is killed, and the
//! next process gives the same order again. Each record is below the new prefix once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use delivery::{RedeliveryOrder, RedeliveryStatus};
use serde_json::json;
use store::disk::simulated::{Random, Survival};
use tokio::task::JoinSet;

use crate::buckets::{Buckets, Does, Put};
use crate::check::{assert_everything_is_counted, raw_data};
use crate::ledger::{Id, Kind, Ledger, id_in};
use crate::world::{Components, Ground, NAME, Origin, World, caller, destination, processing};

/// Calls of two kinds, and good records of each of the first.
const CALLS: usize = 6;
const AT_ONCE: usize = 5;
/// Crashed processes that are brought to their end at the same time.
const SURVIVORS_MAX: usize = 8;
/// Questions for an order's end. Each gives way to its task.
const QUESTIONS_MAX: usize = 1_000_000;
const ORDER: RedeliveryOrder<'static> = RedeliveryOrder {
    id: Some("again"),
    from: "TRIM_HORIZON",
    to: None,
    prefix: "again/",
    error_prefix: Some("again-failed/"),
    version: None,
};

/// What was recorded.
struct Run {
    ledger: Ledger,
    ground: Ground,
    /// The order comes with this change of the disk.
    from: usize,
    puts: Vec<Put>,
}

/// A world whose records are delivered, which go through a plugin that fails some.
async fn delivered(ground: Ground, ledger: &Ledger) -> World {
    let world = World::open(ground).await;
    let mut first = destination("logs", "a/");
    first["ProcessingConfiguration"] = processing(Some("parse-access-log"));
    first["BufferingHints"]["IntervalInSeconds"] = json!(900);
    world.create(Origin::Stream, &first).await;
    for _ in 0..CALLS {
        assert!(
            world
                .put(ledger, Origin::Stream, &[Kind::Line; AT_ONCE], 0)
                .await
        );
        assert!(world.put(ledger, Origin::Stream, &[Kind::Bad; 1], 0).await);
    }
    assert!(world.flush().await);
    world
}

/// Gives the order, and waits until it is done.
async fn redeliver(world: &World) -> RedeliveryStatus {
    let ordered = world.delivery.redeliver(&caller(), NAME, ORDER).await;
    let mut status = ordered.unwrap();
    for _ in 0..QUESTIONS_MAX {
        if status.state == "DONE" {
            return status;
        }
        tokio::task::yield_now().await;
        let all = world.delivery.redeliveries(&caller(), NAME).unwrap();
        status = all.into_iter().next().unwrap();
    }
    panic!("it is not done: {status:?}");
}

/// Every record is there once as it was delivered, and once more below the new prefix.
fn check(ledger: &Ledger, buckets: &Buckets, (world, status): (&World, &RedeliveryStatus)) {
    assert_eq!(buckets.clashes(), []);
    let mut seen: BTreeMap<&str, BTreeSet<Id>> = BTreeMap::new();
    for ((_, key), content) in buckets.objects() {
        let text = std::str::from_utf8(&content).unwrap();
        let is_failed = key.contains("failed");
        let place = match (key.starts_with("again"), is_failed) {
            (true, true) => "again failed",
            (true, false) => "again",
            (false, true) => "failed",
            (false, false) => "delivered",
        };
        for line in text.lines() {
            let id = if is_failed {
                id_in(&raw_data(line))
            } else {
                id_in(line)
            };
            assert!(
                seen.entry(place).or_default().insert(id),
                "{id} is twice: {key}"
            );
        }
    }
    assert_eq!(seen["again"], seen["delivered"]);
    assert_eq!(seen["again failed"], seen["failed"]);
    assert_eq!(seen["failed"].len(), CALLS);
    assert_eq!(seen["again"].len() + CALLS, ledger.entries().len());
    let counts = (status.delivered, status.failed, status.lost, status.left);
    assert_eq!(counts, (seen["again"].len() as u64, CALLS as u64, 0, 0));
    assert_eq!(
        (status.done, status.records),
        (status.records, ledger.entries().len() as u64)
    );
    // What the order did is none of the delivery stream's.
    let own = world.status().unwrap();
    assert_everything_is_counted(&own);
    assert_eq!(own.delivered, seen["delivered"].len() as u64);
    assert_eq!((own.failed, own.lost), (CALLS as u64, 0));
}

async fn record(ground: Ground) -> Run {
    let ledger = Ledger::default();
    ground.disk.record();
    ground.buckets.note_changes_of(&ground.disk);
    let world = delivered(ground.clone(), &ledger).await;
    let from = ground.disk.recorded();
    let status = redeliver(&world).await;
    check(&ledger, &ground.buckets, (&world, &status));
    world.close().await;
    let puts = ground.buckets.made();
    Run {
        ledger,
        ground,
        from,
        puts,
    }
}

/// Opens what a crash left, gives the order again, and checks what came of it.
async fn finish(ground: Ground, ledger: Ledger) {
    let buckets = ground.buckets.clone();
    let world = World::open(ground).await;
    world.until_status("ACTIVE").await;
    assert!(world.flush().await);
    let status = redeliver(&world).await;
    check(&ledger, &buckets, (&world, &status));
    let world = world.reopened().await;
    world.until_status("ACTIVE").await;
    let status = redeliver(&world).await;
    check(&ledger, &buckets, (&world, &status));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_in_a_redelivery_delivers_each_record_once_more() {
    let components = Components::of(&["parse-access-log"]);
    let run = record(components.ground(11)).await;
    let mut random = Random::new(12);
    let mut replay = run.ground.disk.trace().unwrap().replay();
    let mut puts = run.puts.iter().peekable();
    let (mut objects, mut changes, mut crashes) = (BTreeMap::new(), 0, 0);
    let mut survivors = JoinSet::new();
    loop {
        let mut is_first = true;
        while is_first || puts.peek().is_some_and(|put| put.at == changes) {
            if !is_first && let Some(put) = puts.next() {
                objects.insert(put.name.clone(), put.content.clone());
            }
            is_first = false;
            if changes < run.from {
                continue;
            }
            let disks = [
                replay.after_kill(&mut random),
                replay.after_power_cut(&mut random, Survival::Nothing),
                replay.after_power_cut(&mut random, Survival::Random),
            ];
            for disk in disks {
                let ground = Ground {
                    disk,
                    buckets: Buckets::holding(objects.clone()),
                    plugins: Arc::clone(&run.ground.plugins),
                    ..run.ground.clone()
                };
                survivors.spawn(finish(ground, run.ledger.by(changes)));
                crashes += 1;
                if SURVIVORS_MAX <= survivors.len() {
                    survivors.join_next().await.unwrap().unwrap();
                }
            }
        }
        if !replay.advance() {
            break;
        }
        changes = replay.done();
    }
    while let Some(survived) = survivors.join_next().await {
        survived.unwrap();
    }
    println!("{} changes, {crashes} crashes", changes - run.from);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_stream_with_an_order_is_deleted_whole() {
    let components = Components::of(&["parse-access-log"]);
    let ledger = Ledger::default();
    let world = delivered(components.ground(13), &ledger).await;
    // It may be at work yet.
    let ordered = world.delivery.redeliver(&caller(), NAME, ORDER).await;
    ordered.unwrap();
    world.delete().await;
    for table in [18, 22] {
        let rows = world
            .engine
            .scan(store::TableId(table), bytes::Bytes::new(), None, 10);
        assert_eq!(rows.await.unwrap(), [], "table {table}");
    }
    let pumps = streams::pump::row::names_of(&*world.engine, "delivery/").await;
    assert_eq!(pumps.unwrap(), Vec::<String>::new());
    world.close().await;
}

/// Its records are lost to the order, which ends all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_stream_is_deleted_ends_and_counts_what_is_lost() {
    let components = Components::of(&["parse-access-log"]);
    let ledger = Ledger::default();
    let ground = components.ground(14);
    let world = delivered(ground.clone(), &ledger).await;
    ground.buckets.rule(|_, _| Does::HangBefore);
    let ordered = world.delivery.redeliver(&caller(), NAME, ORDER).await;
    let records = ordered.unwrap().records;
    world.delete_source().await;
    ground.buckets.release();
    let status = redeliver(&world).await;
    let became = status.delivered + status.failed + status.lost;
    assert_eq!((became, status.records), (records, records));
    world.close().await;
}
