//! PutItem.

use millrace_tests::Service;
use serde_json::{Value, json};

use crate::tables::{get, put, table};

#[tokio::test]
async fn a_condition_that_does_not_hold_leaves_the_item_and_may_show_it() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "leases", false).await;
    let item = json!({"pk": {"S": "a"}, "owner": {"S": "me"}});
    put(&client, "leases", std::slice::from_ref(&item)).await;
    let other = json!({"pk": {"S": "a"}, "owner": {"S": "you"}});
    let by_expression = json!({
        "TableName": "leases", "Item": other, "ConditionExpression": "attribute_not_exists(#k)",
        "ExpressionAttributeNames": {"#k": "pk"},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    let older = json!({
        "TableName": "leases", "Item": other, "Expected": {"pk": {"Exists": false}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    for input in [by_expression, older] {
        let answer = client
            .send("DynamoDb.PutItem", input.to_string().into())
            .await;
        assert_eq!(answer.status(), 400);
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        let wanted = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "message": "The conditional request failed",
            "Item": item,
        });
        assert_eq!(body, wanted);
    }
    assert_eq!(
        get(&client, "leases", json!({"pk": {"S": "a"}})).await,
        item
    );
    service.stop().await;
}

#[tokio::test]
async fn an_item_takes_the_place_of_the_one_with_its_key_and_outlives_the_server() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", false).await;
    let old = json!({"pk": {"S": "a"}, "n": {"N": "1"}});
    put(&client, "orders", std::slice::from_ref(&old)).await;
    let new = json!({"pk": {"S": "a"}, "m": {"M": {"x": {"S": "\u{0}\"é"}}}});
    let input = json!({"TableName": "orders", "Item": new, "ReturnValues": "ALL_OLD"});
    let answer = client.call("DynamoDb.PutItem", input).await;
    assert_eq!(answer, json!({"Attributes": old}));
    let service = service.restart().await;
    assert_eq!(
        get(&service.client(), "orders", json!({"pk": {"S": "a"}})).await,
        new
    );
    service.stop().await;
}

#[tokio::test]
async fn an_item_of_very_many_small_values_reads_back() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", false).await;
    let nothing = vec![json!({"NULL": true}); 60_000];
    let names = (0..60_000).map(|n| format!("{n:x}")).collect::<Vec<_>>();
    let attributes = (0..20_000).map(|n| (format!("{n:x}"), json!({"BOOL": true})));
    let mut many: Value = attributes.collect::<serde_json::Map<_, _>>().into();
    many["pk"] = json!({"S": "c"});
    let items = [
        json!({"pk": {"S": "a"}, "l": {"L": nothing}}),
        json!({"pk": {"S": "b"}, "s": {"SS": names}}),
        many,
    ];
    put(&client, "orders", &items).await;
    for item in &items {
        let found = get(&client, "orders", json!({"pk": item["pk"]})).await;
        assert_eq!(found["l"], item["l"]);
        assert_eq!(
            found.as_object().unwrap().len(),
            item.as_object().unwrap().len()
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn of_many_that_put_if_nothing_is_there_one_does() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "leases", false).await;
    let puts = (0..20).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let input = json!({
                "TableName": "leases", "Item": {"pk": {"S": "a"}, "n": {"N": number.to_string()}},
                "ConditionExpression": "attribute_not_exists(pk)",
            });
            client
                .send("DynamoDb.PutItem", input.to_string().into())
                .await
                .status()
                .as_u16()
        })
    });
    let mut answers = Vec::new();
    for put in puts.collect::<Vec<_>>() {
        answers.push(put.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!(answers[0], 200);
    assert!(
        answers[1..].iter().all(|status| *status == 400),
        "{answers:?}"
    );
    service.stop().await;
}

#[tokio::test]
async fn an_item_that_is_none_is_refused_with_its_reason() {
    let service = Service::start().await;
    let client = service.client();
    table(&client, "orders", false).await;
    let mut deep = json!({"S": "x"});
    for _ in 0..33 {
        deep = json!({"L": [deep]});
    }
    for (item, why) in [
        (json!({"n": {"N": "1"}}), "Missing the key pk in the item"),
        (
            json!({"pk": {"N": "1"}}),
            "Type mismatch for key pk expected: S actual: N",
        ),
        (
            json!({"pk": {"S": "a"}, "n": {}}),
            "Supplied AttributeValue is empty",
        ),
        (
            json!({"pk": {"S": "a"}, "n": {"N": "x"}}),
            "cannot be converted to a numeric value",
        ),
        (
            json!({"pk": {"S": "a"}, "s": {"SS": ["b", "b"]}}),
            "[b, b] contains duplicates",
        ),
        (
            json!({"pk": {"S": "a"}, "d": deep}),
            "Nesting Levels have exceeded",
        ),
        (
            json!({"pk": {"S": "a"}, "s": {"S": "x".repeat(400 * 1024 - 3)}}),
            "Item size has exceeded the maximum allowed size",
        ),
    ] {
        let input = json!({"TableName": "orders", "Item": item});
        let refused = client.refusal("DynamoDb.PutItem", input).await;
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains(why), "{why}: {}", refused.message);
    }
    // One byte less is an item.
    let largest = json!({"pk": {"S": "a"}, "s": {"S": "x".repeat(400 * 1024 - 4)}});
    put(&client, "orders", &[largest]).await;
    service.stop().await;
}
