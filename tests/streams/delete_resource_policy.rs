//! DeleteResourcePolicy.

use millrace_tests::{ACCOUNT, Service};
use serde_json::{Value, json};

use crate::naming::arn;
use crate::put_resource_policy::{put, sharing};

#[tokio::test]
async fn a_policy_that_is_deleted_gives_no_rights_any_more_and_stays_deleted() {
    let service = Service::start().await;
    let (client, other) = (service.client(), service.other_client());
    client.create("orders", 1).await;
    let input = json!({"ResourceARN": arn(ACCOUNT, "orders")});
    client
        .call("PutResourcePolicy", put(&sharing(&json!("kinesis:*"))))
        .await;
    let shared = json!({"StreamARN": arn(ACCOUNT, "orders")});
    other.call("ListShards", shared.clone()).await;
    let answer = client.call("DeleteResourcePolicy", input.clone()).await;
    assert_eq!(answer, Value::Null);
    let denied = other.refusal("ListShards", shared.clone()).await;
    assert_eq!(
        (denied.status, &*denied.code),
        (400, "AccessDeniedException")
    );
    let service = service.restart().await;
    let (client, other) = (service.client(), service.other_client());
    assert_eq!(other.refusal("ListShards", shared).await, denied);
    let shown = client.call("GetResourcePolicy", input).await;
    assert_eq!(shown, json!({"Policy": "{}"}));
    service.stop().await;
}

#[tokio::test]
async fn a_policy_that_is_not_there_is_not_found() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let refusal = client
        .refusal(
            "DeleteResourcePolicy",
            json!({"ResourceARN": arn(ACCOUNT, "orders")}),
        )
        .await;
    assert_eq!(refusal.code, "ResourceNotFoundException");
    let wanted = format!(
        "No resource policy found for resource ARN {}.",
        arn(ACCOUNT, "orders")
    );
    assert_eq!(refusal.message, wanted);
    let gone = json!({"ResourceARN": arn(ACCOUNT, "gone")});
    let code = client.code("DeleteResourcePolicy", gone).await;
    assert_eq!(code, "ResourceNotFoundException");
    service.stop().await;
}

#[tokio::test]
async fn a_consumer_has_a_policy_of_its_own() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let consumer = client.register("orders", "app").await;
    let policy = sharing(&json!("kinesis:DescribeStreamConsumer"))
        .to_string()
        .replace("stream/orders", "stream/*");
    let input = json!({"ResourceARN": consumer, "Policy": policy});
    client.call("PutResourcePolicy", input).await;
    let service = service.restart().await;
    let (client, other) = (service.client(), service.other_client());
    let named = json!({"ConsumerARN": consumer});
    other.call("DescribeStreamConsumer", named.clone()).await;
    let resource = json!({"ResourceARN": consumer});
    let shown = client.call("GetResourcePolicy", resource.clone()).await;
    assert_eq!(shown["Policy"], policy);
    client.call("DeleteResourcePolicy", resource.clone()).await;
    let code = other.code("DescribeStreamConsumer", named).await;
    assert_eq!(code, "AccessDeniedException");
    let refusal = client.refusal("DeleteResourcePolicy", resource).await;
    let text = format!("No resource policy found for resource ARN {consumer}.");
    assert_eq!(
        (&*refusal.code, refusal.message),
        ("ResourceNotFoundException", text)
    );
    service.stop().await;
}
