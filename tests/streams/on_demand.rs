//! What the tests of streams whose shards the service decides about share.

use millrace_tests::Client;
use serde_json::{Value, json};

/// Questions whether a stream is ACTIVE, at most.
const QUESTIONS_MAX: usize = 10_000;

/// An ON_DEMAND stream with other members of CreateStream, as its summary shows it once it is
/// ACTIVE.
pub async fn create(client: &Client, name: &str, more: Value) -> Value {
    let mut input = json!({
        "StreamName": name, "StreamModeDetails": {"StreamMode": "ON_DEMAND"},
    });
    let members = more.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(members);
    client.call("CreateStream", input).await;
    for _ in 0..QUESTIONS_MAX {
        let summary = client.summary(name).await;
        if summary["StreamStatus"] == "ACTIVE" {
            return summary;
        }
    }
    panic!("{name} does not become ACTIVE");
}

/// Commits the account to a minimum of throughput, or ends that.
pub async fn commit(client: &Client, status: &str) -> Value {
    let input = json!({"MinimumThroughputBillingCommitment": {"Status": status}});
    let answer = client.call("UpdateAccountSettings", input).await;
    answer["MinimumThroughputBillingCommitment"].clone()
}
