//! Streams are made, described, listed, changed and deleted, and outlive their server.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod support;

use serde_json::{Value, json};
use store::disk::simulated::{Random, SimulatedDisk, Survival};
use support::{UNTHROTTLED, World, caller};

fn strings<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    let list = list.as_array().unwrap().iter();
    list.map(|value| value[member].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_stream_becomes_active_and_says_what_it_is() {
    let world = World::new().await;
    world.stream("clicks", 3).await;
    let described = ok!(world, describe_stream, json!({"StreamName": "clicks"}));
    let stream = &described["StreamDescription"];
    let arn = "arn:aws:kinesis:eu-west-1:000000000000:stream/clicks";
    assert_eq!(stream["StreamARN"], arn);
    assert_eq!(stream["StreamStatus"], "ACTIVE");
    assert_eq!(stream["StreamModeDetails"]["StreamMode"], "PROVISIONED");
    assert_eq!(stream["RetentionPeriodHours"], 24);
    assert_eq!(stream["StreamCreationTimestamp"], 1_700_000_000.0);
    assert_eq!(stream["HasMoreShards"], false);
    assert_eq!(stream["EncryptionType"], "NONE");
    assert_eq!(
        stream["EnhancedMonitoring"],
        json!([{"ShardLevelMetrics": []}])
    );
    let shard = &stream["Shards"][1];
    assert_eq!(shard["ShardId"], "shardId-000000000001");
    let first = "113427455640312821154458202477256070485";
    assert_eq!(shard["HashKeyRange"]["StartingHashKey"], first);
    assert!(shard.get("ParentShardId").is_none());
    assert!(
        shard["SequenceNumberRange"]
            .get("EndingSequenceNumber")
            .is_none()
    );

    let summary = ok!(world, describe_stream_summary, json!({"StreamARN": arn}));
    let summary = &summary["StreamDescriptionSummary"];
    assert_eq!(summary["OpenShardCount"], 3);
    assert_eq!(summary["ConsumerCount"], 0);
    assert_eq!(summary["MaxRecordSizeInKiB"], 1024);
}

#[tokio::test]
async fn an_on_demand_stream_begins_with_four_shards() {
    let world = World::new().await;
    let mode = json!({"StreamMode": "ON_DEMAND"});
    let body = json!({"StreamName": "s", "StreamModeDetails": mode, "MaxRecordSizeInKiB": 2048});
    ok!(world, create_stream, body);
    world.until_active("s").await;
    let summary = ok!(world, describe_stream_summary, json!({"StreamName": "s"}));
    let summary = &summary["StreamDescriptionSummary"];
    assert_eq!(summary["OpenShardCount"], 4);
    assert_eq!(summary["StreamModeDetails"]["StreamMode"], "ON_DEMAND");
    assert_eq!(summary["MaxRecordSizeInKiB"], 2048);
}

#[tokio::test]
async fn a_name_is_taken_once_in_an_account_and_region() {
    let mut world = World::new().await;
    world.stream("s", 1).await;
    let body = json!({"StreamName": "s", "ShardCount": 1});
    let (code, text) = err!(world, create_stream, body);
    assert_eq!(code, "ResourceInUseException");
    assert_eq!(text, "Stream s under account 000000000000 already exists.");
    for (account, region) in [("000000000000", "eu-west-2"), ("000000000001", "eu-west-1")] {
        world.caller = caller(account, region);
        let (code, text) = err!(world, describe_stream, json!({"StreamName": "s"}));
        assert_eq!(code, "ResourceNotFoundException");
        assert_eq!(text, format!("Stream s under account {account} not found."));
        world.stream("s", 2).await;
    }
}

#[tokio::test]
async fn a_stream_that_cannot_be_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let on_demand = json!({"StreamMode": "ON_DEMAND"});
    for (body, code) in [
        (json!({"StreamName": "s"}), "InvalidArgumentException"),
        (
            json!({"StreamName": "s", "ShardCount": 0}),
            "ValidationException",
        ),
        (
            json!({"StreamName": "s", "ShardCount": 20_001}),
            "LimitExceededException",
        ),
        (
            json!({"StreamName": "s", "ShardCount": i32::MAX}),
            "LimitExceededException",
        ),
        (
            json!({"StreamName": "s/t", "ShardCount": 1}),
            "ValidationException",
        ),
        (
            json!({"StreamName": "s", "ShardCount": "1"}),
            "SerializationException",
        ),
        (json!({"ShardCount": 1}), "ValidationException"),
        (
            json!({"StreamName": "s", "ShardCount": 1, "StreamModeDetails": on_demand}),
            "InvalidArgumentException",
        ),
        (
            json!({"StreamName": "s", "ShardCount": 1, "MaxRecordSizeInKiB": 1023}),
            "ValidationException",
        ),
        (
            json!({"StreamName": "s", "ShardCount": 1, "RecordDistributionStrategy": "AUTO"}),
            "InvalidArgumentException",
        ),
        (
            json!({"StreamName": "s", "ShardCount": 1, "WarmThroughputMiBps": 5}),
            "ValidationException",
        ),
    ] {
        let (refused, text) = err!(world, create_stream, body);
        assert_eq!(refused, code, "{body}: {text}");
    }
    let listed = ok!(world, list_streams, json!({}));
    assert_eq!(listed["StreamNames"], json!([]));
}

#[tokio::test]
async fn a_deleted_stream_is_gone_and_its_successor_does_not_see_its_records() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.put("s", "k", "b2xk").await;
    let old = world
        .iterator("s", 0, json!({"ShardIteratorType": "TRIM_HORIZON"}))
        .await;
    let body = json!({"StreamName": "s", "EnforceConsumerDeletion": true});
    ok!(world, delete_stream, body);
    // It may still be DELETING, and its name is then still taken.
    loop {
        let create = json!({"StreamName": "s", "ShardCount": 1});
        let call = world.call(&create);
        match streams::ops::create_stream::handle(&world.streams, call).await {
            Ok(_) => break,
            Err(error) => assert_eq!(error.code(), "ResourceInUseException"),
        }
        // A refusal awaits nothing, so nothing else would get on.
        tokio::task::yield_now().await;
    }
    world.until_active("s").await;
    let (code, text) = err!(world, get_records, json!({"ShardIterator": old}));
    assert_eq!(code, "ResourceNotFoundException");
    let shard = "Shard shardId-000000000000 in stream s under account 000000000000";
    assert_eq!(text, format!("{shard} does not exist"));
    let new = world
        .iterator("s", 0, json!({"ShardIteratorType": "TRIM_HORIZON"}))
        .await;
    assert_eq!(world.read(&new).await["Records"], json!([]));
    let (code, _) = err!(world, delete_stream, json!({"StreamName": "t"}));
    assert_eq!(code, "ResourceNotFoundException");
}

#[tokio::test]
async fn streams_by_arn_are_those_of_the_caller() {
    let world = World::new().await;
    world.stream("s", 1).await;
    let arn = |account: &str, region: &str, name: &str| {
        format!("arn:aws:kinesis:{region}:{account}:stream/{name}")
    };
    let own = arn("000000000000", "eu-west-1", "s");
    ok!(
        world,
        describe_stream,
        json!({"StreamARN": own, "StreamName": "s"})
    );
    for (body, code) in [
        (json!({}), "InvalidArgumentException"),
        (
            json!({"StreamARN": own, "StreamName": "t"}),
            "InvalidArgumentException",
        ),
        (json!({"StreamARN": "s"}), "ValidationException"),
        (
            json!({"StreamARN": arn("000000000000", "eu-west-2", "s")}),
            "ResourceNotFoundException",
        ),
        (
            json!({"StreamARN": arn("000000000001", "eu-west-1", "s")}),
            "AccessDeniedException",
        ),
        (
            json!({"StreamARN": format!("{own}/consumer/c:1")}),
            "InvalidArgumentException",
        ),
    ] {
        assert_eq!(err!(world, describe_stream, body).0, code, "{body}");
    }
}

#[tokio::test]
async fn names_of_streams_come_in_pages() {
    let world = World::new().await;
    for name in ["d", "a", "c", "b", "e"] {
        world.stream(name, 1).await;
    }
    let first = ok!(world, list_streams, json!({"Limit": 2}));
    assert_eq!(first["StreamNames"], json!(["a", "b"]));
    assert_eq!(first["HasMoreStreams"], true);
    assert_eq!(strings(&first["StreamSummaries"], "StreamName"), ["a", "b"]);
    let token = &first["NextToken"];
    let body = json!({"Limit": 2, "NextToken": token});
    let second = ok!(world, list_streams, body);
    assert_eq!(second["StreamNames"], json!(["c", "d"]));
    let last = ok!(
        world,
        list_streams,
        json!({"ExclusiveStartStreamName": "d"})
    );
    assert_eq!(last["StreamNames"], json!(["e"]));
    assert_eq!(last["HasMoreStreams"], false);
    assert!(last.get("NextToken").is_none());
    // The token of one list is no token of the other.
    let (code, _) = err!(world, list_shards, json!({"NextToken": token}));
    assert_eq!(code, "InvalidArgumentException");
    world.advance(301);
    let (code, _) = err!(world, list_streams, json!({"NextToken": token}));
    assert_eq!(code, "ExpiredNextTokenException");
}

#[tokio::test]
async fn shards_come_in_pages() {
    let world = World::new().await;
    world.stream("many", 5).await;
    let body = json!({"StreamName": "many", "MaxResults": 3});
    let first = ok!(world, list_shards, body);
    assert_eq!(first["Shards"].as_array().unwrap().len(), 3);
    let token = &first["NextToken"];
    let body = json!({"NextToken": token, "MaxResults": 3});
    let second = ok!(world, list_shards, body);
    assert_eq!(
        strings(&second["Shards"], "ShardId"),
        ["shardId-000000000003", "shardId-000000000004"]
    );
    assert!(second.get("NextToken").is_none());
    let body = json!({
        "StreamName": "many", "Limit": 2, "ExclusiveStartShardId": "shardId-000000000001",
    });
    let described = ok!(world, describe_stream, body);
    let described = &described["StreamDescription"];
    assert_eq!(
        strings(&described["Shards"], "ShardId"),
        ["shardId-000000000002", "shardId-000000000003"]
    );
    assert_eq!(described["HasMoreShards"], true);

    let together = "NextToken and StreamName cannot be provided together.";
    let body = json!({"NextToken": token, "StreamName": "many"});
    assert_eq!(err!(world, list_shards, body).1, together);
    for (body, code) in [
        (json!({"NextToken": "AAAA"}), "InvalidArgumentException"),
        (json!({"NextToken": ""}), "ValidationException"),
        (json!({}), "InvalidArgumentException"),
        (
            json!({"StreamName": "many", "StreamCreationTimestamp": 5}),
            "ResourceNotFoundException",
        ),
    ] {
        assert_eq!(err!(world, list_shards, body).0, code, "{body}");
    }
    world.advance(301);
    let (code, _) = err!(world, list_shards, json!({"NextToken": token}));
    assert_eq!(code, "ExpiredNextTokenException");
}

#[tokio::test]
async fn tags_are_kept_listed_and_limited_to_fifty() {
    let world = World::new().await;
    world.stream("s", 1).await;
    let tags: serde_json::Map<_, _> = (0..50).map(|n| (format!("k{n:02}"), json!("v"))).collect();
    ok!(
        world,
        add_tags_to_stream,
        json!({"StreamName": "s", "Tags": tags})
    );
    let body = json!({"StreamName": "s", "Tags": {"k00": "new", "one too many": "v"}});
    let (code, text) = err!(world, add_tags_to_stream, body);
    assert_eq!(code, "InvalidArgumentException");
    assert!(
        text.ends_with("cannot have more than 50 tags associated with it."),
        "{text}"
    );
    ok!(
        world,
        add_tags_to_stream,
        json!({"StreamName": "s", "Tags": {"k00": "new"}})
    );
    let page = ok!(
        world,
        list_tags_for_stream,
        json!({"StreamName": "s", "Limit": 2})
    );
    assert_eq!(
        page["Tags"],
        json!([{"Key": "k00", "Value": "new"}, {"Key": "k01", "Value": "v"}])
    );
    assert_eq!(page["HasMoreTags"], true);
    let keys: Vec<_> = (1..50).map(|n| format!("k{n:02}")).collect();
    ok!(
        world,
        remove_tags_from_stream,
        json!({"StreamName": "s", "TagKeys": keys})
    );
    let body = json!({"StreamName": "s", "ExclusiveStartTagKey": "k00"});
    let rest = ok!(world, list_tags_for_stream, body);
    assert_eq!(rest, json!({"Tags": [], "HasMoreTags": false}));
    for bad in ["a;b", "a\tb", "a%b"] {
        let body = json!({"StreamName": "s", "Tags": {bad: "v"}});
        assert_eq!(
            err!(world, add_tags_to_stream, body).0,
            "InvalidArgumentException"
        );
        let body = json!({"StreamName": "s", "TagKeys": [bad]});
        assert_eq!(
            err!(world, remove_tags_from_stream, body).0,
            "InvalidArgumentException"
        );
    }
}

#[tokio::test]
async fn retention_grows_and_shrinks_within_its_range() {
    let world = World::new().await;
    world.stream("s", 1).await;
    let hours = |hours: i64| json!({"StreamName": "s", "RetentionPeriodHours": hours});
    ok!(world, increase_stream_retention_period, hours(8_760));
    ok!(world, decrease_stream_retention_period, hours(48));
    let (_, text) = err!(world, increase_stream_retention_period, hours(47));
    assert_eq!(
        text,
        "Requested retention period (47 hours) for stream s can not be shorter than existing \
         retention period (48 hours). Use DecreaseRetentionPeriod API."
    );
    let (_, text) = err!(world, decrease_stream_retention_period, hours(49));
    assert_eq!(
        text,
        "Requested retention period (49 hours) for stream s can not be longer than existing \
         retention period (48 hours). Use IncreaseRetentionPeriod API."
    );
    let (code, text) = err!(world, decrease_stream_retention_period, hours(23));
    assert_eq!(code, "InvalidArgumentException");
    assert_eq!(
        text,
        "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is \
         too short."
    );
    assert_eq!(
        err!(world, increase_stream_retention_period, hours(8_761)).0,
        "InvalidArgumentException"
    );
}

#[tokio::test]
async fn everything_is_as_it_was_after_a_restart_even_iterators() {
    let world = World::new().await;
    world.stream("s", 300).await;
    ok!(
        world,
        add_tags_to_stream,
        json!({"StreamName": "s", "Tags": {"a": "b"}})
    );
    let body = json!({"StreamName": "s", "RetentionPeriodHours": 48});
    ok!(world, increase_stream_retention_period, body);
    let put = world.put("s", "k", "aGVsbG8=").await;
    let shard = put["ShardId"].as_str().unwrap();
    let number: u32 = shard.strip_prefix("shardId-").unwrap().parse().unwrap();
    let horizon = json!({"ShardIteratorType": "TRIM_HORIZON"});
    let iterator = world.iterator("s", number, horizon).await;
    let named = json!({"StreamName": "s"});
    let before = ok!(world, describe_stream, named.clone());
    let shards_before = ok!(world, list_shards, named.clone());

    let world = world.reopened().await;
    assert_eq!(before, ok!(world, describe_stream, named.clone()));
    let shards = ok!(world, list_shards, named);
    assert_eq!(shards_before, shards);
    assert_eq!(shards["Shards"].as_array().unwrap().len(), 300);
    let tags = ok!(world, list_tags_for_stream, json!({"StreamName": "s"}));
    assert_eq!(tags["Tags"], json!([{"Key": "a", "Value": "b"}]));
    let records = world.read(&iterator).await;
    assert_eq!(
        records["Records"][0]["SequenceNumber"],
        put["SequenceNumber"]
    );
    // A new stream gets logs that no stream had before.
    world.stream("t", 1).await;
    let horizon = json!({"ShardIteratorType": "TRIM_HORIZON"});
    let iterator = world.iterator("t", 0, horizon).await;
    assert_eq!(world.read(&iterator).await["Records"], json!([]));
}

#[tokio::test]
async fn a_power_cut_in_a_creation_or_deletion_is_rolled_forward() {
    // A disk that cuts the power after each of its calls.
    let world = World::on(
        SimulatedDisk::new(3),
        std::sync::Arc::new(types::ManualClock::new(support::NOON)),
        UNTHROTTLED,
    )
    .await;
    let mut images = Vec::new();
    let mut random = Random::new(5);
    world.disk.record();
    world.stream("kept", 2).await;
    world.stream("gone", 2).await;
    ok!(world, delete_stream, json!({"StreamName": "gone"}));
    let mut replay = world.disk.trace().unwrap().replay();
    loop {
        images.push(replay.after_power_cut(&mut random, Survival::Random));
        if !replay.advance() {
            break;
        }
    }
    assert!(images.len() > 10, "{}", images.len());
    for (at, image) in images.into_iter().enumerate() {
        let reopened = World::on(image, world.clock.clone(), UNTHROTTLED).await;
        let listed = ok!(reopened, list_streams, json!({}));
        for name in strings(&listed["StreamSummaries"], "StreamName") {
            reopened.until_active(name).await;
            reopened.put(name, "k", "").await;
        }
        let statuses = strings(&listed["StreamSummaries"], "StreamStatus");
        assert!(
            statuses.iter().all(|status| *status == "ACTIVE"),
            "{at}: {statuses:?}"
        );
    }
}

#[tokio::test]
async fn a_closed_service_refuses_changes() {
    let world = World::new().await;
    world.streams.close().await;
    let body = json!({"StreamName": "s", "ShardCount": 1});
    assert_eq!(err!(world, create_stream, body).0, "ServiceUnavailable");
}
