use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use millrace_server::{Credential, Running};
use tokio::net::TcpStream;
use types::{AccountId, Timestamp};
use wire::sigv4::{SecretKey, Signer};

use crate::fixture::{NOW, config, try_start};

const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "secret";

async fn protected() -> Running {
    let mut config = config();
    config.credentials.push(Credential {
        access_key_id: KEY_ID.into(),
        secret_access_key: SecretKey::new(SECRET),
        account: AccountId::parse("000000000042").unwrap(),
    });
    try_start(config).await.unwrap()
}

struct Signed<'a> {
    key_id: &'a str,
    secret: &'a str,
    service: &'a str,
    session_token: Option<&'a str>,
    at: Timestamp,
}

const RIGHT: Signed<'static> = Signed {
    key_id: KEY_ID,
    secret: SECRET,
    service: "kinesis",
    session_token: None,
    at: NOW,
};

/// The code of the answer to ListStreams, `None` if it is a good one.
async fn list_streams(server: &Running, signed: Option<Signed<'_>>) -> Option<String> {
    let address = server.address();
    let (mut parts, ()) = Request::post(format!("http://{address}/"))
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "Kinesis_20131202.ListStreams")
        .header("host", address.to_string())
        .body(())
        .unwrap()
        .into_parts();
    if let Some(signed) = signed {
        let signer = Signer {
            key_id: signed.key_id,
            secret: &SecretKey::new(signed.secret),
            session_token: signed.session_token,
            region: "eu-west-1",
            service: signed.service,
        };
        signer.sign(&mut parts, b"{}", signed.at).unwrap();
    }
    parts.uri = "/".parse().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::from_parts(parts, Full::new(Bytes::from_static(b"{}")));
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    match status.is_success() {
        true => None,
        false => Some(body["__type"].as_str().unwrap().to_owned()),
    }
}

#[tokio::test]
async fn a_request_signed_with_a_configured_key_goes_through() {
    let server = protected().await;
    assert_eq!(list_streams(&server, Some(RIGHT)).await, None);
}

#[tokio::test]
async fn every_other_request_is_refused() {
    let server = protected().await;
    let later = Timestamp(NOW.0 + 301_000);
    for (signed, code) in [
        (None, "MissingAuthenticationTokenException"),
        (
            Some(Signed {
                key_id: "AKIDOTHER",
                ..RIGHT
            }),
            "UnrecognizedClientException",
        ),
        (
            Some(Signed {
                secret: "guess",
                ..RIGHT
            }),
            "InvalidSignatureException",
        ),
        (
            Some(Signed {
                service: "s3",
                ..RIGHT
            }),
            "InvalidSignatureException",
        ),
        (
            Some(Signed { at: later, ..RIGHT }),
            "InvalidSignatureException",
        ),
        (
            Some(Signed {
                session_token: Some("t"),
                ..RIGHT
            }),
            "UnrecognizedClientException",
        ),
    ] {
        assert_eq!(list_streams(&server, signed).await.as_deref(), Some(code));
    }
}
