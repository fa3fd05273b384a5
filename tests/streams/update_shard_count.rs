//! UpdateShardCount.

use millrace_tests::{Client, Service, shard_id};
use serde_json::{Value, json};
use types::HashKeyRange;

fn scale(target: i64) -> Value {
    json!({
        "StreamName": "orders", "TargetShardCount": target, "ScalingType": "UNIFORM_SCALING",
    })
}

/// The hash keys of the open shards, in order.
async fn ranges(client: &Client) -> Vec<(String, String)> {
    let filter = json!({"StreamName": "orders", "ShardFilter": {"Type": "AT_LATEST"}});
    let listed = client.call("ListShards", filter).await;
    let shards = listed["Shards"].as_array().unwrap().iter();
    let text = |shard: &Value, end: &str| shard["HashKeyRange"][end].as_str().unwrap().to_owned();
    let mut ranges: Vec<_> = shards
        .map(|shard| (text(shard, "StartingHashKey"), text(shard, "EndingHashKey")))
        .collect();
    ranges.sort_by_key(|(first, _)| first.parse::<u128>().unwrap());
    ranges
}

#[tokio::test]
async fn a_stream_is_scaled_up_and_down_and_its_shards_are_of_one_size() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let mut current = 1;
    for target in [2, 4, 8, 4, 3] {
        let scaled = client.call("UpdateShardCount", scale(target)).await;
        let wanted = json!({
            "StreamName": "orders", "CurrentShardCount": current, "TargetShardCount": target,
            "StreamARN": "arn:aws:kinesis:eu-central-1:000000000000:stream/orders",
        });
        assert_eq!(scaled, wanted);
        client.until_active("orders").await;
        let even = HashKeyRange::split_evenly(u32::try_from(target).unwrap());
        let even = even.iter();
        let even = even.map(|range| (range.first.to_string(), range.last.to_string()));
        assert_eq!(ranges(&client).await, even.collect::<Vec<_>>());
        current = target;
    }
    service.stop().await;
}

#[tokio::test]
async fn what_goes_too_far_is_refused_with_both_counts() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 5).await;
    for (target, way) in [
        (11, "up over double"),
        (2, "down below half"),
        (1, "down below half"),
    ] {
        let refusal = client.refusal("UpdateShardCount", scale(target)).await;
        assert_eq!(refusal.code, "LimitExceededException");
        let wanted = format!(
            "UpdateShardCount cannot scale {way} your current open shard count. Current open \
             shard count: 5 Target shard count: {target}"
        );
        assert_eq!(refusal.message, wanted);
    }
    for (input, code) in [
        (scale(0), "ValidationException"),
        (scale(i64::from(i32::MAX)), "LimitExceededException"),
        (scale(i64::MAX), "ValidationException"),
        (
            json!({"StreamName": "orders", "TargetShardCount": 5, "ScalingType": "OTHER"}),
            "ValidationException",
        ),
        (
            json!({"StreamName": "orders", "TargetShardCount": 5}),
            "ValidationException",
        ),
    ] {
        assert_eq!(
            client.code("UpdateShardCount", input.clone()).await,
            code,
            "{input}"
        );
    }
    assert_eq!(client.summary("orders").await["OpenShardCount"], 5);
    service.stop().await;
}

/// Producers put all the while and each waits for its answers; whoever reads parents before
/// their children finds every record once, those of a key in the order in which they were put.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn producers_do_not_notice_that_a_stream_is_scaled() {
    const PRODUCERS: u64 = 8;
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let producers = (0..PRODUCERS).map(|producer| {
        let (client, stopped) = (service.client(), stopped.clone());
        tokio::spawn(async move {
            let mut count = 0_u64;
            while !*stopped.borrow() {
                let records: Vec<_> = (count..count + 5)
                    .map(|number| {
                        let data = millrace_tests::base64(number.to_be_bytes());
                        json!({"Data": data, "PartitionKey": format!("producer-{producer}")})
                    })
                    .collect();
                let put = json!({"StreamName": "orders", "Records": records});
                let put = client.call("PutRecords", put).await;
                assert_eq!(put["FailedRecordCount"], 0, "{put}");
                count += 5;
            }
            count
        })
    });
    let producers: Vec<_> = producers.collect();
    for target in [2, 4, 8, 4, 3] {
        client.call("UpdateShardCount", scale(target)).await;
        client.until_active("orders").await;
    }
    stop.send_replace(true);
    let mut put = Vec::new();
    for producer in producers {
        put.push(producer.await.unwrap());
    }
    let mut read = vec![0_u64; put.len()];
    let listed = client.call("ListShards", json!({"StreamName": "orders"}));
    for number in 0..listed.await["Shards"].as_array().unwrap().len() {
        let id = shard_id(u32::try_from(number).unwrap());
        let oldest = json!({
            "StreamName": "orders", "ShardId": id, "ShardIteratorType": "TRIM_HORIZON",
        });
        let mut iterator = client.call("GetShardIterator", oldest).await["ShardIterator"].clone();
        loop {
            let input = json!({"ShardIterator": iterator});
            let answer = client.call("GetRecords", input).await;
            for record in answer["Records"].as_array().unwrap() {
                let key = record["PartitionKey"].as_str().unwrap();
                let producer: usize = key["producer-".len()..].parse().unwrap();
                let wanted = millrace_tests::base64(read[producer].to_be_bytes());
                assert_eq!(record["Data"], wanted, "{key}");
                read[producer] += 1;
            }
            match answer.get("NextShardIterator") {
                Some(next) if answer["MillisBehindLatest"] != 0 => iterator = next.clone(),
                _ => break,
            }
        }
    }
    assert_eq!(read, put);
    assert!(put.iter().all(|count| *count > 0), "{put:?}");
    service.stop().await;
}
