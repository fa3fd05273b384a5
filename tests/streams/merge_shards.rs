//! MergeShards.

use millrace_tests::{Service, shard_id};
use serde_json::{Value, json};

fn merge(shard: u32, adjacent: u32) -> Value {
    json!({
        "StreamName": "orders", "ShardToMerge": shard_id(shard),
        "AdjacentShardToMerge": shard_id(adjacent),
    })
}

#[tokio::test]
async fn two_neighbours_end_and_one_child_takes_the_hash_keys_of_both() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 3).await;
    let put = |hash_key: u128| {
        let input = json!({
            "StreamName": "orders", "Data": "AA==", "PartitionKey": "a",
            "ExplicitHashKey": hash_key.to_string(),
        });
        client.call("PutRecord", input)
    };
    let middle = u128::MAX / 2;
    assert_eq!(put(middle).await["ShardId"], shard_id(1));
    client.call("MergeShards", merge(1, 2)).await;
    client.until_active("orders").await;
    for hash_key in [middle, u128::MAX] {
        assert_eq!(put(hash_key).await["ShardId"], shard_id(3));
    }
    assert_eq!(put(0).await["ShardId"], shard_id(0));

    let listed = client.call("ListShards", json!({"StreamName": "orders"}));
    let shards = listed.await["Shards"].as_array().unwrap().clone();
    let child = &shards[3];
    assert_eq!(child["ParentShardId"], shard_id(1));
    assert_eq!(child["AdjacentParentShardId"], shard_id(2));
    let range = |shard: usize| &shards[shard]["HashKeyRange"];
    assert_eq!(range(3)["StartingHashKey"], range(1)["StartingHashKey"]);
    assert_eq!(range(3)["EndingHashKey"], range(2)["EndingHashKey"]);
    for closed in [1, 2] {
        let numbers = &shards[closed]["SequenceNumberRange"];
        assert!(numbers["EndingSequenceNumber"].is_string());
        let oldest = json!({
            "StreamName": "orders", "ShardId": shard_id(u32::try_from(closed).unwrap()),
            "ShardIteratorType": "TRIM_HORIZON",
        });
        let iterator = client.call("GetShardIterator", oldest).await["ShardIterator"].clone();
        let read = client
            .call("GetRecords", json!({"ShardIterator": iterator}))
            .await;
        let parents = json!([shard_id(1), shard_id(2)]);
        assert_eq!(read["ChildShards"][0]["ShardId"], shard_id(3));
        assert_eq!(read["ChildShards"][0]["ParentShards"], parents);
    }
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_merged_is_refused_with_the_reason() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 3).await;
    let stream = "stream orders under account 000000000000";
    for (shard, adjacent) in [(0, 2), (1, 0), (1, 1)] {
        let refusal = client.refusal("MergeShards", merge(shard, adjacent)).await;
        assert_eq!(refusal.code, "InvalidArgumentException");
        let (shard, adjacent) = (shard_id(shard), shard_id(adjacent));
        let wanted = format!(
            "Shards {shard} and {adjacent} in {stream} are not an adjacent pair of shards \
             eligible for merging"
        );
        assert_eq!(refusal.message, wanted);
    }
    for (shard, adjacent, missing) in [(9, 0, 9), (0, 9, 9)] {
        let refusal = client.refusal("MergeShards", merge(shard, adjacent)).await;
        assert_eq!(refusal.code, "ResourceNotFoundException");
        let missing = shard_id(missing);
        let wanted = format!("Could not find shard {missing} in {stream}.");
        assert_eq!(refusal.message, wanted);
    }
    client.call("MergeShards", merge(0, 1)).await;
    client.until_active("orders").await;
    let code = client.code("MergeShards", merge(0, 1)).await;
    assert_eq!(code, "InvalidArgumentException");
    client.call("MergeShards", merge(3, 2)).await;
    client.until_active("orders").await;
    assert_eq!(client.summary("orders").await["OpenShardCount"], 1);
    service.stop().await;
}
