//! `GET /_millrace/delivery-streams/NAME/lineage`: what an object was made of.

use std::time::Duration;

use http::Method;
use millrace_tests::{BUCKET, Client, base64};
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::through;

const PLUGIN: &str = "redact-card-numbers";

/// What is said of an object, which must say something.
async fn lineage(client: &Client, object: &str) -> Value {
    let object = object.replace('/', "%2F");
    client
        .read_page(&format!("delivery-streams/copy/lineage?object={object}"))
        .await
}

/// The oracle is what the stream answered when the records were put.
#[tokio::test]
async fn an_object_says_which_records_and_which_versions_it_was_made_of() {
    let files = PluginFiles::with(&[PLUGIN]);
    let service = files.start().await;
    let client = service.client();
    client.create("orders", 1).await;
    service.pass(Duration::from_millis(10));
    let more = json!({"Prefix": "first/", "ProcessingConfiguration": through(PLUGIN)});
    client.create_delivery_of("copy", "orders", more).await;
    let mut put = Vec::new();
    for round in 0..3 {
        for data in ["a", "b"] {
            service.pass(Duration::from_secs(1));
            let answer = client.put("orders", &base64(data)).await;
            put.push(answer["SequenceNumber"].clone());
        }
        if round == 1 {
            files.mask_with(&client, '#').await;
        }
        client.flush("copy").await;
    }
    let hash = client.read_page(&format!("plugins/{PLUGIN}")).await["hash"].clone();
    let service = service.restart().await;
    let client = service.client();
    let mut numbers = Vec::new();
    for object in service.objects(BUCKET) {
        let said = lineage(&client, &object.key).await;
        assert_eq!(said["lane"], "shardId-000000000000");
        assert_eq!(
            (&said["versionId"], &said["records"]),
            (&json!(1), &json!(2))
        );
        let is_last = said["delivery"] == 2;
        assert_eq!(said["version"] == hash, is_last, "{said}");
        numbers.push(said["firstSequenceNumber"].clone());
        numbers.push(said["lastSequenceNumber"].clone());
    }
    assert_eq!(numbers, put);
}

#[tokio::test]
async fn an_object_of_an_order_names_it_and_one_of_somebody_else_says_nothing() {
    let files = PluginFiles::with(&[]);
    let service = files.start().await;
    let client = service.client();
    client.create("orders", 1).await;
    service.pass(Duration::from_millis(10));
    client
        .create_delivery_of("copy", "orders", json!({"Prefix": "first/"}))
        .await;
    client
        .create_delivery("other", json!({"Prefix": "other/"}))
        .await;
    client.put("orders", &base64("a")).await;
    client.flush("copy").await;
    client.put_delivery("other", &["b"]).await;
    client.flush("other").await;
    let order = json!({"from": "TRIM_HORIZON", "prefix": "again/", "id": "mine"});
    let (status, answer) = client
        .post_page("delivery-streams/copy/redeliver", &order)
        .await;
    assert_eq!(status, 200, "{answer}");
    let is_done = |page: &Value| page["redeliveries"][0]["state"] == "DONE";
    client
        .page_until("delivery-streams/copy/redeliveries", is_done)
        .await;
    let mut told = 0;
    for object in service.objects(BUCKET) {
        let key = object.key.replace('/', "%2F");
        let page = format!("delivery-streams/copy/lineage?object={key}");
        let (status, said) = client.send_page(Method::GET, &page, Vec::new()).await;
        let wanted = if object.key.starts_with("other/") {
            404
        } else {
            200
        };
        assert_eq!(status, wanted, "{said}");
        if object.key.starts_with("again/") {
            assert_eq!(said["redelivery"], "mine");
        }
        told += u32::from(status == 200);
    }
    assert_eq!(told, 2);
    for (query, wanted) in [("?object=none", 404), ("", 400), ("?object=..%2Fx", 404)] {
        let page = format!("delivery-streams/copy/lineage{query}");
        let (status, said) = client.send_page(Method::GET, &page, Vec::new()).await;
        assert_eq!(status, wanted, "{query}: {said}");
    }
}
