//! Records arrive in an S3 bucket whole and once, also when the endpoint does its work badly.

use std::io::Read;

use flate2::read::GzDecoder;
use http::Method;
use millrace_tests::{BUCKET, Client, Object, Service};
use serde_json::{Value, json};

use crate::endpoint::{Does, Endpoint};

/// A server that delivers to an endpoint with the bucket of the tests.
async fn start(more: Value) -> (Endpoint, Service, Client) {
    let endpoint = Endpoint::start(&[BUCKET]).await;
    let service = Service::start_with(endpoint.setting()).await;
    let client = service.client();
    client.create_delivery("logs", more).await;
    (endpoint, service, client)
}

fn text(objects: &[Object]) -> String {
    objects.iter().map(Object::text).collect()
}

#[tokio::test]
async fn objects_arrive_whole_under_the_name_that_the_page_says() {
    let (endpoint, service, client) = start(json!({"Prefix": "a/!{timestamp:yyyy}/é~",
        "ErrorOutputPrefix": "bad/"}))
    .await;
    let mut wanted = String::new();
    for round in 0..3 {
        let lines: Vec<String> = (0..50).map(|n| format!("{round} {n}\n")).collect();
        client.put_delivery("logs", &lines).await;
        client.flush("logs").await;
        wanted.extend(lines);
    }
    let objects = endpoint.objects(BUCKET);
    assert_eq!(text(&objects), wanted);
    let page = client.delivery("logs").await;
    assert_eq!(page["objects"], objects.len());
    assert_eq!(page["lastObject"], objects.last().unwrap().key);
    assert!(
        objects[0].key.starts_with("a/2023/é~logs-1-"),
        "{objects:?}"
    );
    service.stop().await;
}

#[tokio::test]
async fn an_object_of_many_megabytes_arrives_whole() {
    let (endpoint, service, client) = start(json!({})).await;
    let mut wanted = Vec::new();
    for round in 0..4_u8 {
        let records = [
            vec![round; 1_000_000],
            vec![b'x'; 1_000_000],
            vec![round; 77],
        ];
        client.put_delivery("logs", &records).await;
        wanted.extend(records.concat());
    }
    client.flush("logs").await;
    let objects = endpoint.objects(BUCKET);
    assert_eq!(objects.len(), 1);
    assert!(
        objects[0].content == wanted,
        "the object is not what was put"
    );
    service.stop().await;
}

#[tokio::test]
async fn records_of_a_stream_arrive_packed_in_the_order_of_their_shards() {
    let endpoint = Endpoint::start(&[BUCKET]).await;
    let service = Service::start_with(endpoint.setting()).await;
    let client = service.client();
    client.create("orders", 2).await;
    let gzip = json!({"CompressionFormat": "GZIP"});
    client.create_delivery_of("logs", "orders", gzip).await;
    let mut wanted = [String::new(), String::new()];
    for number in 0..40_usize {
        let hash_key = (u128::MAX / 2) * (number % 2) as u128 + 1_000;
        let data = format!("{number:03}\n");
        let input = json!({
            "StreamName": "orders", "PartitionKey": "a",
            "Data": millrace_tests::base64(&data), "ExplicitHashKey": hash_key.to_string(),
        });
        client.call("PutRecord", input).await;
        wanted[number % 2].push_str(&data);
    }
    client.flush("logs").await;
    let objects = endpoint.objects(BUCKET);
    let unpacked = objects.iter().map(|object| {
        let mut text = String::new();
        GzDecoder::new(&object.content[..])
            .read_to_string(&mut text)
            .unwrap();
        text
    });
    let mut unpacked: Vec<String> = unpacked.collect();
    unpacked.sort_unstable();
    assert_eq!(unpacked, wanted);
    service.stop().await;
}

/// Delivers three objects, in which the `nth` request ends otherwise; how many requests it took.
async fn with_a_bad_answer(nth: u64, does: Does) -> u64 {
    let (endpoint, service, client) = start(json!({})).await;
    endpoint.rule(move |request, _| if request == nth { does } else { Does::Well });
    let mut wanted = String::new();
    for round in 0..3 {
        let line = format!("{round}\n");
        client.put_delivery("logs", &[&line]).await;
        client.flush("logs").await;
        wanted.push_str(&line);
    }
    assert_eq!(text(&endpoint.objects(BUCKET)), wanted, "{does:?} at {nth}");
    let page = client.delivery("logs").await;
    assert_eq!(
        (&page["objects"], &page["delivered"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(page["trouble"], Value::Null);
    service.stop().await;
    endpoint.requests()
}

#[tokio::test]
async fn a_request_that_ends_badly_is_sent_again_whichever_it_is() {
    let mut points = 0;
    for does in [
        Does::Answer(500),
        Does::Answer(503),
        Does::Close,
        Does::BreakOff,
    ] {
        let mut nth = 1;
        while nth <= with_a_bad_answer(nth, does).await && nth <= 3 {
            nth += 1;
            points += 1;
        }
    }
    println!("{points} requests ended badly");
}

/// The object is there, the answer to its put was lost, and the question after it fails too.
#[tokio::test]
async fn an_object_whose_answers_break_off_again_and_again_is_there_once() {
    let (endpoint, service, client) = start(json!({})).await;
    endpoint.rule(|request, method| match (request, method) {
        (1..=3, &Method::PUT) => Does::BreakOff,
        (2..=5, &Method::HEAD) => Does::Answer(500),
        _ => Does::Well,
    });
    client.put_delivery("logs", &["a\n", "b\n"]).await;
    client.flush("logs").await;
    assert_eq!(text(&endpoint.objects(BUCKET)), "a\nb\n");
    let page = client.delivery("logs").await;
    assert_eq!(
        (&page["objects"], &page["delivered"]),
        (&json!(1), &json!(2))
    );
    service.stop().await;
}

/// What the endpoint was told of the objects below a path: their type and their encoding.
fn told(endpoint: &Endpoint, path: &str) -> Vec<(String, Option<String>)> {
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let puts = endpoint.puts().into_iter();
    puts.filter(|(key, _)| key.starts_with(&format!("/{BUCKET}/{path}")))
        .map(|(_, headers)| {
            let kind = text(&headers["content-type"]);
            (kind, headers.get("content-encoding").map(text))
        })
        .collect()
}

#[tokio::test]
async fn objects_are_put_with_what_their_content_is_packed_with() {
    let endpoint = Endpoint::start(&[BUCKET]).await;
    let service = Service::start_with(endpoint.setting()).await;
    let client = service.client();
    let bytes = "application/octet-stream".to_owned();
    for (compression, encoding) in [
        ("GZIP", Some("gzip".to_owned())),
        ("UNCOMPRESSED", None),
        ("ZIP", None),
        ("Snappy", None),
        ("HADOOP_SNAPPY", None),
        ("ZSTD", Some("zstd".to_owned())),
    ] {
        let more = json!({
            "CompressionFormat": compression,
            "Prefix": format!("{compression}/"),
        });
        client.create_delivery(compression, more).await;
        client.put_delivery(compression, &["x"]).await;
        client.flush(compression).await;
        assert_eq!(told(&endpoint, compression), [(bytes.clone(), encoding)]);
    }
    let objects = endpoint.objects(BUCKET);
    let mut unpacked = String::new();
    GzDecoder::new(&objects[0].content[..])
        .read_to_string(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, "x");
    service.stop().await;
}
