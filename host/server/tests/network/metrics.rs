use millrace_server::Running;
use serde_json::{Value, json};
use wire::sigv4::SecretKey;

use crate::fixture::{
    Answer, GUESSED, NEIGHBOUR, RIGHT, Signature, ask, ask_firehose, head, protected, start,
};

const TOKEN: &str = "a token of the operator";

async fn with_token() -> Running {
    protected(|config| config.metrics_token = Some(SecretKey::new(TOKEN.replace(' ', "-")))).await
}

async fn get(server: &Running, headers: &str) -> Answer {
    let host = server.address();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
    ask(server, &request).await
}

async fn get_signed(server: &Running, signature: &Signature) -> Answer {
    let head = head(&signature.get(server, "/metrics"));
    ask(server, &format!("{head}\r\n")).await
}

async fn create_delivery_stream(server: &Running, signature: &Signature, name: &str) {
    let input: Value = json!({
        "DeliveryStreamName": name,
        "ExtendedS3DestinationConfiguration": {
            "RoleARN": "arn:aws:iam::000000000000:role/any",
            "BucketARN": "arn:aws:s3:::bucket",
        },
    });
    let answer = ask_firehose(server, signature, "CreateDeliveryStream", &input).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn without_credentials_anybody_on_this_machine_sees_all_metrics() {
    let server = start(|_| {}).await;
    let answer = get(&server, "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("millrace_requests_total"));
}

#[tokio::test]
async fn with_credentials_metrics_are_told_to_nobody_unknown() {
    let server = with_token().await;
    create_delivery_stream(&server, &RIGHT, "secret-plan").await;
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    for headers in [
        String::new(),
        bearer(""),
        bearer("a-token-of-the-operato"),
        bearer("a-token-of-the-operator2"),
        "Authorization: Basic a-token-of-the-operator\r\n".to_owned(),
    ] {
        let answer = get(&server, &headers).await;
        assert!((400..500).contains(&answer.status), "{headers}");
        assert!(!answer.body.contains("secret-plan"), "{}", answer.body);
        assert!(!answer.body.contains("millrace_"), "{}", answer.body);
    }
    let guessed = get_signed(&server, &GUESSED).await;
    assert_eq!(guessed.code(), "InvalidSignatureException");
}

#[tokio::test]
async fn without_a_token_in_the_configuration_none_is_right() {
    let server = protected(|_| {}).await;
    for token in ["", "any", "null"] {
        let answer = get(&server, &format!("Authorization: Bearer {token}\r\n")).await;
        assert!((400..500).contains(&answer.status), "{token}");
    }
}

#[tokio::test]
async fn the_token_of_the_configuration_shows_the_metrics_of_all_accounts() {
    let server = with_token().await;
    create_delivery_stream(&server, &RIGHT, "mine").await;
    create_delivery_stream(&server, &NEIGHBOUR, "theirs").await;
    let answer = get(&server, "authorization: bearer a-token-of-the-operator\r\n").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    for expected in [
        "000000000042:deliverystream/mine",
        "000000000043:deliverystream/theirs",
        "millrace_requests_total",
    ] {
        assert!(answer.body.contains(expected), "{}", answer.body);
    }
}

#[tokio::test]
async fn an_account_sees_the_metrics_of_its_own_streams_and_no_others() {
    let server = with_token().await;
    create_delivery_stream(&server, &RIGHT, "mine").await;
    create_delivery_stream(&server, &NEIGHBOUR, "theirs").await;
    let answer = get_signed(&server, &RIGHT).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("000000000042:deliverystream/mine"));
    for foreign in ["theirs", "000000000043", "requests_total"] {
        assert!(!answer.body.contains(foreign), "{}", answer.body);
    }
}

#[tokio::test]
async fn health_names_nobody() {
    let server = protected(|_| {}).await;
    create_delivery_stream(&server, &RIGHT, "secret-plan").await;
    let host = server.address();
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let answer = ask(&server, &request).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
}

#[tokio::test]
async fn pages_of_the_server_show_an_account_its_own_streams() {
    let server = protected(|_| {}).await;
    create_delivery_stream(&server, &NEIGHBOUR, "theirs").await;
    for path in [
        "/_millrace/delivery-streams",
        "/_millrace/delivery-streams/theirs",
        "/_millrace/plugins",
    ] {
        let head = head(&RIGHT.get(&server, path));
        let answer = ask(&server, &format!("{head}\r\n")).await;
        assert!(!answer.body.contains("000000000043"), "{}", answer.body);
        assert_ne!(answer.status, 500);
    }
}
