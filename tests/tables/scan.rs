//! Scan.

use millrace_tests::{Client, Service};
use serde_json::{Value, json};

use crate::tables::{all, put, table};

async fn pages(client: &Client, mut input: Value) -> (Vec<String>, usize) {
    let (mut keys, mut pages) = (Vec::new(), 0);
    loop {
        let page = client.call("DynamoDb.Scan", input.clone()).await;
        let items = page["Items"].as_array().unwrap().iter();
        keys.extend(items.map(|item| item["pk"]["S"].as_str().unwrap().to_owned()));
        pages += 1;
        match page.get("LastEvaluatedKey") {
            Some(last) => input["ExclusiveStartKey"] = last.clone(),
            None => return (keys, pages),
        }
    }
}

#[tokio::test]
async fn a_page_ends_after_a_megabyte_and_the_next_goes_on() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", false).await;
    let mut wanted = Vec::new();
    for number in 0..10 {
        let key = format!("key-{number}");
        let item = json!({"pk": {"S": key}, "fill": {"S": "x".repeat(300_000)}});
        put(&client, "orders", &[item]).await;
        wanted.push(key);
    }
    let input = json!({"TableName": "orders"});
    // Four items are more than a megabyte.
    assert_eq!(pages(&client, input.clone()).await, (wanted.clone(), 3));
    let mut seen = Vec::new();
    for segment in 0..4 {
        let mut input = input.clone();
        input["Segment"] = json!(segment);
        input["TotalSegments"] = json!(4);
        seen.extend(pages(&client, input).await.0);
    }
    seen.sort();
    assert_eq!(seen, wanted);
    service.stop().await;
}

#[tokio::test]
async fn a_table_shows_its_own_items_alone() {
    let service = Service::start().await;
    let client = service.client();
    for name in ["clicks", "orders", "others"] {
        table(&client, name, false).await;
        put(&client, name, &[json!({"pk": {"S": name}})]).await;
    }
    assert_eq!(
        all(&client, "orders").await,
        [json!({"pk": {"S": "orders"}})]
    );
    service.stop().await;
}

#[tokio::test]
async fn a_filter_in_either_way_lets_through_what_fits() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", false).await;
    for (key, number) in [("a", "1"), ("b", "2"), ("c", "30")] {
        put(
            &client,
            "orders",
            &[json!({"pk": {"S": key}, "n": {"N": number}})],
        )
        .await;
    }
    let values = json!([{"N": "1"}, {"N": "2.0"}]);
    let older = json!({"n": {"ComparisonOperator": "BETWEEN", "AttributeValueList": values}});
    for input in [
        json!({
            "TableName": "orders", "FilterExpression": "n <= :two",
            "ExpressionAttributeValues": {":two": {"N": "2"}},
        }),
        json!({"TableName": "orders", "ScanFilter": older}),
    ] {
        assert_eq!(pages(&client, input).await.0, ["a", "b"]);
    }
    service.stop().await;
}
