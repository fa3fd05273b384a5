//! What came in is delivered, dropped, failed, lost or waiting, at every moment: the page is read
//! while things go on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use millrace_tests::{BUCKET, Client, Service};
use serde_json::{Value, json};
use store::disk::simulated::SimulatedDisk;

const A_DAY: Duration = Duration::from_secs(25 * 3_600);

fn number(page: &Value, member: &str) -> u64 {
    page[member].as_u64().unwrap()
}

fn assert_all_is_counted(page: &Value) {
    let ends = ["delivered", "dropped", "failed", "lost", "waitingRecords"];
    let counted: u64 = ends.iter().map(|end| number(page, end)).sum();
    assert_eq!(number(page, "recordsIn"), counted, "{page}");
}

/// Reads the page until it is told to stop: everything is counted, nothing is counted before it was
/// sent or later than it was acknowledged, and no count goes back.
async fn watch(client: &Client, put: &Put) {
    let mut last = Value::Null;
    while !put.is_over.load(Ordering::SeqCst) {
        let acknowledged = put.acknowledged.load(Ordering::SeqCst);
        let page = client.delivery("clicks").await;
        let sent = put.sent.load(Ordering::SeqCst);
        assert_all_is_counted(&page);
        let came_in = number(&page, "recordsIn");
        assert!(
            (acknowledged..=sent).contains(&came_in),
            "{acknowledged} to {sent}: {page}"
        );
        for member in ["recordsIn", "delivered", "failed", "lost", "objects"] {
            let before = last.get(member).and_then(Value::as_u64);
            assert!(
                before <= Some(number(&page, member)),
                "{member}: {last}, then {page}"
            );
        }
        last = page;
    }
}

/// What a producer has put.
#[derive(Default)]
struct Put {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    is_over: AtomicBool,
}

impl Put {
    async fn put(&self, client: &Client, count: usize) {
        let records = vec!["record\n"; count];
        let count = u64::try_from(count).unwrap();
        self.sent.fetch_add(count, Ordering::SeqCst);
        client.put_delivery("clicks", &records).await;
        self.acknowledged.fetch_add(count, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn what_came_in_is_counted_at_every_moment_while_it_is_put_and_delivered() {
    let service = Service::start().await;
    let client = service.client();
    let at_once = json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}});
    client.create_delivery("clicks", at_once).await;
    let put = Put::default();
    let producing = async {
        for round in 0..120 {
            put.put(&client, 1 + round % 7).await;
        }
        client.flush("clicks").await;
        put.is_over.store(true, Ordering::SeqCst);
    };
    tokio::join!(producing, watch(&client, &put));
    let page = client.delivery("clicks").await;
    assert_eq!(number(&page, "delivered"), put.sent.load(Ordering::SeqCst));
    assert_eq!(number(&page, "waitingRecords"), 0);
    let service = service.restart().await;
    let again = service.client().delivery("clicks").await;
    assert_eq!(again["recordsIn"], page["recordsIn"]);
    service.stop().await;
}

#[tokio::test]
async fn what_waits_is_counted_before_the_lane_has_looked_and_after_a_restart() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    for round in 1..=5 {
        client.put_delivery("clicks", &["one", "two"]).await;
        let page = client.delivery("clicks").await;
        assert_eq!(number(&page, "waitingRecords"), 2 * round);
        assert_all_is_counted(&page);
    }
    let service = service.restart().await;
    let page = service.client().delivery("clicks").await;
    assert_eq!(
        (number(&page, "recordsIn"), number(&page, "waitingRecords")),
        (10, 10)
    );
    service.stop().await;
}

/// They were given up, and no number said so.
#[tokio::test]
async fn direct_puts_that_are_given_up_after_a_day_are_counted_as_lost() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    client
        .put_delivery("clicks", &["one", "two", "three"])
        .await;
    // A file lies where the bucket should be.
    std::fs::write(service.buckets().join(BUCKET), "").unwrap();
    service.pass(Duration::from_secs(900));
    client
        .delivery_until("clicks", |page| page["trouble"].is_string())
        .await;
    service.pass(A_DAY);
    let service = service.restart().await;
    let client = service.client();
    // The clock is believed once an hour has passed.
    service.pass(Duration::from_secs(3_600));
    let page = client
        .delivery_until("clicks", |page| page["lost"] == 3)
        .await;
    assert_all_is_counted(&page);
    assert_eq!(
        (number(&page, "recordsIn"), number(&page, "waitingRecords")),
        (3, 0)
    );
    std::fs::remove_file(service.buckets().join(BUCKET)).unwrap();
    client.put_delivery("clicks", &["four"]).await;
    client.flush("clicks").await;
    let page = client.delivery("clicks").await;
    assert_eq!((number(&page, "delivered"), number(&page, "lost")), (1, 3));
    assert_eq!(page["trouble"], Value::Null);
    service.stop().await;
}

/// They were gone with their stream, and no number said so.
#[tokio::test]
async fn what_a_deleted_stream_still_held_is_counted_as_lost() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 2).await;
    service.pass(Duration::from_millis(10));
    client
        .create_delivery_of("clicks", "orders", json!({}))
        .await;
    for _ in 0..3 {
        client.put("orders", "eA==").await;
    }
    let page = client
        .delivery_until("clicks", |page| page["waitingRecords"] == 3)
        .await;
    assert_all_is_counted(&page);
    client
        .call("DeleteStream", json!({"StreamName": "orders"}))
        .await;
    let page = client
        .delivery_until("clicks", |page| page["lost"] == 3)
        .await;
    assert_all_is_counted(&page);
    assert_eq!(
        (number(&page, "recordsIn"), number(&page, "waitingRecords")),
        (3, 0)
    );
    let metrics = client.metrics().await;
    for metric in ["delivery_records_total", "delivery_lost_total"] {
        let of_stream = metrics
            .lines()
            .find(|line| line.starts_with(&format!("millrace_{metric}{{")));
        let line = of_stream.unwrap();
        assert!(line.contains("/clicks\"") && line.ends_with(" 3"), "{line}");
    }
    let service = service.restart().await;
    let page = service.client().delivery("clicks").await;
    assert_eq!((number(&page, "recordsIn"), number(&page, "lost")), (3, 3));
    service.stop().await;
}

/// All that waited vanished from the page when the server was killed before a lane had noticed.
#[tokio::test]
async fn every_delivery_stream_of_a_deleted_stream_counts_what_it_lost_though_the_server_was_killed()
 {
    let disk = SimulatedDisk::new(1);
    let service = Service::start_on(disk.clone()).await;
    let client = service.client();
    client.create("orders", 2).await;
    client.put("orders", "eA==").await;
    service.pass(Duration::from_millis(10));
    client
        .create_delivery_of("first", "orders", json!({}))
        .await;
    for _ in 0..3 {
        client.put("orders", "eA==").await;
    }
    service.pass(Duration::from_millis(10));
    client
        .create_delivery_of("second", "orders", json!({}))
        .await;
    client.put("orders", "eA==").await;
    client.flush("second").await;
    client.put("orders", "eA==").await;
    client.delete("orders").await;
    let left = disk.after_kill();

    let survivor = Service::start_on(left).await;
    let client = survivor.client();
    for (name, came_in, delivered) in [("first", 5, 0), ("second", 2, 1)] {
        let page = client.delivery(name).await;
        assert_all_is_counted(&page);
        assert_eq!(number(&page, "recordsIn"), came_in, "{name}: {page}");
        let lost = came_in - delivered;
        let page = client
            .delivery_until(name, |page| page["lost"] == lost)
            .await;
        assert_all_is_counted(&page);
        assert_eq!(number(&page, "delivered"), delivered, "{name}: {page}");
    }
    // What is made later has lost nothing of what was before.
    client.create("orders", 2).await;
    client
        .create_delivery_of("third", "orders", json!({}))
        .await;
    client.put("orders", "eA==").await;
    for (name, came_in, lost) in [("first", 6, 5), ("second", 3, 1), ("third", 1, 0)] {
        let page = client
            .delivery_until(name, |page| page["recordsIn"] == came_in)
            .await;
        assert_all_is_counted(&page);
        let counted = (number(&page, "lost"), number(&page, "waitingRecords"));
        assert_eq!(counted, (lost, 1), "{name}: {page}");
    }
    survivor.stop().await;
    service.stop().await;
}
