//! DeleteTable.

use millrace_tests::Service;
use serde_json::json;

use crate::tables::{all, put, table};

#[tokio::test]
async fn a_table_is_gone_with_its_items_and_its_name_is_free() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", false).await;
    put(&client, "orders", &[json!({"pk": {"S": "a"}})]).await;
    let input = json!({"TableName": "orders"});
    let answer = client.call("DynamoDb.DeleteTable", input.clone()).await;
    assert_eq!(answer["TableDescription"]["TableStatus"], "DELETING");
    for operation in ["DynamoDb.DescribeTable", "DynamoDb.DeleteTable"] {
        let refused = client.refusal(operation, input.clone()).await;
        assert_eq!(refused.code, "ResourceNotFoundException");
        let text = "Requested resource not found: Table: orders not found";
        assert_eq!(refused.message, text);
    }
    let refused = client.refusal("DynamoDb.Scan", input.clone()).await;
    assert_eq!(refused.message, "Requested resource not found");
    table(&client, "orders", false).await;
    assert_eq!(
        all(&client, "orders").await,
        Vec::<serde_json::Value>::new()
    );
    let service = service.restart().await;
    assert_eq!(
        all(&service.client(), "orders").await,
        Vec::<serde_json::Value>::new()
    );
    service.stop().await;
}

#[tokio::test]
async fn a_protected_table_stays() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", false).await;
    let protect = |is: bool| json!({"TableName": "orders", "DeletionProtectionEnabled": is});
    client.call("DynamoDb.UpdateTable", protect(true)).await;
    let input = json!({"TableName": "orders"});
    let refused = client.refusal("DynamoDb.DeleteTable", input.clone()).await;
    assert!(
        refused.message.contains("protected against deletion"),
        "{}",
        refused.message
    );
    client.call("DynamoDb.UpdateTable", protect(false)).await;
    client.call("DynamoDb.DeleteTable", input).await;
    service.stop().await;
}
