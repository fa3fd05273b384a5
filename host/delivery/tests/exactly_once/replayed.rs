//! Failed records are delivered once more. The replay is recorded with every change of the disk and
//! every object that is made; after each of them the power goes or the process is killed, and the
//! next process replays all of it again. Each record that failed is delivered, and that once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use delivery::{LetterError, LetterObject, Wanted};
use serde_json::json;
use store::disk::simulated::{Random, Survival};
use tokio::task::JoinSet;

use crate::buckets::{Buckets, Put};
use crate::check::{assert_everything_is_counted, raw_data};
use crate::ledger::{Id, Kind, Ledger, id_in};
use crate::world::{Components, Ground, NAME, Origin, World, caller, destination, processing};

/// Records that fail: more than go into the log of replays in one commit, so that a crash lies
/// between two.
const FAILED: usize = 1_100;
/// Records of a call.
const AT_ONCE: usize = 100;
/// Crashed processes that are brought to their end at the same time.
const SURVIVORS_MAX: usize = 8;

/// What was recorded.
struct Run {
    ledger: Ledger,
    ground: Ground,
    /// The replay begins with this change of the disk.
    from: usize,
    puts: Vec<Put>,
}

/// A world with records that failed, which go through no plugin from now on.
async fn failed(ground: Ground, origin: Origin, ledger: &Ledger) -> World {
    let world = World::open(ground).await;
    let mut first = destination("logs", "a/");
    first["ProcessingConfiguration"] = processing(Some("parse-access-log"));
    first["BufferingHints"]["IntervalInSeconds"] = json!(900);
    world.create(origin, &first).await;
    for _ in 0..FAILED / AT_ONCE {
        // Of a call of more than ten each record is long; a bad one never is.
        assert!(world.put(ledger, origin, &[Kind::Bad; AT_ONCE], 0).await);
    }
    assert!(world.put(ledger, origin, &[Kind::Line; 3], 0).await);
    assert!(world.flush().await);
    let without = json!({"ProcessingConfiguration": processing(None)});
    world.update(1, &without).await.unwrap();
    world
}

async fn letters(world: &World) -> Vec<LetterObject> {
    let wanted = Wanted {
        limit: Some(100),
        ..Wanted::default()
    };
    let listed = world.delivery.dead_letters(&caller(), NAME, wanted).await;
    listed.unwrap().dead_letters
}

/// Replays all that is there, each until it is done; how many records that were now.
async fn replay_all(world: &World) -> u64 {
    let mut now = 0;
    for letter in letters(world).await {
        loop {
            let of = (letter.object.as_str(), None);
            let replayed = world.delivery.replay_dead_letter(&caller(), NAME, of).await;
            let replayed = replayed.unwrap();
            now += replayed.now;
            if replayed.done {
                break;
            }
        }
    }
    now
}

/// Every record that failed is delivered once, and everything is counted.
fn check(ledger: &Ledger, buckets: &Buckets, world: &World) {
    assert_eq!(buckets.clashes(), []);
    let (mut failed, mut delivered) = (BTreeSet::new(), BTreeSet::new());
    for ((_, key), content) in buckets.objects() {
        let text = std::str::from_utf8(&content).unwrap();
        for line in text.lines() {
            let (seen, id): (&mut BTreeSet<Id>, _) = if key.contains("processing-failed/") {
                (&mut failed, id_in(&raw_data(line)))
            } else {
                (&mut delivered, id_in(line))
            };
            assert!(seen.insert(id), "record {id} is there twice: {key}");
        }
    }
    assert_eq!(failed.len(), FAILED);
    for (id, entry) in &ledger.entries() {
        let is_sure = entry.acknowledged.is_some();
        assert!(!is_sure || delivered.contains(id), "{id}, {entry:?}");
    }
    let status = world.status().unwrap();
    assert_everything_is_counted(&status);
    let counts = (status.replayed, status.failed, status.lost);
    assert_eq!(counts, (FAILED as u64, FAILED as u64, 0));
    assert_eq!(status.delivered, delivered.len() as u64);
    assert_eq!((status.waiting_records, status.trouble), (0, None));
}

async fn record(ground: Ground, origin: Origin) -> Run {
    let ledger = Ledger::default();
    ground.disk.record();
    ground.buckets.note_changes_of(&ground.disk);
    let world = failed(ground.clone(), origin, &ledger).await;
    let from = ground.disk.recorded();
    assert_eq!(replay_all(&world).await, FAILED as u64);
    assert!(world.flush().await);
    check(&ledger, &ground.buckets, &world);
    world.close().await;
    let puts = ground.buckets.made();
    Run {
        ledger,
        ground,
        from,
        puts,
    }
}

/// Opens what a crash left, replays everything, and checks it.
async fn finish(ground: Ground, ledger: Ledger) {
    let buckets = ground.buckets.clone();
    let world = World::open(ground).await;
    world.until_status("ACTIVE").await;
    let before = world.status().unwrap().replayed;
    let now = replay_all(&world).await;
    assert_eq!(before + now, FAILED as u64, "what was noted is in the log");
    assert!(world.flush().await);
    // What is done is done.
    assert_eq!(replay_all(&world).await, 0);
    check(&ledger, &buckets, &world);
    let world = world.reopened().await;
    world.until_status("ACTIVE").await;
    assert_eq!(replay_all(&world).await, 0);
    check(&ledger, &buckets, &world);
    world.close().await;
}

async fn crash_everywhere(origin: Origin) -> String {
    let components = Components::of(&["parse-access-log"]);
    let run = record(components.ground(1), origin).await;
    let mut random = Random::new(2);
    let mut replay = run.ground.disk.trace().unwrap().replay();
    let mut puts = run.puts.iter().peekable();
    let (mut objects, mut changes, mut crashes) = (BTreeMap::new(), 0, 0);
    let mut survivors = JoinSet::new();
    loop {
        let mut is_first = true;
        while is_first || puts.peek().is_some_and(|put| put.at == changes) {
            if !is_first && let Some(put) = puts.next() {
                objects.insert(put.name.clone(), put.content.clone());
            }
            is_first = false;
            if changes < run.from {
                continue;
            }
            let disks = [
                replay.after_kill(&mut random),
                replay.after_power_cut(&mut random, Survival::Nothing),
                replay.after_power_cut(&mut random, Survival::Random),
            ];
            for disk in disks {
                let ground = Ground {
                    disk,
                    buckets: Buckets::holding(objects.clone()),
                    plugins: Arc::clone(&run.ground.plugins),
                    ..run.ground.clone()
                };
                survivors.spawn(finish(ground, run.ledger.by(changes)));
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
    let changes = changes - run.from;
    format!("{origin:?}: {changes} changes, {crashes} crashes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_in_a_replay_of_direct_puts_delivers_each_record_once() {
    println!("{}", crash_everywhere(Origin::Direct).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_in_a_replay_of_records_of_a_stream_delivers_each_record_once() {
    println!("{}", crash_everywhere(Origin::Stream).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_replay_one_object_at_the_same_time_replay_each_record_once() {
    let components = Components::of(&["parse-access-log"]);
    let ledger = Ledger::default();
    let ground = components.ground(3);
    let world = failed(ground.clone(), Origin::Direct, &ledger).await;
    let object = letters(&world).await.remove(0).object;
    let of_one = async || {
        let mut now = 0;
        loop {
            let of = (object.as_str(), None);
            match world.delivery.replay_dead_letter(&caller(), NAME, of).await {
                Ok(replayed) => {
                    now += replayed.now;
                    if replayed.done {
                        return now;
                    }
                }
                // The other one was before.
                Err(LetterError::Busy(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    let (one, other) = tokio::join!(of_one(), of_one());
    assert_eq!(one + other, FAILED as u64);
    assert!(world.flush().await);
    check(&ledger, &ground.buckets, &world);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_stream_of_which_something_was_replayed_is_deleted_whole() {
    let components = Components::of(&["parse-access-log"]);
    let ledger = Ledger::default();
    let ground = components.ground(4);
    let world = failed(ground, Origin::Stream, &ledger).await;
    assert_eq!(replay_all(&world).await, FAILED as u64);
    // It is not delivered yet: the destination waits for more.
    world.delete().await;
    for table in [18, 20, 21] {
        let rows = world
            .engine
            .scan(store::TableId(table), bytes::Bytes::new(), None, 10);
        assert_eq!(rows.await.unwrap(), [], "table {table}");
    }
    let log = store::LogId((1 << 48) + (1 << 47));
    assert!(matches!(
        world.engine.tip(log),
        Err(store::StoreError::NoLog(_))
    ));
    world.close().await;
}
