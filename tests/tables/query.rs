//! Query.

use millrace_tests::{Client, Service};
use serde_json::{Value, json};

use crate::tables::{put, table};

async fn filled(client: &Client) {
    table(client, "orders", true).await;
    for hash in ["a", "ab", "a\u{0}"] {
        for range in ["-10", "-1.5", "0", "0.25", "3", "20", "100"] {
            let item = json!({"pk": {"S": hash}, "sk": {"N": range}, "of": {"S": hash}});
            put(client, "orders", &[item]).await;
        }
    }
}

/// The range keys that a condition finds under the hash key `a`.
async fn found(client: &Client, condition: &str, more: Value) -> Vec<String> {
    let mut values = json!({":h": {"S": "a"}});
    for (name, number) in [(":x", "0"), (":y", "20")] {
        if condition.contains(name) {
            values[name] = json!({"N": number});
        }
    }
    let mut input = json!({
        "TableName": "orders", "KeyConditionExpression": format!("pk = :h{condition}"),
        "ExpressionAttributeValues": values,
    });
    input
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let mut found = Vec::new();
    loop {
        let page = client.call("DynamoDb.Query", input.clone()).await;
        let items = page["Items"].as_array().unwrap();
        assert_eq!(page["Count"], items.len());
        for item in items {
            assert_eq!(item["of"]["S"], "a");
            found.push(item["sk"]["N"].as_str().unwrap().to_owned());
        }
        match page.get("LastEvaluatedKey") {
            Some(last) => input["ExclusiveStartKey"] = last.clone(),
            None => return found,
        }
    }
}

#[tokio::test]
async fn a_range_of_numbers_comes_in_their_order_both_ways_and_in_pages() {
    let service = Service::start().await;
    let client = service.client();
    filled(&client).await;
    for (condition, wanted) in [
        ("", &["-10", "-1.5", "0", "0.25", "3", "20", "100"][..]),
        (" AND sk < :x", &["-10", "-1.5"]),
        (" AND sk <= :x", &["-10", "-1.5", "0"]),
        (" AND sk > :y", &["100"]),
        (" AND sk >= :y", &["20", "100"]),
        (" AND sk = :y", &["20"]),
        (" AND sk BETWEEN :x AND :y", &["0", "0.25", "3", "20"]),
    ] {
        for more in [json!({}), json!({"Limit": 2}), json!({"Limit": 1})] {
            assert_eq!(
                found(&client, condition, more.clone()).await,
                wanted,
                "{condition}"
            );
            let mut back = more;
            back["ScanIndexForward"] = json!(false);
            let turned: Vec<_> = wanted.iter().rev().copied().collect();
            assert_eq!(found(&client, condition, back).await, turned, "{condition}");
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_filter_hides_what_was_looked_at_and_a_count_has_no_items() {
    let service = Service::start().await;
    let client = service.client();
    filled(&client).await;
    let mut input = json!({
        "TableName": "orders", "KeyConditionExpression": "pk = :h", "Select": "COUNT",
        "FilterExpression": "#of <> :h",
        "ExpressionAttributeNames": {"#of": "of"},
        "ExpressionAttributeValues": {":h": {"S": "a"}},
    });
    let answer = client.call("DynamoDb.Query", input.clone()).await;
    assert_eq!(answer, json!({"Count": 0, "ScannedCount": 7}));
    input["FilterExpression"] = json!("#of = :h AND sk = :h");
    let refused = client.refusal("DynamoDb.Query", input).await;
    assert!(
        refused.message.ends_with("Primary key attribute: sk"),
        "{}",
        refused.message
    );
    service.stop().await;
}

#[tokio::test]
async fn what_is_no_key_condition_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    filled(&client).await;
    for (condition, why) in [
        ("sk = :n", "missed key schema element: pk"),
        ("pk > :h", "Query key condition not supported"),
        ("pk = :h AND #of = :h", "missed key schema element: sk"),
        (
            "pk = :h OR sk = :n",
            "Invalid operator used in KeyConditionExpression: OR",
        ),
        (
            "pk = :n",
            "Condition parameter type does not match schema type",
        ),
    ] {
        let mut input = json!({"TableName": "orders", "KeyConditionExpression": condition});
        let mut values = json!({});
        for (name, value) in [(":h", json!({"S": "a"})), (":n", json!({"N": "1"}))] {
            if condition.contains(name) {
                values[name] = value;
            }
        }
        input["ExpressionAttributeValues"] = values;
        if condition.contains("#of") {
            input["ExpressionAttributeNames"] = json!({"#of": "of"});
        }
        let refused = client.refusal("DynamoDb.Query", input).await;
        assert!(
            refused.message.contains(why),
            "{condition}: {}",
            refused.message
        );
    }
    service.stop().await;
}
