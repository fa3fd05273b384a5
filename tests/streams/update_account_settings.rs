//! UpdateAccountSettings.

use std::time::Duration;

use millrace_tests::{ACCOUNT, Service};
use serde_json::json;

use crate::on_demand::commit;

/// When the tests begin, in seconds, and a day later.
const START: f64 = 1_700_000_000.0;
const DAY: f64 = 24.0 * 3_600.0;

#[tokio::test]
async fn a_commitment_lasts_a_day_and_ends_by_itself_if_that_was_asked_for() {
    let service = Service::start().await;
    let client = service.client();
    let enabled = json!({
        "Status": "ENABLED", "StartedAt": START, "EarliestAllowedEndAt": START + DAY,
    });
    assert_eq!(commit(&client, "ENABLED").await, enabled);
    service.pass(Duration::from_secs(3_600));
    assert_eq!(commit(&client, "ENABLED").await, enabled);
    let mut ending = enabled.clone();
    ending["Status"] = json!("ENABLED_UNTIL_EARLIEST_ALLOWED_END");
    assert_eq!(commit(&client, "DISABLED").await, ending);
    // It is asked for again before it has ended, and then no longer ends.
    assert_eq!(commit(&client, "ENABLED").await, enabled);
    assert_eq!(commit(&client, "DISABLED").await, ending);
    service.pass(Duration::from_secs(23 * 3_600));
    let described = client.call("DescribeAccountSettings", json!({})).await;
    let ended = json!({"Status": "DISABLED", "StartedAt": START, "EndedAt": START + DAY});
    assert_eq!(
        described["MinimumThroughputBillingCommitment"], ended,
        "{described}"
    );
    service.stop().await;
}

#[tokio::test]
async fn a_commitment_of_more_than_a_day_ends_at_once() {
    let service = Service::start().await;
    let client = service.client();
    let never = json!({"Status": "DISABLED"});
    assert_eq!(commit(&client, "DISABLED").await, never);
    commit(&client, "ENABLED").await;
    service.pass(Duration::from_secs(100_000));
    let ended = json!({
        "Status": "DISABLED", "StartedAt": START, "EndedAt": START + 100_000.0,
    });
    assert_eq!(commit(&client, "DISABLED").await, ended);
    service.pass(Duration::from_secs(1));
    assert_eq!(commit(&client, "DISABLED").await, ended);
    let anew = json!({
        "Status": "ENABLED", "StartedAt": START + 100_001.0,
        "EarliestAllowedEndAt": START + 100_001.0 + DAY,
    });
    assert_eq!(commit(&client, "ENABLED").await, anew);
    service.stop().await;
}

#[tokio::test]
async fn of_many_changes_at_the_same_time_each_is_made_or_refused() {
    let service = Service::start().await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..16 {
        let client = service.client();
        let status = if number % 2 == 0 {
            "ENABLED"
        } else {
            "DISABLED"
        };
        let input = json!({"MinimumThroughputBillingCommitment": {"Status": status}});
        calls.spawn(async move {
            let body = input.to_string().into();
            let answer = client.send("UpdateAccountSettings", body).await;
            (answer.status().as_u16(), answer.into_body())
        });
    }
    for (status, body) in calls.join_all().await {
        let text = String::from_utf8_lossy(&body);
        let refused = status == 400 && text.contains("LimitExceededException");
        assert!(status == 200 || refused, "{status}: {text}");
    }
    service.stop().await;
}

#[tokio::test]
async fn what_is_no_status_is_refused_and_so_is_the_sixth_call_of_a_second() {
    let service = Service::start_throttled().await;
    let client = service.client();
    for (input, told) in [
        (
            json!({"MinimumThroughputBillingCommitment": {"Status": "PERHAPS"}}),
            "Value 'PERHAPS' at 'minimumThroughputBillingCommitment.status' failed to satisfy \
             constraint: Member must satisfy enum value set: [ENABLED, DISABLED]",
        ),
        (
            json!({"MinimumThroughputBillingCommitment": {}}),
            "Value null at 'minimumThroughputBillingCommitment.status' failed to satisfy \
             constraint: Member must not be null",
        ),
        (
            json!({}),
            "Value null at 'minimumThroughputBillingCommitment' failed to satisfy constraint: \
             Member must not be null",
        ),
    ] {
        let refusal = client.refusal("UpdateAccountSettings", input).await;
        assert_eq!(refusal.code, "ValidationException");
        assert_eq!(
            refusal.message,
            format!("1 validation error detected: {told}")
        );
    }
    for _ in 0..5 {
        commit(&client, "DISABLED").await;
    }
    let input = json!({"MinimumThroughputBillingCommitment": {"Status": "ENABLED"}});
    let refusal = client.refusal("UpdateAccountSettings", input).await;
    assert_eq!(refusal.code, "LimitExceededException");
    let wanted = format!("Rate exceeded for account {ACCOUNT}.");
    assert_eq!(refusal.message, wanted);
    service.stop().await;
}
