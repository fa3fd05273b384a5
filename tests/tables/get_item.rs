//! GetItem.

use millrace_tests::Service;
use serde_json::json;

use crate::tables::{get, put, table};

#[tokio::test]
async fn an_item_is_given_whole_or_in_part() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", true).await;
    let key = json!({"pk": {"S": "a"}, "sk": {"N": "1.50"}});
    let item = json!({
        "pk": {"S": "a"}, "sk": {"N": "1.5"}, "flag": {"BOOL": false}, "none": {"NULL": true},
        "list": {"L": [{"N": "0.1"}, {"M": {"x": {"B": "AAH/"}}}]}, "names": {"SS": ["a", "b"]},
    });
    put(&client, "orders", std::slice::from_ref(&item)).await;
    assert_eq!(get(&client, "orders", key.clone()).await, item);
    let mut input = json!({"TableName": "orders", "Key": key});
    input["ProjectionExpression"] = json!("#l[1].x, #n, gone");
    input["ExpressionAttributeNames"] = json!({"#l": "list", "#n": "names"});
    let answer = client.call("DynamoDb.GetItem", input).await;
    let part = json!({"list": {"L": [{"M": {"x": {"B": "AAH/"}}}]}, "names": {"SS": ["a", "b"]}});
    assert_eq!(answer["Item"], part);
    let other = json!({"pk": {"S": "a"}, "sk": {"N": "2"}});
    assert_eq!(get(&client, "orders", other).await, json!(null));
    service.stop().await;
}

#[tokio::test]
async fn a_key_is_the_whole_key_and_nothing_else() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", true).await;
    for (key, why) in [
        (
            json!({"pk": {"S": "a"}}),
            "number of conditions on the keys",
        ),
        (
            json!({"pk": {"S": "a"}, "other": {"N": "1"}}),
            "does not match the schema",
        ),
        (
            json!({"pk": {"N": "1"}, "sk": {"N": "1"}}),
            "does not match the schema",
        ),
        (
            json!({"pk": {"S": ""}, "sk": {"N": "1"}}),
            "cannot contain an empty string",
        ),
        (
            json!({"pk": {"S": "x".repeat(1_020)}, "sk": {"N": "1"}}),
            "Size of key exceeds",
        ),
    ] {
        let input = json!({"TableName": "orders", "Key": key});
        let refused = client.refusal("DynamoDb.GetItem", input).await;
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains(why), "{why}: {}", refused.message);
    }
    service.stop().await;
}
