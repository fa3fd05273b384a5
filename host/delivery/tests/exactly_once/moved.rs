//! A destination that refuses, and one that is named in its place: a cut of which nothing can be
//! anywhere goes to the new one, any other stays with the old one for as long as it takes.

use serde_json::{Value, json};

use crate::buckets::{Buckets, Does};
use crate::check::{Through, check};
use crate::ledger::{Kind, Ledger};
use crate::world::{Components, Ground, Origin, World, destination, processing};

const PARSER: &str = "parse-access-log";
const FILTER: &str = "drop-bots";

struct Move {
    world: World,
    ledger: Ledger,
    buckets: Buckets,
}

/// A delivery stream into the bucket `first`, with records that wait.
async fn before(components: &Components, plugin: Option<&str>, does: fn(u64) -> Does) -> Move {
    let world = World::open(components.ground(1)).await;
    let mut first = destination("first", "a/");
    first["ProcessingConfiguration"] = processing(plugin);
    world.create(Origin::Direct, &first).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    only_second(&buckets, does);
    let kinds = [Kind::Line, Kind::Bad, Kind::Bot];
    assert!(world.put(&ledger, Origin::Direct, &kinds, 0).await);
    Move {
        world,
        ledger,
        buckets,
    }
}

/// The bucket `second` is well, and any other does as it is told.
fn only_second(buckets: &Buckets, does: fn(u64) -> Does) {
    buckets.rule(move |call, bucket| match bucket {
        "second" => Does::Well,
        _ => does(call),
    });
}

fn second() -> Value {
    json!({"BucketARN": "arn:aws:s3:::second"})
}

impl Move {
    async fn put_one(&self) {
        let put = self
            .world
            .put(&self.ledger, Origin::Direct, &[Kind::Line], 0);
        assert!(put.await);
    }

    /// The same with the next process, after the one before was killed.
    async fn killed(self, does: fn(u64) -> Does) -> Self {
        let ground = self.world.ground.clone();
        let (disk, buckets) = self.buckets.cut_off(|| ground.disk.after_kill());
        self.world.give_up().await;
        only_second(&buckets, does);
        let ground = Ground {
            disk,
            buckets: buckets.clone(),
            ..ground
        };
        Self {
            world: World::open(ground).await,
            ledger: self.ledger,
            buckets,
        }
    }

    /// The same with the next process, after the one before was told to end.
    async fn stopped(self) -> Self {
        let world = self.world.reopened().await;
        Self { world, ..self }
    }

    /// Everything is delivered; which buckets hold something.
    async fn finished(self, through: Through) -> Vec<String> {
        assert!(self.world.flush().await, "{:?}", self.world.status());
        let status = self.world.status().unwrap();
        check(&self.ledger, &self.buckets, &status, through);
        self.world.close().await;
        let objects = self.buckets.objects().into_keys();
        let mut buckets: Vec<String> = objects.map(|(bucket, _)| bucket).collect();
        buckets.dedup();
        buckets
    }

    /// The open cut stays with a bucket that may hold some of it, whatever was named since.
    async fn stays_until_it_is_taken(self, through: Through) {
        self.world.update(1, &second()).await.unwrap();
        self.put_one().await;
        let calls = self.buckets.calls();
        self.buckets.until_ended(calls + 3).await;
        let objects = self.buckets.objects();
        let moved = objects.keys().find(|(bucket, _)| bucket == "second");
        assert_eq!(moved, None, "some of it may be in the first");
        self.buckets.release();
        assert_eq!(self.finished(through).await, ["first", "second"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_that_was_refused_goes_to_the_bucket_that_is_named_since() {
    let components = Components::none();
    let moving = before(&components, None, |_| Does::Refuse).await;
    moving.buckets.until_ended(2).await;
    moving.world.update(1, &second()).await.unwrap();
    moving.put_one().await;
    assert_eq!(moving.finished(Through::Nothing).await, ["second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_delivered_before_the_bucket_refused_stays_where_it_is() {
    let components = Components::none();
    let moving = before(&components, None, |call| match call {
        1 => Does::Well,
        _ => Does::Refuse,
    })
    .await;
    assert!(moving.world.flush().await);
    moving.put_one().await;
    moving.buckets.until_ended(3).await;
    moving.world.update(1, &second()).await.unwrap();
    assert_eq!(moving.finished(Through::Nothing).await, ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_that_was_refused_and_is_taken_again_stays_with_its_bucket() {
    let components = Components::none();
    let moving = before(&components, None, |call| match call {
        1..4 => Does::Refuse,
        _ => Does::Well,
    })
    .await;
    assert_eq!(moving.finished(Through::Nothing).await, ["first"]);
}

/// The first put was done though its answer was an error; then the bucket refused. The cut was led
/// to the second bucket, since the last put had been refused, and its records were in both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_that_may_have_been_put_before_it_was_refused_is_not_put_elsewhere() {
    let components = Components::none();
    let moving = before(&components, None, |call| match call {
        1 => Does::FailAfter,
        _ => Does::Refuse,
    })
    .await;
    moving.buckets.until_ended(3).await;
    moving.stays_until_it_is_taken(Through::Nothing).await;
}

/// As above: the object of delivered records was there, that of the failed ones was not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_that_is_half_put_when_its_bucket_refuses_is_not_put_elsewhere() {
    let components = Components::of(&[PARSER]);
    let moving = before(&components, Some(PARSER), |call| match call {
        1 => Does::Well,
        _ => Does::Refuse,
    })
    .await;
    moving.buckets.until_ended(4).await;
    moving.stays_until_it_is_taken(Through::Parser).await;
}

/// As above: only the process that was killed knew that the object was there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_of_a_process_that_was_killed_over_a_put_is_not_put_elsewhere() {
    let components = Components::none();
    for does in [|_| Does::HangAfter, |_| Does::FailAfter] {
        let moving = before(&components, None, does).await;
        moving.buckets.until_begun(1).await;
        let moving = moving.killed(|_| Does::Refuse).await;
        moving.buckets.until_ended(2).await;
        moving.stays_until_it_is_taken(Through::Nothing).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_that_was_refused_goes_to_the_new_bucket_though_the_server_began_again() {
    let components = Components::none();
    let moving = before(&components, None, |_| Does::Refuse).await;
    moving.buckets.until_ended(2).await;
    let moving = moving.stopped().await;
    let calls = moving.buckets.calls();
    moving.buckets.until_ended(calls + 1).await;
    moving.world.update(1, &second()).await.unwrap();
    moving.put_one().await;
    assert_eq!(moving.finished(Through::Nothing).await, ["second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_named_and_refuses_too_may_be_replaced_in_its_turn() {
    let components = Components::none();
    let moving = before(&components, None, |_| Does::Refuse).await;
    moving.buckets.until_ended(1).await;
    let third = json!({"BucketARN": "arn:aws:s3:::third", "Prefix": "c/"});
    moving.world.update(1, &third).await.unwrap();
    moving.buckets.until_ended(4).await;
    moving.world.update(2, &second()).await.unwrap();
    moving.put_one().await;
    assert_eq!(moving.finished(Through::Nothing).await, ["second"]);
}

/// The cut kept the hash of the plugin of the configuration before, which the plugin of the new
/// one does not have: it was tried for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_that_goes_to_a_new_bucket_goes_through_the_plugin_that_was_named_with_it() {
    let components = Components::of(&[PARSER, FILTER]);
    for (first, then, through) in [
        (Some(PARSER), Some(FILTER), Through::Filter),
        (Some(FILTER), Some(PARSER), Through::Parser),
        (None, Some(PARSER), Through::Parser),
        (Some(PARSER), None, Through::Nothing),
    ] {
        let moving = before(&components, first, |_| Does::Refuse).await;
        moving.buckets.until_ended(1).await;
        let changes = json!({
            "BucketARN": "arn:aws:s3:::second", "ProcessingConfiguration": processing(then),
        });
        moving.world.update(1, &changes).await.unwrap();
        assert_eq!(moving.finished(through).await, ["second"]);
    }
}
