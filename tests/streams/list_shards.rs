//! ListShards.

use millrace_tests::{Client, Service, shard_id};
use serde_json::{Value, json};
use types::Timestamp;

use crate::OVER_FIVE_MINUTES;

async fn ids(client: &Client, input: Value) -> Vec<String> {
    let answer = client.call("ListShards", input).await;
    let shards = answer["Shards"].as_array().unwrap().iter();
    shards
        .map(|shard| shard["ShardId"].as_str().unwrap().to_owned())
        .collect()
}

async fn with_shards(shards: u32) -> Service {
    let service = Service::start().await;
    service.client().create("orders", shards).await;
    service
}

#[tokio::test]
async fn shards_come_in_pages_by_token() {
    let service = with_shards(5).await;
    let client = service.client();
    let mut found = Vec::new();
    let mut input = json!({"StreamName": "orders", "MaxResults": 2});
    loop {
        let answer = client.call("ListShards", input).await;
        let page = answer["Shards"].as_array().unwrap();
        assert!(page.len() <= 2);
        found.extend(page.iter().map(|shard| shard["ShardId"].clone()));
        let Some(token) = answer.get("NextToken") else {
            break;
        };
        input = json!({"NextToken": token, "MaxResults": 2});
    }
    let all: Vec<Value> = (0..5).map(|index| json!(shard_id(index))).collect();
    assert_eq!(found, all);
    service.stop().await;
}

#[tokio::test]
async fn listing_starts_after_the_shard_that_is_named() {
    let service = with_shards(3).await;
    for name in [&*shard_id(1), "shardId-1", "1"] {
        let input = json!({"StreamName": "orders", "ExclusiveStartShardId": name});
        assert_eq!(ids(&service.client(), input).await, [shard_id(2)]);
    }
    let input = json!({"StreamName": "orders", "ExclusiveStartShardId": "no-shard"});
    let code = service.client().code("ListShards", input).await;
    assert_eq!(code, "ResourceNotFoundException");
    service.stop().await;
}

/// A consumer asks with a filter when it begins, and did not begin before the clock had caught up.
#[tokio::test]
async fn filters_without_a_time_work_while_the_clock_is_behind_the_creation_of_the_stream() {
    let service = with_shards(2).await;
    service.set_clock(Timestamp(service.now().0 - 3_600_000));
    let client = service.client();
    let all: Vec<String> = (0..2).map(shard_id).collect();
    for kind in ["AT_LATEST", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON"] {
        let input = json!({"StreamName": "orders", "ShardFilter": {"Type": kind}});
        assert_eq!(ids(&client, input).await, all, "{kind}");
    }
    let after = json!({"Type": "AFTER_SHARD_ID", "ShardId": shard_id(0)});
    let input = json!({"StreamName": "orders", "ShardFilter": after});
    assert_eq!(ids(&client, input).await, [shard_id(1)]);
    // A time that was said may not lie in what is now the future.
    for (seconds, is_refused) in [(0, false), (1, true)] {
        let at = service.now().0 / 1_000 + seconds;
        let filter = json!({"Type": "FROM_TIMESTAMP", "Timestamp": at});
        let input = json!({"StreamName": "orders", "ShardFilter": filter});
        let answer = client.send("ListShards", input.to_string().into()).await;
        assert_eq!(answer.status() == 400, is_refused);
    }
    service.stop().await;
}

#[tokio::test]
async fn open_shards_pass_every_filter() {
    let service = with_shards(3).await;
    let client = service.client();
    let all: Vec<String> = (0..3).map(shard_id).collect();
    let now = 1_700_000_000;
    for filter in [
        json!({"Type": "AT_TRIM_HORIZON"}),
        json!({"Type": "FROM_TRIM_HORIZON"}),
        json!({"Type": "AT_LATEST"}),
        json!({"Type": "AT_TIMESTAMP", "Timestamp": now}),
        json!({"Type": "FROM_TIMESTAMP", "Timestamp": now}),
    ] {
        let input = json!({"StreamName": "orders", "ShardFilter": filter});
        assert_eq!(ids(&client, input).await, all);
    }
    let after = json!({"Type": "AFTER_SHARD_ID", "ShardId": shard_id(0)});
    let input = json!({"StreamName": "orders", "ShardFilter": after});
    assert_eq!(ids(&client, input).await, all[1..]);
    service.stop().await;
}

#[tokio::test]
async fn a_filter_needs_what_its_type_speaks_of() {
    let service = with_shards(1).await;
    for kind in ["AFTER_SHARD_ID", "AT_TIMESTAMP", "FROM_TIMESTAMP"] {
        let input = json!({"StreamName": "orders", "ShardFilter": {"Type": kind}});
        let code = service.client().code("ListShards", input).await;
        assert_eq!(code, "InvalidArgumentException", "{kind}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_token_expires_after_five_minutes() {
    let service = with_shards(2).await;
    let client = service.client();
    let page = client
        .call(
            "ListShards",
            json!({"StreamName": "orders", "MaxResults": 1}),
        )
        .await;
    service.pass(OVER_FIVE_MINUTES);
    let code = client
        .code("ListShards", json!({"NextToken": page["NextToken"]}))
        .await;
    assert_eq!(code, "ExpiredNextTokenException");
    service.stop().await;
}

#[tokio::test]
async fn a_token_stands_alone_and_is_of_its_account() {
    let service = with_shards(2).await;
    let client = service.client();
    let page = client
        .call(
            "ListShards",
            json!({"StreamName": "orders", "MaxResults": 1}),
        )
        .await;
    let token = &page["NextToken"];
    for wrong in [
        json!({"NextToken": token, "StreamName": "orders"}),
        json!({"NextToken": token, "ExclusiveStartShardId": shard_id(0)}),
        json!({"NextToken": "nonsense"}),
    ] {
        let code = client.code("ListShards", wrong).await;
        assert_eq!(code, "InvalidArgumentException");
    }
    let code = service
        .other_client()
        .code("ListShards", json!({"NextToken": token}))
        .await;
    assert_eq!(code, "AccessDeniedException");
    service.stop().await;
}
