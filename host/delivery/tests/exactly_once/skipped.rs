//! A cut that an operator has skipped, and whose error output fails, refuses, or is another one by
//! the time that it is put.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use delivery::{LaneAnswer, Order, Outcome};
use serde_json::{Value, json};

use crate::buckets::{Buckets, Does};
use crate::check::{Through, check};
use crate::ledger::{Kind, Ledger};
use crate::world::{Components, Ground, NAME, Origin, World, caller, destination};

/// A line of the error output is less than this, and two are more.
const OBJECT_BYTES: u64 = 700;
const LONG: Duration = Duration::from_secs(900);
/// What the page says of a cut that is skipped and does not get on.
pub const ORDERS: &str = "`millrace delivery skip hose --lane direct`";

pub struct Skipped {
    pub world: World,
    pub ledger: Ledger,
    pub buckets: Buckets,
}

/// The bucket `named` does to its puts, counted from 1, what it is told. Any other takes nothing.
pub fn only(buckets: &Buckets, named: &'static str, does: fn(u64) -> Does) {
    let puts = AtomicU64::new(0);
    buckets.rule(move |_, bucket| {
        if bucket == named {
            does(1 + puts.fetch_add(1, Ordering::Relaxed))
        } else {
            Does::Refuse
        }
    });
}

pub fn bucket(name: &str) -> Value {
    json!({"BucketARN": format!("arn:aws:s3:::{name}")})
}

/// Six records of which an object may lie in `first`, and that are skipped to `second`, which does
/// as it is told: two of them are an object.
pub async fn skipped(does: fn(u64) -> Does) -> Skipped {
    let mut ground = Components::none().ground(1);
    ground.skipped_object_bytes_max = OBJECT_BYTES;
    let world = World::open(ground).await;
    let mut patient = destination("first", "a/");
    patient["BufferingHints"]["IntervalInSeconds"] = json!(LONG.as_secs());
    world.create(Origin::Direct, &patient).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|_, _| Does::FailBefore);
    for _ in 0..2 {
        assert!(
            world
                .put(&ledger, Origin::Direct, &[Kind::Line; 3], 0)
                .await
        );
    }
    world.ground.clock.advance(LONG);
    world.until_trouble("the store broke off").await;
    world.update(1, &bucket("second")).await.unwrap();
    only(&buckets, "second", does);
    let skipped = Skipped {
        world,
        ledger,
        buckets,
    };
    assert_eq!(skipped.order(Order::Skip).await, (6, 1));
    skipped
}

/// Records and objects that may exist, as the lane answers: the one in `first` is among them.
pub async fn order(world: &World, order: Order) -> (u64, u32) {
    let answers = world.delivery.order(&caller(), NAME, order, None).await;
    let answers = answers.unwrap();
    let [
        LaneAnswer {
            outcome: Outcome::Done,
            records,
            objects_that_may_exist,
            ..
        },
    ] = answers[..]
    else {
        panic!("{answers:?}")
    };
    (records, objects_that_may_exist)
}

impl Skipped {
    pub async fn order(&self, what: Order) -> (u64, u32) {
        order(&self.world, what).await
    }

    /// The same with the next process, which is told other sizes, after the one before was killed.
    pub async fn killed(self, named: &'static str, does: fn(u64) -> Does) -> Self {
        let ground = self.world.ground.clone();
        let (disk, buckets) = self.buckets.cut_off(|| ground.disk.after_kill());
        self.world.give_up().await;
        only(&buckets, named, does);
        let ground = Ground {
            disk,
            buckets: buckets.clone(),
            skipped_object_bytes_max: 1 << 20,
            ..ground
        };
        Self {
            world: World::open(ground).await,
            ledger: self.ledger,
            buckets,
        }
    }

    /// All records failed, and lie in three objects in one bucket.
    async fn assert_all_failed_to(self, named: &str) {
        assert!(self.world.flush().await, "{:?}", self.world.status());
        let status = self.world.status().unwrap();
        let counts = (status.records_in, status.failed, status.failed_objects);
        assert_eq!(counts, (6, 6, 3), "{status:?}");
        let mut objects = self.buckets.objects();
        objects.retain(|(bucket, _), _| bucket == named);
        let buckets = Buckets::holding(objects);
        check(&self.ledger, &buckets, &status, Through::Skipped);
        assert_eq!(self.buckets.clashes(), []);
        self.world.close().await;
    }

    fn buckets_with_objects(&self) -> Vec<String> {
        let objects = self.buckets.objects().into_keys();
        let buckets: BTreeSet<String> = objects.map(|(bucket, _)| bucket).collect();
        buckets.into_iter().collect()
    }
}

/// Objects ended where reads of the log did: the next process read it otherwise, and put other
/// bytes by the same name for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_skipped_becomes_the_same_objects_in_the_process_after_a_crash() {
    for does in [
        |put| only_first(put, Does::FailBefore),
        |put| only_first(put, Does::FailAfter),
    ] {
        let skipped = skipped(does).await;
        skipped.world.until_trouble(ORDERS).await;
        let skipped = skipped.killed("second", |_| Does::Well).await;
        assert_eq!(skipped.buckets_with_objects(), ["second"]);
        skipped.assert_all_failed_to("second").await;
    }
}

pub fn only_first(put: u64, then: Does) -> Does {
    if put == 1 { Does::Well } else { then }
}

/// It was answered as done, and nothing was done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_skip_begins_anew_with_the_error_output_in_force() {
    let skipped = skipped(|put| only_first(put, Does::FailBefore)).await;
    skipped.world.until_trouble(ORDERS).await;
    skipped.world.update(2, &bucket("third")).await.unwrap();
    only(&skipped.buckets, "third", |_| Does::Well);
    skipped.buckets.until_ended(1).await;
    assert_eq!(
        skipped.buckets_with_objects(),
        ["second"],
        "some of it is there"
    );
    assert_eq!(skipped.order(Order::Skip).await, (6, 3));
    skipped
        .world
        .until(|status| status.unwrap().failed == 6)
        .await;
    assert_eq!(skipped.buckets_with_objects(), ["second", "third"]);
    skipped.assert_all_failed_to("third").await;
}

/// The object that is in the way is somebody else's: it had the number of the skip before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_skip_meets_no_object_of_the_one_before() {
    let skipped = skipped(|put| match put {
        1 => Does::MakeAnother,
        _ => Does::Well,
    })
    .await;
    skipped.world.until_trouble("holds something else").await;
    assert_eq!(skipped.order(Order::Skip).await, (6, 2));
    assert!(skipped.world.flush().await);
    for clash in skipped.buckets.clashes() {
        skipped.buckets.take_away(&clash);
    }
    skipped.assert_all_failed_to("second").await;
}

/// It stayed with the error output of its time, whatever was named since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_skipped_and_refused_goes_to_the_error_output_that_is_named_since() {
    for is_restarted in [false, true] {
        let mut skipped = skipped(|_| Does::Refuse).await;
        skipped.world.until_trouble(ORDERS).await;
        if is_restarted {
            skipped = skipped.killed("second", |_| Does::Refuse).await;
            skipped.world.until_trouble(ORDERS).await;
        }
        let stuck = skipped.world.status().unwrap().stuck;
        assert_eq!((stuck[0].records, stuck[0].objects_that_may_exist), (6, 1));
        only(&skipped.buckets, "third", |_| Does::Well);
        skipped.world.update(2, &bucket("third")).await.unwrap();
        skipped
            .world
            .until(|status| status.unwrap().failed == 6)
            .await;
        assert_eq!(skipped.buckets_with_objects(), ["third"]);
        skipped.world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_skipped_stays_with_the_error_output_that_has_some_of_it() {
    let skipped = skipped(|put| only_first(put, Does::Refuse)).await;
    skipped.world.until_trouble(ORDERS).await;
    skipped.world.update(2, &bucket("third")).await.unwrap();
    let calls = skipped.buckets.calls();
    skipped.buckets.until_ended(calls + 2).await;
    assert_eq!(skipped.buckets_with_objects(), ["second"]);
    skipped.buckets.release();
    assert!(skipped.world.flush().await);
    assert_eq!(skipped.buckets_with_objects(), ["second"]);
    skipped.assert_all_failed_to("second").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_skipped_and_refused_can_be_moved_or_left_out() {
    for (order, wanted) in [(Order::Move, (6, 0, 0)), (Order::LeaveOut, (0, 6, 6))] {
        let skipped = skipped(|_| Does::Refuse).await;
        skipped.world.until_trouble(ORDERS).await;
        let status = skipped.world.status().unwrap();
        assert_eq!((status.waiting_records, status.lost), (6, 0));
        assert_eq!(skipped.order(order).await, (6, 1));
        skipped.buckets.release();
        assert!(skipped.world.flush().await);
        let status = skipped.world.status().unwrap();
        let counts = (status.delivered, status.lost, status.left_out);
        assert_eq!(counts, wanted, "{order:?}");
        skipped.world.close().await;
    }
}

/// Retention took the first frame of a cut that was skipped: what was left of it was delivered, as
/// if nobody had said anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_retention_leaves_of_a_skipped_cut_stays_skipped() {
    let skipped = skipped(|_| Does::FailBefore).await;
    skipped.world.until_trouble(ORDERS).await;
    let log = store::LogId(1 << 48);
    let trimmed = skipped.world.engine.trim(log, store::Position(3)).await;
    trimmed.unwrap();
    skipped
        .world
        .until(|status| status.unwrap().lost == 3)
        .await;
    skipped.buckets.rule(|_, _| Does::Well);
    assert!(skipped.world.flush().await, "{:?}", skipped.world.status());
    let status = skipped.world.status().unwrap();
    assert_eq!((status.failed, status.delivered), (3, 0), "{status:?}");
    skipped.world.close().await;
}
