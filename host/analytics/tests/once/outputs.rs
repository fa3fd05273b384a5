//! Outputs that are gone, that are slow, and that get more at once than a transaction holds.

use std::sync::Arc;
use std::time::Duration;

use analytics::application::{Application, ApplicationId, StartPosition};
use analytics::arn::ApplicationArn;
use store::disk::simulated::{Random, Survival};

use crate::world::{Ground, SOURCE, World, application, input};

const PASSED: &str = "passed";
const OTHER: &str = "other";

const PASSING: &str = r#"
CREATE OR REPLACE STREAM "PASSED" (N INTEGER, W VARCHAR(16));
CREATE OR REPLACE PUMP "PASSING" AS INSERT INTO "PASSED"
    SELECT STREAM "n", "w" FROM "SOURCE_SQL_STREAM_001";
"#;

fn passing_to(id: u64, stream: &str) -> Arc<Application> {
    let outputs = [("PASSED", stream)];
    let mut application = application(PASSING, &outputs, StartPosition::TrimHorizon);
    application.id = ApplicationId(id);
    let arn = format!("arn:aws:kinesisanalytics:eu-west-1:000000000000:application/a{id}");
    application.arn = ApplicationArn::parse(&arn).unwrap();
    Arc::new(application)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_output_is_gone_waits_and_says_so_while_others_go_on() {
    let world = World::open(Ground::new()).await;
    world.make_stream(SOURCE, 1).await;
    for stream in [PASSED, OTHER] {
        world.make_stream(stream, 1).await;
    }
    world.applications.start(passing_to(7, PASSED));
    world.applications.start(passing_to(8, OTHER));
    let all = input(60);
    world.put(&all[..20]).await;
    world.until_rows(PASSED, |rows| rows.len() >= 20).await;
    world.until_rows(OTHER, |rows| rows.len() >= 20).await;
    world.delete_stream(PASSED).await;
    world.put(&all[20..40]).await;
    let status = world
        .until_status("to stand still", |status| status.detail.is_some())
        .await;
    let detail = status.detail.unwrap();
    assert!(detail.contains("the stream passed"), "{detail}");
    let rows = world.until_rows(OTHER, |rows| rows.len() >= 40).await;
    assert_eq!(rows.len(), 40);
    // Another stream of that name takes what waits.
    world.make_stream(PASSED, 1).await;
    let rows = world.until_rows(PASSED, |rows| rows.len() >= 20).await;
    assert_eq!(rows.len(), 20);
    assert_eq!(rows[0]["N"], 20);
    world
        .until_status("to go on", |status| status.detail.is_none())
        .await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_for_an_output_that_is_over_its_rate_wait_and_none_is_lost() {
    let ground = Ground {
        throttle: true,
        ..Ground::new()
    };
    let world = World::open(ground).await;
    world.make_stream(SOURCE, 4).await;
    world.make_stream(PASSED, 1).await;
    world.applications.start(passing_to(7, PASSED));
    let all = input(3_000);
    for records in all.chunks(250) {
        world.put(records).await;
        // As much as a second lets in, at each of the four shards.
        world.ground.clock.advance(Duration::from_millis(250));
    }
    let waiting = async {
        loop {
            let logs = world.logs(PASSED);
            let rows = world.engine.tip(logs[0]).unwrap().0;
            if rows == 3_000 {
                return;
            }
            assert!(rows < 3_000);
            world.ground.clock.advance(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
    };
    crate::world::in_time("to pass", waiting).await;
    world.close().await;
}

/// Each record becomes one of a kilobyte: 12 MB of one step.
fn swelling() -> Arc<Application> {
    let text = "x".repeat(1_000);
    let code = format!(
        r#"CREATE OR REPLACE STREAM "PASSED" (N INTEGER, W VARCHAR(2000));
        CREATE OR REPLACE PUMP "PASSING" AS INSERT INTO "PASSED"
        SELECT STREAM "n", '{text}' FROM "SOURCE_SQL_STREAM_001";"#
    );
    let outputs = [("PASSED", PASSED)];
    Arc::new(application(&code, &outputs, StartPosition::TrimHorizon))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_makes_far_more_than_it_takes_stands_still_and_says_so() {
    let text = "x".repeat(60_000);
    let code = format!(
        r#"CREATE OR REPLACE STREAM "PASSED" (N INTEGER, W VARCHAR(65535));
        CREATE OR REPLACE PUMP "PASSING" AS INSERT INTO "PASSED"
        SELECT STREAM "n", '{text}' FROM "SOURCE_SQL_STREAM_001";"#
    );
    let world = World::open(Ground::new()).await;
    world.make_stream(SOURCE, 1).await;
    world.make_stream(PASSED, 1).await;
    for records in input(2_000).chunks(500) {
        world.put(records).await;
    }
    let outputs = [("PASSED", PASSED)];
    let swelling = application(&code, &outputs, StartPosition::TrimHorizon);
    world.applications.start(Arc::new(swelling));
    let status = world
        .until_status("to stand still", |status| status.detail.is_some())
        .await;
    let detail = status.detail.unwrap();
    assert!(detail.contains("makes more than"), "{detail}");
    assert!(world.records(PASSED).await.is_empty());
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_is_larger_than_a_transaction_is_done_once_over_crashes() {
    const RECORDS: usize = 12_000;
    let ground = Ground::new();
    let world = World::open(ground.clone()).await;
    world.make_stream(SOURCE, 1).await;
    world.make_stream(PASSED, 2).await;
    for records in input(RECORDS).chunks(500) {
        world.put(records).await;
    }
    ground.disk.record();
    world.applications.start(swelling());
    world.until_records(PASSED, RECORDS as u64).await;
    let expected = world.records(PASSED).await;
    assert_eq!(expected.len(), RECORDS);
    let (trace, changes) = (ground.disk.trace().unwrap(), ground.disk.recorded());
    world.close().await;
    let (mut replay, mut random) = (trace.replay(), Random::new(3));
    let (mut crashes, step) = (0, (changes / 12).max(1));
    while replay.advance() {
        if !replay.done().is_multiple_of(step) {
            continue;
        }
        let disk = match crashes % 2 {
            0 => replay.after_power_cut(&mut random, Survival::Nothing),
            _ => replay.after_power_cut(&mut random, Survival::Random),
        };
        let world = World::open(Ground {
            disk,
            ..ground.clone()
        })
        .await;
        world.applications.start(swelling());
        world.until_records(PASSED, RECORDS as u64).await;
        assert_eq!(world.records(PASSED).await, expected, "crash {crashes}");
        world.close().await;
        crashes += 1;
    }
}
