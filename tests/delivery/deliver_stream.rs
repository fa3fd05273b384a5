//! What becomes of the records of a stream that a delivery stream reads.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_tests::{BUCKET, Client, Service, base64};
use serde_json::{Value, json};

const MOMENT: Duration = Duration::from_millis(10);

/// Puts lines into a stream, each with itself as its partition key; the shard of each.
async fn put_lines(client: &Client, lines: &[String]) -> Vec<String> {
    let mut shards = Vec::new();
    for lines in lines.chunks(100) {
        let records = lines
            .iter()
            .map(|line| json!({"Data": base64(line), "PartitionKey": line}));
        let records: Vec<Value> = records.collect();
        let input = json!({"StreamName": "orders", "Records": records});
        let answer = client.call("PutRecords", input).await;
        assert_eq!(answer["FailedRecordCount"], 0);
        let answers = answer["Records"].as_array().unwrap().iter();
        shards.extend(answers.map(|record| record["ShardId"].as_str().unwrap().to_owned()));
    }
    shards
}

fn lines(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("{number:05}\n")).collect()
}

/// All lines of all objects, in order of the lines.
fn delivered_lines(service: &Service) -> Vec<String> {
    let text = service.delivered().concat();
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn only_what_arrives_after_the_delivery_stream_was_made_is_delivered() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.put("orders", &base64("before")).await;
    service.pass(MOMENT);
    client.create_delivery_of("copy", "orders", json!({})).await;
    client.flush("copy").await;
    assert!(service.delivered().is_empty());
    client.put("orders", &base64("after")).await;
    client.flush("copy").await;
    assert_eq!(service.delivered(), ["after"]);
    // Nobody takes records away from the stream.
    assert_eq!(client.data("orders").await, ["before", "after"].map(base64));
    service.stop().await;
}

#[tokio::test]
async fn an_object_holds_records_of_one_shard_in_their_order() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 4).await;
    service.pass(MOMENT);
    client.create_delivery_of("copy", "orders", json!({})).await;
    let mut by_shard: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for round in 0..3 {
        let lines = lines(round * 200..(round + 1) * 200);
        for (line, shard) in lines.iter().zip(put_lines(&client, &lines).await) {
            by_shard.entry(shard).or_default().push(line.clone());
        }
        client.flush("copy").await;
        service.pass(Duration::from_secs(1));
    }
    assert_eq!(by_shard.len(), 4);
    let objects = service.delivered();
    assert_eq!(objects.len(), 12);
    for (shard, wanted) in by_shard {
        let of_shard = objects.iter().filter(|object| {
            let first = object.split_inclusive('\n').next();
            first.is_some_and(|first| wanted.iter().any(|line| line == first))
        });
        let found: String = of_shard.map(String::as_str).collect();
        assert_eq!(found, wanted.concat(), "{shard}");
    }
    assert_eq!(client.delivery("copy").await["delivered"], 600);
    service.stop().await;
}

#[tokio::test]
async fn each_record_is_delivered_once_over_restarts() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 2).await;
    service.pass(MOMENT);
    client.create_delivery_of("copy", "orders", json!({})).await;
    let mut service = service;
    for round in 0..3 {
        let client = service.client();
        put_lines(&client, &lines(round * 60..round * 60 + 30)).await;
        if round == 1 {
            client.flush("copy").await;
        }
        put_lines(&client, &lines(round * 60 + 30..round * 60 + 60)).await;
        service = service.restart().await;
    }
    service.client().flush("copy").await;
    assert_eq!(delivered_lines(&service), lines(0..180));
    assert_eq!(service.client().delivery("copy").await["delivered"], 180);
    service.stop().await;
}

#[tokio::test]
async fn each_delivery_stream_of_a_stream_gets_all_of_it() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 2).await;
    service.pass(MOMENT);
    for name in ["copy-1", "copy-2"] {
        let more = json!({"BucketARN": format!("arn:aws:s3:::{name}")});
        client.create_delivery_of(name, "orders", more).await;
    }
    put_lines(&client, &lines(0..50)).await;
    for name in ["copy-1", "copy-2"] {
        client.flush(name).await;
        let objects = service.objects(name);
        let text: String = objects.iter().map(millrace_tests::Object::text).collect();
        let mut found: Vec<&str> = text.split_inclusive('\n').collect();
        found.sort_unstable();
        assert_eq!(found, lines(0..50), "{name}");
    }
    assert!(service.objects(BUCKET).is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_deleted_and_made_again_is_read_on() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    service.pass(MOMENT);
    client.create_delivery_of("copy", "orders", json!({})).await;
    put_lines(&client, &lines(0..10)).await;
    client.flush("copy").await;
    client.delete("orders").await;
    // Without a stream there is nothing to do, and no trouble.
    client.flush("copy").await;
    assert_eq!(
        client.describe_delivery("copy").await["DeliveryStreamStatus"],
        "ACTIVE"
    );
    service.pass(MOMENT);
    client.create("orders", 1).await;
    put_lines(&client, &lines(10..20)).await;
    // The new stream's shards are found after a while; until then nothing is known to wait.
    client
        .delivery_until("copy", |page| {
            page["waitingRecords"] == 10 || page["delivered"] == 20
        })
        .await;
    client.flush("copy").await;
    assert_eq!(delivered_lines(&service), lines(0..20));
    service.stop().await;
}
