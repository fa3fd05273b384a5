//! The whole server on a simulated disk that is cut off, fails and fills up.

use std::path::PathBuf;

use bytes::Bytes;
use millrace_tests::{Client, Service, base64};
use serde_json::json;
use store::disk::Disk;
use store::disk::simulated::{Call, Failure, Fault, Random, SimulatedDisk, Survival};

const SEED: u64 = 7;
/// Puts until something must have happened.
const PUTS_MAX: u32 = 10_000;

/// Whether one record of this number was acknowledged. What is refused must be an error of the
/// server that clients retry.
async fn put(client: &Client, number: u32) -> bool {
    let input = json!({"StreamName": "orders", "Data": data(number), "PartitionKey": "a"});
    let response = client
        .send("PutRecord", Bytes::from(input.to_string()))
        .await;
    let status = response.status().as_u16();
    let text = String::from_utf8_lossy(response.body());
    assert!(
        status == 200 || text.contains("InternalFailure"),
        "{status}: {text}"
    );
    status == 200
}

/// Eight digits are base64 that decodes and encodes to itself.
fn data(number: u32) -> String {
    format!("{number:08}")
}

async fn with_stream(disk: &SimulatedDisk) -> (Service, Client) {
    let service = Service::start_on(disk.clone()).await;
    let client = service.client();
    client.create("orders", 1).await;
    (service, client)
}

#[tokio::test]
async fn a_power_cut_at_any_moment_leaves_what_was_acknowledged_and_nothing_torn() {
    let disk = SimulatedDisk::new(SEED);
    let (service, client) = with_stream(&disk).await;
    let mut random = Random::new(SEED);
    for round in 0..8 {
        let last = (round + 1) * 5;
        for number in round * 5..last {
            assert!(put(&client, number).await);
        }
        for survival in [Survival::Nothing, Survival::Random, Survival::Everything] {
            let left = disk.after_power_cut(&mut random, survival);
            let survivor = Service::start_on(left).await;
            let wanted: Vec<String> = (0..last).map(data).collect();
            assert_eq!(
                survivor.client().data("orders").await,
                wanted,
                "{survival:?}"
            );
            assert!(put(&survivor.client(), last).await);
            survivor.stop().await;
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_full_disk_refuses_puts_and_goes_on_reading_and_takes_them_again_when_there_is_room() {
    let disk = SimulatedDisk::new(SEED);
    let (service, client) = with_stream(&disk).await;
    let mut kept = Vec::new();
    disk.set_capacity(disk.used_bytes());
    let refused = {
        let mut refused = None;
        for number in 0..PUTS_MAX {
            if !put(&client, number).await {
                refused = Some(number);
                break;
            }
            kept.push(data(number));
        }
        refused.unwrap()
    };
    assert_eq!(client.data("orders").await, kept);

    disk.set_capacity(1 << 40);
    let mut taken = false;
    for number in refused + 1..PUTS_MAX {
        if put(&client, number).await {
            kept.push(data(number));
            taken = true;
            break;
        }
    }
    assert!(taken, "there is room and nothing is taken");
    assert_eq!(client.data("orders").await, kept);
    let service = service.restart().await;
    assert_eq!(service.client().data("orders").await, kept);
    service.stop().await;
}

#[tokio::test]
async fn health_is_degraded_and_says_why_while_the_disk_is_full() {
    let disk = SimulatedDisk::new(SEED);
    let (service, client) = with_stream(&disk).await;
    assert_eq!(client.health().await, (200, "ok\n".to_owned()));
    disk.set_capacity(disk.used_bytes());
    let mut numbers = 0..PUTS_MAX;
    for number in numbers.by_ref() {
        if !put(&client, number).await {
            break;
        }
    }
    let (status, text) = client.health().await;
    assert_eq!(status, 503);
    assert!(
        text.starts_with("degraded: ") && text.contains("disk"),
        "{text}"
    );
    disk.set_capacity(1 << 40);
    for number in numbers {
        if put(&client, number).await {
            break;
        }
    }
    assert_eq!(client.health().await, (200, "ok\n".to_owned()));
    service.stop().await;
}

#[tokio::test]
async fn health_is_degraded_for_good_once_the_disk_has_failed_twice() {
    let disk = SimulatedDisk::new(SEED);
    let (service, client) = with_stream(&disk).await;
    disk.plan(Fault {
        call: Some(Call::Sync),
        under: PathBuf::from("wal"),
        nth: 1,
        times: 2,
        failure: Failure::Io,
    });
    for number in 0..2 {
        assert!(!put(&client, number).await);
    }
    let (status, text) = client.health().await;
    assert_eq!(status, 503);
    assert!(
        text.starts_with("degraded: the disk failed twice to keep what was written"),
        "{text}"
    );
    let left = disk.after_kill();
    let survivor = Service::start_on(left).await;
    assert_eq!(survivor.client().health().await, (200, "ok\n".to_owned()));
    survivor.stop().await;
    drop(service);
}

#[tokio::test]
async fn a_put_whose_sync_failed_is_not_acknowledged_and_those_before_and_after_it_are_kept() {
    let disk = SimulatedDisk::new(SEED);
    let (service, client) = with_stream(&disk).await;
    let mut kept = Vec::new();
    let mut failed = 0;
    for number in 0..40 {
        if number == 20 {
            disk.plan(Fault {
                call: Some(Call::Sync),
                under: PathBuf::from("wal"),
                nth: 1,
                times: 1,
                failure: Failure::Io,
            });
        }
        if put(&client, number).await {
            kept.push(data(number));
        } else {
            failed += 1;
        }
    }
    assert_eq!(disk.faults_hit(), 1);
    assert!(failed <= 1, "{failed} puts failed of one failed sync");
    assert!(39 <= kept.len());
    let left = disk.after_power_cut(&mut Random::new(SEED), Survival::Nothing);
    for survivor in [service.restart().await, Service::start_on(left).await] {
        let found = survivor.client().data("orders").await;
        let missing: Vec<&String> = kept.iter().filter(|data| !found.contains(data)).collect();
        assert!(missing.is_empty(), "{missing:?} were acknowledged");
        survivor.stop().await;
    }
}

#[tokio::test]
async fn a_full_disk_makes_a_delivery_stream_unavailable_and_what_it_took_is_delivered() {
    let disk = SimulatedDisk::new(SEED);
    let service = Service::start_on(disk.clone()).await;
    let client = service.client();
    client.create_delivery("orders", json!({})).await;
    disk.set_capacity(disk.used_bytes());
    let mut kept = String::new();
    let mut refused = None;
    for number in 0..PUTS_MAX {
        let text = data(number);
        let record = json!({"Data": base64(&text)});
        let one = json!({"DeliveryStreamName": "orders", "Record": record});
        let several = json!({"DeliveryStreamName": "orders", "Records": [record, record]});
        let (operation, input, count) = match number % 2 {
            0 => ("Firehose.PutRecord", one, 1),
            _ => ("Firehose.PutRecordBatch", several, 2),
        };
        let answer = client.send(operation, Bytes::from(input.to_string())).await;
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        match answer.status().as_u16() {
            200 if body.contains(r#""FailedPutCount":2"#) => refused = Some(body),
            200 => kept.extend(std::iter::repeat_n(text, count)),
            _ => refused = Some(body),
        }
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("the disk is full");
    assert!(refused.contains("ServiceUnavailableException"), "{refused}");
    disk.set_capacity(1 << 40);
    client.flush("orders").await;
    assert_eq!(service.delivered().concat(), kept);
    service.stop().await;
}

/// Leaves less than is to be kept free, and enough for what these tests write, and waits until puts
/// to `orders` are refused.
async fn make_short_of_room(disk: &SimulatedDisk, client: &Client) {
    let filler = disk.create("filler".as_ref()).unwrap();
    disk.set_capacity(20 << 30);
    let free = disk.space().unwrap().free_bytes;
    filler.reserve(free - (960 << 10)).unwrap();
    let mut puts = 0;
    while put(client, puts).await {
        puts += 1;
        assert!(puts < PUTS_MAX, "the disk is short of room");
        // It is looked at five times a second, and more puts until then would fill it up.
        for _ in 0..50 {
            client.health().await;
        }
    }
}

/// What waited took the room, and nothing of it was delivered any more: for that the server wanted
/// room, too.
#[tokio::test]
async fn what_waits_is_delivered_on_a_disk_that_is_short_of_room() {
    let disk = SimulatedDisk::new(SEED);
    let (service, client) = with_stream(&disk).await;
    let patient = json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 900}});
    client.create_delivery("out", patient).await;
    client.put_delivery("out", &["one", "two"]).await;
    make_short_of_room(&disk, &client).await;
    client.flush("out").await;
    assert_eq!(service.delivered().concat(), "onetwo");
    service.stop().await;
}

/// Nothing that would have made room went through, so that only another program could make some.
#[tokio::test]
async fn what_makes_room_goes_through_on_a_disk_that_is_short_of_room() {
    let disk = SimulatedDisk::new(SEED);
    let (service, client) = with_stream(&disk).await;
    client.create("kept", 1).await;
    client.create_delivery("out", json!({})).await;
    let send = async |operation: &str, input: serde_json::Value| {
        let answer = client.send(operation, Bytes::from(input.to_string())).await;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        (answer.status().as_u16(), text)
    };
    let tags = json!({"StreamName": "kept", "Tags": {"a": "b"}});
    assert_eq!(send("AddTagsToStream", tags.clone()).await.0, 200);
    let longer = json!({"StreamName": "kept", "RetentionPeriodHours": 48});
    let longer = send("IncreaseStreamRetentionPeriod", longer).await;
    assert_eq!(longer.0, 200, "{}", longer.1);

    make_short_of_room(&disk, &client).await;
    assert_ne!(send("AddTagsToStream", tags).await.0, 200);

    for (operation, input) in [
        (
            "RemoveTagsFromStream",
            json!({"StreamName": "kept", "TagKeys": ["a"]}),
        ),
        (
            "DecreaseStreamRetentionPeriod",
            json!({"StreamName": "kept", "RetentionPeriodHours": 24}),
        ),
        ("DeleteStream", json!({"StreamName": "orders"})),
        (
            "Firehose.DeleteDeliveryStream",
            json!({"DeliveryStreamName": "out"}),
        ),
    ] {
        let (status, text) = send(operation, input).await;
        assert_eq!(status, 200, "{operation}: {text}");
    }
    let described = json!({"StreamName": "orders"});
    while send("DescribeStreamSummary", described.clone()).await.0 == 200 {}
    let described = json!({"DeliveryStreamName": "out"});
    while send("Firehose.DescribeDeliveryStream", described.clone())
        .await
        .0
        == 200
    {}
    let record = json!({"StreamName": "kept", "Data": data(0), "PartitionKey": "a"});
    assert_eq!(send("PutRecord", record).await.0, 500);
    service.stop().await;
}
