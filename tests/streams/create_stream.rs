//! CreateStream.

use millrace_tests::{ACCOUNT, Service};
use serde_json::{Value, json};

async fn ranges(service: &Service, name: &str) -> Vec<(u128, u128)> {
    let answer = service
        .client()
        .call("ListShards", json!({"StreamName": name}))
        .await;
    let number = |value: &Value| value.as_str().unwrap().parse().unwrap();
    let shards = answer["Shards"].as_array().unwrap().iter();
    let range = |shard: &Value| {
        let range = &shard["HashKeyRange"];
        (
            number(&range["StartingHashKey"]),
            number(&range["EndingHashKey"]),
        )
    };
    shards.map(range).collect()
}

#[tokio::test]
async fn the_shards_of_a_new_stream_share_all_hash_keys_evenly() {
    let service = Service::start().await;
    for shards in [1_u32, 2, 3, 7, 100] {
        let name = format!("of-{shards}");
        service.client().create(&name, shards).await;
        let ranges = ranges(&service, &name).await;
        assert_eq!(ranges.len(), shards as usize);
        assert_eq!((ranges[0].0, ranges[ranges.len() - 1].1), (0, u128::MAX));
        for pair in ranges.windows(2) {
            assert_eq!(pair[0].1 + 1, pair[1].0);
        }
        let even = u128::MAX / u128::from(shards);
        for (start, end) in ranges {
            assert!((end - start).abs_diff(even) <= u128::from(shards));
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_and_the_stream_stays_as_it_is() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.put("orders", "b25l").await;
    let input = json!({"StreamName": "orders", "ShardCount": 3});
    let refusal = client.refusal("CreateStream", input).await;
    assert_eq!(refusal.code, "ResourceInUseException");
    let wanted = format!("Stream orders under account {ACCOUNT} already exists.");
    assert_eq!(refusal.message, wanted);
    assert_eq!(client.summary("orders").await["OpenShardCount"], 1);
    assert_eq!(client.data("orders").await, ["b25l"]);
    service.stop().await;
}

#[tokio::test]
async fn tags_come_with_the_stream() {
    let service = Service::start().await;
    let client = service.client();
    let input = json!({"StreamName": "orders", "ShardCount": 1, "Tags": {"team": "mill"}});
    client.call("CreateStream", input).await;
    let tags = client
        .call("ListTagsForStream", json!({"StreamName": "orders"}))
        .await;
    assert_eq!(tags["Tags"], json!([{"Key": "team", "Value": "mill"}]));
    service.stop().await;
}

#[tokio::test]
async fn more_shards_than_an_account_may_have_are_refused() {
    let service = Service::start().await;
    let client = service.client();
    let too_many = types::limits::SHARDS_PER_REGION_MAX + 1;
    let input = json!({"StreamName": "vast", "ShardCount": too_many});
    assert_eq!(
        client.code("CreateStream", input).await,
        "LimitExceededException"
    );
    let names = client.call("ListStreams", json!({})).await;
    assert_eq!(names["StreamNames"], json!([]));
    service.stop().await;
}

#[tokio::test]
async fn of_many_creations_of_one_name_at_the_same_time_one_succeeds() {
    let service = Service::start().await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let client = service.client();
        let input = json!({"StreamName": "race", "ShardCount": 1});
        calls.spawn(async move {
            let answer = client.send("CreateStream", input.to_string().into()).await;
            answer.status().as_u16()
        });
    }
    let statuses = calls.join_all().await;
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    service.stop().await;
}

#[tokio::test]
async fn a_provisioned_stream_says_how_many_shards_and_an_on_demand_one_does_not() {
    let service = Service::start().await;
    let client = service.client();
    let on_demand = json!({"StreamMode": "ON_DEMAND"});
    for wrong in [
        json!({"StreamName": "orders"}),
        json!({"StreamName": "orders", "StreamModeDetails": {"StreamMode": "PROVISIONED"}}),
        json!({"StreamName": "orders", "StreamModeDetails": on_demand, "ShardCount": 2}),
    ] {
        assert_eq!(
            client.code("CreateStream", wrong).await,
            "InvalidArgumentException"
        );
    }
    let input = json!({"StreamName": "orders", "StreamModeDetails": on_demand});
    client.call("CreateStream", input).await;
    let stream = client.summary("orders").await;
    assert_eq!(stream["StreamModeDetails"], on_demand);
    assert_eq!(stream["OpenShardCount"], 4);
    service.stop().await;
}

#[tokio::test]
async fn a_stream_takes_records_as_large_as_it_was_made_for() {
    let service = Service::start().await;
    let client = service.client();
    let input = json!({"StreamName": "large", "ShardCount": 1, "MaxRecordSizeInKiB": 2048});
    client.call("CreateStream", input).await;
    client.create("usual", 1).await;
    let data = "AAAA".repeat(2 * 1024 * 1024 / 3);
    client.put("large", &data).await;
    let input = json!({"StreamName": "usual", "Data": data, "PartitionKey": "a"});
    assert_eq!(client.code("PutRecord", input).await, "ValidationException");
    assert_eq!(client.data("large").await, [data]);
    service.stop().await;
}

#[tokio::test]
async fn what_only_an_on_demand_stream_can_have_is_refused_for_others() {
    let service = Service::start().await;
    for (member, value, code) in [
        ("WarmThroughputMiBps", json!(10), "ValidationException"),
        (
            "RecordDistributionStrategy",
            json!("AUTO"),
            "InvalidArgumentException",
        ),
    ] {
        let mut input = json!({"StreamName": "orders", "ShardCount": 1});
        input[member] = value;
        let refusal = service.client().refusal("CreateStream", input).await;
        assert_eq!(refusal.code, code, "{member}");
        let wanted = "is only supported for streams with StreamMode ON_DEMAND.";
        assert!(refusal.message.ends_with(wanted), "{refusal:?}");
    }
    service.stop().await;
}
