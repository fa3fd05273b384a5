//! PutResourcePolicy.

use millrace_tests::{ACCOUNT, OTHER_ACCOUNT, Service, Setting, statement};
use serde_json::{Value, json};
use wire::iam::ResourcePolicy;

use crate::naming::arn;

/// What lets another account do some things to `orders`.
pub fn sharing(actions: &Value) -> Value {
    let principal = json!({"AWS": format!("arn:aws:iam::{OTHER_ACCOUNT}:root")});
    let resource = json!(arn(ACCOUNT, "orders"));
    statement("Allow", actions, &resource, Some(principal))
}

pub fn put(policy: &Value) -> Value {
    json!({"ResourceARN": arn(ACCOUNT, "orders"), "Policy": policy.to_string()})
}

#[tokio::test]
async fn another_account_uses_a_stream_that_is_shared_with_it_over_a_restart() {
    let service = Service::start().await;
    let (client, other) = (service.client(), service.other_client());
    client.create("orders", 1).await;
    let by_arn = |mut input: Value| {
        input["StreamARN"] = json!(arn(ACCOUNT, "orders"));
        input
    };
    let record = by_arn(json!({"Data": "AAAA", "PartitionKey": "a"}));
    let code = other.code("PutRecord", record.clone()).await;
    assert_eq!(code, "AccessDeniedException");
    let actions = json!([
        "kinesis:Put*",
        "kinesis:GetShardIterator",
        "kinesis:GetRecords"
    ]);
    let answer = client
        .call("PutResourcePolicy", put(&sharing(&actions)))
        .await;
    assert_eq!(answer, Value::Null);
    let service = service.restart().await;
    let other = service.other_client();
    other.call("PutRecord", record.clone()).await;
    let from = json!({"ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"});
    let iterator = other.call("GetShardIterator", by_arn(from)).await;
    let input = json!({"ShardIterator": iterator["ShardIterator"]});
    let records = other.call("GetRecords", input).await;
    assert_eq!(records["Records"][0]["Data"], "AAAA");
    // What is not shared stays so, and a name alone is one of the caller's own.
    for (operation, input, wanted) in [
        ("ListShards", by_arn(json!({})), "AccessDeniedException"),
        ("DeleteStream", by_arn(json!({})), "AccessDeniedException"),
        (
            "PutRecord",
            json!({"StreamName": "orders", "Data": "", "PartitionKey": "a"}),
            "ResourceNotFoundException",
        ),
    ] {
        assert_eq!(other.code(operation, input).await, wanted, "{operation}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_policy_goes_with_its_stream() {
    let service = Service::start().await;
    let (client, other) = (service.client(), service.other_client());
    client.create("orders", 1).await;
    let policy = sharing(&json!("kinesis:*"));
    client.call("PutResourcePolicy", put(&policy)).await;
    let input = json!({"StreamARN": arn(ACCOUNT, "orders")});
    other.call("DescribeStreamSummary", input.clone()).await;
    client.delete("orders").await;
    let gone = other.refusal("DescribeStreamSummary", input.clone()).await;
    assert_eq!(gone.code, "AccessDeniedException");
    client.create("orders", 1).await;
    let service = service.restart().await;
    let other = service.other_client();
    // Another stream of the same name is shared with nobody, and reads like none.
    assert_eq!(other.refusal("DescribeStreamSummary", input).await, gone);
    service.stop().await;
}

#[tokio::test]
async fn a_policy_that_cannot_be_understood_is_refused_and_the_one_before_stays() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let good = sharing(&json!("kinesis:PutRecord"));
    client.call("PutResourcePolicy", put(&good)).await;
    let resource = json!(arn(ACCOUNT, "orders"));
    let nobody = statement("Allow", &json!("kinesis:*"), &resource, None);
    let mut unknown = good.clone();
    unknown["Statement"][0]["Condition"] = json!({"StringEquals": {"aws:PrincipalOrgID": "o"}});
    for (policy, text) in [
        (
            json!("{}"),
            "Syntax errors in policy. The policy is not an object.",
        ),
        (nobody, "Missing required field Principal."),
        (
            unknown,
            "The condition key aws:PrincipalOrgID is not supported.",
        ),
    ] {
        let refusal = client.refusal("PutResourcePolicy", put(&policy)).await;
        assert_eq!(
            (refusal.status, &*refusal.code),
            (400, "InvalidArgumentException")
        );
        assert_eq!(refusal.message, text);
    }
    let mut long = put(&good);
    long["Policy"] = json!(format!("{}{}", good, " ".repeat(20 * 1024)));
    let code = client.code("PutResourcePolicy", long).await;
    assert_eq!(code, "LimitExceededException");
    let input = json!({"ResourceARN": arn(ACCOUNT, "orders")});
    let shown = client.call("GetResourcePolicy", input).await;
    assert_eq!(shown, json!({"Policy": good.to_string()}));
    service.stop().await;
}

#[tokio::test]
async fn a_stream_must_be_there_and_its_policy_be_named() {
    let service = Service::start().await;
    let client = service.client();
    let policy = sharing(&json!("kinesis:PutRecord"));
    let code = client.code("PutResourcePolicy", put(&policy)).await;
    assert_eq!(code, "ResourceNotFoundException");
    for input in [
        json!({"ResourceARN": arn(ACCOUNT, "orders")}),
        json!({"Policy": "{}"}),
        json!({"ResourceARN": "orders", "Policy": "{}"}),
    ] {
        let code = client.code("PutResourcePolicy", input).await;
        assert_eq!(code, "ValidationException");
    }
    service.stop().await;
}

#[tokio::test]
async fn no_policy_lets_another_account_change_it_or_shuts_out_the_root_of_its_own() {
    let service = Service::start().await;
    let (client, other) = (service.client(), service.other_client());
    client.create("orders", 1).await;
    let mine = put(&sharing(&json!("kinesis:*")));
    client.call("PutResourcePolicy", mine.clone()).await;
    let input = json!({"ResourceARN": arn(ACCOUNT, "orders")});
    other.call("GetResourcePolicy", input.clone()).await;
    let refusal = other.refusal("PutResourcePolicy", mine).await;
    let wanted = format!(
        "User: arn:aws:iam::{OTHER_ACCOUNT}:root is not authorized to perform: \
         kinesis:PutResourcePolicy on resource: {} because no resource-based policy allows the \
         kinesis:PutResourcePolicy action",
        arn(ACCOUNT, "orders")
    );
    assert_eq!(refusal.message, wanted);
    let code = other.code("DeleteResourcePolicy", input.clone()).await;
    assert_eq!(code, "AccessDeniedException");
    let closed = statement("Deny", &json!("*"), &json!("*"), Some(json!("*")));
    client.call("PutResourcePolicy", put(&closed)).await;
    let refusal = client
        .refusal("DescribeStream", json!({"StreamName": "orders"}))
        .await;
    let wanted = format!(
        "User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: kinesis:DescribeStream on \
         resource: {} with an explicit deny in a resource-based policy",
        arn(ACCOUNT, "orders")
    );
    assert_eq!(
        (refusal.code, refusal.message),
        ("AccessDeniedException".to_owned(), wanted)
    );
    client.call("DeleteResourcePolicy", input).await;
    client
        .call("DescribeStream", json!({"StreamName": "orders"}))
        .await;
    service.stop().await;
}

/// What denies the tagging of `orders` if one of many patterns fits a key.
fn comparing(pattern: &str, count: usize) -> Value {
    let mut policy = statement(
        "Deny",
        &json!("kinesis:TagResource"),
        &json!("*"),
        Some(json!("*")),
    );
    policy["Statement"][0]["Condition"] =
        json!({"ForAnyValue:StringLike": {"aws:TagKeys": vec![pattern; count]}});
    policy
}

/// One account could stop the whole server: the largest policy of patterns that begin with `*`,
/// for as many labels as a request may give, was compared for seconds.
#[tokio::test]
async fn a_policy_that_takes_too_many_steps_to_compare_denies_what_is_asked() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let key = |number: usize| format!("{}{number:03}", "a".repeat(125));
    let tags = |count| {
        let tags = (0..count).map(|number| (key(number), json!("")));
        let tags: serde_json::Map<_, _> = tags.collect();
        json!({"ResourceARN": arn(ACCOUNT, "orders"), "Tags": tags})
    };
    let endless = put(&comparing("*b", 4_000));
    client.call("PutResourcePolicy", endless).await;
    let refusal = client.refusal("TagResource", tags(50)).await;
    let wanted = format!(
        "User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: kinesis:TagResource on \
         resource: {} with an explicit deny in a resource-based policy",
        arn(ACCOUNT, "orders")
    );
    assert_eq!(refusal.message, wanted);
    // What the policy is about with fewer steps, it decides.
    client.call("TagResource", tags(1)).await;
    let input = json!({"StreamName": "orders", "Data": "AAAA", "PartitionKey": "a"});
    client.call("PutRecord", input).await;
    let slow = format!("*{}b", "a".repeat(63));
    client
        .call("PutResourcePolicy", put(&comparing(&slow, 250)))
        .await;
    client.call("TagResource", tags(2)).await;
    service.stop().await;
}

#[tokio::test]
async fn the_policies_of_an_account_take_no_more_memory_than_they_may() {
    let mut policy = sharing(&json!("kinesis:PutRecord"));
    policy["Statement"][0]["Sid"] = json!("a".repeat(5_000));
    let held = ResourcePolicy::parse(&policy.to_string()).unwrap();
    let mut setting = Setting::default();
    setting.limits.policy_bytes_per_account_max = 2 * held.held_bytes();
    let service = Service::start_with(setting).await;
    let client = service.client();
    client.create("orders", 1).await;
    let mut consumers = Vec::new();
    for name in ["a", "b"] {
        let input = json!({"StreamARN": arn(ACCOUNT, "orders"), "ConsumerName": name});
        let made = client.call("RegisterStreamConsumer", input).await;
        consumers.push(made["Consumer"]["ConsumerARN"].clone());
    }
    client.create("clicks", 1).await;
    let on = |resource: &Value| json!({"ResourceARN": resource, "Policy": policy.to_string()});
    let (orders, clicks) = (json!(arn(ACCOUNT, "orders")), json!(arn(ACCOUNT, "clicks")));
    client.call("PutResourcePolicy", on(&orders)).await;
    client.call("PutResourcePolicy", on(&consumers[0])).await;
    for resource in [&consumers[1], &clicks] {
        let refusal = client.refusal("PutResourcePolicy", on(resource)).await;
        assert_eq!(refusal.code, "LimitExceededException");
        let wanted = format!("The resource policies of account {ACCOUNT} would take more than ");
        assert!(refusal.message.starts_with(&wanted), "{refusal:?}");
    }
    // One in the place of another counts once, and another account has its own room.
    client.call("PutResourcePolicy", on(&orders)).await;
    let service = service.restart().await;
    let (client, other) = (service.client(), service.other_client());
    let code = client.code("PutResourcePolicy", on(&clicks)).await;
    assert_eq!(code, "LimitExceededException");
    other.create("orders", 1).await;
    let theirs = json!(arn(OTHER_ACCOUNT, "orders"));
    other.call("PutResourcePolicy", on(&theirs)).await;
    let input = json!({"ResourceARN": consumers[0]});
    client.call("DeleteResourcePolicy", input).await;
    client.call("PutResourcePolicy", on(&clicks)).await;
    client.delete("clicks").await;
    client.call("PutResourcePolicy", on(&consumers[1])).await;
    service.stop().await;
}
