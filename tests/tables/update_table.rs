//! UpdateTable.

use millrace_tests::{Client, Service};
use serde_json::{Value, json};

use crate::tables::{by_owner, put, table};

async fn owned(client: &Client, owner: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut input = json!({
        "TableName": "leases", "IndexName": "by-owner", "KeyConditionExpression": "#o = :o",
        "ExpressionAttributeNames": {"#o": "owner"},
        "ExpressionAttributeValues": {":o": {"S": owner}},
    });
    loop {
        let page = client.call("DynamoDb.Query", input.clone()).await;
        let items = page["Items"].as_array().unwrap().iter();
        found.extend(items.map(|item| item["pk"]["S"].as_str().unwrap().to_owned()));
        match page.get("LastEvaluatedKey") {
            Some(last) => input["ExclusiveStartKey"] = last.clone(),
            None => return found,
        }
    }
}

fn lease(key: &str, owner: &str, fill: usize) -> Value {
    json!({"pk": {"S": key}, "owner": {"S": owner}, "fill": {"S": "x".repeat(fill)}})
}

#[tokio::test]
async fn an_index_of_a_small_table_is_active_in_the_answer_and_follows_its_items() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "leases", false).await;
    let odd = json!({"pk": {"S": "odd"}, "owner": {"N": "1"}});
    put(
        &client,
        "leases",
        &[lease("a", "me", 1), lease("b", "you", 1), odd],
    )
    .await;
    let answer = client
        .call("DynamoDb.UpdateTable", by_owner("leases"))
        .await;
    let described = &answer["TableDescription"];
    assert_eq!(described["TableStatus"], "ACTIVE");
    assert_eq!(
        described["GlobalSecondaryIndexes"][0]["IndexStatus"],
        "ACTIVE"
    );
    assert_eq!(owned(&client, "me").await, ["a"]);
    put(
        &client,
        "leases",
        &[lease("b", "me", 1), lease("c", "me", 1)],
    )
    .await;
    assert_eq!(owned(&client, "me").await, ["a", "b", "c"]);
    assert_eq!(owned(&client, "you").await, [""; 0]);
    let input = json!({"TableName": "leases", "Key": {"pk": {"S": "a"}}});
    client.call("DynamoDb.DeleteItem", input).await;
    assert_eq!(owned(&client, "me").await, ["b", "c"]);
    // From now on an attribute of the index must fit it.
    let wrong = json!({"TableName": "leases", "Item": {"pk": {"S": "d"}, "owner": {"N": "1"}}});
    let refused = client.refusal("DynamoDb.PutItem", wrong).await;
    let why = "Type mismatch for Index Key owner Expected: S Actual: N IndexName: by-owner";
    assert!(refused.message.ends_with(why), "{}", refused.message);
    service.stop().await;
}

#[tokio::test]
async fn an_index_of_a_large_table_is_filled_while_others_write() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "leases", false).await;
    let keys: Vec<String> = (0..24).map(|number| format!("lease-{number:02}")).collect();
    for key in &keys {
        put(&client, "leases", &[lease(key, "me", 200_000)]).await;
    }
    client
        .call("DynamoDb.UpdateTable", by_owner("leases"))
        .await;
    put(&client, "leases", &[lease("later", "me", 1)]).await;
    let is_active = async || {
        let input = json!({"TableName": "leases"});
        let answer = client.call("DynamoDb.DescribeTable", input).await;
        answer["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"
    };
    while !is_active().await {}
    let mut wanted = keys;
    wanted.push("later".to_owned());
    wanted.sort();
    assert_eq!(owned(&client, "me").await, wanted);
    service.stop().await;
}

#[tokio::test]
async fn an_index_is_deleted_and_can_be_made_again() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "leases", false).await;
    client
        .call("DynamoDb.UpdateTable", by_owner("leases"))
        .await;
    let refused = client
        .refusal("DynamoDb.UpdateTable", by_owner("leases"))
        .await;
    assert_eq!(
        refused.message,
        "Attempting to create an index which already exists"
    );
    put(&client, "leases", &[lease("a", "me", 1)]).await;
    let delete = json!({
        "TableName": "leases",
        "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-owner"}}],
    });
    let answer = client.call("DynamoDb.UpdateTable", delete).await;
    assert!(
        answer["TableDescription"]
            .get("GlobalSecondaryIndexes")
            .is_none()
    );
    put(&client, "leases", &[lease("a", "you", 1)]).await;
    let service = service.restart().await;
    let client = service.client();
    client
        .call("DynamoDb.UpdateTable", by_owner("leases"))
        .await;
    assert_eq!(owned(&client, "me").await, [""; 0]);
    assert_eq!(owned(&client, "you").await, ["a"]);
    service.stop().await;
}

#[tokio::test]
async fn how_a_table_is_paid_for_can_change_and_nothing_is_no_change() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "leases", false).await;
    let units = json!({"ReadCapacityUnits": 5, "WriteCapacityUnits": 6});
    let input = json!({"TableName": "leases", "ProvisionedThroughput": units});
    let answer = client.call("DynamoDb.UpdateTable", input).await;
    let described = &answer["TableDescription"];
    assert_eq!(described["ProvisionedThroughput"]["WriteCapacityUnits"], 6);
    let nothing = json!({"TableName": "leases"});
    let code = client.code("DynamoDb.UpdateTable", nothing).await;
    assert_eq!(code, "ValidationException");
    service.stop().await;
}
