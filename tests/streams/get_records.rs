//! GetRecords.

use std::time::Duration;

use millrace_tests::{Client, Service};
use serde_json::{Value, json};
use types::limits::GET_RECORDS_BYTES_MAX;

use crate::{OVER_AN_HOUR, OVER_FIVE_MINUTES};

const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn oldest(client: &Client) -> String {
    client
        .iterator("orders", json!({"ShardIteratorType": "TRIM_HORIZON"}))
        .await
}

async fn get(client: &Client, iterator: &str) -> Value {
    client
        .call("GetRecords", json!({"ShardIterator": iterator}))
        .await
}

async fn with_stream() -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    (service, client)
}

#[tokio::test]
async fn an_empty_shard_answers_no_records_and_where_to_go_on() {
    let (service, client) = with_stream().await;
    let answer = get(&client, &oldest(&client).await).await;
    assert_eq!(answer["Records"], json!([]));
    assert_eq!(answer["MillisBehindLatest"], 0);
    let next = answer["NextShardIterator"].as_str().unwrap();
    client.put("orders", "eA==").await;
    assert_eq!(get(&client, next).await["Records"][0]["Data"], "eA==");
    service.stop().await;
}

#[tokio::test]
async fn a_limit_cuts_the_answer_and_the_next_iterator_goes_on_there() {
    let (service, client) = with_stream().await;
    let data: Vec<String> = (1000..1010).map(|number| number.to_string()).collect();
    let records = data
        .iter()
        .map(|data| json!({"Data": data, "PartitionKey": "a"}));
    let records: Vec<Value> = records.collect();
    client
        .call(
            "PutRecords",
            json!({"StreamName": "orders", "Records": records}),
        )
        .await;
    let mut found = Vec::new();
    let mut iterator = oldest(&client).await;
    for wanted in [3, 3, 3, 1, 0] {
        let input = json!({"ShardIterator": iterator, "Limit": 3});
        let answer = client.call("GetRecords", input).await;
        let page = answer["Records"].as_array().unwrap();
        assert_eq!(page.len(), wanted);
        found.extend(
            page.iter()
                .map(|record| record["Data"].as_str().unwrap().to_owned()),
        );
        iterator = answer["NextShardIterator"].as_str().unwrap().to_owned();
    }
    assert_eq!(found, data);
    service.stop().await;
}

#[tokio::test]
async fn millis_behind_latest_is_the_age_of_what_was_not_read() {
    let (service, client) = with_stream().await;
    for _ in 0..3 {
        client.put("orders", "eA==").await;
        service.pass(Duration::from_secs(10));
    }
    let input = json!({"ShardIterator": oldest(&client).await, "Limit": 1});
    let answer = client.call("GetRecords", input).await;
    assert_eq!(answer["MillisBehindLatest"], 20_000);
    let next = answer["NextShardIterator"].as_str().unwrap();
    assert_eq!(get(&client, next).await["MillisBehindLatest"], 0);
    service.stop().await;
}

/// A consumer that takes 0 for the tip stopped before it had read all: 300 records arrive in one
/// millisecond, the clock stands still, and all but the last have others behind them.
#[tokio::test]
async fn millis_behind_latest_is_0_at_the_tip_and_nowhere_else() {
    let (service, client) = with_stream().await;
    let record = json!({"Data": "eA==", "PartitionKey": "a"});
    for _ in 0..2 {
        let input = json!({"StreamName": "orders", "Records": vec![record.clone(); 150]});
        client.call("PutRecords", input).await;
    }
    let mut iterator = oldest(&client).await;
    for left in (0..300).rev() {
        let input = json!({"ShardIterator": iterator, "Limit": 1});
        let answer = client.call("GetRecords", input).await;
        assert_eq!(answer["Records"].as_array().unwrap().len(), 1);
        let behind = answer["MillisBehindLatest"].as_u64().unwrap();
        assert_eq!(behind == 0, left == 0, "{behind} with {left} left");
        iterator = answer["NextShardIterator"].as_str().unwrap().to_owned();
    }
    service.stop().await;
}

#[tokio::test]
async fn an_iterator_can_be_used_for_five_minutes() {
    let (service, client) = with_stream().await;
    let iterator = oldest(&client).await;
    service.pass(Duration::from_secs(299));
    get(&client, &iterator).await;
    service.pass(Duration::from_secs(2));
    let refusal = client
        .refusal("GetRecords", json!({"ShardIterator": iterator}))
        .await;
    assert_eq!(refusal.code, "ExpiredIteratorException");
    assert!(
        refusal.message.starts_with("Iterator expired."),
        "{refusal:?}"
    );
    service.stop().await;
}

#[tokio::test]
async fn an_iterator_with_one_changed_character_is_refused() {
    let (service, client) = with_stream().await;
    let iterator = oldest(&client).await;
    // The last characters may hold padding that carries nothing.
    for at in 0..iterator.len() - 2 {
        let other = if iterator.as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        let changed = format!("{}{other}{}", &iterator[..at], &iterator[at + 1..]);
        let code = client
            .code("GetRecords", json!({"ShardIterator": changed}))
            .await;
        assert_eq!(code, "InvalidArgumentException", "character {at}");
    }
    for cut in [1, iterator.len() / 2, iterator.len() - 1] {
        let code = client
            .code("GetRecords", json!({"ShardIterator": iterator[..cut]}))
            .await;
        assert_eq!(code, "InvalidArgumentException", "cut at {cut}");
    }
    service.stop().await;
}

#[tokio::test]
async fn an_iterator_is_of_its_account_and_of_its_kind() {
    let (service, client) = with_stream().await;
    client.create("other", 1).await;
    let iterator = oldest(&client).await;
    let input = json!({"ShardIterator": iterator});
    let code = service.other_client().code("GetRecords", input).await;
    assert_eq!(code, "AccessDeniedException");
    let page = client.call("ListStreams", json!({"Limit": 1})).await;
    let token = json!({"ShardIterator": page["NextToken"]});
    assert_eq!(
        client.code("GetRecords", token).await,
        "InvalidArgumentException"
    );
    let token = json!({"NextToken": iterator});
    assert_eq!(
        client.code("ListShards", token).await,
        "InvalidArgumentException"
    );
    service.stop().await;
}

#[tokio::test]
async fn records_beyond_the_retention_are_no_longer_read() {
    let (service, client) = with_stream().await;
    client.put("orders", "b2xk").await;
    service.pass(DAY - OVER_AN_HOUR);
    client.put("orders", "bmV3").await;
    assert_eq!(client.data("orders").await, ["b2xk", "bmV3"]);
    service.pass(OVER_AN_HOUR + Duration::from_secs(1));
    assert_eq!(client.data("orders").await, ["bmV3"]);
    service.pass(DAY);
    assert!(client.data("orders").await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn an_answer_holds_at_most_10_mib() {
    let (service, client) = with_stream().await;
    let record = json!({"Data": "AAAA".repeat(300_000), "PartitionKey": "a"});
    let input = json!({"StreamName": "orders", "Records": vec![record; 6]});
    for _ in 0..2 {
        client.call("PutRecords", input.clone()).await;
    }
    let mut iterator = oldest(&client).await;
    let mut counts = Vec::new();
    while counts.iter().sum::<usize>() < 12 {
        let answer = get(&client, &iterator).await;
        let count = answer["Records"].as_array().unwrap().len();
        assert!((1..=GET_RECORDS_BYTES_MAX / 900_001).contains(&count));
        counts.push(count);
        iterator = answer["NextShardIterator"].as_str().unwrap().to_owned();
    }
    assert!(2 <= counts.len(), "{counts:?}");
    service.stop().await;
}

#[tokio::test]
async fn the_sixth_read_of_a_shard_within_a_second_is_throttled() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create("orders", 1).await;
    let iterator = oldest(&client).await;
    for _ in 0..5 {
        get(&client, &iterator).await;
    }
    let code = client
        .code("GetRecords", json!({"ShardIterator": iterator}))
        .await;
    assert_eq!(code, "ProvisionedThroughputExceededException");
    service.pass(Duration::from_secs(1));
    get(&client, &iterator).await;
    service.stop().await;
}

#[tokio::test]
async fn a_large_answer_is_paid_for_with_the_seconds_after_it() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create("orders", 1).await;
    let record = json!({"Data": "AAAA".repeat(300_000), "PartitionKey": "a"});
    for _ in 0..6 {
        let input = json!({"StreamName": "orders", "Records": [record]});
        let answer = client.call("PutRecords", input).await;
        assert_eq!(answer["FailedRecordCount"], 0);
        service.pass(Duration::from_secs(1));
    }
    let first = get(&client, &oldest(&client).await).await;
    assert_eq!(first["Records"].as_array().unwrap().len(), 6);
    // 5.4 MB at 2 MiB a second.
    let again = json!({"ShardIterator": oldest(&client).await});
    service.pass(Duration::from_secs(1));
    let code = client.code("GetRecords", again.clone()).await;
    assert_eq!(code, "ProvisionedThroughputExceededException");
    service.pass(Duration::from_secs(3));
    client.call("GetRecords", again).await;
    service.stop().await;
}

#[tokio::test]
async fn a_dry_run_reads_nothing() {
    let (service, client) = with_stream().await;
    let input = json!({"ShardIterator": oldest(&client).await, "DryRun": true});
    assert_eq!(
        client.code("GetRecords", input).await,
        "DryRunOperationException"
    );
    service.stop().await;
}

#[tokio::test]
async fn an_iterator_that_waited_is_refused_though_its_stream_is_gone() {
    let (service, client) = with_stream().await;
    let iterator = oldest(&client).await;
    client.delete("orders").await;
    service.pass(OVER_FIVE_MINUTES);
    let code = client
        .code("GetRecords", json!({"ShardIterator": iterator}))
        .await;
    let known = ["ExpiredIteratorException", "ResourceNotFoundException"];
    assert!(known.contains(&&*code), "{code}");
    service.stop().await;
}
