//! DisableEnhancedMonitoring.

use millrace_tests::{ACCOUNT, Service};
use serde_json::json;

use crate::enable_enhanced_monitoring::ALL;
use crate::naming::arn;

#[tokio::test]
async fn metrics_are_taken_from_those_that_are_enabled_and_both_lists_are_told() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let stream = arn(ACCOUNT, "orders");
    let all = json!({"StreamARN": stream, "ShardLevelMetrics": ["ALL"]});
    client.call("EnableEnhancedMonitoring", all.clone()).await;
    let (gone, rest) = ALL.split_at(3);
    let input = json!({"StreamARN": stream, "ShardLevelMetrics": gone});
    let answer = client.call("DisableEnhancedMonitoring", input).await;
    assert_eq!(
        answer,
        json!({
            "StreamName": "orders", "StreamARN": stream,
            "CurrentShardLevelMetrics": ALL, "DesiredShardLevelMetrics": rest,
        })
    );
    let service = service.restart().await;
    let client = service.client();
    let summary = client.summary("orders").await;
    assert_eq!(
        summary["EnhancedMonitoring"],
        json!([{"ShardLevelMetrics": rest}])
    );
    for current in [json!(rest), json!([])] {
        let answer = client.call("DisableEnhancedMonitoring", all.clone()).await;
        assert_eq!(answer["CurrentShardLevelMetrics"], current);
        assert_eq!(answer["DesiredShardLevelMetrics"], json!([]));
    }
    let summary = client.summary("orders").await;
    assert_eq!(
        summary["EnhancedMonitoring"],
        json!([{"ShardLevelMetrics": []}])
    );
    service.stop().await;
}
