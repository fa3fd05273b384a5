//! CreateTable.

use millrace_tests::Service;
use serde_json::json;

use crate::tables::{definition, index};

#[tokio::test]
async fn a_table_is_active_at_once_and_says_what_it_is() {
    let service = Service::start().await;
    let client = service.client();
    let mut input = definition("orders", true);
    input["GlobalSecondaryIndexes"] = json!([index("late", "pk", "KEYS_ONLY")]);
    input["DeletionProtectionEnabled"] = json!(true);
    let answer = client.call("DynamoDb.CreateTable", input).await;
    let table = &answer["TableDescription"];
    assert_eq!(table["TableStatus"], "ACTIVE");
    assert_eq!(
        table["TableArn"],
        "arn:aws:dynamodb:eu-central-1:000000000000:table/orders"
    );
    assert_eq!(table["CreationDateTime"], 1_700_000_000.0);
    assert_eq!(table["DeletionProtectionEnabled"], true);
    assert_eq!(
        table["BillingModeSummary"]["BillingMode"],
        "PAY_PER_REQUEST"
    );
    assert_eq!(
        table["KeySchema"][1],
        json!({"AttributeName": "sk", "KeyType": "RANGE"})
    );
    assert_eq!(table["GlobalSecondaryIndexes"][0]["IndexStatus"], "ACTIVE");
    service.stop().await;
}

#[tokio::test]
async fn a_name_is_taken_once_in_each_region_and_account() {
    let service = Service::start().await;
    let input = definition("orders", false);
    service
        .client()
        .call("DynamoDb.CreateTable", input.clone())
        .await;
    let refused = service
        .client()
        .refusal("DynamoDb.CreateTable", input.clone())
        .await;
    assert_eq!(refused.code, "ResourceInUseException");
    assert_eq!(refused.message, "Table already exists: orders");
    let elsewhere = service.client().in_region("eu-west-1");
    elsewhere.call("DynamoDb.CreateTable", input.clone()).await;
    service
        .other_client()
        .call("DynamoDb.CreateTable", input)
        .await;
    service.stop().await;
}

#[tokio::test]
async fn what_a_table_cannot_be_is_refused_by_its_name() {
    let service = Service::start().await;
    let client = service.client();
    for (member, value, about) in [
        ("TableName", json!("a"), "Invalid table/index name"),
        ("KeySchema", json!([]), "keySchema"),
        (
            "AttributeDefinitions",
            json!([]),
            "not defined in AttributeDefinitions",
        ),
        ("BillingMode", json!("FREE"), "billingMode"),
        (
            "LocalSecondaryIndexes",
            json!([{}]),
            "LocalSecondaryIndexes is not supported",
        ),
        (
            "StreamSpecification",
            json!({"StreamEnabled": true}),
            "StreamSpecification is not",
        ),
        (
            "GlobalSecondaryIndexes",
            json!([index("by-other", "other", "ALL")]),
            "not defined",
        ),
        (
            "GlobalSecondaryIndexes",
            json!([index("by-it", "pk", "SOME")]),
            "projectionType",
        ),
    ] {
        let mut input = definition("orders", false);
        input[member] = value;
        let refused = client.refusal("DynamoDb.CreateTable", input).await;
        assert_eq!(refused.code, "ValidationException", "{member}");
        assert!(
            refused.message.contains(about),
            "{member}: {}",
            refused.message
        );
    }
    service.stop().await;
}
