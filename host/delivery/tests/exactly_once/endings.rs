//! What becomes of records that cannot be delivered in time, and of deliveries whose source or
//! whose delivery stream is deleted under them.

use std::time::Duration;

use bytes::Bytes;
use store::{Engine, LogId, Position, StoreError, TableId, Versioned};
use types::Clock;

use crate::buckets::{Buckets, Does};
use crate::check::{Through, check, found};
use crate::ledger::{Id, Kind, Ledger};
use crate::told::Told;
use crate::world::{self, Components, Ground, Origin, World, destination};

/// Past what direct puts and streams are kept for.
const A_DAY: Duration = Duration::from_secs(25 * 3_600);
/// What a clock that is more than a day ahead must go on for until it is believed.
const AN_HOUR: Duration = Duration::from_secs(3_600);
/// The log of the first delivery stream that is put to directly.
const LOG: LogId = LogId(1 << 48);
/// The table of the positions of pumps.
const PUMPS: TableId = TableId(4);
/// The tables that may say something of a delivery stream: also delivery streams and lanes.
const TABLES: [TableId; 3] = [PUMPS, TableId(17), TableId(18)];

fn errors(told: &Told) -> Vec<String> {
    told.lines("ERROR")
}

fn warnings_of_loss(told: &Told) -> usize {
    let warnings = told.lines("WARN").into_iter();
    warnings
        .filter(|line| line.contains("records are lost"))
        .count()
}

async fn world(components: &Components, origin: Origin) -> (World, Ledger, Buckets) {
    let world = World::open(components.ground(1)).await;
    world.create(origin, &destination("first", "a/")).await;
    let buckets = world.ground.buckets.clone();
    (world, Ledger::default(), buckets)
}

/// Records in the buckets.
fn delivered(ledger: &Ledger, buckets: &Buckets) -> Vec<Id> {
    found(&ledger.entries(), buckets).delivered
}

#[tokio::test]
async fn what_could_not_be_delivered_within_a_day_is_given_up_and_it_is_said() {
    let told = Told::listen();
    let components = Components::none();
    let (world, ledger, buckets) = world(&components, Origin::Direct).await;
    buckets.rule(|_, _| Does::FailBefore);
    for _ in 0..2 {
        assert!(world.put(&ledger, Origin::Direct, &[Kind::Line], 0).await);
        buckets.until_ended(1).await;
    }
    let ground = world.close().await;
    assert_eq!(errors(&told), [""; 0]);
    ground.clock.advance(A_DAY);
    let world = World::open(ground).await;
    // So far ahead of the newest record the clock is not believed at once.
    world.ground.clock.advance(AN_HOUR);
    // A flush is over though nothing was delivered: nothing waits any more.
    world::in_time("to give up", async {
        while errors(&told).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(world.flushed().await.waiting, 0, "{:?}", world.status());
    assert_eq!(delivered(&ledger, &buckets), [0; 0]);
    buckets.release();
    assert!(world.put(&ledger, Origin::Direct, &[Kind::Line], 0).await);
    assert!(world.flush().await, "{:?}", world.status());
    assert_eq!(delivered(&ledger, &buckets), [2]);
    let status = world.status().unwrap();
    let counts = (status.records_in, status.delivered, status.lost);
    assert_eq!(counts, (3, 1, 2));
    assert_eq!((status.trouble, status.waiting_records), (None, 0));
    world.close().await;
    let [error] = &errors(&told)[..] else {
        panic!("{:?}", errors(&told))
    };
    assert!(
        error.contains("could not be delivered within a day"),
        "{error}"
    );
    assert!(error.contains("deliverystream/hose"), "{error}");
    assert!(error.contains("lost=2"), "{error}");
    assert_eq!(warnings_of_loss(&told), 1);
}

/// A machine that starts in another year, until its time service has set its clock.
#[tokio::test]
async fn a_clock_that_is_years_ahead_at_the_start_gives_nothing_up() {
    let told = Told::listen();
    let components = Components::none();
    let (world, ledger, buckets) = world(&components, Origin::Direct).await;
    buckets.rule(|_, _| Does::FailBefore);
    assert!(
        world
            .put(&ledger, Origin::Direct, &[Kind::Line; 2], 0)
            .await
    );
    buckets.until_ended(1).await;
    let ground = world.close().await;
    ground.clock.set(ground.clock.now().after(900 * A_DAY));
    let world = World::open(ground).await;
    buckets.until_ended(2).await;
    buckets.release();
    assert!(world.flush().await, "{:?}", world.status());
    assert_eq!(delivered(&ledger, &buckets), [0, 1]);
    assert_eq!(world.status().unwrap().lost, 0);
    assert_eq!(errors(&told), [""; 0]);
    world.close().await;
}

/// What was delivered last lay in the log until the next cut. A server that was started a day
/// later said that it was lost, before it had looked how far it had come.
#[tokio::test]
async fn what_was_delivered_is_not_said_to_be_lost_a_day_later() {
    let told = Told::listen();
    let components = Components::none();
    let (world, ledger, buckets) = world(&components, Origin::Direct).await;
    assert!(
        world
            .put(&ledger, Origin::Direct, &[Kind::Line; 3], 0)
            .await
    );
    assert!(world.flush().await);
    world.ground.clock.advance(A_DAY);
    let world = world.reopened().await;
    world.ground.clock.advance(AN_HOUR);
    assert!(world.put(&ledger, Origin::Direct, &[Kind::Line], 0).await);
    assert!(world.flush().await);
    check(
        &ledger,
        &buckets,
        &world.status().unwrap(),
        Through::Nothing,
    );
    world.close().await;
    assert_eq!(errors(&told), [""; 0]);
}

/// Retention took all that an open cut was about while nobody looked. The cut ended where the pump
/// stood already, so that it was done again and again and nothing after it was delivered.
#[tokio::test]
async fn an_open_cut_of_which_nothing_is_left_does_not_hold_up_what_comes_later() {
    for origin in [Origin::Direct, Origin::Stream] {
        let components = Components::none();
        let (world, ledger, buckets) = world(&components, origin).await;
        buckets.rule(|_, _| Does::FailAfter);
        assert!(world.put(&ledger, origin, &[Kind::Line; 2], 0).await);
        buckets.until_ended(1).await;
        let ground = world.close().await;
        let claimed = forget_all_records(&ground, origin).await;
        buckets.rule(|_, _| Does::Well);
        let world = World::open(ground).await;
        until_it_has_looked(&world, origin, &claimed).await;
        for _ in 0..2 {
            assert!(world.put(&ledger, origin, &[Kind::Line], 0).await);
            assert!(world.flush().await, "{:?}", world.status());
        }
        // The first two were put, and their answer was an error.
        assert_eq!(delivered(&ledger, &buckets), [0, 1, 2, 3]);
        assert_eq!(buckets.clashes(), []);
        let status = world.status().unwrap();
        let counts = (status.records_in, status.delivered, status.lost);
        assert_eq!(counts, (4, 2, 2));
        world.close().await;
    }
}

/// What was left of the open cut was put again under the cut's own name, which its object had.
#[tokio::test]
async fn what_retention_left_of_an_open_cut_is_delivered_and_what_it_took_is_counted() {
    for origin in [Origin::Direct, Origin::Stream] {
        let components = Components::none();
        let world = World::open(components.ground(1)).await;
        let mut patient = destination("first", "a/");
        patient["BufferingHints"]["IntervalInSeconds"] = serde_json::json!(900);
        world.create(origin, &patient).await;
        let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
        buckets.rule(|_, _| Does::FailBefore);
        for _ in 0..3 {
            assert!(world.put(&ledger, origin, &[Kind::Line; 2], 0).await);
        }
        world.ground.clock.advance(Duration::from_secs(900));
        buckets.until_ended(1).await;
        let ground = world.close().await;
        let engine = world::engine(&ground.disk).await;
        let log = match origin {
            Origin::Direct => LOG,
            Origin::Stream => log_with_records(&*engine),
        };
        engine.trim(log, Position(2)).await.unwrap();
        engine.close().await.unwrap();
        buckets.rule(|_, _| Does::Well);
        let world = World::open(ground).await;
        assert_eq!(world.flushed().await.waiting, 0, "{:?}", world.status());
        assert_eq!(delivered(&ledger, &buckets), [2, 3, 4, 5]);
        let status = world.status().unwrap();
        let counts = (status.records_in, status.delivered, status.lost);
        assert_eq!(counts, (6, 4, 2));
        world.close().await;
    }
}

fn log_with_records(engine: &dyn Engine) -> LogId {
    let logs = (0..10).map(LogId);
    let mut with_records = logs.filter(|log| engine.tip(*log).is_ok_and(|tip| tip.0 > 0));
    with_records.next().unwrap()
}

/// Trims all logs to their ends; what the pump of lane 0 kept.
async fn forget_all_records(ground: &Ground, origin: Origin) -> Option<Versioned> {
    let engine = world::engine(&ground.disk).await;
    let logs = match origin {
        Origin::Direct => vec![LOG],
        Origin::Stream => (0..10).map(LogId).collect(),
    };
    for log in logs {
        match engine.tip(log) {
            Ok(tip) => engine.trim(log, tip).await.unwrap(),
            Err(StoreError::NoLog(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let claimed = engine.get(PUMPS, pump(origin)).await.unwrap();
    assert!(claimed.is_some());
    engine.close().await.unwrap();
    claimed
}

fn pump(origin: Origin) -> &'static [u8] {
    match origin {
        Origin::Direct => b"delivery/0/18446744073709551615/0",
        Origin::Stream => b"delivery/0/0/0",
    }
}

/// Returns once the pump of lane 0 was claimed anew and has most likely read.
async fn until_it_has_looked(world: &World, origin: Origin, before: &Option<Versioned>) {
    let claiming = async {
        while world.engine.get(PUMPS, pump(origin)).await.unwrap() == *before {
            tokio::task::yield_now().await;
        }
    };
    world::in_time("to begin", claiming).await;
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_streams_retention_took_is_passed_over_and_the_rest_is_delivered() {
    let components = Components::none();
    let (world, ledger, buckets) = world(&components, Origin::Stream).await;
    buckets.rule(|_, _| Does::FailBefore);
    for lane in [0, 1, 0] {
        assert!(
            world
                .put(&ledger, Origin::Stream, &[Kind::Line], lane)
                .await
        );
    }
    buckets.until_ended(2).await;
    world.ground.clock.advance(A_DAY);
    world.streams.trim_expired().await;
    buckets.release();
    assert_eq!(world.flushed().await.waiting, 0, "{:?}", world.status());
    for lane in [0, 1] {
        assert!(
            world
                .put(&ledger, Origin::Stream, &[Kind::Line], lane)
                .await
        );
    }
    assert!(world.flush().await, "{:?}", world.status());
    let mut all = delivered(&ledger, &buckets);
    all.sort_unstable();
    assert_eq!(all, [3, 4]);
    let status = world.status().unwrap();
    let counts = (status.records_in, status.delivered, status.lost);
    assert_eq!(counts, (5, 2, 3));
    assert_eq!((status.trouble, status.waiting_records), (None, 0));
    let world = world.reopened().await;
    assert_eq!(world.status().unwrap().lost, 3);
    world.close().await;
}

#[tokio::test]
async fn a_source_that_is_deleted_ends_its_lanes_and_one_of_its_name_begins_new_ones() {
    let components = Components::none();
    let (world, ledger, buckets) = world(&components, Origin::Stream).await;
    assert!(world.put(&ledger, Origin::Stream, &[Kind::Line], 0).await);
    assert!(world.flush().await);
    buckets.rule(|_, _| Does::FailBefore);
    for lane in [0, 1] {
        assert!(
            world
                .put(&ledger, Origin::Stream, &[Kind::Line; 2], lane)
                .await
        );
    }
    buckets.until_ended(2).await;
    world.delete_source().await;
    assert_eq!(world.flushed().await.waiting, 0, "{:?}", world.status());
    world
        .until(|status| status.is_some_and(|status| status.waiting_records == 0))
        .await;
    let status = world.status().unwrap();
    let counts = (status.records_in, status.delivered, status.lost);
    assert_eq!((counts, status.trouble), ((5, 1, 4), None));

    buckets.rule(|_, _| Does::Well);
    world.source().await;
    for lane in [2, 3] {
        assert!(
            world
                .put(&ledger, Origin::Stream, &[Kind::Line], lane)
                .await
        );
    }
    // It is looked for new lanes once a second, and a flush knows of those that were found.
    buckets.until_ended(2).await;
    assert!(world.flush().await, "{:?}", world.status());
    let mut all = delivered(&ledger, &buckets);
    all.sort_unstable();
    assert_eq!(all, [0, 5, 6]);
    assert_eq!(world.status().unwrap().delivered, 3);
    let world = world.reopened().await;
    let status = world.status().unwrap();
    assert_eq!((status.records_in, status.lost), (7, 4));
    world.close().await;
}

/// A flush that was under way waited to the end of its time for records that were gone.
#[tokio::test]
async fn a_flush_is_over_when_what_it_waits_for_is_gone() {
    let components = Components::none();
    let (world, ledger, buckets) = world(&components, Origin::Stream).await;
    buckets.rule(|_, _| Does::FailBefore);
    for lane in [0, 1] {
        assert!(
            world
                .put(&ledger, Origin::Stream, &[Kind::Line], lane)
                .await
        );
    }
    let (flushed, ()) = tokio::join!(world.flushed(), async {
        buckets.until_ended(2).await;
        world.delete_source().await;
    });
    assert_eq!((flushed.delivered, flushed.lost), (false, 2));
    assert_eq!(flushed.waiting, 0);
    world.close().await;
}

/// Nothing that is kept says anything of a delivery stream.
async fn assert_nothing_is_left(world: &World) {
    assert!(matches!(world.engine.tip(LOG), Err(StoreError::NoLog(_))));
    for table in TABLES {
        let rows = world.engine.scan(table, Bytes::new(), None, 100).await;
        assert_eq!(rows.unwrap(), [], "{table:?}");
    }
}

/// Deletes a delivery stream while the store fails or hangs, and makes another of its name.
async fn deleted_while(does: Does, origin: Origin) {
    let components = Components::none();
    let (world, before, buckets) = world(&components, origin).await;
    assert!(world.put(&before, origin, &[Kind::Line], 0).await);
    assert!(world.flush().await);
    buckets.rule(move |_, _| does);
    assert!(world.put(&before, origin, &[Kind::Line; 2], 0).await);
    buckets.until_begun(1).await;
    world.delete().await;
    assert_nothing_is_left(&world).await;
    let kept = buckets.objects();

    buckets.release();
    if origin == Origin::Stream {
        world.delete_source().await;
    }
    world.create(origin, &destination("other", "a/")).await;
    let after = Ledger::default();
    assert!(world.put(&after, origin, &[Kind::Line; 3], 0).await);
    assert!(world.flush().await);
    let mut objects = buckets.objects();
    objects.retain(|name, _| !kept.contains_key(name));
    let new = Buckets::holding(objects);
    check(&after, &new, &world.status().unwrap(), Through::Nothing);
    assert_eq!(delivered(&before, &Buckets::holding(kept)).len(), 1);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_stream_that_is_deleted_takes_all_it_kept_and_its_successor_starts_clean() {
    tokio::join!(
        deleted_while(Does::FailBefore, Origin::Direct),
        deleted_while(Does::FailBefore, Origin::Stream),
        deleted_while(Does::HangBefore, Origin::Direct),
    );
}
