//! A stream is deleted while records wait in it for their delivery, and producers still put. What
//! it took is delivered or lost, to the last record, whenever the process dies.

use bytes::Bytes;
use store::StoreError;
use store::disk::simulated::{Random, Replay, SimulatedDisk, Survival};
use store::{LogId, TableId};
use tokio::task::JoinSet;

use crate::buckets::{Buckets, Does};
use crate::ledger::{Kind, Ledger};
use crate::told::Told;
use crate::world::{self, Components, Ground, Origin, SHARDS, World, destination};

/// The table of the positions of pumps.
const PUMPS: TableId = TableId(4);
/// Crashed processes that are brought to their end at the same time.
const SURVIVORS_MAX: usize = 8;

/// What was recorded.
struct Run {
    ledger: Ledger,
    ground: Ground,
    /// Before this change of the disk there is nothing to be lost.
    from: usize,
    /// Records that the stream took in its life.
    took: u64,
}

/// Records a run in which one record is delivered, cuts of two lanes are half put, and the stream
/// is deleted while more is put.
async fn record(ground: Ground) -> Run {
    let ledger = Ledger::default();
    ground.disk.record();
    let world = World::open(ground.clone()).await;
    let first = destination("first", "a/");
    world.create(Origin::Stream, &first).await;
    let from = ground.disk.recorded();
    assert!(world.put(&ledger, Origin::Stream, &[Kind::Line], 0).await);
    assert!(world.flush().await);
    ground.buckets.rule(|_, _| Does::FailBefore);
    for lane in [0, 1] {
        let kinds = [Kind::Line; 2];
        assert!(world.put(&ledger, Origin::Stream, &kinds, lane).await);
    }
    ground.buckets.until_ended(2).await;
    let late = async {
        // Until the stream does not take them any more.
        for lane in (0..SHARDS).cycle() {
            let kinds = [Kind::Line; 3];
            if !world.put(&ledger, Origin::Stream, &kinds, lane).await {
                return;
            }
        }
    };
    tokio::join!(late, async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        world.delete_source().await;
    });
    let took = ledger.acknowledged().len() as u64;
    until_counted(&world, took, 1).await;
    world.close().await;
    Run {
        ledger,
        ground,
        from,
        took,
    }
}

/// Returns once all that the stream took is counted, of which so much is delivered.
async fn until_counted(world: &World, took: u64, delivered_max: u64) {
    let counting = async {
        while has_pumps(world).await {
            tokio::task::yield_now().await;
        }
    };
    world::in_time("to count", counting).await;
    let is_shown = |waiting: u64| waiting == 0;
    world
        .until(|status| status.is_some_and(|status| is_shown(status.waiting_records)))
        .await;
    let status = world.status().unwrap();
    assert_eq!(status.records_in, took, "{status:?}");
    assert_eq!(status.lost + status.delivered, took, "{status:?}");
    assert!(status.delivered <= delivered_max, "{status:?}");
    assert_eq!(status.trouble, None);
}

/// Whether a lane is not counted yet.
async fn has_pumps(world: &World) -> bool {
    let rows = world.engine.scan(PUMPS, Bytes::new(), None, 1).await;
    !rows.unwrap().is_empty()
}

/// What the logs of the stream took, by the disk; `None` once they are gone.
async fn tips(disk: &SimulatedDisk) -> Option<u64> {
    let engine = world::engine(&disk.after_kill()).await;
    let mut tips = None;
    for log in (0..SHARDS.into()).map(LogId) {
        match engine.tip(log) {
            Ok(tip) => tips = Some(tips.unwrap_or(0) + tip.0),
            Err(StoreError::NoLog(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    engine.close().await.unwrap();
    tips
}

/// Opens what a crash left; the stream is deleted if it was not, and everything is counted, and
/// stays so.
async fn finish(run_took: u64, ground: Ground, acknowledged: usize) {
    ground.buckets.rule(|_, _| Does::FailBefore);
    let took = tips(&ground.disk).await.unwrap_or(run_took);
    assert!(acknowledged as u64 <= took);
    let world = World::open(ground).await;
    let shown = world.status().unwrap();
    assert_eq!(shown.records_in, took, "{shown:?}");
    if world.has_source().await {
        world.delete_source().await;
    }
    until_counted(&world, took, 1).await;
    let lost = world.status().unwrap().lost;
    let world = world.reopened().await;
    let status = world.status().unwrap();
    assert_eq!((status.records_in, status.lost), (took, lost));
    world.close().await;
}

/// What crashes at this moment leave.
fn images(replay: &Replay, random: &mut Random) -> [SimulatedDisk; 2] {
    let sure = match replay.done() % 3 {
        0 => replay.after_power_cut(random, Survival::Nothing),
        1 => replay.after_kill(random),
        _ => replay.after_power_cut(random, Survival::Everything),
    };
    [sure, replay.after_power_cut(random, Survival::Random)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_loses_no_count_of_what_a_deleted_stream_still_held() {
    let components = Components::none();
    let run = record(components.ground(1)).await;
    let mut random = Random::new(3);
    let mut replay = run.ground.disk.trace().unwrap().replay();
    let mut survivors = JoinSet::new();
    let mut crashes = 0;
    while replay.advance() {
        if replay.done() < run.from {
            continue;
        }
        let acknowledged = run.ledger.by(replay.done()).acknowledged().len();
        for disk in images(&replay, &mut random) {
            let ground = Ground {
                disk,
                buckets: Buckets::new(),
                ..run.ground.clone()
            };
            survivors.spawn(finish(run.took, ground, acknowledged));
            crashes += 1;
            if SURVIVORS_MAX <= survivors.len() {
                survivors.join_next().await.unwrap().unwrap();
            }
        }
    }
    while let Some(survived) = survivors.join_next().await {
        survived.unwrap();
    }
    println!("{} records in, {crashes} crashes", run.took);
}

/// The lane waited for up to ten seconds until it tried again, and when the process ended meanwhile
/// nobody knew any more how much had waited.
#[tokio::test]
async fn what_a_lane_that_waits_for_its_next_try_had_in_a_deleted_stream_is_counted_by_the_next_process()
 {
    let told = Told::listen();
    let components = Components::none();
    let world = World::open(components.ground(1)).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    world
        .create(Origin::Stream, &destination("first", "a/"))
        .await;
    buckets.rule(|_, _| Does::FailBefore);
    assert!(
        world
            .put(&ledger, Origin::Stream, &[Kind::Line; 5], 0)
            .await
    );
    buckets.until_ended(1).await;
    world.delete_source().await;
    // No await: nothing was done about it here.
    let disk = world.ground.disk.after_kill();
    let ground = Ground {
        disk,
        buckets: Buckets::new(),
        ..world.ground.clone()
    };
    world.give_up().await;
    let before = losses(&told);
    let world = World::open(ground).await;
    assert_eq!(world.status().unwrap().records_in, 5);
    until_counted(&world, 5, 0).await;
    let lines = losses(&told).split_off(before.len());
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert!(
        line.contains("lost=5") && line.contains("deliverystream/hose"),
        "{line}"
    );
    // One of its name is another.
    world.source().await;
    assert!(world.put(&ledger, Origin::Stream, &[Kind::Line], 2).await);
    world
        .until(|status| status.is_some_and(|status| status.delivered == 1))
        .await;
    let status = world.status().unwrap();
    assert_eq!((status.records_in, status.lost), (6, 5));
    world.close().await;
}

fn losses(told: &Told) -> Vec<String> {
    let lines = told.lines("WARN").into_iter();
    lines
        .filter(|line| line.contains("are lost with"))
        .collect()
}
