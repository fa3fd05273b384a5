//! ListStreamConsumers.

use std::time::Duration;

use millrace_tests::Service;
use serde_json::json;

use super::OVER_FIVE_MINUTES;

#[tokio::test]
async fn consumers_are_listed_in_order_page_by_page() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    for name in ["c", "a", "e", "b", "d"] {
        client.register("orders", name).await;
    }
    let stream = client.arn("orders");
    let mut input = json!({"StreamARN": stream, "MaxResults": 2});
    let mut pages = Vec::new();
    loop {
        let page = client.call("ListStreamConsumers", input.clone()).await;
        let names = page["Consumers"].as_array().unwrap().iter();
        let names: Vec<_> = names
            .map(|one| one["ConsumerName"].as_str().unwrap())
            .collect();
        pages.push(names.join(""));
        match page.get("NextToken") {
            Some(token) => input["NextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(pages, ["ab", "cd", "e"]);
}

#[tokio::test]
async fn a_token_is_good_for_its_stream_and_for_five_minutes() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.create("returns", 1).await;
    for name in ["a", "b"] {
        client.register("orders", name).await;
    }
    let first = json!({"StreamARN": client.arn("orders"), "MaxResults": 1});
    let token = client.call("ListStreamConsumers", first).await["NextToken"].clone();
    let of = |stream: &str| json!({"StreamARN": client.arn(stream), "NextToken": token});
    let code = client.code("ListStreamConsumers", of("returns")).await;
    assert_eq!(code, "InvalidArgumentException");
    service.pass(OVER_FIVE_MINUTES);
    let code = client.code("ListStreamConsumers", of("orders")).await;
    assert_eq!(code, "ExpiredNextTokenException");
}

#[tokio::test]
async fn a_stream_that_was_made_at_another_time_is_not_the_one_that_is_meant() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    service.pass(Duration::from_secs(10));
    let made = |at: u64| json!({"StreamARN": client.arn("orders"), "StreamCreationTimestamp": at});
    let listed = client
        .call("ListStreamConsumers", made(1_700_000_000))
        .await;
    assert_eq!(listed["Consumers"], json!([]));
    let code = client
        .code("ListStreamConsumers", made(1_700_000_001))
        .await;
    assert_eq!(code, "ResourceNotFoundException");
}
