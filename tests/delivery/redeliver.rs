//! What a stream retains is delivered once more: all of it or a stretch, through a version that is
//! named, to a prefix of its own, once, over restarts, and as nobody's counts but its own.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use millrace_tests::{ACCOUNT, BUCKET, Client, Service, Setting, base64, statement, user};
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::through;

const NAME: &str = "copy";
const ORDERS: &str = "delivery-streams/copy/redeliver";
const LIST: &str = "delivery-streams/copy/redeliveries";
const CANCEL: &str = "delivery-streams/copy/redeliveries/cancel";

/// A delivery stream of a stream with records that are delivered, and the answers of their puts.
async fn delivered(service: &Service, client: &Client, data: &[&str]) -> Vec<Value> {
    client.create("orders", 1).await;
    service.pass(Duration::from_millis(10));
    let more = json!({"Prefix": "first/"});
    client.create_delivery_of(NAME, "orders", more).await;
    let mut put = Vec::new();
    for data in data {
        service.pass(Duration::from_secs(1));
        put.push(client.put("orders", &base64(data)).await);
    }
    client.flush(NAME).await;
    put
}

/// What the objects below a prefix hold, in the order of their names.
fn below(service: &Service, prefix: &str) -> Vec<String> {
    let objects = service.objects(BUCKET).into_iter();
    let below = objects.filter(|object| object.key.starts_with(prefix));
    below.map(|object| object.text().to_owned()).collect()
}

/// A file where the folder of the day is to be on which the records arrived: objects below the
/// prefix are not taken. The name is looked at when it is ordered, on the day after.
fn obstacle(service: &Service, prefix: &str) -> PathBuf {
    service.pass(Duration::from_secs(2 * 60 * 60));
    let folder = service.buckets().join(BUCKET).join(prefix);
    let folder = folder.join("2023/11");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("14");
    fs::write(&file, "").unwrap();
    file
}

/// Gives an order that must be taken.
async fn order(client: &Client, order: Value) -> Value {
    let (status, answer) = client.post_page(ORDERS, &order).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Waits until the order of this id is so.
async fn until(client: &Client, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let of_id = |page: &Value| {
        let all = page["redeliveries"].as_array().unwrap().iter();
        let mut of_id = all.filter(|it| it["id"] == id);
        of_id.next().cloned().unwrap()
    };
    let page = client.page_until(LIST, |page| is_so(&of_id(page))).await;
    of_id(&page)
}

async fn until_done(client: &Client, id: &str) -> Value {
    until(client, id, |it| it["state"] == "DONE").await
}

#[tokio::test]
async fn all_that_is_retained_is_delivered_once_more_and_once_alone() {
    let service = Service::start().await;
    let client = service.client();
    delivered(&service, &client, &["one ", "two ", "three "]).await;
    let before = client.delivery(NAME).await;
    let ordered = json!({"from": "TRIM_HORIZON", "prefix": "again/"});
    order(&client, ordered.clone()).await;
    let done = until_done(&client, "again/").await;
    assert_eq!(below(&service, "again/").concat(), "one two three ");
    let counts = ["records", "done", "delivered", "failed", "lost", "left"];
    let counts = counts.map(|name| done[name].as_u64().unwrap());
    assert_eq!(counts, [3, 3, 3, 0, 0, 0]);
    // What comes later is none of it, and the order is not done a second time.
    client.put("orders", &base64("four")).await;
    client.flush(NAME).await;
    assert_eq!(order(&client, ordered.clone()).await["state"], "DONE");
    let service = service.restart().await;
    let client = service.client();
    assert_eq!(order(&client, ordered).await["delivered"], 3);
    assert_eq!(below(&service, "again/").concat(), "one two three ");
    assert_eq!(below(&service, "first/").concat(), "one two three four");
    let after = client.delivery(NAME).await;
    for count in ["recordsIn", "delivered", "objects"] {
        let more = after[count].as_u64().unwrap() - before[count].as_u64().unwrap();
        assert_eq!(more, 1, "{count} is of the delivery stream alone");
    }
    let described = client.read_page("delivery-streams/copy").await;
    assert_eq!(described["redeliveries"][0]["delivered"], 3);
}

#[tokio::test]
async fn a_stretch_lies_between_times_or_sequence_numbers() {
    let service = Service::start().await;
    let client = service.client();
    let data = ["0", "1", "2", "3", "4"];
    let put = delivered(&service, &client, &data).await;
    let number = |place: usize| put[place]["SequenceNumber"].clone();
    let now = service.now().0;
    // Each record came a second after the one before.
    let at = |place: u64| json!((now - 1_000 * (4 - place)).to_string());
    let stretches = [
        (number(1), Value::Null, "1234"),
        (number(1), number(2), "12"),
        (at(3), Value::Null, "34"),
        (at(1), at(3), "12"),
        (json!("TRIM_HORIZON"), number(0), "0"),
    ];
    for (place, (from, to, wanted)) in stretches.into_iter().enumerate() {
        let prefix = format!("{place}-{wanted}/");
        let mut ordered = json!({"from": from, "prefix": prefix});
        if !to.is_null() {
            ordered["to"] = to;
        }
        order(&client, ordered).await;
        until_done(&client, &prefix).await;
        assert_eq!(below(&service, &prefix).concat(), wanted);
    }
    for (ordered, told) in [
        (
            json!({"from": at(3), "to": at(1), "prefix": "x/"}),
            "Nothing is retained",
        ),
        (json!({"from": "LATEST", "prefix": "x/"}), "From is neither"),
        (
            json!({"from": "4".repeat(56), "prefix": "x/"}),
            "sequence number",
        ),
        (
            json!({"from": "TRIM_HORIZON", "prefix": "first/"}),
            "be another one",
        ),
        (
            json!({"from": "TRIM_HORIZON", "prefix": "", "id": "x"}),
            "be another one",
        ),
        (
            json!({"from": at(3), "prefix": "1-12/"}),
            "that of another order",
        ),
        (json!({"from": at(3), "prefix": "!{timestamp:q"}), "refix"),
        (
            json!({"from": at(3), "prefix": "x/", "version": "0".repeat(64)}),
            "has no plugin",
        ),
    ] {
        let (status, answer) = client.post_page(ORDERS, &ordered).await;
        assert_eq!(status, 400, "{told}: {answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(told), "{told}: {message}");
    }
}

#[tokio::test]
async fn records_go_through_the_version_that_is_named() {
    const CARD: &str = "4000 0000 0000 0002";
    let files = PluginFiles::with(&["redact-card-numbers"]);
    let service = files.start().await;
    let client = service.client();
    client.create("orders", 1).await;
    service.pass(Duration::from_millis(10));
    let more = json!({
        "Prefix": "first/", "ProcessingConfiguration": through("redact-card-numbers"),
    });
    client.create_delivery_of(NAME, "orders", more).await;
    client.put("orders", &base64(CARD)).await;
    client.flush(NAME).await;
    let page = client.read_page("plugins/redact-card-numbers").await;
    let stars = page["hash"].as_str().unwrap().to_owned();
    let hashes = files.mask_with(&client, '#').await;
    for (id, version, sign) in [("a/", &stars, '*'), ("b/", &hashes, '#')] {
        let ordered = json!({"from": "TRIM_HORIZON", "prefix": id, "version": version});
        order(&client, ordered).await;
        let done = until_done(&client, id).await;
        assert_eq!(done["version"], version.as_str());
        let again = below(&service, id).concat();
        assert!(
            again.contains(sign) && !again.contains("4000 0000"),
            "{again}"
        );
    }
    // Without one it is that in force.
    order(&client, json!({"from": "TRIM_HORIZON", "prefix": "c/"})).await;
    until_done(&client, "c/").await;
    assert!(below(&service, "c/").concat().contains('#'));
}

#[tokio::test]
async fn an_order_that_is_stuck_goes_on_after_a_restart_or_is_cancelled() {
    let service = Service::start().await;
    let client = service.client();
    delivered(&service, &client, &["one ", "two "]).await;
    let in_the_way = obstacle(&service, "again");
    let ordered = json!({"from": "TRIM_HORIZON", "prefix": "again/", "id": "first"});
    order(&client, ordered.clone()).await;
    let stuck = |it: &Value| it["trouble"].is_string();
    until(&client, "first", stuck).await;
    // The delivery stream itself gets on, and has one order at a time.
    client.put("orders", &base64("three ")).await;
    client.flush(NAME).await;
    assert_eq!(below(&service, "first/").concat(), "one two three ");
    let other = json!({"from": "TRIM_HORIZON", "prefix": "other/"});
    let (status, answer) = client.post_page(ORDERS, &other).await;
    assert_eq!(status, 400, "{answer}");
    assert_eq!(answer["__type"], "LimitExceededException", "{answer}");
    let service = service.restart().await;
    let client = service.client();
    until(&client, "first", stuck).await;
    fs::remove_file(&in_the_way).unwrap();
    until_done(&client, "first").await;
    assert_eq!(below(&service, "again/").concat(), "one two ");
    // Another one is cancelled while it is stuck.
    let in_the_way = obstacle(&service, "other");
    order(&client, other.clone()).await;
    until(&client, "other/", stuck).await;
    let (status, answer) = client.post_page(CANCEL, &json!({"id": "other/"})).await;
    assert_eq!(status, 200, "{answer}");
    let counts = ["records", "done", "delivered", "lost", "left"];
    let counts = counts.map(|name| answer[name].as_u64().unwrap());
    assert_eq!(
        (&answer["state"], counts),
        (&json!("CANCELLED"), [3, 0, 0, 0, 3])
    );
    fs::remove_file(&in_the_way).unwrap();
    // It is not begun anew by its id, and another id is another order.
    assert_eq!(order(&client, other).await["state"], "CANCELLED");
    let anew = json!({"from": "TRIM_HORIZON", "prefix": "other/", "id": "anew"});
    order(&client, anew).await;
    until_done(&client, "anew").await;
    assert_eq!(below(&service, "other/").concat(), "one two three ");
    let (status, _) = client.post_page(CANCEL, &json!({"id": "none"})).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_delivery_stream_with_an_order_is_deleted_and_its_id_is_free() {
    let service = Service::start().await;
    let client = service.client();
    delivered(&service, &client, &["one "]).await;
    let in_the_way = obstacle(&service, "again");
    let ordered = json!({"from": "TRIM_HORIZON", "prefix": "again/"});
    order(&client, ordered.clone()).await;
    until(&client, "again/", |it| it["trouble"].is_string()).await;
    client.delete_delivery(NAME).await;
    fs::remove_file(&in_the_way).unwrap();
    client
        .create_delivery_of(NAME, "orders", json!({"Prefix": "first/"}))
        .await;
    assert_eq!(client.read_page(LIST).await["redeliveries"], json!([]));
    order(&client, ordered).await;
    until_done(&client, "again/").await;
    assert_eq!(below(&service, "again/"), ["one "]);
}

#[tokio::test]
async fn only_records_of_a_stream_and_into_objects_are_delivered_once_more() {
    let service = Service::start_with(Setting {
        credentials: vec![user(
            ACCOUNT,
            "ann",
            Some(&statement(
                "Allow",
                &json!("millrace:ListRedeliveries"),
                &json!("*"),
                None,
            )),
        )],
        ..Setting::default()
    })
    .await;
    let client = service.client();
    client.create_delivery(NAME, json!({})).await;
    let ordered = json!({"from": "TRIM_HORIZON", "prefix": "again/"});
    let (status, answer) = client.post_page(ORDERS, &ordered).await;
    assert_eq!(status, 400);
    assert!(
        answer["message"].as_str().unwrap().contains("put directly"),
        "{answer}"
    );
    let ann = service.user("ann");
    assert_eq!(ann.read_page(LIST).await["redeliveries"], json!([]));
    let (_, answer) = ann.post_page(ORDERS, &ordered).await;
    assert_eq!(answer["__type"], "AccessDeniedException", "{answer}");
    let (status, _) = service.other_client().post_page(ORDERS, &ordered).await;
    assert_eq!(status, 404);
}
