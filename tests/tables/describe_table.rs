//! DescribeTable.

use millrace_tests::Service;
use serde_json::json;

use crate::tables::{by_owner, put, table};

#[tokio::test]
async fn items_are_counted_in_the_table_and_in_its_indexes() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", false).await;
    client
        .call("DynamoDb.UpdateTable", by_owner("orders"))
        .await;
    let items = [
        json!({"pk": {"S": "a"}, "owner": {"S": "me"}}),
        json!({"pk": {"S": "b"}}),
        json!({"pk": {"S": "a"}, "owner": {"S": "you"}}),
    ];
    put(&client, "orders", &items).await;
    for name in [
        "orders",
        "arn:aws:dynamodb:eu-central-1:000000000000:table/orders",
    ] {
        let answer = client
            .call("DynamoDb.DescribeTable", json!({"TableName": name}))
            .await;
        let table = &answer["Table"];
        assert_eq!(
            (&table["ItemCount"], &table["TableSizeBytes"]),
            (&json!(2), &json!(14))
        );
        assert_eq!(table["GlobalSecondaryIndexes"][0]["ItemCount"], 1);
    }
    service.stop().await;
}

#[tokio::test]
async fn a_table_that_is_not_there_is_not_found() {
    let service = Service::start().await;
    let input = json!({"TableName": "orders"});
    let refused = service
        .client()
        .refusal("DynamoDb.DescribeTable", input)
        .await;
    assert_eq!(refused.code, "ResourceNotFoundException");
    assert_eq!(
        refused.message,
        "Requested resource not found: Table: orders not found"
    );
    service.stop().await;
}
