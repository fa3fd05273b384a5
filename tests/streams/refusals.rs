//! Of several faults of one request the service names that which it looks for first: what cannot be
//! read, then what breaks a constraint of the model, then what is not there or in no state for it,
//! then an argument that does not fit.

use millrace_tests::{Client, Service, shard_id};
use serde_json::{Value, json};

/// 2^128, one more than the last hash key.
const HASH_KEY_TOO_LARGE: &str = "340282366920938463463374607431768211456";

async fn refusals(client: &Client, cases: &[(&str, Value, &str)]) {
    for (operation, input, wanted) in cases {
        let code = client.code(operation, input.clone()).await;
        assert_eq!(code, *wanted, "{operation} {}", short(input));
    }
}

fn short(input: &Value) -> String {
    input.to_string().chars().take(200).collect()
}

#[tokio::test]
async fn what_cannot_be_read_goes_before_a_broken_constraint_and_before_existence() {
    let service = Service::start().await;
    let unread = "SerializationException";
    // Three forms of what is no base64: its length, a foreign digit, bits that are left over.
    for data in ["x", "AAA!", "AB=="] {
        let record = json!({"Data": data, "PartitionKey": ""});
        let good = json!({"Data": "AA==", "PartitionKey": ""});
        let cases = [
            (
                "PutRecord",
                json!({"StreamName": "gone", "Data": data, "PartitionKey": "a"}),
                unread,
            ),
            (
                "PutRecord",
                json!({"StreamName": "", "Data": data, "PartitionKey": ""}),
                unread,
            ),
            (
                "PutRecords",
                json!({"StreamName": "gone", "Records": [good, record]}),
                unread,
            ),
        ];
        refusals(&service.client(), &cases).await;
    }
    service.stop().await;
}

#[tokio::test]
async fn a_broken_constraint_goes_before_existence() {
    let service = Service::start().await;
    let broken = "ValidationException";
    let cases = [
        (
            "AddTagsToStream",
            json!({"StreamName": "gone", "Tags": {}}),
            broken,
        ),
        ("DeleteStream", json!({"StreamName": "go ne"}), broken),
        (
            "DescribeStream",
            json!({"StreamName": "gone", "Limit": 0}),
            broken,
        ),
        (
            "GetShardIterator",
            json!({"StreamName": "gone", "ShardId": "no-shard", "ShardIteratorType": "NEWEST"}),
            broken,
        ),
        (
            "ListShards",
            json!({"StreamName": "gone", "MaxResults": 0}),
            broken,
        ),
        (
            "ListTagsForStream",
            json!({"StreamName": "gone", "Limit": 0}),
            broken,
        ),
        (
            "PutRecord",
            json!({"StreamName": "gone", "Data": "", "PartitionKey": ""}),
            broken,
        ),
        (
            "PutRecords",
            json!({"StreamName": "gone", "Records": []}),
            broken,
        ),
        (
            "RemoveTagsFromStream",
            json!({"StreamName": "gone", "TagKeys": []}),
            broken,
        ),
    ];
    refusals(&service.client(), &cases).await;
    service.stop().await;
}

#[tokio::test]
async fn existence_goes_before_arguments() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let gone = "ResourceNotFoundException";
    let hours = |hours: u32| json!({"StreamName": "gone", "RetentionPeriodHours": hours});
    let record = json!({
        "Data": "", "PartitionKey": "a", "ExplicitHashKey": HASH_KEY_TOO_LARGE,
    });
    let mut one = record.clone();
    one["StreamName"] = json!("gone");
    one["SequenceNumberForOrdering"] = json!("1");
    let cases = [
        (
            "AddTagsToStream",
            json!({"StreamName": "gone", "Tags": {"a;b": ""}}),
            gone,
        ),
        (
            "RemoveTagsFromStream",
            json!({"StreamName": "gone", "TagKeys": ["a;b"]}),
            gone,
        ),
        ("IncreaseStreamRetentionPeriod", hours(1), gone),
        ("DecreaseStreamRetentionPeriod", hours(9_999), gone),
        ("PutRecord", one, gone),
        (
            "PutRecords",
            json!({"StreamName": "gone", "Records": [record]}),
            gone,
        ),
        (
            "ListShards",
            json!({"StreamName": "gone", "ShardFilter": {"Type": "AT_TIMESTAMP"}}),
            gone,
        ),
        (
            "GetShardIterator",
            json!({
                "StreamName": "orders", "ShardId": shard_id(1),
                "ShardIteratorType": "AT_TIMESTAMP",
            }),
            gone,
        ),
        // A stream that is there already is what CreateStream asks about.
        (
            "CreateStream",
            json!({"StreamName": "orders", "Tags": {"a;b": ""}}),
            "ResourceInUseException",
        ),
    ];
    refusals(&client, &cases).await;
    service.stop().await;
}

#[tokio::test]
async fn the_size_that_a_stream_takes_is_a_constraint_and_goes_before_arguments() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let large = json!({"Data": "AAAA".repeat(350_000), "PartitionKey": "a"});
    let odd = json!({
        "Data": "", "PartitionKey": "a", "ExplicitHashKey": HASH_KEY_TOO_LARGE,
    });
    let mut both = large.clone();
    both["StreamName"] = json!("orders");
    both["ExplicitHashKey"] = json!(HASH_KEY_TOO_LARGE);
    let broken = "ValidationException";
    let cases = [
        ("PutRecord", both, broken),
        (
            "PutRecords",
            json!({"StreamName": "orders", "Records": [odd, large]}),
            broken,
        ),
        (
            "PutRecords",
            json!({"StreamName": "orders", "Records": [odd], "DryRun": true}),
            "InvalidArgumentException",
        ),
    ];
    refusals(&client, &cases).await;
    service.stop().await;
}

#[tokio::test]
async fn a_text_is_in_the_member_where_aws_has_it() {
    let service = Service::start().await;
    let client = service.client();
    for (operation, body, wanted) in [
        (
            "ListStreams",
            r#"{"Limit": "1"}"#,
            json!({
                "__type": "SerializationException",
                "Message": "class java.lang.String can not be converted to an Integer",
            }),
        ),
        (
            "ListStreams",
            r#"{"Limit": 0}"#,
            json!({
                "__type": "ValidationException",
                "message": "1 validation error detected: Value '0' at 'limit' failed to satisfy \
                            constraint: Member must have value greater than or equal to 1",
            }),
        ),
        ("Fly", "{}", json!({"__type": "UnknownOperationException"})),
        (
            "Firehose.Fly",
            "{}",
            json!({"__type": "UnknownOperationException"}),
        ),
    ] {
        let answer = client.send(operation, body.into()).await;
        assert_eq!(answer.status(), 400);
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(body, wanted);
    }
    service.stop().await;
}
