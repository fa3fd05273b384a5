//! Sequence numbers, as those read them who know how the service lays them out (KCL does).

use std::collections::HashSet;
use std::time::Duration;

use millrace_tests::{Client, Service, shard_id};
use serde_json::{Value, json};
use types::Timestamp;

/// The parts of a number, taken out of its decimal digits by dividing on paper.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    version: u64,
    shard: u64,
    arrival: u64,
    gap: u64,
    place: u64,
    zero: u64,
    created: u64,
    top: u64,
}

fn parts(text: &str) -> Parts {
    let mut digits: Vec<u8> = text.bytes().map(|byte| byte - b'0').collect();
    // The lowest bits come off as the remainder of a division, from the bottom up.
    let mut take = |bits: u32| -> u64 {
        let mut taken = 0;
        for bit in 0..bits {
            let mut rest = 0;
            for digit in &mut digits {
                let whole = rest * 10 + *digit;
                *digit = whole / 2;
                rest = whole % 2;
            }
            taken |= u64::from(rest) << bit;
        }
        taken
    };
    Parts {
        version: take(4),
        shard: take(32),
        arrival: take(36),
        gap: take(8),
        place: take(64),
        zero: take(4),
        created: take(36),
        top: take(6),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Puts `count` records into each of three shards, all in one call.
async fn fill(client: &Client, count: usize) -> Vec<(u64, String)> {
    let third = u128::MAX / 3;
    let keys = [0, third + 1, u128::MAX];
    let records = keys.iter().cycle().take(3 * count).map(
        |key| json!({"Data": "eA==", "PartitionKey": "a", "ExplicitHashKey": key.to_string()}),
    );
    let input = json!({"StreamName": "orders", "Records": records.collect::<Vec<_>>()});
    let answer = client.call("PutRecords", input).await;
    assert_eq!(answer["FailedRecordCount"], 0);
    let records = answer["Records"].as_array().unwrap().iter();
    let shard = |record: &Value| text(&record["ShardId"])[8..].parse().unwrap();
    records
        .map(|record| (shard(record), text(&record["SequenceNumber"])))
        .collect()
}

async fn with_three_shards() -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 3).await;
    (service, client)
}

async fn starting_numbers(client: &Client) -> Vec<String> {
    let input = json!({"StreamName": "orders"});
    let answer = client.call("ListShards", input).await;
    let shards = answer["Shards"].as_array().unwrap().iter();
    shards
        .map(|shard| text(&shard["SequenceNumberRange"]["StartingSequenceNumber"]))
        .collect()
}

/// The numbers of a shard's records, read from `start` on.
async fn numbers(client: &Client, shard: u32, start: Value) -> Vec<String> {
    let mut input = json!({"StreamName": "orders", "ShardId": shard_id(shard)});
    input
        .as_object_mut()
        .unwrap()
        .extend(start.as_object().unwrap().clone());
    let iterator = client.call("GetShardIterator", input).await["ShardIterator"].clone();
    let input = json!({"ShardIterator": iterator});
    let answer = client.call("GetRecords", input).await;
    let records = answer["Records"].as_array().unwrap().iter();
    records
        .map(|record| text(&record["SequenceNumber"]))
        .collect()
}

fn after(number: &str) -> Value {
    json!({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": number})
}

#[tokio::test]
async fn a_number_is_given_once_in_a_stream_and_says_what_the_services_says() {
    let (service, client) = with_three_shards().await;
    service.pass(Duration::from_secs(100));
    let mut given = Vec::new();
    for _ in 0..4 {
        given.extend(fill(&client, 5).await);
        service.pass(Duration::from_secs(1));
    }
    let distinct: HashSet<&String> = given.iter().map(|(_, number)| number).collect();
    assert_eq!(distinct.len(), 60);
    for shard in 0..3 {
        let of_shard = given.iter().filter(|(of, _)| *of == shard);
        let mut last = 0;
        for (at, (_, number)) in of_shard.enumerate() {
            assert!(number.len() == 56 && number.starts_with("49"), "{number}");
            let found = parts(number);
            assert!(last < found.place, "places rise");
            last = found.place;
            let wanted = Parts {
                version: 2,
                shard,
                arrival: 1_700_000_100 + at as u64 / 5,
                gap: 0,
                place: found.place,
                zero: 0,
                created: 1_700_000_000,
                top: 2,
            };
            assert_eq!(found, wanted);
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_record_is_read_under_the_number_that_its_producer_was_told() {
    let (service, client) = with_three_shards().await;
    let mut given = fill(&client, 3).await;
    // Arrivals of a shard never go back, and so the second in the number does not, either.
    service.set_clock(Timestamp(service.now().0 - 90_000));
    given.extend(fill(&client, 3).await);
    service.pass(Duration::from_secs(600));
    given.extend(fill(&client, 3).await);
    for shard in 0..3 {
        let told = given.iter().filter(|(of, _)| *of == u64::from(shard));
        let told: Vec<String> = told.map(|(_, number)| number.clone()).collect();
        assert!(told.is_sorted());
        let oldest = json!({"ShardIteratorType": "TRIM_HORIZON"});
        assert_eq!(numbers(&client, shard, oldest).await, told);
    }
    let service = service.restart().await;
    let client = service.client();
    let oldest = json!({"ShardIteratorType": "TRIM_HORIZON"});
    let told = given
        .iter()
        .filter(|(of, _)| *of == 1)
        .map(|(_, n)| n.clone());
    assert_eq!(numbers(&client, 1, oldest).await, told.collect::<Vec<_>>());
    service.stop().await;
}

/// A reader that began after the number that the shard begins with lost its first record.
#[tokio::test]
async fn a_shard_begins_with_a_number_before_its_first_record() {
    let (service, client) = with_three_shards().await;
    let starts = starting_numbers(&client).await;
    for (shard, start) in (0..3).zip(&starts) {
        assert!(numbers(&client, shard, after(start)).await.is_empty());
    }
    let given = fill(&client, 2).await;
    for (shard, start) in (0..3).zip(&starts) {
        let told = given.iter().filter(|(of, _)| *of == u64::from(shard));
        let told: Vec<&String> = told.map(|(_, number)| number).collect();
        assert!(start < told[0], "{start} comes first");
        assert_eq!(numbers(&client, shard, after(start)).await.len(), 2);
        let at = json!({
            "ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": start,
        });
        assert_eq!(numbers(&client, shard, at).await.len(), 2);
        assert_eq!(
            numbers(&client, shard, after(told[0])).await,
            [told[1].clone()]
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn a_number_of_another_shard_is_refused() {
    let (service, client) = with_three_shards().await;
    let given = fill(&client, 1).await;
    let starts = starting_numbers(&client).await;
    let foreign = [&starts[1], &given[1].1];
    for number in foreign {
        for kind in ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"] {
            let input = json!({
                "StreamName": "orders", "ShardId": shard_id(0), "ShardIteratorType": kind,
                "StartingSequenceNumber": number,
            });
            let refusal = client.refusal("GetShardIterator", input).await;
            assert_eq!(refusal.code, "InvalidArgumentException");
            assert_eq!(
                refusal.message,
                "Invalid StartingSequenceNumber. It encodes shardId-000000000001, while it was \
                 used in a call to a shard with shardId-000000000000"
            );
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_number_of_another_stream_is_refused() {
    let (service, client) = with_three_shards().await;
    fill(&client, 1).await;
    let starts = starting_numbers(&client).await;
    client.delete("orders").await;
    service.pass(Duration::from_secs(1));
    client.create("orders", 3).await;
    fill(&client, 1).await;
    let input = json!({
        "StreamName": "orders", "ShardId": shard_id(1),
        "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": starts[1],
    });
    let refusal = client.refusal("GetShardIterator", input).await;
    assert_eq!(refusal.code, "InvalidArgumentException");
    let reason = "is invalid because it did not come from this stream.";
    assert!(refusal.message.ends_with(reason), "{refusal:?}");
    service.stop().await;
}

/// Both gave the same numbers, so that a reader of the old one went on in the new one behind
/// records that it had never read.
#[tokio::test]
async fn a_stream_that_is_made_anew_gives_and_takes_none_of_the_old_ones_numbers() {
    let (mut service, mut client) = with_three_shards().await;
    let mut old: Vec<(u64, String)> = Vec::new();
    let mut starts: Vec<String> = Vec::new();
    for life in 0..6 {
        let given = fill(&client, 2).await;
        let new_starts = starting_numbers(&client).await;
        let all = given.iter().map(|(_, number)| number).chain(&new_starts);
        let before: Vec<_> = old.iter().map(|(_, n)| n).chain(&starts).collect();
        for number in all {
            assert!(
                !before.contains(&number),
                "{number} was given in life {life}"
            );
        }
        for (shard, number) in &old {
            let input = json!({
                "StreamName": "orders", "ShardId": shard_id(u32::try_from(*shard).unwrap()),
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": number,
            });
            let refusal = client.refusal("GetShardIterator", input).await;
            assert_eq!(refusal.code, "InvalidArgumentException");
            let reason = "is invalid because it did not come from this stream.";
            assert!(refusal.message.ends_with(reason), "{refusal:?}");
        }
        old.extend(given);
        starts.extend(new_starts);
        client.delete("orders").await;
        // Within one second, over restarts, and by a clock that was set back.
        if life == 2 || life == 3 {
            service = service.restart().await;
            client = service.client();
        }
        if life == 3 {
            service.set_clock(Timestamp(service.now().0 - 3_000));
        }
        client.create("orders", 3).await;
    }
    service.stop().await;
}
