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
