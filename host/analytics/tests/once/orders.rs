//! An application that is stopped, started and changed, and two that work in one's place.

use std::sync::Arc;
use std::time::Duration;

use analytics::application::{Application, ApplicationId, StartPosition};
use analytics::{AtWork, WorkLimits};
use serde_json::Value;
use types::Clock;

use crate::world::{Ground, SOURCE, World, application, input, sum};

const COUNTED: &str = "counted";
const PASSED: &str = "passed";

/// How often each word came in each ten seconds.
const COUNTING: &str = r#"
CREATE OR REPLACE STREAM "COUNTED" (W VARCHAR(16), C BIGINT, S BIGINT);
CREATE OR REPLACE PUMP "COUNTING" AS INSERT INTO "COUNTED"
    SELECT STREAM "w", COUNT(*), SUM("n") FROM "SOURCE_SQL_STREAM_001"
    GROUP BY "w", STEP("SOURCE_SQL_STREAM_001".ROWTIME BY INTERVAL '10' SECOND);
"#;

/// The same beside rows as they are.
const COUNTING_AND_PASSING: &str = r#"
CREATE OR REPLACE STREAM "COUNTED" (W VARCHAR(16), C BIGINT, S BIGINT);
CREATE OR REPLACE PUMP "COUNTING" AS INSERT INTO "COUNTED"
    SELECT STREAM "w", COUNT(*), SUM("n") FROM "SOURCE_SQL_STREAM_001"
    GROUP BY "w", STEP("SOURCE_SQL_STREAM_001".ROWTIME BY INTERVAL '10' SECOND);
CREATE OR REPLACE STREAM "PASSED" (N INTEGER, W VARCHAR(16));
CREATE OR REPLACE PUMP "PASSING" AS INSERT INTO "PASSED"
    SELECT STREAM "n", "w" FROM "SOURCE_SQL_STREAM_001";
"#;

const PASSING: &str = r#"
CREATE OR REPLACE STREAM "PASSED" (N INTEGER, W VARCHAR(16));
CREATE OR REPLACE PUMP "PASSING" AS INSERT INTO "PASSED"
    SELECT STREAM "n", "w" FROM "SOURCE_SQL_STREAM_001";
"#;

fn counting(start: u64, at: StartPosition) -> Arc<Application> {
    let mut application = application(COUNTING, &[("COUNTED", COUNTED)], at);
    application.start.number = start;
    Arc::new(application)
}

fn passing(start: u64, at: StartPosition) -> Arc<Application> {
    let mut application = application(PASSING, &[("PASSED", PASSED)], at);
    application.start.number = start;
    Arc::new(application)
}

async fn world() -> World {
    let world = World::open(Ground::new()).await;
    // With several shards the clock would have to go on: see `crashes`.
    world.make_stream(SOURCE, 1).await;
    world.make_stream(COUNTED, 1).await;
    world.make_stream(PASSED, 1).await;
    world
}

async fn until_taken(world: &World, records: u64) {
    let taken = |status: &analytics::Status| status.counts.records == records;
    world.until_status("to take all", taken).await;
}

async fn stop(world: &World) {
    world.applications.stop(ApplicationId(7));
    let stopped = |status: &analytics::Status| status.at_work == AtWork::Stopped;
    world.until_status("to stop", stopped).await;
}

/// Lets all open windows close.
fn ten_seconds_pass(world: &World) {
    world.ground.clock.advance(Duration::from_secs(11));
}

fn numbers(rows: &[Value]) -> Vec<u64> {
    let mut all: Vec<u64> = rows.iter().map(|row| row["N"].as_u64().unwrap()).collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_stopped_goes_on_where_it_stopped_with_what_it_had_in_its_windows() {
    let world = world().await;
    world
        .applications
        .start(counting(1, StartPosition::TrimHorizon));
    let all = input(60);
    world.put(&all[..20]).await;
    until_taken(&world, 20).await;
    stop(&world).await;
    world.put(&all[20..40]).await;
    world
        .applications
        .start(counting(2, StartPosition::LastStoppedPoint));
    until_taken(&world, 40).await;
    stop(&world).await;
    // The same over a start of the whole server.
    let world = World::open(world.close().await).await;
    world.put(&all[40..]).await;
    world
        .applications
        .start(counting(3, StartPosition::LastStoppedPoint));
    until_taken(&world, 60).await;
    assert!(world.rows(COUNTED).await.is_empty());
    ten_seconds_pass(&world);
    let rows = world.until_rows(COUNTED, |rows| sum(rows, "C") >= 60).await;
    assert_eq!((sum(&rows, "C"), sum(&rows, "S")), (60, 59 * 60 / 2));
    // A window of each of the words, and no more.
    assert_eq!(rows.len(), 4);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_begins_anew_at_the_oldest_record_or_with_what_comes() {
    let world = world().await;
    let all = input(30);
    world.put(&all[..10]).await;
    world.ground.clock.advance(Duration::from_secs(1));
    let mut now = Application::clone(&passing(1, StartPosition::Now));
    now.start.asked_at_ms = world.ground.clock.now().0;
    // What is put after it was asked for is new, though the work has not begun.
    world.put(&all[10..15]).await;
    world.applications.start(Arc::new(now));
    let running = |status: &analytics::Status| status.caught_up_at.is_some();
    world.until_status("to begin", running).await;
    world.put(&all[15..20]).await;
    let rows = world.until_rows(PASSED, |rows| rows.len() >= 10).await;
    assert_eq!(numbers(&rows), (10..20).collect::<Vec<_>>());
    stop(&world).await;
    world
        .applications
        .start(passing(2, StartPosition::TrimHorizon));
    let rows = world.until_rows(PASSED, |rows| rows.len() >= 30).await;
    let mut expected: Vec<u64> = (0..20).chain(10..20).collect();
    expected.sort_unstable();
    assert_eq!(numbers(&rows), expected);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_comes_back_to_a_stream_goes_on_where_it_left_it() {
    let world = world().await;
    world.make_stream("elsewhere", 1).await;
    let all = input(20);
    world.put(&all[..10]).await;
    let first = passing(1, StartPosition::TrimHorizon);
    world.applications.start(Arc::clone(&first));
    until_taken(&world, 10).await;
    let mut away = Application::clone(&first);
    away.version = 2;
    let input = &mut away.configuration.inputs[0];
    input.stream_arn = input.stream_arn.replace(SOURCE, "elsewhere");
    world.applications.update(Arc::new(away));
    let running = |status: &analytics::Status| status.at_work == AtWork::Running;
    world.until_status("to change", running).await;
    world.put(&all[10..]).await;
    let mut back = Application::clone(&first);
    back.version = 3;
    world.applications.update(Arc::new(back));
    world.until_records(PASSED, 20).await;
    stop(&world).await;
    let rows = world.rows(PASSED).await;
    assert_eq!(numbers(&rows), (0..20).collect::<Vec<_>>());
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_that_did_not_change_keep_their_windows_when_others_do() {
    let world = world().await;
    world
        .applications
        .start(counting(1, StartPosition::TrimHorizon));
    let all = input(40);
    world.put(&all[..20]).await;
    until_taken(&world, 20).await;
    let outputs = [("COUNTED", COUNTED), ("PASSED", PASSED)];
    let mut changed = application(COUNTING_AND_PASSING, &outputs, StartPosition::TrimHorizon);
    changed.version = 2;
    world.applications.update(Arc::new(changed));
    let running = |status: &analytics::Status| status.at_work == AtWork::Running;
    world.until_status("to change", running).await;
    world.put(&all[20..]).await;
    until_taken(&world, 40).await;
    ten_seconds_pass(&world);
    let rows = world.until_rows(COUNTED, |rows| sum(rows, "C") >= 40).await;
    assert_eq!(rows.len(), 4);
    let passed = world.rows(PASSED).await;
    assert!(numbers(&passed).ends_with(&(20..40).collect::<Vec<_>>()));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_work_on_one_application_only_one_goes_on() {
    let world = world().await;
    let others = world.others();
    let application = passing(1, StartPosition::TrimHorizon);
    world.applications.start(Arc::clone(&application));
    others.start(application);
    let all = input(300);
    for records in all.chunks(10) {
        world.put(records).await;
        tokio::task::yield_now().await;
    }
    world.until_records(PASSED, 300).await;
    let rows = world.rows(PASSED).await;
    assert_eq!(numbers(&rows), (0..300).collect::<Vec<_>>());
    others.close().await;
    world.applications.close().await;
    assert_eq!(world.rows(PASSED).await.len(), 300);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_forgotten_leaves_nothing_and_begins_anew_under_its_number() {
    let world = world().await;
    world
        .applications
        .start(counting(1, StartPosition::TrimHorizon));
    world.put(&input(20)).await;
    until_taken(&world, 20).await;
    world.applications.forget(ApplicationId(7)).await.unwrap();
    assert_eq!(world.status().at_work, AtWork::Stopped);
    for table in [52, 53, 54] {
        let table = store::TableId(table);
        let rows = world.engine.scan(table, bytes::Bytes::new(), None, 10);
        assert!(rows.await.unwrap().is_empty());
    }
    world
        .applications
        .start(counting(1, StartPosition::TrimHorizon));
    until_taken(&world, 20).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_state_is_larger_than_it_may_be_stands_still_and_says_why() {
    let limits = WorkLimits {
        state_bytes_max: 100,
        ..WorkLimits::default()
    };
    let world = World::open_within(Ground::new(), limits).await;
    world.make_stream(SOURCE, 1).await;
    world.make_stream(COUNTED, 1).await;
    world
        .applications
        .start(counting(1, StartPosition::TrimHorizon));
    world.put(&input(100)).await;
    let status = world
        .until_status("to stand still", |status| status.detail.is_some())
        .await;
    let detail = status.detail.unwrap();
    assert!(detail.contains("its state has"), "{detail}");
    world.close().await;
}
