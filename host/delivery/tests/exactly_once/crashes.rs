//! A run is recorded, with every change of the disk and every object that was made. After each of
//! them the power goes or the process is killed. The next process finds the disk as that left it
//! and the same objects, finishes what was begun, and nothing is lost, repeated or out of order.
//!
//! So a crash lies between any two of: the record is durable, it is acknowledged, the cut is
//! durable, each of its objects is made, the store has answered, the commit is durable.

use std::collections::BTreeMap;

use serde_json::json;
use store::disk::simulated::{Random, Replay, SimulatedDisk, Survival};
use tokio::task::JoinSet;

use crate::buckets::{Buckets, Put};
use crate::check::{Through, check};
use crate::ledger::{Kind, Ledger, any_kind};
use crate::world::{Components, Ground, Origin, World, destination, processing};

/// Puts and flushes of a run at the same time, so many times.
const ROUNDS: u32 = 6;
const PRODUCERS: u32 = 3;
/// Crashed processes that are brought to their end at the same time.
const SURVIVORS_MAX: usize = 8;

/// What was recorded.
struct Run {
    ledger: Ledger,
    ground: Ground,
    puts: Vec<Put>,
}

/// Records a run in which several producers put while cuts are made, with another destination
/// half way.
async fn record(ground: Ground, origin: Origin, plugin: Option<&str>) -> Run {
    let ledger = Ledger::default();
    ground.disk.record();
    ground.buckets.note_changes_of(&ground.disk);
    let world = World::open(ground.clone()).await;
    let mut first = destination("first", "a/");
    first["ProcessingConfiguration"] = processing(plugin);
    world.create(origin, &first).await;
    for round in 0..ROUNDS {
        if round == ROUNDS / 2 {
            let second = json!({
                "Prefix": "b/", "CompressionFormat": "UNCOMPRESSED",
                "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 900},
            });
            world.update(1, &second).await.unwrap();
        }
        let producer = async |number: u32| {
            let mut random = Random::new(u64::from(round * 100 + number));
            for _ in 0..2 {
                let count = 1 + random.below(6);
                let kinds: Vec<Kind> = (0..count).map(|_| any_kind(&mut random)).collect();
                assert!(world.put(&ledger, origin, &kinds, number % 2).await);
            }
        };
        let (_, _, _, flushed) = tokio::join!(producer(0), producer(1), producer(2), world.flush());
        assert!(flushed);
    }
    const { assert!(PRODUCERS == 3) };
    assert!(world.flush().await);
    let through = through(plugin);
    check(&ledger, &ground.buckets, &world.status().unwrap(), through);
    world.close().await;
    let puts = ground.buckets.made();
    Run {
        ledger,
        ground,
        puts,
    }
}

fn through(plugin: Option<&str>) -> Through {
    match plugin {
        None => Through::Nothing,
        Some("parse-access-log") => Through::Parser,
        Some(_) => Through::Filter,
    }
}

/// Crashes after every change of the disk and after every object; says how often.
async fn crash_everywhere(
    components: &Components,
    origin: Origin,
    plugin: Option<&'static str>,
) -> String {
    let run = record(components.ground(1), origin, plugin).await;
    let mut random = Random::new(2);
    let mut replay = run.ground.disk.trace().unwrap().replay();
    let mut puts = run.puts.iter().peekable();
    let mut objects = BTreeMap::new();
    let (mut changes, mut crashes) = (0, 0);
    let mut survivors = JoinSet::new();
    loop {
        let mut is_first = true;
        // Before the first of the objects that were made now, and after each of them.
        while is_first || puts.peek().is_some_and(|put| put.at == changes) {
            if !is_first && let Some(put) = puts.next() {
                objects.insert(put.name.clone(), put.content.clone());
            }
            is_first = false;
            for (disk, how) in images(&replay, &mut random) {
                let ground = Ground {
                    disk,
                    buckets: Buckets::holding(objects.clone()),
                    ..run.ground.clone()
                };
                let ledger = run.ledger.by(changes);
                let place = (changes, objects.len(), how);
                survivors.spawn(finish(ground, ledger, (origin, through(plugin)), place));
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
    assert_eq!(puts.next().map(|put| put.at), None, "all objects were seen");
    let made = objects.len();
    format!("{origin:?} through {plugin:?}: {changes} changes, {made} objects, {crashes} crashes")
}

/// What crashes at this moment leave.
fn images(replay: &Replay, random: &mut Random) -> [(SimulatedDisk, &'static str); 3] {
    let sure = match replay.done() % 3 {
        0 => (replay.after_power_cut(random, Survival::Nothing), "nothing"),
        1 => (replay.after_kill(random), "killed"),
        _ => (
            replay.after_power_cut(random, Survival::Everything),
            "everything",
        ),
    };
    let mut chance = || replay.after_power_cut(random, Survival::Random);
    [
        sure,
        (chance(), "by chance"),
        (chance(), "by another chance"),
    ]
}

/// Says which crash was being looked at when something fails.
struct Looking(usize, usize, &'static str);

impl Drop for Looking {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(changes, objects, how) = self;
            eprintln!("after change {changes} and {objects} objects, {how}");
        }
    }
}

/// Opens what a crash left, lets it finish, and checks it.
async fn finish(
    ground: Ground,
    ledger: Ledger,
    (origin, through): (Origin, Through),
    place: (usize, usize, &'static str),
) {
    let _looking = Looking(place.0, place.1, place.2);
    let buckets = ground.buckets.clone();
    let world = World::open(ground).await;
    if world.status().is_none() {
        let entries = ledger.entries();
        let lost = entries.values().find(|entry| entry.acknowledged.is_some());
        assert!(lost.is_none(), "the delivery stream is lost with {lost:?}");
        world.close().await;
        return;
    }
    world.until_status("ACTIVE").await;
    // It goes on as if nothing had been.
    assert!(world.put(&ledger, origin, &[Kind::Line], 0).await);
    assert!(world.flush().await);
    check(&ledger, &buckets, &world.status().unwrap(), through);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_neither_loses_nor_repeats_a_record_that_was_put_directly() {
    let components = Components::none();
    println!(
        "{}",
        crash_everywhere(&components, Origin::Direct, None).await
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_neither_loses_nor_repeats_a_record_of_a_stream() {
    let components = Components::none();
    println!(
        "{}",
        crash_everywhere(&components, Origin::Stream, None).await
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_an_object_and_that_of_its_failed_records_repeats_neither() {
    let components = Components::of(&["parse-access-log"]);
    let parser = Some("parse-access-log");
    println!(
        "{}",
        crash_everywhere(&components, Origin::Direct, parser).await
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_counts_a_dropped_record_once() {
    let components = Components::of(&["drop-bots"]);
    let filter = Some("drop-bots");
    println!(
        "{}",
        crash_everywhere(&components, Origin::Stream, filter).await
    );
}
