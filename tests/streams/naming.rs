//! What all operations on a stream share: how it is named, and whose it is.

use millrace_tests::{ACCOUNT, Client, OTHER_ACCOUNT, REGION, Service, shard_id};
use serde_json::{Value, json};

/// Every operation on one stream, with the members it needs beside the stream's name.
fn operations() -> Vec<(&'static str, Value)> {
    let record = json!({"Data": "eA==", "PartitionKey": "a"});
    let iterator = json!({"ShardId": shard_id(0), "ShardIteratorType": "LATEST"});
    vec![
        ("AddTagsToStream", json!({"Tags": {"a": "b"}})),
        (
            "DecreaseStreamRetentionPeriod",
            json!({"RetentionPeriodHours": 24}),
        ),
        (
            "DisableEnhancedMonitoring",
            json!({"ShardLevelMetrics": ["ALL"]}),
        ),
        (
            "EnableEnhancedMonitoring",
            json!({"ShardLevelMetrics": ["ALL"]}),
        ),
        ("DescribeStream", json!({})),
        ("DescribeStreamSummary", json!({})),
        ("GetShardIterator", iterator),
        (
            "IncreaseStreamRetentionPeriod",
            json!({"RetentionPeriodHours": 48}),
        ),
        ("ListShards", json!({})),
        ("ListTagsForStream", json!({})),
        (
            "MergeShards",
            json!({"ShardToMerge": shard_id(0), "AdjacentShardToMerge": shard_id(1)}),
        ),
        ("PutRecord", record.clone()),
        ("PutRecords", json!({"Records": [record]})),
        ("RemoveTagsFromStream", json!({"TagKeys": ["a"]})),
        (
            "SplitShard",
            json!({"ShardToSplit": shard_id(2), "NewStartingHashKey": "5"}),
        ),
        (
            "StartStreamEncryption",
            json!({"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}),
        ),
        (
            "StopStreamEncryption",
            json!({"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}),
        ),
        (
            "UpdateShardCount",
            json!({"TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING"}),
        ),
        ("DeleteStream", json!({})),
    ]
}

/// Every operation that names its stream by an ARN alone, with the member that holds it and the
/// others that it needs.
fn operations_by_arn() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("ListTagsForResource", "ResourceARN", json!({})),
        ("TagResource", "ResourceARN", json!({"Tags": {"a": "b"}})),
        ("UntagResource", "ResourceARN", json!({"TagKeys": ["a"]})),
        (
            "UpdateMaxRecordSize",
            "StreamARN",
            json!({"MaxRecordSizeInKiB": 2_048}),
        ),
        (
            "UpdateStreamMode",
            "StreamARN",
            json!({"StreamModeDetails": {"StreamMode": "PROVISIONED"}}),
        ),
        (
            "UpdateStreamRecordDistributionStrategy",
            "StreamARN",
            json!({"RecordDistributionStrategy": "USER_PARTITION_KEY"}),
        ),
    ]
}

fn with(input: &Value, name: &str, value: &str) -> Value {
    let mut input = input.clone();
    input[name] = json!(value);
    input
}

pub fn arn(account: &str, name: &str) -> String {
    format!("arn:aws:kinesis:{REGION}:{account}:stream/{name}")
}

async fn every_operation_is_refused(client: &Client, member: &str, value: &str, code: &str) {
    for (operation, input) in operations() {
        let refusal = client.refusal(operation, with(&input, member, value)).await;
        assert_eq!(
            (refusal.status, &*refusal.code),
            (400, code),
            "{operation}: {refusal:?}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_is_not_there_is_named_in_the_error() {
    let service = Service::start().await;
    for (operation, input) in operations() {
        let refusal = service
            .client()
            .refusal(operation, with(&input, "StreamName", "gone"))
            .await;
        assert_eq!(refusal.code, "ResourceNotFoundException", "{operation}");
        let wanted = match operation {
            "GetShardIterator" => format!(
                "Shard {} in stream gone under account {ACCOUNT} does not exist",
                shard_id(0)
            ),
            _ => format!("Stream gone under account {ACCOUNT} not found."),
        };
        assert_eq!(refusal.message, wanted, "{operation}");
    }
    service.stop().await;
}

#[tokio::test]
async fn every_operation_takes_the_arn_in_place_of_the_name() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 2).await;
    for (operation, input) in operations() {
        client
            .call(
                operation,
                with(&input, "StreamARN", &arn(ACCOUNT, "orders")),
            )
            .await;
        if operation != "DeleteStream" {
            client.until_active("orders").await;
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn every_operation_wants_a_name_or_an_arn() {
    let service = Service::start().await;
    for (operation, input) in operations() {
        let code = service.client().code(operation, input).await;
        assert_eq!(code, "InvalidArgumentException", "{operation}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_name_and_an_arn_of_two_streams_are_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    for (operation, input) in operations() {
        let both = with(&input, "StreamARN", &arn(ACCOUNT, "orders"));
        let code = client
            .code(operation, with(&both, "StreamName", "other"))
            .await;
        assert_eq!(code, "InvalidArgumentException", "{operation}");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_arn_of_another_account_is_denied() {
    let service = Service::start().await;
    let other = service.other_client();
    other.create("orders", 1).await;
    let foreign = arn(OTHER_ACCOUNT, "orders");
    let code = "AccessDeniedException";
    every_operation_is_refused(&service.client(), "StreamARN", &foreign, code).await;
    assert_eq!(other.summary("orders").await["StreamStatus"], "ACTIVE");
    service.stop().await;
}

#[tokio::test]
async fn an_operation_that_takes_an_arn_alone_takes_none_but_that_of_a_stream_of_the_caller() {
    let service = Service::start().await;
    let client = service.client();
    let other = service.other_client();
    client.create("orders", 1).await;
    other.create("orders", 1).await;
    let elsewhere = arn(ACCOUNT, "orders").replace(REGION, "mars-north-1");
    for (operation, member, input) in operations_by_arn() {
        let own = with(&input, member, &arn(ACCOUNT, "orders"));
        client.call(operation, own).await;
        for (named, code) in [
            (arn(ACCOUNT, "gone"), "ResourceNotFoundException"),
            (elsewhere.clone(), "ResourceNotFoundException"),
            (arn(OTHER_ACCOUNT, "orders"), "AccessDeniedException"),
            (arn(ACCOUNT, "a/b"), "InvalidArgumentException"),
            (arn(ACCOUNT, ""), "ValidationException"),
        ] {
            let refusal = client
                .refusal(operation, with(&input, member, &named))
                .await;
            assert_eq!(
                (refusal.status, &*refusal.code),
                (400, code),
                "{operation} {named}: {refusal:?}"
            );
            if code == "ResourceNotFoundException" {
                let name = named.rsplit('/').next().unwrap();
                let wanted = format!("Stream {name} under account {ACCOUNT} not found.");
                assert_eq!(refusal.message, wanted, "{operation}");
            }
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn an_arn_names_the_partition_of_its_region_and_no_other() {
    let service = Service::start().await;
    for (region, partition, foreign) in [
        ("eu-central-1", "aws", "aws-cn"),
        ("cn-north-1", "aws-cn", "aws"),
        ("us-gov-west-1", "aws-us-gov", "aws"),
        ("us-iso-east-1", "aws-iso", "aws-iso-b"),
        ("us-isob-east-1", "aws-iso-b", "aws-iso"),
        ("eu-isoe-west-1", "aws-iso-e", "aws"),
        ("us-isof-south-1", "aws-iso-f", "aws"),
        ("eusc-de-east-1", "aws-eusc", "aws"),
    ] {
        let client = service.client().in_region(region);
        client.create("orders", 1).await;
        let arn =
            |partition: &str| format!("arn:{partition}:kinesis:{region}:{ACCOUNT}:stream/orders");
        let shown = client.summary("orders").await["StreamARN"].clone();
        assert_eq!(shown, arn(partition));
        let input = json!({"StreamARN": arn(partition)});
        client.call("DescribeStreamSummary", input).await;
        for (operation, input) in operations() {
            let input = with(&input, "StreamARN", &arn(foreign));
            let code = client.code(operation, input).await;
            assert_eq!(code, "InvalidArgumentException", "{operation}");
        }
        for (operation, member, input) in operations_by_arn() {
            let input = with(&input, member, &arn(foreign));
            let code = client.code(operation, input).await;
            assert_eq!(code, "InvalidArgumentException", "{operation}");
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn accounts_and_regions_have_streams_of_their_own_under_one_name() {
    let service = Service::start().await;
    let callers = [
        service.client(),
        service.other_client(),
        service.client().in_region("mars-north-1"),
    ];
    for (index, client) in callers.iter().enumerate() {
        let code = client
            .code("DescribeStreamSummary", json!({"StreamName": "orders"}))
            .await;
        assert_eq!(code, "ResourceNotFoundException");
        client.create("orders", 1).await;
        client.put("orders", &format!("AAA{index}")).await;
    }
    for (index, client) in callers.iter().enumerate() {
        assert_eq!(client.data("orders").await, [format!("AAA{index}")]);
        let names = client.call("ListStreams", json!({})).await;
        assert_eq!(names["StreamNames"], json!(["orders"]));
    }
    callers[0].delete("orders").await;
    assert_eq!(callers[1].data("orders").await, ["AAA1"]);
    assert_eq!(callers[2].data("orders").await, ["AAA2"]);
    service.stop().await;
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 2).await;
    let put = client.put("orders", "b25l").await;
    let oldest = json!({"ShardIteratorType": "TRIM_HORIZON"});
    let shard = put["ShardId"].as_str().unwrap().to_owned();
    let iterator = |client: Client| {
        let mut input = oldest.clone();
        input["StreamName"] = json!("orders");
        input["ShardId"] = json!(shard);
        async move { client.call("GetShardIterator", input).await["ShardIterator"].clone() }
    };
    let before = iterator(client.clone()).await;
    let read = client
        .call("GetRecords", json!({"ShardIterator": before}))
        .await;

    let service = service.restart().await;
    let client = service.client();
    // An iterator outlives the server that gave it.
    let again = client
        .call("GetRecords", json!({"ShardIterator": before}))
        .await;
    assert_eq!(again["Records"], read["Records"]);
    assert_eq!(again["Records"][0]["SequenceNumber"], put["SequenceNumber"]);
    let later = client.put("orders", "dHdv").await;
    assert_eq!(later["ShardId"], put["ShardId"]);
    assert!(put["SequenceNumber"].as_str() < later["SequenceNumber"].as_str());
    service.stop().await;
}
