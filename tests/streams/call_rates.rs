//! How often an operation may be called, where its page says so of an account or a stream.

use std::time::Duration;

use bytes::Bytes;
use millrace_tests::{Client, Service};
use serde_json::{Value, json};

const STREAM: &str = "orders";

/// An operation, how often it is called in a second, and what with, by the number of the call.
type Operation = (&'static str, usize, Box<dyn Fn(usize) -> Value>);

fn operations(arn: &str) -> Vec<Operation> {
    let always = |input: Value| Box::new(move |_| input.clone());
    let stream = arn.to_owned();
    let of_consumer = move || {
        let stream = stream.clone();
        Box::new(move |call| consumer(&stream, call))
    };
    let name = json!({ "StreamName": STREAM });
    let tags = json!({ "StreamName": STREAM, "Tags": { "team": "a" } });
    let keys = json!({ "StreamName": STREAM, "TagKeys": ["team"] });
    let split = json!({
        "StreamName": STREAM, "ShardToSplit": "0", "NewStartingHashKey": "7",
    });
    let merge = json!({
        "StreamName": STREAM, "ShardToMerge": "0", "AdjacentShardToMerge": "1",
    });
    vec![
        ("AddTagsToStream", 5, always(tags)),
        ("CreateStream", 5, always(name.clone())),
        (
            "DeleteStream",
            5,
            always(json!({ "StreamName": "not-there" })),
        ),
        ("DescribeAccountSettings", 5, always(json!({}))),
        ("DescribeLimits", 1, always(json!({}))),
        ("DescribeStream", 10, always(name.clone())),
        ("DescribeStreamConsumer", 20, always(consumer(arn, 0))),
        ("DescribeStreamSummary", 20, always(name.clone())),
        ("ListShards", 1_000, always(name.clone())),
        (
            "ListStreamConsumers",
            5,
            always(json!({ "StreamARN": arn })),
        ),
        ("ListStreams", 5, always(json!({}))),
        ("ListTagsForStream", 5, always(name)),
        ("MergeShards", 5, always(merge)),
        ("RegisterStreamConsumer", 5, of_consumer()),
        ("RemoveTagsFromStream", 5, always(keys)),
        ("SplitShard", 5, always(split)),
        // Last, because it takes away what others ask about.
        ("DeregisterStreamConsumer", 5, of_consumer()),
    ]
}

fn consumer(stream: &str, number: usize) -> Value {
    json!({ "StreamARN": stream, "ConsumerName": format!("reader-{number}") })
}

/// Whether a call was refused for the rate, and not for what it asks.
async fn is_over(client: &Client, operation: &str, input: &Value) -> bool {
    let body = Bytes::from(input.to_string());
    let answer = client.send(operation, body).await;
    let said = String::from_utf8_lossy(answer.body()).into_owned();
    let is_over = said.contains("Rate exceeded for ");
    assert!(
        !is_over || said.contains("LimitExceededException"),
        "{said}"
    );
    is_over
}

#[tokio::test]
async fn each_operation_is_called_as_often_in_a_second_as_its_page_says_and_not_once_more() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create(STREAM, 1).await;
    let summary = client
        .call("DescribeStreamSummary", json!({ "StreamName": STREAM }))
        .await;
    let arn = summary["StreamDescriptionSummary"]["StreamARN"].as_str();
    let arn = arn.unwrap();
    for number in 0..7 {
        service.pass(Duration::from_secs(1));
        let input = consumer(arn, number);
        client.call("RegisterStreamConsumer", input).await;
    }
    for (operation, count, input) in operations(arn) {
        service.pass(Duration::from_secs(1));
        for call in 0..count {
            let is_over = is_over(&client, operation, &input(call)).await;
            assert!(!is_over, "{operation}, call {call}");
        }
        assert!(
            is_over(&client, operation, &input(count)).await,
            "{operation}"
        );
        service.pass(Duration::from_secs(1));
        assert!(
            !is_over(&client, operation, &input(count)).await,
            "{operation}"
        );
    }
    service.stop().await;
}
