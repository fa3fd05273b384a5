//! ListStreams.

use millrace_tests::{ACCOUNT, REGION, Service};
use serde_json::{Value, json};

use crate::OVER_FIVE_MINUTES;

async fn with_streams(names: &[&str]) -> Service {
    let service = Service::start().await;
    for name in names {
        service.client().create(name, 1).await;
    }
    service
}

#[tokio::test]
async fn streams_are_listed_by_name_with_their_summaries() {
    let service = with_streams(&["c", "a", "b"]).await;
    let answer = service.client().call("ListStreams", json!({})).await;
    assert_eq!(answer["StreamNames"], json!(["a", "b", "c"]));
    assert_eq!(answer["HasMoreStreams"], false);
    assert!(answer.get("NextToken").is_none());
    let first = &answer["StreamSummaries"][0];
    assert_eq!(first["StreamName"], "a");
    assert_eq!(first["StreamStatus"], "ACTIVE");
    assert_eq!(
        first["StreamARN"],
        format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/a")
    );
    service.stop().await;
}

#[tokio::test]
async fn pages_follow_by_token_and_by_name() {
    let service = with_streams(&["a", "b", "c"]).await;
    let client = service.client();
    let first = client.call("ListStreams", json!({"Limit": 2})).await;
    assert_eq!(first["StreamNames"], json!(["a", "b"]));
    assert_eq!(first["HasMoreStreams"], true);
    let by_token = json!({"Limit": 2, "NextToken": first["NextToken"]});
    let by_name = json!({"Limit": 2, "ExclusiveStartStreamName": "b"});
    for input in [by_token, by_name] {
        let second = client.call("ListStreams", input).await;
        assert_eq!(second["StreamNames"], json!(["c"]));
        assert_eq!(second["HasMoreStreams"], false);
    }
    service.stop().await;
}

#[tokio::test]
async fn a_page_holds_100_streams_whatever_is_asked_for() {
    let names: Vec<String> = (0..101).map(|n| format!("stream-{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let service = with_streams(&names).await;
    for input in [json!({}), json!({"Limit": 10_000})] {
        let answer = service.client().call("ListStreams", input).await;
        assert_eq!(answer["StreamNames"].as_array().unwrap().len(), 100);
        assert_eq!(answer["HasMoreStreams"], true);
    }
    service.stop().await;
}

#[tokio::test]
async fn a_token_expires_after_five_minutes() {
    let service = with_streams(&["a", "b"]).await;
    let client = service.client();
    let page = client.call("ListStreams", json!({"Limit": 1})).await;
    service.pass(OVER_FIVE_MINUTES);
    let code = client
        .code("ListStreams", json!({"NextToken": page["NextToken"]}))
        .await;
    assert_eq!(code, "ExpiredNextTokenException");
    service.stop().await;
}

#[tokio::test]
async fn a_token_that_was_tampered_with_or_is_of_another_account_is_refused() {
    let service = with_streams(&["a", "b"]).await;
    let page = service
        .client()
        .call("ListStreams", json!({"Limit": 1}))
        .await;
    let token = page["NextToken"].as_str().unwrap();
    let tampered = |at: usize| {
        let other = if token.as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        format!("{}{other}{}", &token[..at], &token[at + 1..])
    };
    for at in 0..token.len() - 2 {
        let input = json!({"NextToken": tampered(at)});
        let code = service.client().code("ListStreams", input).await;
        assert_eq!(code, "InvalidArgumentException", "byte {at}");
    }
    let input: Value = json!({"NextToken": token});
    let code = service.other_client().code("ListStreams", input).await;
    assert_eq!(code, "InvalidArgumentException");
    service.stop().await;
}
