use millrace_server::Running;
use serde_json::json;
use types::Timestamp;

use crate::fixture::{GUESSED, LIST_STREAMS, NOW, RIGHT, Signature, ask, ask_signed, protected};

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
