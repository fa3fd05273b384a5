//! DescribeLimits.

use std::time::Duration;

use millrace_tests::{ACCOUNT, Service};
use serde_json::json;
use types::limits::{SHARDS_PER_REGION_MAX, STREAMS_PER_ACCOUNT_MAX};

use crate::on_demand;

#[tokio::test]
async fn the_shards_and_on_demand_streams_of_a_region_are_counted_beside_their_limits() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 3).await;
    on_demand::create(&client, "clicks", json!({})).await;
    on_demand::create(&client, "views", json!({})).await;
    client.delete("views").await;
    client.in_region("mars-north-1").create("orders", 5).await;
    service.other_client().create("orders", 7).await;
    let limits = client.call("DescribeLimits", json!({})).await;
    assert_eq!(
        limits,
        json!({
            "ShardLimit": SHARDS_PER_REGION_MAX, "OpenShardCount": 7,
            "OnDemandStreamCount": 1, "OnDemandStreamCountLimit": STREAMS_PER_ACCOUNT_MAX,
        })
    );
    service.stop().await;
}

#[tokio::test]
async fn an_account_asks_once_a_second_in_each_region() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.call("DescribeLimits", json!({})).await;
    let refusal = client.refusal("DescribeLimits", json!({})).await;
    assert_eq!(refusal.code, "LimitExceededException");
    let wanted = format!("Rate exceeded for account {ACCOUNT}.");
    assert_eq!(refusal.message, wanted);
    service
        .other_client()
        .call("DescribeLimits", json!({}))
        .await;
    let elsewhere = client.in_region("mars-north-1");
    elsewhere.call("DescribeLimits", json!({})).await;
    service.pass(Duration::from_secs(1));
    client.call("DescribeLimits", json!({})).await;
    service.stop().await;
}
