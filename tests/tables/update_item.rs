//! UpdateItem.

use millrace_tests::Service;
use serde_json::{Value, json};

use crate::tables::{get, put, table};

fn key() -> Value {
    json!({"pk": {"S": "a"}})
}

#[tokio::test]
async fn a_lease_is_taken_in_the_older_way() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "leases", false).await;
    let lease = json!({"pk": {"S": "a"}, "counter": {"N": "3"}, "gone": {"S": "x"}});
    put(&client, "leases", &[lease]).await;
    let input = json!({
        "TableName": "leases", "Key": key(), "ReturnValues": "ALL_NEW",
        "AttributeUpdates": {
            "gone": {"Action": "DELETE"},
            "counter": {"Action": "ADD", "Value": {"N": "1"}},
            "owner": {"Action": "PUT", "Value": {"S": "me"}},
        },
        "Expected": {
            "checkpointOwner": {"Exists": false},
            "pk": {"Exists": true, "Value": {"S": "a"}},
            "owner": {"Exists": false},
        },
    });
    let answer = client.call("DynamoDb.UpdateItem", input.clone()).await;
    let taken = json!({"pk": {"S": "a"}, "counter": {"N": "4"}, "owner": {"S": "me"}});
    assert_eq!(answer["Attributes"], taken);
    let refused = client.refusal("DynamoDb.UpdateItem", input).await;
    assert_eq!(refused.code, "ConditionalCheckFailedException");
    assert_eq!(get(&client, "leases", key()).await, taken);
    service.stop().await;
}

#[tokio::test]
async fn expressions_set_remove_add_and_delete_what_was_there_before() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", false).await;
    let input = json!({
        "TableName": "orders", "Key": key(), "ReturnValues": "ALL_NEW",
        "UpdateExpression": "SET n = if_not_exists(n, :one) + :one, list = :l ADD names :s",
        "ExpressionAttributeValues": {
            ":one": {"N": "1"}, ":l": {"L": [{"S": "x"}]}, ":s": {"SS": ["a", "b"]},
        },
    });
    let refused = client.refusal("DynamoDb.UpdateItem", input.clone()).await;
    assert!(
        refused.message.ends_with("reserved keyword: list"),
        "{}",
        refused.message
    );
    let mut input = input;
    let expression = "SET n = if_not_exists(n, :one) + :one, #l = :l ADD #s :s";
    input["UpdateExpression"] = json!(expression);
    input["ExpressionAttributeNames"] = json!({"#l": "list", "#s": "names"});
    let made = client.call("DynamoDb.UpdateItem", input).await;
    let item = json!({
        "pk": {"S": "a"}, "n": {"N": "2"}, "list": {"L": [{"S": "x"}]},
        "names": {"SS": ["a", "b"]},
    });
    assert_eq!(made["Attributes"], item);
    let input = json!({
        "TableName": "orders", "Key": key(), "ReturnValues": "UPDATED_NEW",
        "UpdateExpression": "SET #l = list_append(#l, :l), m = n REMOVE n DELETE #s :s",
        "ExpressionAttributeNames": {"#l": "list", "#s": "names"},
        "ExpressionAttributeValues": {":l": {"L": [{"N": "1"}]}, ":s": {"SS": ["a", "c"]}},
    });
    let changed = client.call("DynamoDb.UpdateItem", input).await;
    let parts = json!({
        "list": {"L": [{"S": "x"}, {"N": "1"}]}, "m": {"N": "2"}, "names": {"SS": ["b"]},
    });
    assert_eq!(changed["Attributes"], parts);
    service.stop().await;
}

#[tokio::test]
async fn counters_that_many_add_to_lose_none() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", false).await;
    let adds = (0..30).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            let input = json!({
                "TableName": "orders", "Key": key(), "UpdateExpression": "ADD n :one",
                "ExpressionAttributeValues": {":one": {"N": "0.1"}},
            });
            client.call("DynamoDb.UpdateItem", input).await;
        })
    });
    for add in adds.collect::<Vec<_>>() {
        add.await.unwrap();
    }
    assert_eq!(get(&client, "orders", key()).await["n"], json!({"N": "3"}));
    service.stop().await;
}

#[tokio::test]
async fn an_update_that_does_not_fit_changes_nothing() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", false).await;
    let item = json!({"pk": {"S": "a"}, "s": {"S": "x"}});
    put(&client, "orders", std::slice::from_ref(&item)).await;
    for (expression, why) in [
        ("SET pk = :n", "This attribute is part of the key"),
        ("SET s = s + :n", "incorrect data type"),
        (
            "SET m.x = :n",
            "document path provided in the update expression is invalid",
        ),
        ("SET a = b, c = :n", "does not exist in the item"),
        ("SET a = :n, a.b = :n", "Two document paths overlap"),
        (
            "SET a = :missing",
            "attribute value used in expression is not defined",
        ),
        ("SET a = :n b", "Syntax error"),
        ("ADD s :n", "incorrect data type"),
    ] {
        let input = json!({
            "TableName": "orders", "Key": key(), "UpdateExpression": expression,
            "ExpressionAttributeValues": {":n": {"N": "1"}},
        });
        let refused = client.refusal("DynamoDb.UpdateItem", input).await;
        assert_eq!(refused.code, "ValidationException");
        assert!(
            refused.message.contains(why),
            "{expression}: {}",
            refused.message
        );
    }
    assert_eq!(get(&client, "orders", key()).await, item);
    service.stop().await;
}
