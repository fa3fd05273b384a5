//! A run is recorded, write by write, and after some hundred of them the power goes or the process
//! is killed. The next process finds the disk as that left it, the rest of the input is put, and
//! all must come to what a run without a crash comes to: counted here from the input alone.

use store::disk::simulated::{Random, Replay, SimulatedDisk, Survival};

use crate::counter::counter;
use crate::world::{Ground, World, counted, input};

/// Records of a run, and how many come before the first shard is split.
const RECORDS: usize = 360;
const BEFORE_SPLIT: usize = 140;
/// Records of one put.
const AT_ONCE: usize = 3;
/// Crashes of a test.
const CRASHES: usize = 200;
const SHARDS: u32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_leaves_each_record_with_its_effects_once() {
    let ground = Ground::with(&counter().component());
    ground.disk.record();
    run(&World::open(ground.clone()).await).await;
    let trace = ground.disk.trace().unwrap();
    let changes = ground.disk.recorded();
    let mut replay = trace.replay();
    let mut random = Random::new(7);
    let (mut crashes, step) = (0, (changes / CRASHES).max(1));
    while replay.advance() {
        if !replay.done().is_multiple_of(step) {
            continue;
        }
        let (disk, how) = image(&replay, crashes, &mut random);
        let told = format!(
            "crash {crashes} after change {} of {changes}: {how}",
            replay.done()
        );
        let said = Told(told);
        let world = World::open(Ground {
            disk,
            ..ground.clone()
        });
        let world = world.await;
        run(&world).await;
        check(&world).await;
        world.close().await;
        said.went_well();
        crashes += 1;
    }
    assert!(crashes >= CRASHES, "{crashes} crashes in {changes} changes");
}

/// Says which crash was being looked at when something fails.
struct Told(String);

impl Told {
    fn went_well(mut self) {
        self.0.clear();
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            eprintln!("{}", self.0);
        }
    }
}

fn image(replay: &Replay, number: usize, random: &mut Random) -> (SimulatedDisk, &'static str) {
    match number % 4 {
        0 => (replay.after_kill(random), "killed"),
        1 => (
            replay.after_power_cut(random, Survival::Nothing),
            "nothing survives",
        ),
        2 => (
            replay.after_power_cut(random, Survival::Everything),
            "all survives",
        ),
        _ => (
            replay.after_power_cut(random, Survival::Random),
            "some survives",
        ),
    }
}

/// Does what is not done of a run.
async fn run(world: &World) {
    world.make_streams(SHARDS).await;
    world.make_application().await;
    let there = world.numbers_there().await;
    let all = input(RECORDS);
    let lacking = |part: &[(usize, String)]| -> Vec<(usize, String)> {
        let part = part.iter().filter(|(number, _)| !there.contains(number));
        part.cloned().collect()
    };
    for part in all[..BEFORE_SPLIT].chunks(AT_ONCE) {
        world.put(&lacking(part)).await;
    }
    world.split().await;
    for part in all[BEFORE_SPLIT..].chunks(AT_ONCE) {
        world.put(&lacking(part)).await;
    }
    world.until_done(RECORDS as u64).await;
}

async fn check(world: &World) {
    let (words, alerts) = counted(&input(RECORDS));
    assert_eq!(world.words().await, words);
    assert_eq!(world.alerts().await, alerts);
}
