//! What a flush answers whose records do not become objects: it says how many are lost, and never
//! that they are delivered.

use delivery::{Flushed, Order};
use store::{LogId, Position};

use crate::buckets::Does;
use crate::ledger::{Kind, Ledger};
use crate::skipped::order;
use crate::told::Told;
use crate::world::{Components, Origin, World, destination};

/// The first delivery stream's own log.
const LOG: LogId = LogId(1 << 48);
const IN_VAIN: &str = "the store broke off";

/// Records that a flush waits for in vain come to this end. What it answers.
async fn flushed_while(origin: Origin, ends: impl AsyncFnOnce(&World)) -> Flushed {
    let world = World::open(Components::none().ground(1)).await;
    world.create(origin, &destination("first", "a/")).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    assert!(world.put(&ledger, origin, &[Kind::Line], 0).await);
    assert!(world.flush().await);
    buckets.rule(|_, _| Does::FailBefore);
    assert!(world.put(&ledger, origin, &[Kind::Line; 5], 0).await);
    let (flushed, ()) = tokio::join!(world.flushed(), async {
        world.until_trouble(IN_VAIN).await;
        ends(&world).await;
    });
    world.close().await;
    flushed
}

const FIVE_LOST: Flushed = Flushed {
    delivered: false,
    lost: 5,
    waiting: 0,
};

/// It answered that they were delivered, and nothing was said of them anywhere.
#[tokio::test]
async fn a_flush_whose_delivery_stream_is_deleted_says_how_many_records_are_lost_as_does_the_log() {
    let told = Told::listen();
    for origin in [Origin::Direct, Origin::Stream] {
        assert_eq!(flushed_while(origin, World::delete).await, FIVE_LOST);
    }
    let lines = told.lines("lost with their deleted delivery stream");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.contains("lost=5")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_flush_whose_source_is_deleted_says_how_many_records_are_lost() {
    let flushed = flushed_while(Origin::Stream, World::delete_source).await;
    assert_eq!(flushed, FIVE_LOST);
}

#[tokio::test]
async fn a_flush_says_how_many_records_retention_took_while_it_waited() {
    let flushed = flushed_while(Origin::Direct, async |world| {
        world.engine.trim(LOG, Position(6)).await.unwrap();
    });
    assert_eq!(flushed.await, FIVE_LOST);
}

#[tokio::test]
async fn a_flush_says_how_many_records_an_operator_left_out_while_it_waited() {
    let flushed = flushed_while(Origin::Direct, async |world| {
        assert_eq!(order(world, Order::LeaveOut).await, (5, 1));
    });
    assert_eq!(flushed.await, FIVE_LOST);
}

#[tokio::test]
async fn records_that_an_operator_skips_while_a_flush_waits_have_come_to_something() {
    let flushed = flushed_while(Origin::Direct, async |world| {
        assert_eq!(order(world, Order::Skip).await, (5, 1));
        world.ground.buckets.rule(|_, _| Does::Well);
    });
    let delivered = Flushed {
        delivered: true,
        lost: 0,
        waiting: 0,
    };
    assert_eq!(flushed.await, delivered);
}
