//! SplitShard.

use millrace_tests::{Client, Service, shard_id};
use serde_json::{Value, json};

/// 2^127, half of all hash keys.
const HALF: &str = "170141183460469231731687303715884105728";

fn split(shard: u32, at: &str) -> Value {
    json!({"StreamName": "orders", "ShardToSplit": shard_id(shard), "NewStartingHashKey": at})
}

async fn put_at(client: &Client, hash_key: &str) -> Value {
    let put = json!({
        "StreamName": "orders", "Data": "AA==", "PartitionKey": "a", "ExplicitHashKey": hash_key,
    });
    client.call("PutRecord", put).await
}

async fn shards(client: &Client) -> Vec<Value> {
    let listed = client.call("ListShards", json!({"StreamName": "orders"}));
    listed.await["Shards"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_shard_that_is_split_ends_and_two_children_take_its_hash_keys() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let before = put_at(&client, "5").await;
    client.call("SplitShard", split(0, HALF)).await;
    client.until_active("orders").await;
    let below = "170141183460469231731687303715884105727";
    let after = [put_at(&client, below).await, put_at(&client, HALF).await];
    assert_eq!(after[0]["ShardId"], shard_id(1));
    assert_eq!(after[1]["ShardId"], shard_id(2));

    let service = service.restart().await;
    let client = service.client();
    let shards = shards(&client).await;
    assert_eq!(shards.len(), 3);
    let numbers = |shard: usize| &shards[shard]["SequenceNumberRange"];
    let ending = numbers(0)["EndingSequenceNumber"].as_str().unwrap();
    assert!(before["SequenceNumber"].as_str().unwrap() < ending);
    for (child, first, last) in [(1, "0", below), (2, HALF, &u128::MAX.to_string()[..])] {
        let shard = &shards[child];
        assert_eq!(shard["ParentShardId"], shard_id(0));
        assert!(shard.get("AdjacentParentShardId").is_none());
        let range = json!({"StartingHashKey": first, "EndingHashKey": last});
        assert_eq!(shard["HashKeyRange"], range);
        assert!(numbers(child).get("EndingSequenceNumber").is_none());
        let starting = numbers(child)["StartingSequenceNumber"].as_str().unwrap();
        assert!(ending < starting);
        assert!(starting < after[child - 1]["SequenceNumber"].as_str().unwrap());
    }
    let read = client.read("orders").await;
    assert_eq!(read["Records"].as_array().unwrap().len(), 1);
    assert!(read.get("NextShardIterator").is_none());
    let children = read["ChildShards"].as_array().unwrap();
    assert_eq!(children[0]["ParentShards"], json!([shard_id(0)]));
    assert_eq!(client.summary("orders").await["OpenShardCount"], 2);
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_split_is_refused_with_the_reason() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 2).await;
    let (stream, last) = ("stream orders under account 000000000000", u128::MAX);
    for (input, wanted) in [
        (
            split(7, HALF),
            format!("Could not find shard shardId-000000000007 in {stream}."),
        ),
        (
            json!({"StreamName": "orders", "ShardToSplit": "x", "NewStartingHashKey": "5"}),
            format!("Could not find shard x in {stream}."),
        ),
    ] {
        let refusal = client.refusal("SplitShard", input).await;
        assert_eq!(refusal.code, "ResourceNotFoundException");
        assert_eq!(refusal.message, wanted);
    }
    let outside = |at: &str| {
        format!(
            "NewStartingHashKey {at} used in SplitShard() on shard shardId-000000000001 in \
             {stream} is not both greater than one plus the shard's StartingHashKey {HALF} and \
             less than the shard's EndingHashKey {last}."
        )
    };
    let over = "340282366920938463463374607431768211456";
    for (at, wanted) in [
        ("0", outside("0")),
        (HALF, outside(HALF)),
        (&last.to_string(), outside(&last.to_string())),
        (
            over,
            format!(
                "Invalid NewStartingHashKey. NewStartingHashKey must be in the range: [0, \
                 2^128-1]. Specified value was {over}"
            ),
        ),
    ] {
        let refusal = client.refusal("SplitShard", split(1, at)).await;
        assert_eq!(refusal.code, "InvalidArgumentException");
        assert_eq!(refusal.message, wanted);
    }
    client.call("SplitShard", split(0, "5")).await;
    client.until_active("orders").await;
    let refusal = client.refusal("SplitShard", split(0, "5")).await;
    assert_eq!(refusal.code, "InvalidArgumentException");
    let wanted = format!(
        "Shard shardId-000000000000 in {stream} has already been merged or split, and thus is not \
         eligible for merging or splitting."
    );
    assert_eq!(refusal.message, wanted);
    let gone = json!({"StreamName": "no", "ShardToSplit": "x", "NewStartingHashKey": "5"});
    assert_eq!(
        client.code("SplitShard", gone).await,
        "ResourceNotFoundException"
    );
    assert_eq!(shards(&client).await.len(), 4);
    service.stop().await;
}

#[tokio::test]
async fn an_account_has_no_more_shards_than_it_may_by_splitting() {
    let service = Service::start().await;
    let client = service.client();
    for name in ["a", "b"] {
        client.create(name, 10_000).await;
    }
    let input = json!({
        "StreamName": "a", "ShardToSplit": shard_id(0), "NewStartingHashKey": "5",
    });
    let refusal = client.refusal("SplitShard", input).await;
    assert_eq!(refusal.code, "LimitExceededException");
    assert!(
        refusal
            .message
            .contains("Limit: 20000. Number of additional shards"),
        "{refusal:?}"
    );
    service.stop().await;
}

#[tokio::test]
async fn shards_of_a_stream_on_demand_are_not_for_its_owner_to_change() {
    let service = Service::start().await;
    let client = service.client();
    let mode = json!({"StreamMode": "ON_DEMAND"});
    let create = json!({"StreamName": "orders", "StreamModeDetails": mode});
    client.call("CreateStream", create).await;
    client.until_active("orders").await;
    let merge = json!({
        "StreamName": "orders", "ShardToMerge": shard_id(0), "AdjacentShardToMerge": shard_id(1),
    });
    let scale = json!({
        "StreamName": "orders", "TargetShardCount": 5, "ScalingType": "UNIFORM_SCALING",
    });
    for (operation, input) in [
        ("SplitShard", split(0, "5")),
        ("MergeShards", merge),
        ("UpdateShardCount", scale),
    ] {
        let code = client.code(operation, input).await;
        assert_eq!(code, "ValidationException", "{operation}");
    }
    service.stop().await;
}
