//! A run is recorded, write by write, and after some of them the power goes or the process is
//! killed. The next process finds the disk as that left it, the rest of the input is put, and the
//! streams that rows go to hold what those of the run without a crash hold, record for record.

use std::collections::BTreeMap;

use analytics::application::{Application, StartPosition};
use serde_json::{Value, json};
use store::disk::simulated::{Random, Replay, SimulatedDisk, Survival};
use types::Timestamp;

use crate::world::{Ground, NOON, SOURCE, World, application, input, sum};

/// Records of a run, of one put, and how many come before the first shard is split.
const RECORDS: usize = 160;
const AT_ONCE: usize = 4;
const BEFORE_SPLIT: usize = 60;
/// Milliseconds from one put to the next.
const PERIOD_MS: u64 = 70;
/// Crashes of a test.
const CRASHES: usize = 120;
/// Where rows go.
const PASSED: &str = "passed";
const COUNTED: &str = "counted";

/// All rows as they are, and how often each word came in each second.
const CODE: &str = r#"
CREATE OR REPLACE STREAM "PASSED" (N INTEGER, W VARCHAR(16));
CREATE OR REPLACE PUMP "PASSING" AS INSERT INTO "PASSED"
    SELECT STREAM "n", "w" FROM "SOURCE_SQL_STREAM_001";
CREATE OR REPLACE STREAM "COUNTED" (W VARCHAR(16), C BIGINT, S BIGINT);
CREATE OR REPLACE PUMP "COUNTING" AS INSERT INTO "COUNTED"
    SELECT STREAM "w", COUNT(*), SUM("n") FROM "SOURCE_SQL_STREAM_001"
    GROUP BY "w", STEP("SOURCE_SQL_STREAM_001".ROWTIME BY INTERVAL '1' SECOND);
"#;

fn app() -> Application {
    let outputs = [("PASSED", PASSED), ("COUNTED", COUNTED)];
    application(CODE, &outputs, StartPosition::TrimHorizon)
}

/// When a put comes.
fn time_of(put: usize) -> Timestamp {
    Timestamp(NOON.0 + 1_000 + PERIOD_MS * put as u64)
}

type Streams = [Vec<(String, String)>; 2];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_anywhere_the_outputs_are_those_of_a_run_without_one() {
    let ground = Ground::new();
    ground.disk.record();
    let world = World::open(ground.clone()).await;
    let expected = run(&world).await;
    check(&world).await;
    let trace = ground.disk.trace().unwrap();
    let changes = ground.disk.recorded();
    world.close().await;
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
        // What was promised before was promised by a clock that had not come further than the put
        // that is missing.
        ground.clock.set(NOON);
        let world = World::open(Ground {
            disk,
            ..ground.clone()
        });
        let world = world.await;
        let found = run(&world).await;
        assert_eq!(found, expected);
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

/// Does what is not done of a run. What the outputs hold then.
async fn run(world: &World) -> Streams {
    world.make_stream(SOURCE, 2).await;
    world.make_stream(PASSED, 2).await;
    world.make_stream(COUNTED, 1).await;
    world.applications.start(app().into());
    let rows = world.rows(SOURCE).await;
    let there: Vec<u64> = rows.iter().map(|row| row["n"].as_u64().unwrap()).collect();
    let clock = world.ground.clock.clone();
    for (put, records) in input(RECORDS).chunks(AT_ONCE).enumerate() {
        if put * AT_ONCE >= BEFORE_SPLIT {
            let at = time_of(BEFORE_SPLIT / AT_ONCE);
            if clock_is_before(world, at) {
                clock.set(at);
            }
            world.split().await;
        }
        // One call is one transaction.
        if !there.contains(&(records[0].0 as u64)) {
            clock.set(time_of(put + 1));
            world.put(records).await;
        }
    }
    clock.set(Timestamp(time_of(RECORDS / AT_ONCE).0 + 5_000));
    let all = RECORDS as u64;
    world.until_records(PASSED, all).await;
    world
        .until_rows(COUNTED, |rows| sum(rows, "C") >= all)
        .await;
    [world.records(PASSED).await, world.records(COUNTED).await]
}

fn clock_is_before(world: &World, at: Timestamp) -> bool {
    types::Clock::now(&*world.ground.clock) < at
}

/// The outputs hold what follows from the input alone.
async fn check(world: &World) {
    let mut passed: Vec<(u64, Value)> = Vec::new();
    let mut counted: BTreeMap<(u64, String), (u64, u64)> = BTreeMap::new();
    for (put, records) in input(RECORDS).chunks(AT_ONCE).enumerate() {
        for (number, word) in records {
            let number = *number as u64;
            passed.push((number, json!({"N": number, "W": word})));
            let second = time_of(put + 1).0 / 1_000;
            let count = counted.entry((second, word.clone())).or_default();
            *count = (count.0 + 1, count.1 + number);
        }
    }
    let mut found: Vec<(u64, Value)> = world
        .rows(PASSED)
        .await
        .into_iter()
        .map(|row| (row["N"].as_u64().unwrap(), row))
        .collect();
    found.sort_by_key(|(number, _)| *number);
    assert_eq!(found, passed);
    let mut expected: Vec<Value> = counted
        .into_iter()
        .map(|((_, word), (count, sum))| json!({"W": word, "C": count, "S": sum}))
        .collect();
    let mut found = world.rows(COUNTED).await;
    let order = |row: &Value| row.to_string();
    expected.sort_by_key(order);
    found.sort_by_key(order);
    assert_eq!(found, expected);
}
