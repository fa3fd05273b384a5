use millrace_server::{Running, Session};
use serde_json::json;
use types::Timestamp;
use wire::sigv4::SecretKey;

use crate::fixture::{
    GUESSED, LIST_STREAMS, NOW, RIGHT, Signature, ask, ask_signed, ask_with_body, protected,
};

/// The code of the answer to ListStreams, `None` if it is a good one.
async fn list_streams(server: &Running, signature: Option<Signature>) -> Option<String> {
    let answer = match signature {
        Some(signature) => ask_signed(server, &signature, "ListStreams", &json!({})).await,
        None => {
            ask(
                server,
                &format!("{LIST_STREAMS}Content-Length: 2\r\n\r\n{{}}"),
            )
            .await
        }
    };
    (answer.status != 200).then(|| answer.code())
}

#[tokio::test]
async fn a_request_signed_with_a_configured_key_goes_through() {
    let server = protected(|_| {}).await;
    assert_eq!(list_streams(&server, Some(RIGHT)).await, None);
}

#[tokio::test]
async fn every_other_request_is_refused() {
    let server = protected(|_| {}).await;
    let later = Timestamp(NOW.0 + 301_000);
    let unknown = "UnrecognizedClientException";
    let invalid = "InvalidSignatureException";
    for (signature, code) in [
        (None, "MissingAuthenticationTokenException"),
        (
            Some(Signature {
                key_id: "AKIDOTHER",
                ..RIGHT
            }),
            unknown,
        ),
        (Some(GUESSED), invalid),
        (
            Some(Signature {
                service: "s3",
                ..RIGHT
            }),
            invalid,
        ),
        (Some(Signature { at: later, ..RIGHT }), invalid),
        (
            Some(Signature {
                session_token: Some("t"),
                ..RIGHT
            }),
            unknown,
        ),
    ] {
        assert_eq!(
            list_streams(&server, signature).await.as_deref(),
            Some(code)
        );
    }
}

#[tokio::test]
async fn a_session_token_that_is_not_signed_is_not_taken() {
    const TOKEN: &str = "the-token-of-a-session";
    let server = protected(|config| {
        config.credentials[0].session = Some(Session {
            token: SecretKey::new(TOKEN),
            expires_at: Timestamp(u64::MAX),
        });
    })
    .await;
    let with_token = Signature {
        session_token: Some(TOKEN),
        ..RIGHT
    };
    assert_eq!(list_streams(&server, Some(with_token)).await, None);
    // Its owner signed, and somebody on the way has added the token.
    let mut parts = RIGHT.operation(&server, "ListStreams", b"{}");
    let token = http::HeaderValue::from_static(TOKEN);
    parts.headers.insert("x-amz-security-token", token);
    let answer = ask_with_body(&server, &parts, "{}").await;
    assert_eq!(answer.code(), "InvalidSignatureException");
    let text = "'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization.";
    assert_eq!(answer.json()["message"], text);
}
