//! The stream that a delivery stream reads is deleted and made anew, again and again.

use std::time::Duration;

use bytes::Bytes;
use store::TableId;
use store::disk::simulated::Random;

use crate::ledger::{Kind, Ledger};
use crate::world::{Components, Ground, LANES_MAX, Origin, SHARDS, World, caller, destination};

/// The tables of the positions of pumps and of what is kept of lanes.
const TABLES: [TableId; 2] = [TableId(4), TableId(18)];
/// Streams of one name, one after the other.
const STREAMS: u64 = 4;

/// How many rows are kept of lanes, in each table.
async fn rows(world: &World) -> [usize; 2] {
    let mut counts = [0; 2];
    for (count, table) in counts.iter_mut().zip(TABLES) {
        let rows = world.engine.scan(table, Bytes::new(), None, 1_000).await;
        *count = rows.unwrap().len();
    }
    counts
}

/// Names of the lanes on the page.
fn lanes(world: &World) -> Vec<String> {
    let page = world.delivery.describe(&caller(), crate::world::NAME);
    let lanes = page.unwrap().lanes.into_iter();
    lanes.map(|lane| lane.lane).collect()
}

/// Each stream left its lanes behind for ever: in memory, in rows and on the page.
#[tokio::test]
async fn nothing_but_their_counts_is_left_of_the_lanes_of_deleted_streams() {
    let components = Components::none();
    let world = World::open(components.ground(1)).await;
    let ledger = Ledger::default();
    world
        .create(Origin::Stream, &destination("first", "a/"))
        .await;
    for round in 1..=STREAMS {
        for lane in 0..SHARDS {
            let kinds = [Kind::Line; 3];
            assert!(world.put(&ledger, Origin::Stream, &kinds, lane).await);
        }
        let took = 3 * u64::from(SHARDS) * round;
        world
            .until(|status| status.is_some_and(|status| status.delivered == took))
            .await;
        world.delete_source().await;
        world.until(|_| lanes(&world).is_empty()).await;
        assert_eq!(rows(&world).await, [0; 2]);
        let status = world.status().unwrap();
        assert_eq!((status.records_in, status.delivered), (took, took));
        world.source().await;
    }
    let shards = usize::try_from(SHARDS).unwrap();
    world.until(|_| lanes(&world).len() == shards).await;
    assert_eq!(rows(&world).await, [shards; 2]);
    let shown = world.status().unwrap();
    let world = world.reopened().await;
    assert_eq!(lanes(&world).len(), shards);
    let status = world.status().unwrap();
    assert_eq!(status.records_in, shown.records_in);
    assert_eq!(status.delivered, shown.delivered);
    assert_eq!(status.objects, shown.objects);
    world.delete().await;
    assert_eq!(rows(&world).await, [0; 2]);
    world.close().await;
}

/// A lane became durable when it began to work, and what was put meanwhile was in no count when the
/// stream was deleted again.
#[tokio::test]
async fn a_lane_is_kept_as_soon_as_it_is_shown() {
    let components = Components::none();
    let world = World::open(components.ground(1)).await;
    world
        .create(Origin::Stream, &destination("first", "a/"))
        .await;
    world.delete_source().await;
    // The lanes of the first stream are not those that are waited for.
    world.until(|_| lanes(&world).is_empty()).await;
    world.source().await;
    let shards = usize::try_from(SHARDS).unwrap();
    world.until(|_| lanes(&world).len() == shards).await;
    // It is shown once it is durable: whatever the stream takes from now on is counted.
    assert_eq!(rows(&world).await, [shards; 2]);
    let ledger = Ledger::default();
    assert!(
        world
            .put(&ledger, Origin::Stream, &[Kind::Line; 5], 0)
            .await
    );
    world.delete_source().await;
    let counted = |delivered_or_lost: u64| delivered_or_lost == 5;
    world
        .until(|status| status.is_some_and(|status| counted(status.delivered + status.lost)))
        .await;
    world.close().await;
}

/// Lanes took memory in no budget, as many as there were delivery streams times shards.
#[tokio::test]
async fn an_account_has_no_more_lanes_than_it_may() {
    let components = Components::none();
    let world = World::open(components.ground(1)).await;
    let many = u32::try_from(LANES_MAX).unwrap() + 1;
    world.source_of(many).await;
    let to = destination("first", "a/");
    let refused = world.try_create(Origin::Stream, &to).await.unwrap_err();
    assert_eq!(refused.code(), "LimitExceededException");
    assert!(world.status().is_none());
    world.delete_source().await;
    world.create(Origin::Stream, &to).await;
    let shards = usize::try_from(SHARDS).unwrap();
    world.until(|_| lanes(&world).len() == shards).await;

    // Its source is made anew with more shards than there is room for: it waits, and says so.
    world.delete_source().await;
    world.source_of(many).await;
    world.until_trouble("too many shards").await;
    world.until(|_| lanes(&world).is_empty()).await;
    assert!(
        !world.flush().await,
        "what it does not read is not delivered"
    );
    world.delete_source().await;
    world.source().await;
    world.until(|_| lanes(&world).len() == shards).await;
    let ledger = Ledger::default();
    assert!(world.put(&ledger, Origin::Stream, &[Kind::Line], 0).await);
    world
        .until(|status| status.is_some_and(|status| status.delivered == 1))
        .await;
    assert_eq!(world.status().unwrap().trouble, None);
    world.close().await;
}

/// One that came to have its lanes later delivered what was put before it was made.
#[tokio::test]
async fn a_delivery_stream_that_is_made_while_there_is_no_room_begins_where_it_was_made() {
    let components = Components::none();
    let world = World::open(components.ground(1)).await;
    world.source().await;
    let ledger = Ledger::default();
    assert!(
        world
            .put(&ledger, Origin::Stream, &[Kind::Line; 3], 0)
            .await
    );
    world.ground.clock.advance(Duration::from_secs(1));
    world.ground.disk.record();
    let to = destination("first", "a/");
    world.create_beside_source(Origin::Stream, &to).await;
    let recorded = world.ground.disk.trace().unwrap();
    let ground = world.close().await;
    // The process dies as soon as it is made and not yet ACTIVE, and the next one may have less.
    let (mut replay, mut random) = (recorded.replay(), Random::new(1));
    let world = loop {
        assert!(replay.advance(), "it is CREATING at a moment");
        let ground = Ground {
            disk: replay.after_kill(&mut random),
            lanes_max: 1,
            ..ground.clone()
        };
        let world = World::open(ground).await;
        match world.status() {
            Some(_) => break world,
            None => drop(world.close().await),
        }
    };
    world.until_trouble("too many shards").await;
    assert_eq!(world.status().unwrap().status, "CREATING");
    let ground = world.close().await;
    let disk = ground.disk.after_kill();
    let ground = Ground {
        disk,
        lanes_max: LANES_MAX,
        ..ground
    };
    let world = World::open(ground).await;
    world.until_status("ACTIVE").await;
    assert!(
        world
            .put(&ledger, Origin::Stream, &[Kind::Line; 2], 0)
            .await
    );
    assert!(world.flush().await);
    let status = world.status().unwrap();
    assert_eq!((status.records_in, status.delivered), (2, 2));
    world.close().await;
}
