//! DeleteItem.

use millrace_tests::Service;
use serde_json::json;

use crate::tables::{all, put, table};

#[tokio::test]
async fn an_item_goes_if_its_condition_holds() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "leases", false).await;
    let item = json!({"pk": {"S": "Leader"}, "rvn": {"S": "7"}, "ownerName": {"S": "me"}});
    put(&client, "leases", std::slice::from_ref(&item)).await;
    let mut input = json!({
        "TableName": "leases", "Key": {"pk": {"S": "Leader"}}, "ReturnValues": "ALL_OLD",
        "ConditionExpression": "attribute_exists(#pk) AND #rvn = :rvn AND #on = :on",
        "ExpressionAttributeNames": {"#pk": "pk", "#rvn": "rvn", "#on": "ownerName"},
        "ExpressionAttributeValues": {":rvn": {"S": "8"}, ":on": {"S": "me"}},
    });
    let refused = client.refusal("DynamoDb.DeleteItem", input.clone()).await;
    assert_eq!(refused.code, "ConditionalCheckFailedException");
    input["ExpressionAttributeValues"][":rvn"]["S"] = json!("7");
    let answer = client.call("DynamoDb.DeleteItem", input).await;
    assert_eq!(answer["Attributes"], item);
    assert_eq!(
        all(&client, "leases").await,
        Vec::<serde_json::Value>::new()
    );
    // What is not there is deleted, too.
    let input = json!({"TableName": "leases", "Key": {"pk": {"S": "Leader"}}});
    assert_eq!(client.call("DynamoDb.DeleteItem", input).await, json!({}));
    service.stop().await;
}
