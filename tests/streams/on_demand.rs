//! What the tests of streams whose shards the service decides about share.

use millrace_tests::Client;
use serde_json::{Value, json};

/// An ON_DEMAND stream with other members of CreateStream, as its summary shows it once it is
/// ACTIVE.
pub async fn create(client: &Client, name: &str, more: Value) -> Value {
    let mut input = json!({
        "StreamName": name, "StreamModeDetails": {"StreamMode": "ON_DEMAND"},
    });
    let members = more.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(members);
    client.call("CreateStream", input).await;
    until_active(client, name).await
}

/// The summary of a stream once it is ACTIVE.
pub async fn until_active(client: &Client, name: &str) -> Value {
    client.until_active(name).await;
    client.summary(name).await
}

/// Commits the account to a minimum of throughput, or ends that.
pub async fn commit(client: &Client, status: &str) -> Value {
    let input = json!({"MinimumThroughputBillingCommitment": {"Status": status}});
    let answer = client.call("UpdateAccountSettings", input).await;
    answer["MinimumThroughputBillingCommitment"].clone()
}
