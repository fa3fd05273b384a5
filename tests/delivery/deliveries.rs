//! `GET /_millrace/delivery-streams/NAME/deliveries`: what was delivered lately, object by object.

use millrace_tests::{BUCKET, Service};
use serde_json::{Value, json};

const PAGE: &str = "delivery-streams/copy/deliveries";

/// Names, delivered records and bytes of a page's lines.
fn lines(page: &Value) -> Vec<(String, u64, u64)> {
    let lines = page["lines"].as_array().unwrap().iter();
    let facts = lines.map(|line| {
        assert_eq!(
            (&line["lane"], &line["failed"]),
            (&json!("direct"), &json!(0))
        );
        let number = |name: &str| line[name].as_u64().unwrap();
        let name = line["name"].as_str().unwrap().to_owned();
        (name, number("delivered"), number("bytes"))
    });
    facts.collect()
}

#[tokio::test]
async fn each_object_is_told_once_with_what_it_holds() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("copy", json!({})).await;
    assert_eq!(client.read_page(PAGE).await["lines"], json!([]));
    client.put_delivery("copy", &["one", "two"]).await;
    client.flush("copy").await;
    let first = client.read_page(PAGE).await;
    client.put_delivery("copy", &["three"]).await;
    client.flush("copy").await;
    let keys: Vec<String> = service
        .objects(BUCKET)
        .into_iter()
        .map(|object| object.key)
        .collect();
    let told = lines(&first);
    assert_eq!(told.len(), 1);
    let (run, next) = (first["run"].as_str().unwrap(), &first["next"]);
    let later = client
        .read_page(&format!("{PAGE}?run={run}&after={next}"))
        .await;
    let all = [told, lines(&later)].concat();
    let counts: Vec<_> = all
        .iter()
        .map(|(_, records, bytes)| (*records, *bytes))
        .collect();
    assert_eq!(counts, [(2, 6), (1, 5)]);
    for (name, ..) in &all {
        assert!(
            keys.iter().any(|key| name.ends_with(key.as_str())),
            "{name}: {keys:?}"
        );
    }
    // The last 32 are kept.
    for _ in 0..40 {
        client.put_delivery("copy", &["x"]).await;
        client.flush("copy").await;
    }
    let page = client.read_page(PAGE).await;
    let kept = page["lines"].as_array().unwrap().len();
    assert!((1..=32).contains(&kept), "{kept}");
    assert_eq!(page["missed"].as_u64().unwrap() + kept as u64, 42);
    let (status, _) = service
        .other_client()
        .send_page(http::Method::GET, PAGE, Vec::new())
        .await;
    assert_eq!(status, 404);
}
