//! Applications at work: records of a stream become rows of another, also while nobody puts any
//! more, over restarts, changes and errors.

use std::time::Duration;

use base64_simd::STANDARD;
use millrace_tests::{Client, Service, base64};
use serde_json::{Value, json};

use crate::ground::{
    Caller, Model, NAME, OTHER_CODE, role, stream, with_application, with_streams,
};

/// Questions whether rows have come, at most.
const QUESTIONS_MAX: usize = 100_000;

/// The average price of each ticker in each ten seconds.
const AVERAGES: &str = r#"
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" ("TICKER" VARCHAR(8), "AVERAGE" DOUBLE);
CREATE OR REPLACE PUMP "STREAM_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM "TICKER", AVG("PRICE") FROM "SOURCE_SQL_STREAM_001"
GROUP BY "TICKER", STEP("SOURCE_SQL_STREAM_001".ROWTIME BY INTERVAL '10' SECOND);
"#;

async fn put(client: &Client, ticker: &str, price: f64) {
    let row = json!({"ticker": ticker, "price": price});
    client.put("ticks", &base64(row.to_string())).await;
}

/// The rows of a stream once there are so many.
async fn rows(client: &Client, stream: &str, count: usize) -> Vec<Value> {
    for _ in 0..QUESTIONS_MAX {
        let rows = client.data(stream).await;
        if rows.len() >= count {
            assert_eq!(rows.len(), count, "{rows:?}");
            let rows = rows.iter();
            return rows
                .map(|row| {
                    let row = STANDARD.decode_to_vec(row).unwrap();
                    serde_json::from_slice(row.trim_ascii_end()).unwrap()
                })
                .collect();
        }
    }
    panic!("{stream} does not come to {count} rows");
}

#[tokio::test]
async fn rows_that_a_program_selects_are_put_to_its_output() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        put(&caller.client, "AMZN", 10.5).await;
        put(&caller.client, "BAD", -1.0).await;
        caller.start().await;
        put(&caller.client, "MSFT", 20.0).await;
        let expected = [
            json!({"TICKER": "AMZN", "PRICE": 10.5}),
            json!({"TICKER": "MSFT", "PRICE": 20.0}),
        ];
        assert_eq!(rows(&caller.client, "prices", 2).await, expected);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_window_closes_when_its_time_is_over_though_nobody_puts_any_more() {
    let (service, caller) = with_code(AVERAGES).await;
    caller.start().await;
    put(&caller.client, "AMZN", 10.0).await;
    put(&caller.client, "AMZN", 30.0).await;
    put(&caller.client, "MSFT", 5.0).await;
    service.pass(Duration::from_secs(20));
    let mut found = rows(&caller.client, "prices", 2).await;
    found.sort_by_key(|row| row["TICKER"].to_string());
    let expected = [
        json!({"TICKER": "AMZN", "AVERAGE": 20.0}),
        json!({"TICKER": "MSFT", "AVERAGE": 5.0}),
    ];
    assert_eq!(found, expected);
    service.stop().await;
}

#[tokio::test]
async fn a_restart_of_the_server_goes_on_with_open_windows() {
    let (service, caller) = with_code(AVERAGES).await;
    caller.start().await;
    put(&caller.client, "AMZN", 10.0).await;
    until_metric(&caller.client, "analytics_records_total", 1).await;
    let service = service.restart().await;
    let client = service.client();
    put(&client, "AMZN", 30.0).await;
    until_metric(&client, "analytics_records_total", 2).await;
    service.pass(Duration::from_secs(20));
    let found = rows(&client, "prices", 1).await;
    assert_eq!(found, [json!({"TICKER": "AMZN", "AVERAGE": 20.0})]);
    service.stop().await;
}

#[tokio::test]
async fn a_change_of_the_code_holds_for_what_comes_after_it() {
    let (service, caller) = with_application(Model::Two).await;
    caller.start().await;
    put(&caller.client, "BAD", -1.0).await;
    put(&caller.client, "AMZN", 1.0).await;
    rows(&caller.client, "prices", 1).await;
    let code = Model::Two.new_code(OTHER_CODE);
    caller.change(1, "UpdateApplication", code).await;
    caller.until("RUNNING").await;
    put(&caller.client, "LATE", -2.0).await;
    let found = rows(&caller.client, "prices", 2).await;
    assert_eq!(found[1], json!({"TICKER": "LATE", "PRICE": -2.0}));
    service.stop().await;
}

#[tokio::test]
async fn records_that_are_no_rows_come_out_of_the_stream_of_errors() {
    let (service, caller) = with_streams(Model::One).await;
    caller.client.create("errors", 1).await;
    let errors = json!({
        "Name": "error_stream",
        "KinesisStreamsOutput": {"ResourceARN": stream("errors"), "RoleARN": role()},
        "DestinationSchema": {"RecordFormatType": "JSON"},
    });
    let model = Model::One;
    let outputs = json!([model.output("prices"), errors]);
    let parts = (json!([model.input("ticks")]), outputs, OTHER_CODE);
    caller
        .call("CreateApplication", model.creation(NAME, parts))
        .await;
    caller.start().await;
    caller.client.put("ticks", &base64("this is no JSON")).await;
    put(&caller.client, "AMZN", 1.0).await;
    rows(&caller.client, "prices", 1).await;
    let found = rows(&caller.client, "errors", 1).await;
    assert_eq!(found[0]["ERROR_NAME"], "PARSE_ERROR");
    let metrics = caller.client.metrics_of_all().await;
    let line = "millrace_analytics_error_rows_total";
    assert!(
        metrics
            .lines()
            .any(|it| it.starts_with(line) && it.ends_with(" 1"))
    );
    service.stop().await;
}

/// A server with an application that does this.
async fn with_code(code: &str) -> (Service, Caller) {
    let (service, caller) = with_streams(Model::One).await;
    let model = Model::One;
    let parts = (
        json!([model.input("ticks")]),
        json!([model.output("prices")]),
        code,
    );
    caller
        .call("CreateApplication", model.creation(NAME, parts))
        .await;
    (service, caller)
}

/// Waits until a metric of the application has a value.
async fn until_metric(client: &Client, metric: &str, value: u64) {
    let begin = format!("millrace_{metric}{{");
    let end = format!(" {value}");
    for _ in 0..QUESTIONS_MAX {
        let metrics = client.metrics_of_all().await;
        let mut lines = metrics.lines();
        if lines.any(|line| line.starts_with(&begin) && line.ends_with(&end)) {
            return;
        }
    }
    panic!("{metric} does not become {value}");
}
