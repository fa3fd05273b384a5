//! DecreaseStreamRetentionPeriod.

use std::time::Duration;

use millrace_tests::Service;
use serde_json::{Value, json};

const OPERATION: &str = "DecreaseStreamRetentionPeriod";

fn to(hours: i64) -> Value {
    json!({"StreamName": "orders", "RetentionPeriodHours": hours})
}

#[tokio::test]
async fn what_the_shorter_period_no_longer_keeps_is_gone_at_once() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.call("IncreaseStreamRetentionPeriod", to(72)).await;
    client.put("orders", "b2xk").await;
    service.pass(Duration::from_secs(25 * 3_600));
    client.put("orders", "bmV3").await;
    assert_eq!(client.data("orders").await.len(), 2);
    client.call(OPERATION, to(24)).await;
    assert_eq!(client.summary("orders").await["RetentionPeriodHours"], 24);
    assert_eq!(client.data("orders").await, ["bmV3"]);
    service.stop().await;
}

#[tokio::test]
async fn a_period_outside_of_its_bounds_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.call("IncreaseStreamRetentionPeriod", to(48)).await;
    for hours in [-1, 0, 23, 49, 8_760, i64::from(i32::MAX)] {
        let code = client.code(OPERATION, to(hours)).await;
        assert_eq!(code, "InvalidArgumentException", "{hours}");
    }
    assert_eq!(client.summary("orders").await["RetentionPeriodHours"], 48);
    service.stop().await;
}
