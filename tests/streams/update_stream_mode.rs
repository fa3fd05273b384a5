//! UpdateStreamMode.

use std::time::Duration;

use millrace_tests::{ACCOUNT, Client, Service};
use serde_json::{Value, json};

use crate::naming::arn;
use crate::on_demand;

fn to(mode: &str) -> Value {
    json!({"StreamARN": arn(ACCOUNT, "orders"), "StreamModeDetails": {"StreamMode": mode}})
}

async fn mode(client: &Client) -> Value {
    client.summary("orders").await["StreamModeDetails"]["StreamMode"].clone()
}

#[tokio::test]
async fn a_stream_is_switched_and_keeps_its_shards_and_records() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 2).await;
    client.put("orders", "b25l").await;
    let answer = client.call("UpdateStreamMode", to("ON_DEMAND")).await;
    assert_eq!(answer, Value::Null);
    let service = service.restart().await;
    let client = service.client();
    let summary = client.summary("orders").await;
    assert_eq!(summary["StreamModeDetails"]["StreamMode"], "ON_DEMAND");
    assert_eq!(summary["RecordDistributionStrategy"], "USER_PARTITION_KEY");
    assert_eq!(summary["OpenShardCount"], 2);
    assert_eq!(summary["StreamStatus"], "ACTIVE");
    client.call("UpdateStreamMode", to("PROVISIONED")).await;
    assert_eq!(mode(&client).await, "PROVISIONED");
    let summary = client.summary("orders").await;
    assert!(summary.get("RecordDistributionStrategy").is_none());
    service.stop().await;
}

#[tokio::test]
async fn a_stream_is_switched_twice_in_24_hours_and_no_more() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.call("UpdateStreamMode", to("ON_DEMAND")).await;
    service.pass(Duration::from_secs(3_600));
    client.call("UpdateStreamMode", to("PROVISIONED")).await;
    let service = service.restart().await;
    let client = service.client();
    // It is that already, which is no switch.
    client.call("UpdateStreamMode", to("PROVISIONED")).await;
    let refusal = client.refusal("UpdateStreamMode", to("ON_DEMAND")).await;
    assert_eq!(refusal.code, "LimitExceededException");
    let wanted = format!(
        "Stream orders under account {ACCOUNT} was switched between capacity modes 2 times within \
         24 hours, which is the most."
    );
    assert_eq!(refusal.message, wanted);
    assert_eq!(mode(&client).await, "PROVISIONED");
    service.pass(Duration::from_secs(23 * 3_600));
    client.call("UpdateStreamMode", to("ON_DEMAND")).await;
    let again = client.code("UpdateStreamMode", to("PROVISIONED")).await;
    assert_eq!(again, "LimitExceededException");
    service.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_switched_back_wants_partition_keys_again() {
    let service = Service::start().await;
    let client = service.client();
    let auto = json!({"RecordDistributionStrategy": "AUTO"});
    on_demand::create(&client, "orders", auto).await;
    let keyless = json!({"StreamName": "orders", "Data": "eA=="});
    client.call("PutRecord", keyless.clone()).await;
    client.call("UpdateStreamMode", to("PROVISIONED")).await;
    let code = client.code("PutRecord", keyless).await;
    assert_eq!(code, "ValidationException");
    service.stop().await;
}

#[tokio::test]
async fn a_warm_throughput_comes_with_the_switch_if_the_account_is_committed() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 3).await;
    let warm = |mode: &str, mibps: u32| {
        let mut input = to(mode);
        input["WarmThroughputMiBps"] = json!(mibps);
        input
    };
    for (input, text) in [
        (
            warm("ON_DEMAND", 8),
            "WarmThroughputMiBps is only supported for accounts with \
             MinimumThroughputBillingCommitment ENABLED.",
        ),
        (
            warm("PROVISIONED", 8),
            "WarmThroughputMiBps is only supported for streams with StreamMode ON_DEMAND.",
        ),
    ] {
        let refusal = client.refusal("UpdateStreamMode", input).await;
        assert_eq!(refusal.code, "ValidationException");
        assert_eq!(refusal.message, text);
    }
    on_demand::commit(&client, "ENABLED").await;
    client.call("UpdateStreamMode", warm("ON_DEMAND", 8)).await;
    let summary = on_demand::until_active(&client, "orders").await;
    assert_eq!(summary["StreamModeDetails"]["StreamMode"], "ON_DEMAND");
    let warmed = json!({"TargetMiBps": 8, "CurrentMiBps": 8});
    assert_eq!(summary["WarmThroughput"], warmed);
    service.stop().await;
}

#[tokio::test]
async fn what_is_no_mode_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let refusal = client.refusal("UpdateStreamMode", to("SOMETIMES")).await;
    assert_eq!(refusal.code, "ValidationException");
    assert_eq!(
        refusal.message,
        "1 validation error detected: Value 'SOMETIMES' at 'streamModeDetails.streamMode' failed \
         to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, ON_DEMAND]"
    );
    let refusal = client.refusal("UpdateStreamMode", json!({})).await;
    assert_eq!(
        refusal.message,
        "2 validation errors detected: Value null at 'streamARN' failed to satisfy constraint: \
         Member must not be null; Value null at 'streamModeDetails' failed to satisfy constraint: \
         Member must not be null"
    );
    service.stop().await;
}
