//! PutRecord.

use std::time::Duration;

use millrace_tests::{ACCOUNT, Service, shard_id};
use serde_json::{Value, json};
use types::Timestamp;
use types::limits::{RECORD_BYTES_MAX, SHARD_WRITE_RECORDS_PER_SECOND};

/// Base64 of `bytes` zero bytes, `bytes` divisible by 3.
fn zeros(bytes: usize) -> String {
    assert_eq!(bytes % 3, 0);
    "AAAA".repeat(bytes / 3)
}

#[tokio::test]
async fn a_record_is_read_as_it_was_put() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let put = client.put("orders", "aGVsbG8=").await;
    assert_eq!(put["ShardId"], shard_id(0));
    let answer = client.read("orders").await;
    let record = json!({
        "ApproximateArrivalTimestamp": answer["Records"][0]["ApproximateArrivalTimestamp"],
        "Data": "aGVsbG8=",
        "PartitionKey": "a",
        "SequenceNumber": put["SequenceNumber"],
    });
    assert_eq!(answer["Records"], json!([record]));
    let arrival = answer["Records"][0]["ApproximateArrivalTimestamp"].as_f64();
    assert_eq!(arrival, Some(1_700_000_000.0));
    service.stop().await;
}

#[tokio::test]
async fn sequence_numbers_of_a_shard_rise() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let mut last = String::new();
    for _ in 0..20 {
        let put = client.put("orders", "eA==").await;
        let number = put["SequenceNumber"].as_str().unwrap().to_owned();
        assert!(last < number);
        last = number;
        service.pass(Duration::from_millis(400));
    }
    service.stop().await;
}

#[tokio::test]
async fn a_record_that_shall_come_after_another_names_any_number_of_the_service() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let put = |after: &str| {
        json!({
            "StreamName": "orders", "Data": "eA==", "PartitionKey": "a",
            "SequenceNumberForOrdering": after,
        })
    };
    let own = client.put("orders", "eA==").await["SequenceNumber"].clone();
    let own = own.as_str().unwrap();
    // The first of the last two is one of AWS's, of 2018; the other is one of its oldest layout.
    let foreign = "49590338271490256608559692538361571095921575989136588898";
    let oldest = "21269319989741826081360214168359141376";
    for number in ["0", "5", own, foreign, oldest] {
        client.call("PutRecord", put(number)).await;
    }
    // Beyond the top, and below it; of a version that there is not; a record of the year 2500.
    let beyond = "98079714615416886934934209737619787751599303819750539264";
    let below = "49039857307708443467467104868809893875799651909875269632";
    let no_version = "49590338271490256608559692538361571095921575989136588900";
    let future = "49590338271490256608559692538361572089255795104310886498";
    for number in [
        beyond,
        below,
        no_version,
        future,
        "12345678901234567890123456789012345678901",
    ] {
        let refusal = client.refusal("PutRecord", put(number)).await;
        assert_eq!(refusal.code, "InvalidArgumentException", "{number}");
        let wanted = format!(
            "ExclusiveMinimumSequenceNumber {number} used in PutRecord on stream orders under \
             account {ACCOUNT} is invalid."
        );
        assert_eq!(refusal.message, wanted);
    }
    // A clock that was set back makes none of ours a number of the future.
    service.set_clock(Timestamp(service.now().0 - 60_000));
    client.call("PutRecord", put(own)).await;
    service.stop().await;
}

#[tokio::test]
async fn an_explicit_hash_key_goes_before_the_partition_key() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 2).await;
    for (hash_key, shard) in [
        (0, 0),
        (u128::MAX / 2, 0),
        (u128::MAX / 2 + 1, 1),
        (u128::MAX, 1),
    ] {
        let input = json!({
            "StreamName": "orders", "Data": "eA==", "PartitionKey": "a",
            "ExplicitHashKey": hash_key.to_string(),
        });
        assert_eq!(
            client.call("PutRecord", input).await["ShardId"],
            shard_id(shard)
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn a_hash_key_of_more_than_128_bits_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let input = json!({
        "StreamName": "orders", "Data": "eA==", "PartitionKey": "a",
        "ExplicitHashKey": "340282366920938463463374607431768211456",
    });
    assert_eq!(
        client.code("PutRecord", input).await,
        "InvalidArgumentException"
    );
    assert!(client.data("orders").await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn data_and_partition_key_together_may_have_1_mib() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let put = |data: usize, key: usize| {
        let key = "k".repeat(key);
        json!({"StreamName": "orders", "Data": zeros(data), "PartitionKey": key})
    };
    let data = RECORD_BYTES_MAX - 1;
    client.call("PutRecord", put(data, 1)).await;
    let refusal = client.refusal("PutRecord", put(data, 2)).await;
    assert_eq!(refusal.code, "ValidationException");
    let wanted = "at 'data' failed to satisfy constraint: \
        Member must have length less than or equal to 1048576";
    assert!(refusal.message.ends_with(wanted), "{refusal:?}");
    assert_eq!(client.data("orders").await.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn data_that_is_no_base64_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    for data in [
        "a",
        "a===",
        "aGVsbG8",
        "aGVs bG8=",
        "aGVsbG9=",
        "-_-_",
        "aGVsbG8=\n",
    ] {
        let input = json!({"StreamName": "orders", "Data": data, "PartitionKey": "a"});
        assert_eq!(
            client.code("PutRecord", input).await,
            "SerializationException",
            "{data}"
        );
    }
    assert!(client.data("orders").await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_dry_run_puts_nothing() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let input = json!({
        "StreamName": "orders", "Data": "eA==", "PartitionKey": "a", "DryRun": true,
    });
    assert_eq!(
        client.code("PutRecord", input).await,
        "DryRunOperationException"
    );
    assert!(client.data("orders").await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_shard_takes_1000_records_a_second_and_the_next_second_again() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create("orders", 1).await;
    let record = json!({"Data": "eA==", "PartitionKey": "a"});
    let half = SHARD_WRITE_RECORDS_PER_SECOND as usize / 2;
    let records: Vec<Value> = vec![record; half];
    let input = json!({"StreamName": "orders", "Records": records});
    for _ in 0..2 {
        let answer = client.call("PutRecords", input.clone()).await;
        assert_eq!(answer["FailedRecordCount"], 0);
    }
    let one = json!({"StreamName": "orders", "Data": "eA==", "PartitionKey": "a"});
    let refusal = client.refusal("PutRecord", one.clone()).await;
    assert_eq!(refusal.code, "ProvisionedThroughputExceededException");
    let place = format!(
        "shard {} in stream orders under account {ACCOUNT}",
        shard_id(0)
    );
    assert_eq!(refusal.message, format!("Rate exceeded for {place}."));
    service.pass(Duration::from_secs(1));
    client.call("PutRecord", one).await;
    service.stop().await;
}

/// A time service that sets the clock back by a minute used to throttle every shard for as long.
#[tokio::test]
async fn a_clock_that_is_set_back_throttles_nobody() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create("orders", 1).await;
    let record = json!({"Data": "eA==", "PartitionKey": "a"});
    let half = SHARD_WRITE_RECORDS_PER_SECOND as usize / 2;
    let input = json!({"StreamName": "orders", "Records": vec![record; half]});
    let iterator = client
        .iterator("orders", json!({"ShardIteratorType": "TRIM_HORIZON"}))
        .await;
    for _ in 0..3 {
        for _ in 0..2 {
            let answer = client.call("PutRecords", input.clone()).await;
            assert_eq!(answer["FailedRecordCount"], 0);
        }
        let answer = client.call("PutRecords", input.clone()).await;
        assert_eq!(answer["FailedRecordCount"], half, "the limit holds");
        for _ in 0..5 {
            let input = json!({"ShardIterator": iterator, "Limit": 1});
            client.call("GetRecords", input).await;
        }
        service.set_clock(Timestamp(service.now().0 - 60_000));
        service.pass(Duration::from_secs(1));
    }
    service.stop().await;
}

#[tokio::test]
async fn a_shard_takes_1_mib_a_second() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create("orders", 1).await;
    let input = json!({"StreamName": "orders", "Data": zeros(600_000), "PartitionKey": "a"});
    client.call("PutRecord", input.clone()).await;
    let code = client.code("PutRecord", input.clone()).await;
    assert_eq!(code, "ProvisionedThroughputExceededException");
    service.pass(Duration::from_secs(1));
    client.call("PutRecord", input).await;
    assert_eq!(client.data("orders").await.len(), 2);
    service.stop().await;
}
