//! What the tests ask for in one line.

use millrace_tests::Client;
use serde_json::{Value, json};

/// A definition of a table whose items have the key `pk` (S), and `sk` (N) if it is `ranged`.
pub fn definition(name: &str, ranged: bool) -> Value {
    let mut attributes = vec![json!({"AttributeName": "pk", "AttributeType": "S"})];
    let mut keys = vec![json!({"AttributeName": "pk", "KeyType": "HASH"})];
    if ranged {
        attributes.push(json!({"AttributeName": "sk", "AttributeType": "N"}));
        keys.push(json!({"AttributeName": "sk", "KeyType": "RANGE"}));
    }
    json!({
        "TableName": name, "AttributeDefinitions": attributes, "KeySchema": keys,
        "BillingMode": "PAY_PER_REQUEST",
    })
}

/// The creation of an index by `owner` (S), with everything in it.
pub fn by_owner(name: &str) -> Value {
    json!({
        "AttributeDefinitions": [{"AttributeName": "owner", "AttributeType": "S"}],
        "GlobalSecondaryIndexUpdates": [{"Create": index("by-owner", "owner", "ALL")}],
        "TableName": name,
    })
}

/// An index by one attribute.
pub fn index(name: &str, attribute: &str, projection: &str) -> Value {
    json!({
        "IndexName": name,
        "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": projection},
    })
}

/// Makes a table.
pub async fn table(client: &Client, name: &str, ranged: bool) {
    client
        .call("DynamoDb.CreateTable", definition(name, ranged))
        .await;
}

/// Puts items.
pub async fn put(client: &Client, table: &str, items: &[Value]) {
    for item in items {
        let input = json!({"TableName": table, "Item": item});
        client.call("DynamoDb.PutItem", input).await;
    }
}

/// The item with a key; null if there is none.
pub async fn get(client: &Client, table: &str, key: Value) -> Value {
    let input = json!({"TableName": table, "Key": key});
    let answer = client.call("DynamoDb.GetItem", input).await;
    answer.get("Item").cloned().unwrap_or_default()
}

/// All items of a table, in order.
pub async fn all(client: &Client, table: &str) -> Vec<Value> {
    let answer = client
        .call("DynamoDb.Scan", json!({"TableName": table}))
        .await;
    answer["Items"].as_array().unwrap().clone()
}
