//! DescribeAccountSettings.

use millrace_tests::{ACCOUNT, Service};
use serde_json::json;

use crate::on_demand::commit;

#[tokio::test]
async fn settings_are_those_of_an_account_in_a_region_and_are_kept() {
    let service = Service::start().await;
    let client = service.client();
    let never = json!({"MinimumThroughputBillingCommitment": {"Status": "DISABLED"}});
    let described = client.call("DescribeAccountSettings", json!({})).await;
    assert_eq!(described, never);
    let made = commit(&client, "ENABLED").await;
    let service = service.restart().await;
    let client = service.client();
    let described = client.call("DescribeAccountSettings", json!({})).await;
    assert_eq!(
        described,
        json!({"MinimumThroughputBillingCommitment": made})
    );
    for other in [service.other_client(), client.in_region("mars-north-1")] {
        let described = other.call("DescribeAccountSettings", json!({})).await;
        assert_eq!(described, never);
    }
    service.stop().await;
}

#[tokio::test]
async fn an_account_asks_five_times_a_second() {
    let service = Service::start_throttled().await;
    let client = service.client();
    for _ in 0..5 {
        client.call("DescribeAccountSettings", json!({})).await;
    }
    let refusal = client.refusal("DescribeAccountSettings", json!({})).await;
    assert_eq!(refusal.code, "LimitExceededException");
    let wanted = format!("Rate exceeded for account {ACCOUNT}.");
    assert_eq!(refusal.message, wanted);
    service.stop().await;
}
