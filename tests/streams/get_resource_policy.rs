//! GetResourcePolicy.

use millrace_tests::{ACCOUNT, OTHER_ACCOUNT, Service};
use serde_json::json;

use crate::naming::arn;
use crate::put_resource_policy::{put, sharing};

#[tokio::test]
async fn a_policy_is_shown_as_it_was_put_and_the_last_one_counts() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let input = json!({"ResourceARN": arn(ACCOUNT, "orders")});
    let none = client.call("GetResourcePolicy", input.clone()).await;
    assert_eq!(none, json!({"Policy": "{}"}));
    for actions in [
        json!("kinesis:PutRecord"),
        json!(["kinesis:Get*", "kinesis:List*"]),
    ] {
        let mut policy = put(&sharing(&actions));
        let spaced = format!("  {} ", policy["Policy"].as_str().unwrap());
        policy["Policy"] = json!(spaced);
        client.call("PutResourcePolicy", policy).await;
        let shown = client.call("GetResourcePolicy", input.clone()).await;
        assert_eq!(shown, json!({"Policy": spaced}));
    }
    let service = service.restart().await;
    let shown = service.client().call("GetResourcePolicy", input).await;
    assert!(shown["Policy"].as_str().unwrap().contains("kinesis:List*"));
    service.stop().await;
}

#[tokio::test]
async fn what_is_not_there_has_no_policy() {
    let service = Service::start().await;
    let client = service.client();
    for (resource, wanted) in [
        (arn(ACCOUNT, "gone"), "ResourceNotFoundException"),
        (
            format!("{}/consumer/c:1", arn(ACCOUNT, "gone")),
            "ResourceNotFoundException",
        ),
        (arn(OTHER_ACCOUNT, "gone"), "AccessDeniedException"),
        (
            format!("{}/consumer/c:1", arn(OTHER_ACCOUNT, "gone")),
            "AccessDeniedException",
        ),
        ("orders".to_owned(), "ValidationException"),
    ] {
        let code = client
            .code("GetResourcePolicy", json!({"ResourceARN": resource}))
            .await;
        assert_eq!(code, wanted, "{resource}");
    }
    service.stop().await;
}
