//! Records go in and come out: placement, order, limits, iterators, retention.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod support;

use serde_json::{Value, json};
use support::{NOON, World, caller, from, keys};
use types::{Second, SequenceNumber, ShardId, Timestamp};

const SECOND: u64 = 1_000;

/// `bytes` of zeros in base64.
fn zeros(bytes: usize) -> String {
    let mut out = Vec::new();
    wire::json::write_base64(&mut out, &vec![0; bytes]);
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn a_record_comes_out_as_it_went_in() {
    let world = World::new().await;
    world.stream("s", 1).await;
    let put = world.put("s", "ключ \"1\"", "aGVsbG8=").await;
    assert_eq!(put["ShardId"], "shardId-000000000000");
    assert_eq!(put["SequenceNumber"].as_str().unwrap().len(), 56);
    let read = from(&world, json!({"ShardIteratorType": "TRIM_HORIZON"})).await;
    assert_eq!(
        read["Records"],
        json!([{
            "SequenceNumber": put["SequenceNumber"],
            "ApproximateArrivalTimestamp": 1_700_000_000.0,
            "Data": "aGVsbG8=",
            "PartitionKey": "ключ \"1\"",
        }])
    );
    assert_eq!(read["MillisBehindLatest"], 0);
    assert!(read.get("ChildShards").is_none());
}

#[tokio::test]
async fn records_of_one_call_land_in_their_shards_in_the_order_of_the_call() {
    let world = World::new().await;
    world.stream("s", 4).await;
    let top = u128::MAX.to_string();
    let mut records: Vec<_> = (0..40)
        .map(|n| json!({"PartitionKey": format!("k{n}"), "Data": "AA=="}))
        .collect();
    records.push(json!({"PartitionKey": "low", "Data": "", "ExplicitHashKey": "0"}));
    records.push(json!({"PartitionKey": "high", "Data": "", "ExplicitHashKey": top}));
    let body = json!({"StreamName": "s", "Records": records});
    let put = ok!(world, put_records, body);
    assert_eq!(put["FailedRecordCount"], 0);
    let landed = put["Records"].as_array().unwrap();
    assert_eq!(landed[40]["ShardId"], "shardId-000000000000");
    assert_eq!(landed[41]["ShardId"], "shardId-000000000003");

    let mut seen = 0;
    for shard in 0..4 {
        let horizon = json!({"ShardIteratorType": "TRIM_HORIZON"});
        let read = world.read(&world.iterator("s", shard, horizon).await).await;
        let name = format!("shardId-{shard:012}");
        let expected: Vec<_> = records
            .iter()
            .zip(landed)
            .filter(|(_, landed)| landed["ShardId"] == *name)
            .collect();
        assert!(!expected.is_empty());
        for (record, (sent, landed)) in read["Records"].as_array().unwrap().iter().zip(&expected) {
            assert_eq!(record["PartitionKey"], sent["PartitionKey"]);
            assert_eq!(record["SequenceNumber"], landed["SequenceNumber"]);
        }
        seen += read["Records"].as_array().unwrap().len();
    }
    assert_eq!(seen, 42);
    let counted = world.streams.metrics();
    assert_eq!(counted.incoming_records.value(), 42);
    assert_eq!(counted.outgoing_records.value(), 42);
    assert_eq!(
        counted.incoming_bytes.value(),
        counted.outgoing_bytes.value()
    );
}

#[tokio::test]
async fn bad_records_are_refused_with_the_services_texts() {
    let world = World::new().await;
    world.stream("s", 1).await;
    let record = |member: &str, value: Value| {
        let mut body = json!({"StreamName": "s", "PartitionKey": "k", "Data": ""});
        body[member] = value;
        body
    };
    let over = "340282366920938463463374607431768211456";
    for (body, code, text) in [
        (
            record("ExplicitHashKey", json!(over)),
            "InvalidArgumentException",
            format!(
                "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. \
                 Specified value was {over}"
            ),
        ),
        (
            record("SequenceNumberForOrdering", json!(over)),
            "InvalidArgumentException",
            format!(
                "ExclusiveMinimumSequenceNumber {over} used in PutRecord on stream s under account \
                 000000000000 is invalid."
            ),
        ),
        (
            record("Data", json!(zeros(1024 * 1024))),
            "ValidationException",
            "1 validation error detected: Value at 'data' failed to satisfy constraint: Member \
             must have length less than or equal to 1048576"
                .to_owned(),
        ),
        (
            record("StreamName", json!("t")),
            "ResourceNotFoundException",
            "Stream t under account 000000000000 not found.".to_owned(),
        ),
    ] {
        assert_eq!(err!(world, put_record, body), (code.to_owned(), text));
    }
    for (body, code) in [
        (record("Data", json!("A")), "SerializationException"),
        (record("Data", json!("A===")), "SerializationException"),
        (record("PartitionKey", json!("")), "ValidationException"),
        (record("DryRun", json!(true)), "DryRunOperationException"),
        (
            json!({"StreamName": "s", "PartitionKey": "k"}),
            "ValidationException",
        ),
    ] {
        assert_eq!(err!(world, put_record, body).0, code, "{body}");
    }
    let read = from(&world, json!({"ShardIteratorType": "TRIM_HORIZON"})).await;
    assert_eq!(read["Records"], json!([]));
}

#[tokio::test]
async fn a_call_of_records_is_limited_in_count_and_size() {
    let world = World::new().await;
    world.stream("s", 1).await;
    let records = |count: usize, bytes: usize| {
        let record = json!({"PartitionKey": "k", "Data": zeros(bytes)});
        json!({"StreamName": "s", "Records": vec![record; count]})
    };
    assert_eq!(
        err!(world, put_records, records(501, 0)).0,
        "ValidationException"
    );
    assert_eq!(
        err!(world, put_records, records(0, 0)).0,
        "ValidationException"
    );
    let mebibyte = 1024 * 1024 - 1;
    let (code, text) = err!(world, put_records, records(11, mebibyte));
    assert_eq!(code, "InvalidArgumentException");
    assert_eq!(text, "Records size exceeds 10 MB limit");
    let (code, text) = err!(world, put_records, records(2, mebibyte + 1));
    assert_eq!(code, "ValidationException");
    assert!(text.contains("'records.1.member.data'"), "{text}");
    assert_eq!(
        ok!(world, put_records, records(10, mebibyte))["FailedRecordCount"],
        0
    );
    let iterator = json!({"ShardIteratorType": "TRIM_HORIZON"});
    assert_eq!(
        from(&world, iterator).await["Records"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
}

#[tokio::test]
async fn a_shard_over_its_rate_refuses_single_records_and_only_its_own() {
    let world = World::throttled().await;
    world.stream("s", 2).await;
    let top = u128::MAX.to_string();
    let low = json!({"PartitionKey": "k", "Data": zeros(600_000), "ExplicitHashKey": "0"});
    let high = json!({"PartitionKey": "k", "Data": zeros(10), "ExplicitHashKey": top});
    let small = json!({"PartitionKey": "k", "Data": zeros(10), "ExplicitHashKey": "0"});
    let body = json!({"StreamName": "s", "Records": [low, low, high, small]});
    let put = ok!(world, put_records, body);
    assert_eq!(put["FailedRecordCount"], 1);
    let text = "Rate exceeded for shard shardId-000000000000 in stream s under account \
                000000000000.";
    assert_eq!(
        put["Records"][1],
        json!({"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": text})
    );
    assert_eq!(put["Records"][2]["ShardId"], "shardId-000000000001");
    assert_eq!(put["Records"][3]["ShardId"], "shardId-000000000000");
    let mut body = low.clone();
    body["StreamName"] = json!("s");
    let (code, refused) = err!(world, put_record, body);
    assert_eq!(
        (&*code, &*refused),
        ("ProvisionedThroughputExceededException", text)
    );
    let over = world
        .streams
        .metrics()
        .write_provisioned_throughput_exceeded
        .value();
    assert_eq!(over, 2);
    world.advance(1);
    ok!(world, put_record, body);
}

#[tokio::test]
async fn a_shard_is_read_five_times_a_second_and_gives_two_mebibytes() {
    let world = World::throttled().await;
    world.stream("s", 1).await;
    let horizon = json!({"ShardIteratorType": "TRIM_HORIZON"});
    let iterator = world.iterator("s", 0, horizon.clone()).await;
    for _ in 0..5 {
        world.read(&iterator).await;
    }
    let (code, _) = err!(world, get_records, json!({"ShardIterator": iterator}));
    assert_eq!(code, "ProvisionedThroughputExceededException");
    for _ in 0..5 {
        let data = zeros(1024 * 1024 - 1);
        ok!(
            world,
            put_record,
            json!({"StreamName": "s", "PartitionKey": "k", "Data": data})
        );
        world.advance(1);
    }
    world.read(&iterator).await;
    world.clock.advance(std::time::Duration::from_millis(2_400));
    let (code, _) = err!(world, get_records, json!({"ShardIterator": iterator}));
    assert_eq!(code, "ProvisionedThroughputExceededException");
    world.clock.advance(std::time::Duration::from_millis(100));
    world.read(&iterator).await;
    for _ in 0..4 {
        world.iterator("s", 0, horizon.clone()).await;
    }
    world.iterator("s", 0, horizon).await;
    let body = json!({
        "StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST",
    });
    let (code, _) = err!(world, get_shard_iterator, body);
    assert_eq!(code, "ProvisionedThroughputExceededException");
}

#[tokio::test]
async fn each_kind_of_iterator_begins_where_it_says() {
    let world = World::new().await;
    world.stream("s", 1).await;
    let before = world
        .iterator("s", 0, json!({"ShardIteratorType": "LATEST"}))
        .await;
    let entry = |key: &str| json!({"PartitionKey": key, "Data": ""});
    let body = json!({"StreamName": "s", "Records": [entry("a"), entry("b"), entry("c")]});
    let put = ok!(world, put_records, body);
    world.advance(10);
    let d = world.put("s", "d", "").await;
    world.advance(10);

    assert_eq!(keys(&world.read(&before).await), ["a", "b", "c", "d"]);
    let b = &put["Records"][1]["SequenceNumber"];
    let at = |kind: &str, number: &Value| {
        let (kind, number) = (json!(kind), json!(number));
        json!({"ShardIteratorType": kind, "StartingSequenceNumber": number})
    };
    for (start, expected) in [
        (at("AT_SEQUENCE_NUMBER", b), &["b", "c", "d"][..]),
        (at("AFTER_SEQUENCE_NUMBER", b), &["c", "d"]),
        (
            at(
                "AFTER_SEQUENCE_NUMBER",
                &put["Records"][2]["SequenceNumber"],
            ),
            &["d"],
        ),
        (at("AFTER_SEQUENCE_NUMBER", &d["SequenceNumber"]), &[]),
        (
            json!({"ShardIteratorType": "TRIM_HORIZON"}),
            &["a", "b", "c", "d"],
        ),
        (json!({"ShardIteratorType": "LATEST"}), &[]),
        (
            json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 0}),
            &["a", "b", "c", "d"],
        ),
        (
            json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_700_000_010.0}),
            &["d"],
        ),
        (
            json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_700_000_000.001}),
            &["d"],
        ),
        (
            json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_700_000_020}),
            &[],
        ),
    ] {
        assert_eq!(
            keys(&from(&world, start.clone()).await),
            expected,
            "{start}"
        );
    }
    let described = ok!(world, describe_stream, json!({"StreamName": "s"}));
    let range = &described["StreamDescription"]["Shards"][0]["SequenceNumberRange"];
    let first = at("AT_SEQUENCE_NUMBER", &range["StartingSequenceNumber"]);
    assert_eq!(keys(&from(&world, first).await), ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn iterators_follow_each_other_record_by_record() {
    let world = World::new().await;
    world.stream("s", 1).await;
    for call in 0..3 {
        let records: Vec<_> = (0..3)
            .map(|n| json!({"PartitionKey": format!("{call}{n}"), "Data": ""}))
            .collect();
        ok!(
            world,
            put_records,
            json!({"StreamName": "s", "Records": records})
        );
        world.advance(1);
    }
    let horizon = json!({"ShardIteratorType": "TRIM_HORIZON"});
    let mut iterator = world.iterator("s", 0, horizon).await;
    let (mut seen, mut behind) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        let read = ok!(
            world,
            get_records,
            json!({"ShardIterator": iterator, "Limit": 2})
        );
        seen.extend(keys(&read).iter().map(|key| (*key).to_owned()));
        behind.push(read["MillisBehindLatest"].as_u64().unwrap());
        iterator = read["NextShardIterator"].as_str().unwrap().to_owned();
    }
    assert_eq!(seen, ["00", "01", "02", "10", "11", "12", "20", "21", "22"]);
    // The next unread record arrived that long ago; at the tip there is none.
    assert_eq!(behind, [3 * SECOND, 2 * SECOND, SECOND, SECOND, 0, 0]);
}

#[tokio::test]
async fn an_iterator_that_is_changed_foreign_or_old_is_refused() {
    let mut world = World::new().await;
    world.stream("s", 1).await;
    let iterator = world
        .iterator("s", 0, json!({"ShardIteratorType": "LATEST"}))
        .await;
    let other = if iterator.starts_with('B') { "C" } else { "B" };
    let changed = format!("{other}{}", &iterator[1..]);
    for bad in ["nonsense", &changed, &iterator[..iterator.len() - 4]] {
        let (code, text) = err!(world, get_records, json!({"ShardIterator": bad}));
        assert_eq!(
            (&*code, &*text),
            ("InvalidArgumentException", "Invalid ShardIterator.")
        );
    }
    let own = world.caller.clone();
    // Whoever has it may use it where the stream's policy lets him.
    world.caller = caller("000000000001", "eu-west-1");
    let (code, _) = err!(world, get_records, json!({"ShardIterator": iterator}));
    assert_eq!(code, "AccessDeniedException");
    world.caller = caller("000000000000", "eu-west-2");
    let (code, _) = err!(world, get_records, json!({"ShardIterator": iterator}));
    assert_eq!(code, "ResourceNotFoundException");
    world.caller = own;
    world.advance(300);
    world.read(&iterator).await;
    world.advance(1);
    let (code, text) = err!(world, get_records, json!({"ShardIterator": iterator}));
    assert_eq!(code, "ExpiredIteratorException");
    assert_eq!(
        text,
        "Iterator expired. The iterator was created at time Tue Nov 14 22:13:20 UTC 2023 while \
         right now it is Tue Nov 14 22:18:21 UTC 2023 which is further in the future than the \
         tolerated delay of 300000 milliseconds."
    );
}

/// Asks for an iterator of the shard with `rest` beside its name and gives the refusal.
async fn refusal(world: &World, shard: &str, rest: Value) -> (String, String) {
    let mut body = json!({"StreamName": "s", "ShardId": shard});
    for (member, value) in rest.as_object().unwrap() {
        body[member] = value.clone();
    }
    err!(world, get_shard_iterator, body)
}

#[tokio::test]
async fn an_iterator_of_no_shard_or_of_a_wrong_kind_is_refused() {
    let world = World::new().await;
    world.stream("s", 1).await;
    let latest = json!({"ShardIteratorType": "LATEST"});
    for (shard, text) in [
        (
            "shardId-000000000001",
            "Shard shardId-000000000001 in stream s under account 000000000000 does not exist",
        ),
        (
            "first",
            "Could not find shard first in stream s under account 000000000000.",
        ),
    ] {
        let (code, refused) = refusal(&world, shard, latest.clone()).await;
        assert_eq!((&*code, &*refused), ("ResourceNotFoundException", text));
    }
    let either = "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and \
                  StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no \
                  StartingSequenceNumber. Request specified";
    let first = "shardId-000000000000";
    for (rest, text) in [
        (
            json!({"ShardIteratorType": "AT_SEQUENCE_NUMBER"}),
            format!("{either} AT_SEQUENCE_NUMBER and no StartingSequenceNumber."),
        ),
        (
            json!({"ShardIteratorType": "LATEST", "StartingSequenceNumber": "5"}),
            format!("{either} LATEST and also a StartingSequenceNumber."),
        ),
        (
            json!({"ShardIteratorType": "AT_TIMESTAMP"}),
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current \
             request has no timestamp parameter."
                .to_owned(),
        ),
        (
            json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_700_000_001}),
            format!(
                "The timestampInMillis parameter cannot be greater than the \
                 currentTimestampInMillis. timestampInMillis: 1700000001000, \
                 currentTimestampInMillis: {}",
                NOON.0
            ),
        ),
    ] {
        let (code, refused) = refusal(&world, first, rest).await;
        assert_eq!((&*code, refused), ("InvalidArgumentException", text));
    }
    let (code, _) = refusal(&world, first, json!({"ShardIteratorType": "SOMEWHERE"})).await;
    assert_eq!(code, "ValidationException");
}

#[tokio::test]
async fn an_iterator_at_a_number_that_the_shard_never_gave_is_refused() {
    let world = World::new().await;
    world.stream("s", 1).await;
    let put = world.put("s", "k", "").await;
    let number =
        |created, before| SequenceNumber::of_record(ShardId(0), created, before, NOON).to_string();
    let created = Second::of(NOON);
    assert_eq!(put["SequenceNumber"], number(created, 0));
    let ending = SequenceNumber::ending(ShardId(0), created, NOON).to_string();
    // Beyond the number's version there is nothing that the service could have made.
    let no_number = "49590338271490256608559692538361571095921575989136588900";
    let foreign = " because it did not come from this stream";
    for (number, reason) in [
        (no_number, ""),
        ("0", foreign),
        (&number(created, 1), foreign),
        (&number(Second::of(Timestamp(NOON.0 + 1_000)), 0), foreign),
        (&ending, foreign),
    ] {
        for kind in ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"] {
            let rest = json!({"ShardIteratorType": kind, "StartingSequenceNumber": number});
            let (code, text) = refusal(&world, "shardId-000000000000", rest).await;
            assert_eq!(code, "InvalidArgumentException");
            assert_eq!(
                text,
                format!(
                    "StartingSequenceNumber {number} used in GetShardIterator on shard \
                     shardId-000000000000 in stream s under account 000000000000 is \
                     invalid{reason}."
                )
            );
        }
    }
}

#[tokio::test]
async fn what_retention_no_longer_keeps_cannot_be_read_whether_or_not_it_was_trimmed() {
    let world = World::new().await;
    world.stream("s", 1).await;
    let old = world.put("s", "old", "").await;
    world.advance(3_600);
    world.put("s", "new", "").await;
    world.advance(23 * 3_600);
    let horizon = json!({"ShardIteratorType": "TRIM_HORIZON"});
    // Exactly 24 hours old is still kept.
    assert_eq!(keys(&from(&world, horizon.clone()).await), ["old", "new"]);
    world.clock.advance(std::time::Duration::from_millis(1));
    let at_old = json!({
        "ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": old["SequenceNumber"],
    });
    let at_time = json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 0});
    for start in [&horizon, &at_old, &at_time] {
        assert_eq!(keys(&from(&world, start.clone()).await), ["new"], "{start}");
    }
    world.streams.trim_expired().await;
    assert_eq!(world.streams.metrics().trims.value(), 1);
    world.streams.trim_expired().await;
    assert_eq!(world.streams.metrics().trims.value(), 1);
    for start in [&horizon, &at_old, &at_time] {
        assert_eq!(keys(&from(&world, start.clone()).await), ["new"], "{start}");
    }
    let body = json!({"StreamName": "s", "RetentionPeriodHours": 48});
    ok!(world, increase_stream_retention_period, body);
    world.advance(23 * 3_600 + 1);
    // Longer retention does not bring back what was forgotten, and keeps the rest.
    assert_eq!(keys(&from(&world, horizon).await), ["new"]);
}

#[tokio::test]
async fn a_full_disk_fails_puts_that_clients_try_again_and_reads_go_on() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.put("s", "kept", "").await;
    world.disk.set_capacity(world.disk.used_bytes());
    let data = zeros(1_000_000);
    let entry = json!({"PartitionKey": "k", "Data": data});
    let body = json!({"StreamName": "s", "Records": vec![entry; 9]});
    // What is reserved already may take some.
    let refused = loop {
        let put = ok!(world, put_records, body);
        if put["FailedRecordCount"] != 0 {
            break put;
        }
    };
    assert_eq!(refused["FailedRecordCount"], 9);
    let failure = json!({
        "ErrorCode": "InternalFailure", "ErrorMessage": "Internal service failure.",
    });
    assert_eq!(refused["Records"][8], failure);
    let mut single = json!({"StreamName": "s", "PartitionKey": "k"});
    single["Data"] = json!(data);
    assert_eq!(err!(world, put_record, single).0, "InternalFailure");
    let read = from(&world, json!({"ShardIteratorType": "TRIM_HORIZON"})).await;
    assert_eq!(keys(&read)[0], "kept");
}
