//! SubscribeToShard.

use std::time::Duration;

use http::Version;
use millrace_tests::{Client, Events, Service, base64, shard_id};
use serde_json::{Value, json};

use super::OVER_FIVE_MINUTES;

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

fn from(consumer: &str, shard: u32, position: Value) -> Value {
    json!({"ConsumerARN": consumer, "ShardId": shard_id(shard), "StartingPosition": position})
}

fn oldest() -> Value {
    json!({"Type": "TRIM_HORIZON"})
}

/// A subscription that has begun.
async fn subscribe(client: &Client, input: Value) -> Events {
    let mut events = client.subscribe(Version::HTTP_11, input).await.unwrap();
    events.begins().await;
    events
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers
        .map(|number| base64(number.to_string().as_bytes()))
        .collect()
}

async fn put(client: &Client, numbers: std::ops::Range<usize>) {
    for data in numbered(numbers) {
        client.put("orders", &data).await;
    }
}

#[tokio::test]
async fn what_was_put_before_and_after_is_pushed_in_order_over_both_versions_of_http() {
    for version in VERSIONS {
        let service = Service::start().await;
        let client = service.client();
        client.create("orders", 1).await;
        let consumer = client.register("orders", "app").await;
        put(&client, 0..5).await;
        let input = from(&consumer, 0, oldest());
        let mut events = client.subscribe(version, input).await.unwrap();
        events.begins().await;
        assert_eq!(events.data(5).await, numbered(0..5));
        put(&client, 5..8).await;
        assert_eq!(events.data(3).await, numbered(5..8));
    }
}

#[tokio::test]
async fn a_record_is_pushed_as_get_records_gives_it() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let consumer = client.register("orders", "app").await;
    put(&client, 0..3).await;
    let mut events = subscribe(&client, from(&consumer, 0, oldest())).await;
    let pushed = events.pushed().await;
    let read = client.read("orders").await;
    assert_eq!(pushed["Records"], read["Records"]);
    let last = &read["Records"][2]["SequenceNumber"];
    assert_eq!(&pushed["ContinuationSequenceNumber"], last);
    assert_eq!(pushed["MillisBehindLatest"], 0);
    assert!(pushed.get("ChildShards").is_none());
}

#[tokio::test]
async fn a_subscription_begins_where_it_is_asked_to() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let mut numbers = Vec::new();
    for data in numbered(0..4) {
        numbers.push(client.put("orders", &data).await["SequenceNumber"].clone());
        service.pass(Duration::from_secs(10));
    }
    let starts = [
        (oldest(), Some(0)),
        (
            json!({"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": numbers[2]}),
            Some(2),
        ),
        (
            json!({"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": numbers[2]}),
            Some(3),
        ),
        (
            json!({"Type": "AT_TIMESTAMP", "Timestamp": 1_700_000_015}),
            Some(2),
        ),
        (json!({"Type": "LATEST"}), None),
    ];
    for (count, (position, first)) in (4..).zip(starts) {
        let consumer = client.register("orders", &format!("app-{count}")).await;
        let mut events = subscribe(&client, from(&consumer, 0, position.clone())).await;
        put(&client, count..count + 1).await;
        let expected = numbered(first.unwrap_or(count)..count + 1);
        assert_eq!(events.data(expected.len()).await, expected, "{position}");
    }
}

#[tokio::test]
async fn whoever_goes_on_after_the_continuation_number_misses_nothing() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create("orders", 1).await;
    let consumer = client.register("orders", "app").await;
    put(&client, 0..2).await;
    let mut position = json!({"Type": "LATEST"});
    for number in 2..6 {
        let mut events = subscribe(&client, from(&consumer, 0, position)).await;
        // Without records at first: what it says then is a place to go on at as well.
        service.pass(Duration::from_secs(6));
        let quiet = events.pushed().await;
        assert_eq!(quiet["Records"], json!([]));
        put(&client, number..number + 1).await;
        let after = |event: &Value| {
            let number = event["ContinuationSequenceNumber"].clone();
            json!({"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number})
        };
        drop(events);
        let mut events = subscribe(&client, from(&consumer, 0, after(&quiet))).await;
        let pushed = events.pushed().await;
        assert_eq!(
            pushed["Records"][0]["Data"],
            json!(numbered(number..number + 1)[0])
        );
        assert_eq!(pushed["Records"].as_array().unwrap().len(), 1);
        position = after(&pushed);
        service.pass(Duration::from_secs(6));
    }
}

#[tokio::test]
async fn every_consumer_is_pushed_every_record_of_every_shard() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 4).await;
    let mut all = Vec::new();
    for number in 0..3 {
        let consumer = client.register("orders", &format!("app-{number}")).await;
        for shard in 0..4 {
            all.push((
                shard,
                subscribe(&client, from(&consumer, shard, oldest())).await,
            ));
        }
    }
    let records: Vec<_> = (0..40)
        .map(|number: u128| {
            let hash_key = (number % 4) * (u128::MAX / 4) + 7;
            json!({
                "Data": base64(number.to_string().as_bytes()),
                "PartitionKey": "a", "ExplicitHashKey": hash_key.to_string(),
            })
        })
        .collect();
    for batch in records.chunks(7) {
        let input = json!({"StreamName": "orders", "Records": batch});
        client.call("PutRecords", input).await;
    }
    for (shard, events) in &mut all {
        let expected = (0..40).filter(|number| number % 4 == *shard);
        let expected: Vec<_> = expected.map(|n| base64(n.to_string().as_bytes())).collect();
        assert_eq!(events.data(10).await, expected);
    }
}

#[tokio::test]
async fn large_records_are_pushed_one_by_one() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let consumer = client.register("orders", "app").await;
    let large: Vec<_> = (0..4_u8)
        .map(|byte| base64(vec![byte; 1_000_000]))
        .collect();
    for data in &large {
        client.put("orders", data).await;
    }
    put(&client, 0..2).await;
    let mut events = subscribe(&client, from(&consumer, 0, oldest())).await;
    for data in &large {
        let pushed = events.pushed().await;
        assert_eq!(pushed["Records"].as_array().unwrap().len(), 1);
        assert!(pushed["Records"][0]["Data"] == json!(data));
        assert_ne!(pushed["MillisBehindLatest"], 0);
    }
    assert_eq!(events.data(2).await, numbered(0..2));
}

#[tokio::test]
async fn the_end_of_a_shard_tells_its_children_and_no_place_to_go_on_at() {
    for version in VERSIONS {
        let service = Service::start().await;
        let client = service.client();
        client.create("orders", 1).await;
        let consumer = client.register("orders", "app").await;
        put(&client, 0..2).await;
        let input = from(&consumer, 0, oldest());
        let mut events = client.subscribe(version, input).await.unwrap();
        events.begins().await;
        let half = (u128::MAX / 2 + 1).to_string();
        let split = json!({
            "StreamName": "orders", "ShardToSplit": shard_id(0), "NewStartingHashKey": half,
        });
        client.call("SplitShard", split).await;
        client.until_active("orders").await;
        put(&client, 2..4).await;
        assert_eq!(events.data(2).await, numbered(0..2));
        let last = events.pushed().await;
        assert_eq!(last["Records"], json!([]));
        assert!(last.get("ContinuationSequenceNumber").is_none());
        let children = last["ChildShards"].as_array().unwrap();
        assert_eq!(children.len(), 2);
        assert_eq!(children[0]["ParentShards"], json!([shard_id(0)]));
        assert_eq!(children[1]["ShardId"], shard_id(2));
        assert_eq!(children[1]["HashKeyRange"]["StartingHashKey"], json!(half));
        assert_eq!(events.next().await, None);
        let mut child = subscribe(&client, from(&consumer, 1, oldest())).await;
        assert_eq!(child.data(2).await, numbered(2..4));
    }
}

#[tokio::test]
async fn a_subscription_lasts_five_minutes() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let consumer = client.register("orders", "app").await;
    let mut events = subscribe(&client, from(&consumer, 0, oldest())).await;
    service.pass(OVER_FIVE_MINUTES);
    put(&client, 0..1).await;
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_consumer_takes_over_its_own_subscription_after_five_seconds() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create("orders", 2).await;
    let consumer = client.register("orders", "app").await;
    let other = client.register("orders", "other").await;
    let mut first = subscribe(&client, from(&consumer, 0, oldest())).await;
    service.pass(Duration::from_secs(4));
    let again = from(&consumer, 0, oldest());
    let refused = client
        .subscribe(Version::HTTP_11, again.clone())
        .await
        .err()
        .unwrap();
    assert_eq!(
        (refused.status, refused.code.as_str()),
        (400, "ResourceInUseException")
    );
    let text = "Another active subscription exists for this consumer: \
                000000000000:orders:shardId-000000000000:app";
    assert_eq!(refused.message, text);
    // Others are not in its way.
    subscribe(&client, from(&other, 0, oldest())).await;
    subscribe(&client, from(&consumer, 1, oldest())).await;
    service.pass(Duration::from_secs(1));
    let mut second = subscribe(&client, again).await;
    let (code, message) = first.fails().await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("ResourceInUseException", text)
    );
    client.put("orders", "AA==").await;
    assert!(second.next().await.is_some());
}

#[tokio::test]
async fn what_is_pushed_ends_with_its_consumer_and_with_its_stream() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let first = client.register("orders", "first").await;
    let second = client.register("orders", "second").await;
    let mut of_first = subscribe(&client, from(&first, 0, oldest())).await;
    let mut of_second = subscribe(&client, from(&second, 0, oldest())).await;
    let gone = json!({"ConsumerARN": first});
    client.call("DeregisterStreamConsumer", gone).await;
    let (code, message) = of_first.fails().await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(message, format!("Consumer {first} not found."));
    put(&client, 0..1).await;
    assert_eq!(of_second.data(1).await, numbered(0..1));
    let input = json!({"StreamName": "orders", "EnforceConsumerDeletion": true});
    client.call("DeleteStream", input).await;
    assert_eq!(of_second.fails().await.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn what_cannot_be_subscribed_to_is_refused_before_anything_is_pushed() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let consumer = client.register("orders", "app").await;
    let stream = client.arn("orders");
    let number = client.put("orders", "AA==").await["SequenceNumber"].clone();
    let dry = {
        let mut input = from(&consumer, 0, oldest());
        input["DryRun"] = json!(true);
        input
    };
    for (input, code) in [
        (json!({}), "ValidationException"),
        (from(&stream, 0, oldest()), "ValidationException"),
        (from(&consumer, 0, json!({})), "ValidationException"),
        (
            from(&consumer, 0, json!({"Type": "NOW"})),
            "ValidationException",
        ),
        (
            from(&format!("{stream}/consumer/b:1"), 0, oldest()),
            "ResourceNotFoundException",
        ),
        (from(&consumer, 7, oldest()), "ResourceNotFoundException"),
        (
            from(&consumer, 0, json!({"Type": "AT_SEQUENCE_NUMBER"})),
            "InvalidArgumentException",
        ),
        (
            from(
                &consumer,
                0,
                json!({"Type": "LATEST", "SequenceNumber": number}),
            ),
            "InvalidArgumentException",
        ),
        (
            from(
                &consumer,
                0,
                json!({"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": "1"}),
            ),
            "InvalidArgumentException",
        ),
        (
            from(&consumer, 0, json!({"Type": "AT_TIMESTAMP"})),
            "InvalidArgumentException",
        ),
        (dry, "DryRunOperationException"),
    ] {
        let refused = client
            .subscribe(Version::HTTP_11, input.clone())
            .await
            .err();
        let refused = refused.unwrap_or_else(|| panic!("{input} is not refused"));
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (400, code),
            "{input}"
        );
    }
    let other = service.other_client();
    let refused = other
        .subscribe(Version::HTTP_11, from(&consumer, 0, oldest()))
        .await;
    assert_eq!(refused.err().unwrap().code, "AccessDeniedException");
}

#[tokio::test]
async fn events_are_in_the_codec_of_the_request() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let consumer = client.register("orders", "app").await;
    client.put("orders", &base64(b"some data")).await;
    let mut body = Vec::new();
    ciborium::into_writer(&from(&consumer, 0, oldest()), &mut body).unwrap();
    let kind = "application/x-amz-cbor-1.1";
    let events = client
        .subscribe_as(Version::HTTP_11, kind, body.into())
        .await;
    let mut events = events.unwrap();
    assert_eq!(events.next().await.unwrap().name, "initial-response");
    let event = events.next().await.unwrap();
    let value: ciborium::Value = ciborium::from_reader(&event.payload[..]).unwrap();
    let records = member(&value, "Records").as_array().unwrap();
    assert_eq!(
        member(&records[0], "Data").as_bytes().unwrap(),
        b"some data"
    );
}

fn member<'a>(value: &'a ciborium::Value, name: &str) -> &'a ciborium::Value {
    let members = value.as_map().unwrap().iter();
    let mut found = members.filter(|(key, _)| key.as_text() == Some(name));
    &found.next().unwrap().1
}

#[tokio::test]
async fn records_that_have_expired_are_not_pushed() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let consumer = client.register("orders", "app").await;
    put(&client, 0..2).await;
    service.pass(Duration::from_secs(25 * 3_600));
    put(&client, 2..3).await;
    let mut events = subscribe(&client, from(&consumer, 0, oldest())).await;
    assert_eq!(events.data(1).await, numbered(2..3));
}
