//! ListTables.

use millrace_tests::Service;
use serde_json::json;

use crate::tables::table;

#[tokio::test]
async fn names_come_in_pages_in_order() {
    let service = Service::start().await;
    let client = service.client();
    assert_eq!(
        client.call("DynamoDb.ListTables", json!({})).await,
        json!({"TableNames": []})
    );
    for name in ["clicks", "orders", "accounts"] {
        table(&client, name, false).await;
    }
    table(&service.other_client(), "theirs", false).await;
    table(&client.in_region("eu-west-1"), "elsewhere", false).await;
    let first = client
        .call("DynamoDb.ListTables", json!({"Limit": 2}))
        .await;
    let wanted = json!({"TableNames": ["accounts", "clicks"], "LastEvaluatedTableName": "clicks"});
    assert_eq!(first, wanted);
    let input = json!({"Limit": 2, "ExclusiveStartTableName": "clicks"});
    let second = client.call("DynamoDb.ListTables", input).await;
    assert_eq!(second, json!({"TableNames": ["orders"]}));
    let service = service.restart().await;
    let all = service
        .client()
        .call("DynamoDb.ListTables", json!({}))
        .await;
    assert_eq!(all["TableNames"], json!(["accounts", "clicks", "orders"]));
    service.stop().await;
}
