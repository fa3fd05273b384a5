//! The store that objects go to fails, refuses, hangs or lies at each of its calls in turn.

use store::disk::simulated::Random;
use tokio::task::JoinSet;

use crate::buckets::Does;
use crate::check::{Through, check};
use crate::ledger::{Kind, Ledger, any_kind};
use crate::world::{Components, Origin, World, destination, processing};

/// Puts, each followed by a flush.
const ROUNDS: u64 = 4;
/// Runs at the same time.
const RUNS_MAX: usize = 8;
const PARSER: &str = "parse-access-log";

/// A delivery stream through the parser: most cuts become two objects.
async fn with_parser(components: &Components, origin: Origin) -> World {
    let world = World::open(components.ground(1)).await;
    let mut destination = destination("first", "a/");
    destination["ProcessingConfiguration"] = processing(Some(PARSER));
    world.create(origin, &destination).await;
    world
}

/// Puts and delivers some records of every kind.
async fn run(world: &World, ledger: &Ledger, origin: Origin) {
    let mut random = Random::new(3);
    for round in 0..ROUNDS {
        let mut kinds = vec![Kind::Bad, Kind::Line];
        kinds.extend((0..random.below(6)).map(|_| any_kind(&mut random)));
        let lane = u32::try_from(round % 2).unwrap();
        assert!(world.put(ledger, origin, &kinds, lane).await);
        assert!(world.flush().await);
    }
}

/// Runs once for each put that there is, in which this one ends otherwise; how many there were.
async fn at_each_put(does: impl Fn(u64, u64) -> Does + Copy + Send + Sync + 'static) -> u64 {
    let components = Components::of(&[PARSER]);
    let mut puts = 0;
    let mut runs = JoinSet::new();
    for origin in [Origin::Direct, Origin::Stream] {
        let mut nth = 1;
        loop {
            let world = with_parser(&components, origin).await;
            world.ground.buckets.rule(move |call, _| does(call, nth));
            let (went, goes) = tokio::sync::oneshot::channel();
            runs.spawn(async move {
                let ledger = Ledger::default();
                run(&world, &ledger, origin).await;
                let buckets = world.ground.buckets.clone();
                check(&ledger, &buckets, &world.status().unwrap(), Through::Parser);
                world.close().await;
                // Nobody waits for the last ones.
                let _ = went.send(buckets.calls());
            });
            if RUNS_MAX <= runs.len() {
                runs.join_next().await.unwrap().unwrap();
            }
            // The first run says how many puts a run has.
            if nth == 1 {
                puts = goes.await.unwrap();
            }
            nth += 1;
            if puts < nth {
                break;
            }
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
    2 * puts
}

fn only_if(condition: bool, does: Does) -> Does {
    if condition { does } else { Does::Well }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_that_fails_is_done_again_whichever_it_is() {
    let points = at_each_put(|call, nth| only_if(call == nth, Does::FailBefore));
    println!("{} puts failed", points.await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_was_made_though_the_answer_was_an_error_is_not_made_again() {
    let points = at_each_put(|call, nth| only_if(call == nth, Does::FailAfter));
    println!("{} answers were errors", points.await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_that_was_refused_is_done_once_it_is_accepted() {
    let points = at_each_put(|call, nth| only_if((nth..nth + 3).contains(&call), Does::Refuse));
    println!("{} puts were refused three times", points.await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_in_many_ways_after_each_other_gets_each_object_once() {
    let points = at_each_put(|call, nth| match call.checked_sub(nth) {
        Some(0 | 3) => Does::FailAfter,
        Some(1) => Does::Refuse,
        Some(2) => Does::FailBefore,
        _ => Does::Well,
    });
    println!("{} puts failed four times", points.await);
}

/// Puts some records while the store hangs, and lets it go on.
async fn while_it_hangs(does: Does, origin: Origin) {
    let components = Components::of(&[PARSER]);
    let world = with_parser(&components, origin).await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(move |_, _| does);
    assert!(
        world
            .put(&ledger, origin, &[Kind::Line, Kind::Bad], 0)
            .await
    );
    buckets.until_begun(1).await;
    for _ in 0..300 {
        assert!(world.put(&ledger, origin, &[Kind::Line], 0).await);
    }
    assert_eq!(buckets.calls(), 1, "the store still hangs");
    buckets.release();
    assert!(world.flush().await);
    check(&ledger, &buckets, &world.status().unwrap(), Through::Parser);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn producers_do_not_notice_a_store_that_hangs() {
    for origin in [Origin::Direct, Origin::Stream] {
        while_it_hangs(Does::HangBefore, origin).await;
        while_it_hangs(Does::HangAfter, origin).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn producers_do_not_notice_a_store_that_fails_and_the_page_says_what_it_says() {
    let components = Components::none();
    let world = World::open(components.ground(1)).await;
    world
        .create(Origin::Direct, &destination("first", "a/"))
        .await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|call, _| match call % 2 {
        0 => Does::FailBefore,
        _ => Does::Refuse,
    });
    for _ in 0..300 {
        assert!(world.put(&ledger, Origin::Direct, &[Kind::Line], 0).await);
    }
    for (ends, told) in [(1, "no access to bucket first"), (2, "the store broke off")] {
        buckets.until_ended(ends).await;
        world
            .until(|status| {
                let trouble = status.and_then(|status| status.trouble);
                trouble.is_some_and(|trouble| trouble.contains(told))
            })
            .await;
    }
    buckets.release();
    assert!(world.flush().await);
    let status = world.status().unwrap();
    assert!(2 <= status.retries, "{status:?}");
    check(&ledger, &buckets, &status, Through::Nothing);
    world.close().await;
}

/// Ends a server whose store hangs, and begins again with one that does not.
async fn stopped_while_it_hangs(does: Does) {
    let components = Components::none();
    let world = World::open(components.ground(1)).await;
    world
        .create(Origin::Direct, &destination("first", "a/"))
        .await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(move |_, _| does);
    assert!(
        world
            .put(&ledger, Origin::Direct, &[Kind::Line; 3], 0)
            .await
    );
    buckets.until_begun(1).await;
    let ground = world.close().await;
    buckets.rule(|_, _| Does::Well);
    let world = World::open(ground).await;
    assert!(world.flush().await);
    check(
        &ledger,
        &buckets,
        &world.status().unwrap(),
        Through::Nothing,
    );
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_ends_though_the_store_hangs_and_the_next_one_goes_on() {
    tokio::join!(
        stopped_while_it_hangs(Does::HangBefore),
        stopped_while_it_hangs(Does::HangAfter),
    );
}

/// It was taken for ours: the records of the cut were counted as delivered and were nowhere.
#[tokio::test]
async fn an_object_that_is_not_ours_stops_the_lane_and_is_shown_until_it_is_taken_away() {
    let components = Components::none();
    let world = World::open(components.ground(1)).await;
    world
        .create(Origin::Direct, &destination("first", "a/"))
        .await;
    let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
    buckets.rule(|call, _| match call {
        2 => Does::MakeAnother,
        _ => Does::Well,
    });
    for round in 0..3 {
        assert!(
            world
                .put(&ledger, Origin::Direct, &[Kind::Line; 2], 0)
                .await
        );
        if round == 0 {
            assert!(world.flush().await);
        }
    }
    let is_shown = |status: Option<delivery::DeliveryStatus>| {
        let trouble = status.and_then(|status| status.trouble);
        trouble.is_some_and(|trouble| trouble.contains("holds something else"))
    };
    world.until(is_shown).await;
    for command in ["retry", "move", "skip"] {
        let command = format!("`millrace delivery {command} hose --lane direct`");
        world.until_trouble(&command).await;
    }
    let calls = buckets.calls();
    buckets.until_ended(calls + 2).await;
    assert_eq!(world.status().unwrap().delivered, 2, "nothing after it");
    let mut clashes = buckets.clashes();
    clashes.dedup();
    let [clash] = &clashes[..] else {
        panic!("{clashes:?}")
    };
    assert_eq!(buckets.objects()[clash], "x", "it is left as it is");
    buckets.take_away(clash);
    assert!(world.flush().await, "{:?}", world.status());
    let status = world.status().unwrap();
    check(&ledger, &buckets, &status, Through::Nothing);
    world.close().await;
}
