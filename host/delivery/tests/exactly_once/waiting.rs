//! What is shown of a lane that waits for its plugin, and what it is told.

use delivery::{LaneAnswer, Order, Outcome};

use crate::buckets::Does;
use crate::check::{Through, check};
use crate::ledger::{Kind, Ledger};
use crate::world::{Components, NAME, Origin, World, caller, destination, processing};

const PARSER: &str = "parse-access-log";

async fn order(world: &World, order: Order) -> (Outcome, u64) {
    let answers = world.delivery.order(&caller(), NAME, order, None).await;
    let [
        LaneAnswer {
            outcome, records, ..
        },
    ] = &answers.unwrap()[..]
    else {
        panic!("one lane")
    };
    (*outcome, *records)
}

/// The page went on saying for how long the put that was given up had not been answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_that_hung_and_was_tried_again_is_not_shown_as_one_that_hangs() {
    let world = World::open(Components::none().ground(1)).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    world
        .create(Origin::Direct, &destination("first", "a/"))
        .await;
    buckets.rule(|_, _| Does::HangBefore);
    assert!(
        world
            .put(&ledger, Origin::Direct, &[Kind::Line; 2], 0)
            .await
    );
    world.until_trouble("has not answered for").await;
    assert_eq!(order(&world, Order::Retry).await, (Outcome::Done, 2));
    let is_well = |status: Option<delivery::DeliveryStatus>| {
        status.is_some_and(|status| status.trouble.is_none() && status.stuck.is_empty())
    };
    world.until(is_well).await;
    assert_eq!(world.status().unwrap().waiting_records, 2);
    // That one hangs, too.
    world.until_trouble("has not answered for").await;
    buckets.release();
    assert!(world.flush().await, "{:?}", world.status());
    check(
        &ledger,
        &buckets,
        &world.status().unwrap(),
        Through::Nothing,
    );
    world.close().await;
}

/// The page went on showing the cut that was forgotten, as if an order could still reach it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_that_was_moved_is_not_shown_as_stuck_while_its_records_wait_for_their_plugin() {
    let components = Components::of(&[PARSER]);
    let world = World::open(components.ground(1)).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    let mut first = destination("first", "a/");
    first["ProcessingConfiguration"] = processing(Some(PARSER));
    world.create(Origin::Direct, &first).await;
    buckets.rule(|_, _| Does::FailBefore);
    assert!(
        world
            .put(&ledger, Origin::Direct, &[Kind::Line; 2], 0)
            .await
    );
    let of_cut = |records: u64| {
        move |status: Option<delivery::DeliveryStatus>| {
            status.is_some_and(|status| {
                let first = status.stuck.first();
                first.is_some_and(|lane| lane.records == records)
            })
        }
    };
    world.until(of_cut(2)).await;
    components.remove(PARSER).await;
    assert_eq!(order(&world, Order::Move).await, (Outcome::Done, 2));
    world.until(of_cut(0)).await;
    let is_told = |status: Option<delivery::DeliveryStatus>| {
        let trouble = status.and_then(|status| status.trouble);
        trouble.is_some_and(|trouble| trouble.contains("is not there"))
    };
    world.until(is_told).await;
    let status = world.status().unwrap();
    let [lane] = &status.stuck[..] else {
        panic!("{status:?}")
    };
    assert_eq!((lane.records, lane.objects_that_may_exist), (0, 0));
    assert_eq!(
        order(&world, Order::Retry).await,
        (Outcome::NothingStuck, 0)
    );
    components.add(PARSER).await;
    buckets.release();
    assert!(world.flush().await, "{:?}", world.status());
    check(&ledger, &buckets, &world.status().unwrap(), Through::Parser);
    world.close().await;
}
