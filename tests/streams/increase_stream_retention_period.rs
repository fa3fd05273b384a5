//! IncreaseStreamRetentionPeriod.

use std::time::Duration;

use millrace_tests::Service;
use serde_json::{Value, json};

const OPERATION: &str = "IncreaseStreamRetentionPeriod";

fn to(hours: i64) -> Value {
    json!({"StreamName": "orders", "RetentionPeriodHours": hours})
}

#[tokio::test]
async fn records_are_kept_for_as_long_as_was_asked() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.call(OPERATION, to(72)).await;
    assert_eq!(client.summary("orders").await["RetentionPeriodHours"], 72);
    client.put("orders", "b2xk").await;
    service.pass(Duration::from_secs(71 * 3_600));
    assert_eq!(client.data("orders").await, ["b2xk"]);
    service.pass(Duration::from_secs(3_601));
    assert!(client.data("orders").await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_period_outside_of_its_bounds_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.call(OPERATION, to(48)).await;
    for hours in [-1, 0, 23, 47, 8_761, i64::from(i32::MAX)] {
        let code = client.code(OPERATION, to(hours)).await;
        assert_eq!(code, "InvalidArgumentException", "{hours}");
    }
    assert_eq!(client.summary("orders").await["RetentionPeriodHours"], 48);
    client.call(OPERATION, to(8_760)).await;
    service.stop().await;
}

#[tokio::test]
async fn the_period_survives_a_restart() {
    let service = Service::start().await;
    service.client().create("orders", 1).await;
    service.client().call(OPERATION, to(100)).await;
    let service = service.restart().await;
    assert_eq!(
        service.client().summary("orders").await["RetentionPeriodHours"],
        100
    );
    service.stop().await;
}
