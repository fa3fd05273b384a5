//! A cut is left out, or lost with its log, after some of its objects were put: what is in them
//! counts as delivered or failed, and only the rest as lost, whichever process gives it up.

use delivery::Order;
use store::{LogId, Position};

use crate::buckets::{Buckets, Does};
use crate::check::found;
use crate::ledger::{Kind, Ledger};
use crate::skipped::{ORDERS, bucket, only, only_first, order, skipped};
use crate::world::{Components, Ground, Origin, World, destination, processing};

const PARSER: &str = "parse-access-log";
/// The first delivery stream's own log.
const LOG: LogId = LogId(1 << 48);
const RECORDS: u64 = 4;
const IN_VAIN: &str = "the store broke off";

/// The service counts what lies in the buckets, and all else that came in as lost.
fn assert_counted_as_found(world: &World, ledger: &Ledger, buckets: &Buckets, left_out: bool) {
    let found = found(&ledger.entries(), buckets);
    let ends = [found.delivered.len() as u64, found.failed.len() as u64];
    let status = world.status().unwrap();
    let lost = status.records_in - ends[0] - ends[1];
    assert_eq!([status.delivered, status.failed], ends, "{status:?}");
    assert_eq!((status.lost, status.waiting_records), (lost, 0));
    assert_eq!(status.left_out, if left_out { lost } else { 0 });
    let objects = buckets.objects().len() as u64;
    assert_eq!(status.objects + status.failed_objects, objects);
    assert_eq!(status.trouble, None);
}

struct HalfPut {
    world: World,
    ledger: Ledger,
    buckets: Buckets,
}

/// A cut of which the delivered records are in an object, and the failed one is not.
async fn half_put(origin: Origin, packs: bool) -> HalfPut {
    let ground = Components::of(&[PARSER]).ground(1);
    let world = World::open(Ground { packs, ..ground }).await;
    let mut first = destination("first", "a/");
    first["ProcessingConfiguration"] = processing(Some(PARSER));
    world.create(origin, &first).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|put, _| only_first(put, Does::FailBefore));
    let kinds = [Kind::Line, Kind::Bad, Kind::Line, Kind::Line];
    assert!(world.put(&ledger, origin, &kinds, 0).await);
    world.until_trouble(IN_VAIN).await;
    HalfPut {
        world,
        ledger,
        buckets,
    }
}

impl HalfPut {
    /// The same with the next process, to which the store does not say a word of what is there.
    async fn killed(self) -> Self {
        let ground = self.world.ground.clone();
        let (disk, buckets) = self.buckets.cut_off(|| ground.disk.after_kill());
        self.world.give_up().await;
        buckets.rule(|_, _| Does::FailBefore);
        let ground = Ground {
            disk,
            buckets: buckets.clone(),
            ..ground
        };
        let world = World::open(ground).await;
        world.until_trouble(IN_VAIN).await;
        Self {
            world,
            ledger: self.ledger,
            buckets,
        }
    }

    async fn until_nothing_waits(&self) {
        self.world
            .until(|status| status.unwrap().waiting_records == 0)
            .await;
    }

    /// Three records are in an object, and one is lost; the next process says so, too.
    async fn assert_one_is_lost(self, left_out: bool) {
        self.until_nothing_waits().await;
        let Self {
            world,
            ledger,
            buckets,
        } = self;
        let status = world.status().unwrap();
        assert_eq!((status.records_in, status.delivered), (RECORDS, 3));
        assert_counted_as_found(&world, &ledger, &buckets, left_out);
        let by_version: u64 = status.versions.iter().map(|v| v.delivered).sum();
        assert_eq!(by_version, 3, "{status:?}");
        let world = world.reopened().await;
        assert_counted_as_found(&world, &ledger, &buckets, left_out);
        world.close().await;
    }
}

/// A cut is half put and given up like this, by the process that put the half or by the next one.
async fn one_is_lost_after(origin: Origin, is_left_out: bool, give_up: impl AsyncFn(&World)) {
    // What is put directly is never packed.
    let packs = [(false, false), (true, false), (true, true)];
    for (is_killed, packs) in packs {
        let mut half_put = half_put(origin, packs).await;
        if is_killed {
            half_put = half_put.killed().await;
        }
        give_up(&half_put.world).await;
        half_put.assert_one_is_lost(is_left_out).await;
    }
}

/// All of them were counted as lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_delivery_has_put_counts_as_delivered_when_the_rest_is_left_out() {
    one_is_lost_after(Origin::Direct, true, async |world| {
        assert_eq!(order(world, Order::LeaveOut).await, (RECORDS, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_of_a_cut_is_not_lost_with_its_deleted_stream() {
    one_is_lost_after(Origin::Stream, false, World::delete_source).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_of_a_cut_is_not_lost_by_retention() {
    one_is_lost_after(Origin::Direct, false, async |world| {
        world.engine.trim(LOG, Position(RECORDS)).await.unwrap();
    })
    .await;
}

/// An operator moves what was put in half, and nothing more of it is put.
async fn moved(world: &World) {
    let buckets = &world.ground.buckets;
    buckets.rule(|_, _| Does::FailBefore);
    assert_eq!(order(world, Order::Move).await, (RECORDS, 2));
    buckets.until_ended(1).await;
    world.until_trouble(IN_VAIN).await;
}

/// What was moved was forgotten, so that all of it counted as lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_before_a_move_counts_when_the_moved_records_are_left_out() {
    one_is_lost_after(Origin::Direct, true, async |world| {
        moved(world).await;
        // Two of each number.
        assert_eq!(order(world, Order::LeaveOut).await, (RECORDS, 4));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_before_a_move_is_not_lost_with_its_deleted_stream() {
    one_is_lost_after(Origin::Stream, false, async |world| {
        moved(world).await;
        world.delete_source().await;
    })
    .await;
}

/// Of six records in three objects one object was put.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_skip_has_put_counts_as_failed_when_the_rest_is_left_out() {
    for is_killed in [false, true] {
        let mut skipped = skipped(|put| only_first(put, Does::FailBefore)).await;
        skipped.world.until_trouble(ORDERS).await;
        if is_killed {
            skipped = skipped.killed("second", |_| Does::FailBefore).await;
            skipped.world.until_trouble(ORDERS).await;
        }
        assert_eq!(skipped.order(Order::LeaveOut).await, (6, 3));
        skipped
            .world
            .until(|status| status.unwrap().failed == 2)
            .await;
        assert_counted_as_found(&skipped.world, &skipped.ledger, &skipped.buckets, true);
        skipped.world.close().await;
    }
}

/// The first skip put two records, the second none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_skip_has_put_counts_though_a_later_one_puts_less() {
    let skipped = skipped(|put| only_first(put, Does::FailBefore)).await;
    skipped.world.until_trouble(ORDERS).await;
    skipped.world.update(2, &bucket("third")).await.unwrap();
    only(&skipped.buckets, "third", |_| Does::FailBefore);
    skipped.buckets.until_ended(1).await;
    skipped.world.until_trouble(ORDERS).await;
    assert_eq!(skipped.order(Order::Skip).await, (6, 3));
    skipped.world.until_trouble("into third").await;
    assert_eq!(skipped.order(Order::LeaveOut).await, (6, 4));
    skipped
        .world
        .until(|status| status.unwrap().failed == 2)
        .await;
    assert_counted_as_found(&skipped.world, &skipped.ledger, &skipped.buckets, true);
    skipped.world.close().await;
}
