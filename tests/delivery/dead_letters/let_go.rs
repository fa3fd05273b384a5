//! What is replayed through a version that it names, and what an operator lets go of that.

use std::fs;

use http::Method;
use millrace_tests::{BUCKET, Client};
use serde_json::{Value, json};

use super::{CARD, Failed, RECORDS, order};

const COMMAND: &str = "`millrace delivery move clicks --lane replays`";
const MOVE: &str = "delivery-streams/clicks/move/replays";

/// Two objects of failed records, of two records and of one, and the version of `mask` in force.
async fn two_objects() -> (Failed, [String; 2], Value) {
    let failed = Failed::begin().await;
    let first = failed.failed();
    failed.client.put_delivery("clicks", &[LATER]).await;
    failed.client.flush("clicks").await;
    let mut second = failed.failed();
    second.retain(|key| !first.contains(key));
    let keys = [first[0].clone(), second[0].clone()];
    failed.goes_through("1", super::through("mask")).await;
    let version = failed.client.read_page("plugins/mask").await["hash"].clone();
    (failed, keys, version)
}

const LATER: &str = "later, 5500 0000 0000 0004";

async fn replay_through(client: &Client, key: &str, version: &Value) {
    let body = json!({"letter": key, "version": version});
    let (status, answer) = order(client, "replay", body).await;
    assert_eq!(status, 200, "{answer}");
}

/// Until records wait for a version that they name.
async fn waits(client: &Client) {
    client
        .page_until("delivery-streams/clicks", |page| {
            page.to_string().contains(COMMAND)
        })
        .await;
}

/// What the lane of replays answers to an order, or how the order was refused.
async fn moved(client: &Client, page: &str) -> Value {
    let answer = client.page(Method::POST, page).await;
    assert_eq!(answer.status(), 200, "{:?}", answer.body());
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    let lanes = answer["lanes"].as_array().unwrap();
    let lane = lanes.iter().find(|lane| lane["lane"] == "replays");
    lane.map_or(Value::Null, |lane| lane["outcome"].clone())
}

#[tokio::test]
async fn what_waits_for_a_version_that_cannot_be_had_is_let_go_by_an_order_also_after_a_restart() {
    let (mut failed, [key, _], version) = two_objects().await;
    replay_through(&failed.client, &key, &version).await;
    failed.goes_through("2", json!({"Enabled": false})).await;
    waits(&failed.client).await;
    assert_eq!(failed.delivered(), [] as [String; 0]);
    // Who names no lane means those that cannot deliver.
    let all = moved(&failed.client, "delivery-streams/clicks/move").await;
    assert_eq!(all, "nothingStuck");
    assert_eq!(moved(&failed.client, MOVE).await, "done");
    failed.service = failed.service.restart().await;
    failed.client = failed.service.client();
    failed.client.flush("clicks").await;
    assert_eq!(failed.delivered(), [RECORDS.concat()]);
    let page = failed.client.delivery("clicks").await;
    let counts = ["waitingRecords", "lost"].map(|it| page[it].clone());
    assert_eq!(counts, [0, 0].map(|it| json!(it)));
    failed.service.stop().await;
}

/// The second order, about the first of the records, took the rest of them back.
#[tokio::test]
async fn what_was_let_go_stays_so_when_the_first_of_it_is_moved_once_more() {
    let mut failed = Failed::begin().await;
    let small = failed.failed();
    // Two such records are as much as goes together.
    let update = json!({
        "DeliveryStreamName": "clicks",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": {
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 300},
        },
    });
    failed
        .client
        .call("Firehose.UpdateDestination", update)
        .await;
    let large = ["a", "b"].map(|it| format!("no line {CARD} {}", it.repeat(600_000)));
    for _ in 0..2 {
        failed.client.put_delivery("clicks", &large).await;
        failed.client.flush("clicks").await;
    }
    let mut keys = failed.failed();
    keys.retain(|key| !small.contains(key));
    assert_eq!(keys.len(), 2);
    failed.goes_through("2", super::through("mask")).await;
    let version = failed.client.read_page("plugins/mask").await["hash"].clone();
    // It would go through that at once.
    let paused = failed.client.page(Method::POST, "plugins/mask/pause").await;
    assert_eq!(paused.status(), 200, "{:?}", paused.body());
    for key in &keys {
        replay_through(&failed.client, key, &version).await;
    }
    failed.goes_through("3", json!({"Enabled": false})).await;
    waits(&failed.client).await;
    // A file lies where the folder should be.
    let file = failed.service.buckets().join(BUCKET).join("2023");
    fs::write(&file, "").unwrap();
    assert_eq!(moved(&failed.client, MOVE).await, "done");
    let refused = |page: &Value| page.to_string().contains("put 2023/");
    let page = "delivery-streams/clicks";
    let page = failed.client.page_until(page, refused).await;
    assert_eq!(page["waitingRecords"], 4, "{page}");
    assert_eq!(moved(&failed.client, MOVE).await, "done");
    failed.service = failed
        .service
        .restart_after(|| fs::remove_file(&file).unwrap())
        .await;
    failed.client = failed.service.client();
    failed
        .client
        .delivery_until("clicks", |page| page["waitingRecords"] == 0)
        .await;
    assert_eq!(failed.delivered(), [large.concat(), large.concat()]);
    failed.service.stop().await;
}

/// All that was replayed after it went by the configuration in force, whatever it named.
#[tokio::test]
async fn what_is_replayed_after_something_was_let_go_waits_for_the_version_that_it_names() {
    let (failed, [first, second], version) = two_objects().await;
    let client = &failed.client;
    replay_through(client, &first, &version).await;
    failed.goes_through("2", json!({"Enabled": false})).await;
    waits(client).await;
    assert_eq!(moved(client, MOVE).await, "done");
    client.flush("clicks").await;
    assert_eq!(failed.delivered(), [RECORDS.concat()]);
    failed.goes_through("3", super::through("mask")).await;
    replay_through(client, &second, &version).await;
    failed.goes_through("4", json!({"Enabled": false})).await;
    waits(client).await;
    failed.goes_through("5", super::through("mask")).await;
    client.flush("clicks").await;
    let delivered = failed.delivered();
    let masked = delivered.iter().find(|it| it.contains("later")).unwrap();
    assert!(masked.contains('*'), "{masked}");
    // Nothing waits any more that could be let go.
    assert_eq!(moved(client, MOVE).await, "nothingStuck");
    failed.service.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_paused_plugin_is_not_let_go() {
    let (failed, [key, _], version) = two_objects().await;
    let client = &failed.client;
    let paused = client.page(Method::POST, "plugins/mask/pause").await;
    assert_eq!(paused.status(), 200, "{:?}", paused.body());
    replay_through(client, &key, &version).await;
    let page = client
        .page_until("delivery-streams/clicks", |page| {
            page.to_string().contains("paused")
        })
        .await;
    assert!(!page.to_string().contains(COMMAND), "{page}");
    assert_eq!(moved(client, MOVE).await, "nothingStuck");
    let resumed = client.page(Method::POST, "plugins/mask/resume").await;
    assert_eq!(resumed.status(), 200, "{:?}", resumed.body());
    client.flush("clicks").await;
    let delivered = failed.delivered().concat();
    assert!(delivered.contains('*'), "{delivered}");
    failed.service.stop().await;
}

/// It went through the same version again, and was in the same trouble.
#[tokio::test]
async fn a_stuck_delivery_of_replays_that_is_moved_goes_through_the_version_in_force() {
    let (failed, [key, _], version) = two_objects().await;
    let client = &failed.client;
    let manifest = "name = 'mask'\nversion = '2'\n[config]\nmask = '#'\n";
    failed.files.write("mask", "plugin.toml", manifest);
    client
        .page_until("plugins/mask", |page| page["version"] == "2")
        .await;
    // A file lies where the folder should be.
    let file = failed.service.buckets().join(BUCKET).join("2023");
    fs::write(&file, "").unwrap();
    replay_through(client, &key, &version).await;
    let page = tokio::select! {
        page = client.page_until("delivery-streams/clicks", |page| {
            page.to_string().contains("put 2023/")
        }) => page,
        // It does not end before the file is gone.
        () = client.flush("clicks") => panic!("it was delivered"),
    };
    assert_eq!(failed.delivered().concat(), "", "{page}");
    assert_eq!(moved(client, MOVE).await, "done");
    fs::remove_file(&file).unwrap();
    client.flush("clicks").await;
    let delivered = failed.delivered().concat();
    assert!(delivered.contains('#'), "{delivered}");
    assert!(!delivered.contains('*'), "{delivered}");
    failed.service.stop().await;
}
