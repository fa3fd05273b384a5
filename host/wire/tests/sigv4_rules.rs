//! The rules of a signature beyond its arithmetic, with requests that our own signer makes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request};
use types::Timestamp;
use wire::ApiError;
use wire::sigv4::{Authorization, Paths, SecretKey, SignedRequest, Signer, Verifier};

const BODY: &[u8] = br#"{"StreamName":"clicks"}"#;
/// 2026-11-24T12:00:00Z.
const NOW: Timestamp = Timestamp(1_795_521_600_000);

const MISMATCH: &str = "The request signature we calculated does not match the signature you \
    provided. Check your AWS Secret Access Key and signing method. Consult the service \
    documentation for details.";

fn secret() -> SecretKey {
    SecretKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
}

/// The headers of a signed PutRecord.
fn signed() -> HeaderMap {
    let (mut parts, ()) = Request::post("http://127.0.0.1:4567/")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "Kinesis_20131202.PutRecord")
        .body(())
        .unwrap()
        .into_parts();
    let signer = Signer {
        key_id: "AKIDEXAMPLE",
        secret: &secret(),
        session_token: None,
        region: "eu-central-1",
        service: "kinesis",
    };
    signer.sign(&mut parts, BODY, NOW).unwrap();
    parts.headers
}

fn verify(headers: &HeaderMap) -> Result<(), ApiError> {
    verify_at(headers, NOW)
}

fn verify_at(headers: &HeaderMap, now: Timestamp) -> Result<(), ApiError> {
    verify_with(&request(headers), Some(&secret()), now)
}

fn request(headers: &HeaderMap) -> SignedRequest<'_> {
    SignedRequest {
        service: "kinesis",
        method: "POST",
        path: "/",
        query: "",
        authority: None,
        headers,
        body: BODY,
    }
}

fn verify_with(
    request: &SignedRequest<'_>,
    secret: Option<&SecretKey>,
    now: Timestamp,
) -> Result<(), ApiError> {
    let verifier = Verifier::new(Verifier::SKEW_DEFAULT, Paths::Normalized);
    let authorization = Authorization::parse(request.headers)?.expect("the request is signed");
    verifier.verify(&authorization, request, secret, now)
}

/// The signed headers with the text of one changed.
fn changed(name: &'static str, change: impl Fn(&str) -> String) -> HeaderMap {
    let mut headers = signed();
    let value = change(headers[name].to_str().unwrap());
    headers.insert(name, HeaderValue::from_str(&value).unwrap());
    headers
}

fn refusal(answer: Result<(), ApiError>) -> (&'static str, String) {
    let error = answer.unwrap_err();
    assert_eq!(error.status(), 400);
    (error.code(), error.message().to_owned())
}

#[test]
fn a_request_of_our_own_signer_is_accepted() {
    assert_eq!(verify(&signed()), Ok(()));
    let headers = signed();
    let authorization = Authorization::parse(&headers).unwrap().unwrap();
    assert_eq!(authorization.key_id, "AKIDEXAMPLE");
    assert_eq!(authorization.region, "eu-central-1");
    assert_eq!(authorization.service, "kinesis");
    assert_eq!(authorization.session_token, None);
}

#[test]
fn our_signer_makes_the_signature_of_awss_suite() {
    let (mut parts, ()) = Request::get("http://example.amazonaws.com/")
        .body(())
        .unwrap()
        .into_parts();
    let signer = Signer {
        key_id: "AKIDEXAMPLE",
        secret: &secret(),
        session_token: Some("6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"),
        region: "us-east-1",
        service: "service",
    };
    signer
        .sign(&mut parts, b"", Timestamp(1_440_938_160_000))
        .unwrap();
    let authorization = parts.headers["authorization"].to_str().unwrap();
    assert!(
        authorization
            .ends_with("=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"),
        "{authorization}"
    );
    let authorization = Authorization::parse(&parts.headers).unwrap().unwrap();
    assert_eq!(authorization.session_token.as_deref(), signer.session_token);
}

#[test]
fn parameters_may_stand_without_a_space_after_the_comma() {
    let headers = changed("authorization", |text| text.replace(", ", ","));
    assert_eq!(verify(&headers), Ok(()));
}

#[test]
fn the_authority_of_http_2_stands_for_the_host() {
    let mut headers = signed();
    headers.remove("host");
    assert_eq!(refusal(verify(&headers)).0, "InvalidSignatureException");
    let mut request = request(&headers);
    request.authority = Some("127.0.0.1:4567");
    assert_eq!(verify_with(&request, Some(&secret()), NOW), Ok(()));
    request.authority = Some("127.0.0.1:4568");
    assert!(verify_with(&request, Some(&secret()), NOW).is_err());
}

#[test]
fn a_request_without_authorization_is_not_an_error_here() {
    assert!(Authorization::parse(&HeaderMap::new()).unwrap().is_none());
}

#[test]
fn everything_that_the_header_lacks_is_named() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("X"));
    let (code, message) = refusal(Authorization::parse(&headers).map(drop));
    assert_eq!(code, "IncompleteSignatureException");
    assert_eq!(
        message,
        "Authorization header requires 'Credential' parameter. Authorization header requires \
         'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. \
         Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. \
         (Hashed with SHA-256 and encoded with Base64) \
         Authorization=S2irOEf+2n1sYsH7y+6/o16rc1HtXnj03a3qXfZLgBU="
    );
}

#[test]
fn malformed_parts_are_named() {
    type Change = fn(&str) -> String;
    let cases: [(&'static str, Change, &str, &str); 5] = [
        (
            "authorization",
            |text| text.replace("HMAC-SHA256", "HMAC-SHA512"),
            "IncompleteSignatureException",
            "Unsupported AWS 'algorithm': use 'AWS4-HMAC-SHA256'.",
        ),
        (
            "authorization",
            |text| text.replace("/kinesis/", "/"),
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term",
        ),
        (
            "authorization",
            |text| text.replace("aws4_request", "aws5_request"),
            "InvalidSignatureException",
            "Credential should be scoped with a valid terminator: 'aws4_request'.",
        ),
        (
            "authorization",
            |text| text.replace("/20261124/", "/20261123/"),
            "InvalidSignatureException",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '20261123' != '20261124', from '20261124T120000Z'.",
        ),
        (
            "x-amz-date",
            |_| "yesterday".to_owned(),
            "IncompleteSignatureException",
            "Date must be in ISO-8601 'basic format'. Got 'yesterday'. See \
             http://en.wikipedia.org/wiki/ISO_8601",
        ),
    ];
    for (header, change, code, message) in cases {
        let answer = verify(&changed(header, change));
        assert_eq!(refusal(answer), (code, message.to_owned()));
    }
}

#[test]
fn a_secret_in_the_place_of_the_key_id_is_not_repeated() {
    let headers = changed("authorization", |text| {
        text.replace("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    });
    let (_, message) = refusal(verify(&headers));
    assert!(!message.contains("wJalr"), "{message}");
}

#[test]
fn a_clock_may_be_off_by_five_minutes_and_no_more() {
    let headers = signed();
    let limit = Duration::from_secs(300);
    let second = Duration::from_secs(1);
    assert_eq!(verify_at(&headers, NOW.after(limit)), Ok(()));
    assert_eq!(verify_at(&headers, NOW.before(limit)), Ok(()));
    assert_eq!(
        refusal(verify_at(&headers, NOW.after(limit + second))),
        (
            "InvalidSignatureException",
            "Signature expired: 20261124T120000Z is now earlier than 20261124T120001Z \
             (20261124T120501Z - 5 min.)"
                .to_owned()
        )
    );
    assert_eq!(
        refusal(verify_at(&headers, NOW.before(limit + second))),
        (
            "InvalidSignatureException",
            "Signature not yet current: 20261124T120000Z is still later than 20261124T115959Z \
             (20261124T115459Z + 5 min.)"
                .to_owned()
        )
    );
    // Clocks that show nonsense.
    assert!(verify_at(&headers, Timestamp(0)).is_err());
    assert!(verify_at(&headers, Timestamp(u64::MAX)).is_err());
}

#[test]
fn an_unknown_key_a_wrong_secret_and_another_service_are_refused() {
    let headers = signed();
    let request = request(&headers);
    assert_eq!(
        refusal(verify_with(&request, None, NOW)),
        (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.".to_owned()
        )
    );
    let wrong = SecretKey::new("wrong");
    assert_eq!(
        refusal(verify_with(&request, Some(&wrong), NOW)),
        ("InvalidSignatureException", MISMATCH.to_owned())
    );
    let other = SignedRequest {
        service: "firehose",
        ..request
    };
    assert_eq!(
        refusal(verify_with(&other, Some(&secret()), NOW)),
        (
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'firehose'. ".to_owned()
        )
    );
}

#[test]
fn a_wrong_secret_is_refused_after_the_right_one_was_seen() {
    let verifier = Verifier::new(Verifier::SKEW_DEFAULT, Paths::Normalized);
    let headers = signed();
    let authorization = Authorization::parse(&headers).unwrap().unwrap();
    let verify = |secret: Option<&SecretKey>| {
        verifier.verify(&authorization, &request(&headers), secret, NOW)
    };
    assert_eq!(verify(Some(&secret())), Ok(()));
    assert!(verify(Some(&SecretKey::new("wrong"))).is_err());
    assert!(verify(None).is_err());
    assert_eq!(verify(Some(&secret())), Ok(()));
}

#[test]
fn host_date_and_target_must_be_signed() {
    for (name, message) in [
        (
            "host",
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ),
        (
            "x-amz-date",
            "'X-Amz-Date' or 'Date' must be a 'SignedHeader' in the AWS Authorization.",
        ),
        (
            "x-amz-target",
            "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.",
        ),
    ] {
        let headers = changed("authorization", |text| text.replace(name, "user-agent"));
        assert_eq!(
            refusal(verify(&headers)),
            ("InvalidSignatureException", message.to_owned())
        );
    }
}

#[test]
fn the_date_header_serves_when_there_is_no_other() {
    // The request of AWS's first suite, of 2011.
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "host.foo.com"),
        ("date", "Mon, 09 Sep 2011 23:36:00 GMT"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20110909/us-east-1/host/aws4_request, \
             SignedHeaders=date;host, \
             Signature=b27ccfbfa7df52a200ff74193ca6e32d4b48b8856fab7ebf1c595d0670a7e470",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let first = SignedRequest {
        service: "host",
        method: "GET",
        body: b"",
        ..request(&headers)
    };
    let then = Timestamp(1_315_611_360_000);
    assert_eq!(verify_with(&first, Some(&secret()), then), Ok(()));
    assert!(verify_with(&first, Some(&secret()), NOW).is_err());

    let mut headers = signed();
    headers.remove("x-amz-date");
    headers.insert(
        "date",
        HeaderValue::from_static("Tue, 24 Nov 2026 12:00:00 GMT"),
    );
    assert_eq!(
        refusal(verify(&headers)).1,
        "'X-Amz-Date' or 'Date' must be a 'SignedHeader' in the AWS Authorization."
    );
}

#[test]
fn a_claimed_body_hash_must_be_the_bodys() {
    let claim = |text: &'static str| {
        let mut headers = signed();
        headers.insert("x-amz-content-sha256", HeaderValue::from_static(text));
        verify(&headers)
    };
    for text in [
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "",
    ] {
        assert_eq!(
            refusal(claim(text)),
            (
                "InvalidSignatureException",
                "The value of 'x-amz-content-sha256' is not the SHA-256 of the body.".to_owned()
            )
        );
    }
}

#[test]
fn a_signature_covers_a_bounded_number_of_headers() {
    let headers = changed("authorization", |text| {
        text.replace("host;", &"host;".repeat(65))
    });
    assert_eq!(
        refusal(verify(&headers)),
        (
            "IncompleteSignatureException",
            "No more than 64 headers can be signed.".to_owned()
        )
    );
}

#[test]
fn nothing_prints_a_secret() {
    let secret = secret();
    let signer = Signer {
        key_id: "AKIDEXAMPLE",
        secret: &secret,
        session_token: None,
        region: "eu-central-1",
        service: "kinesis",
    };
    let verifier = Verifier::new(Verifier::SKEW_DEFAULT, Paths::Normalized);
    for printed in [
        format!("{secret:?}"),
        format!("{signer:?}"),
        format!("{verifier:?}"),
    ] {
        assert!(!printed.contains("wJalr"), "{printed}");
        assert!(!printed.contains("no one has"), "{printed}");
    }
}

#[test]
fn no_authorization_header_causes_a_panic() {
    let good = signed()["authorization"].to_str().unwrap().to_owned();
    let mut seed: u64 = 7;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for end in 0..good.len() {
        let headers = changed("authorization", |text| text[..end].to_owned());
        assert!(verify(&headers).is_err(), "{end}");
    }
    for _ in 0..20_000 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..1 + next(4) {
            let at = next(bytes.len());
            bytes[at] = u8::try_from(next(256)).unwrap();
        }
        let mut headers = signed();
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            headers.insert("authorization", value);
            let known = bytes.windows(12).any(|part| part == b"AKIDEXAMPLE/");
            let parameters = |text: &[u8]| {
                let parts = text.split(|byte| matches!(byte, b',' | b' '));
                parts
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .concat()
            };
            let answer = verify_with(&request(&headers), known.then_some(&secret()), NOW);
            let same = parameters(&bytes) == parameters(good.as_bytes());
            assert!(answer.is_err() || same, "{headers:?}");
        }
    }
}

/// A GET that its maker signed in the query, good for an hour from [`SUITE_SIGNED_AT`] on: the
/// first of AWS's suite.
const PRESIGNED: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830\
    %2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&\
    X-Amz-Expires=3600&X-Amz-Signature=\
    e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d";
const SUITE_SIGNED_AT: Timestamp = Timestamp(1_440_938_160_000);

fn verify_presigned(query: &str, now: Timestamp) -> Result<(), ApiError> {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("example.amazonaws.com"));
    let authorization = Authorization::find(&headers, query)?.expect("the request is signed");
    let request = SignedRequest {
        service: "service",
        method: "GET",
        path: "/",
        query,
        authority: None,
        headers: &headers,
        body: b"",
    };
    let verifier = Verifier::new(Verifier::SKEW_DEFAULT, Paths::Normalized);
    verifier.verify(&authorization, &request, Some(&secret()), now)
}

#[test]
fn a_presigned_request_is_good_for_as_long_as_its_signer_said() {
    let at = |seconds: i64| {
        let moment = i64::try_from(SUITE_SIGNED_AT.0).unwrap() + seconds * 1000;
        verify_presigned(PRESIGNED, Timestamp(u64::try_from(moment).unwrap()))
    };
    for good in [-300, 0, 3600] {
        assert_eq!(at(good), Ok(()), "{good} s");
    }
    let (code, text) = refusal(at(3601));
    assert_eq!(code, "InvalidSignatureException");
    assert_eq!(
        text,
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z \
         (20150830T133601Z - 3600 sec.)"
    );
    let (code, text) = refusal(at(-301));
    assert_eq!(code, "InvalidSignatureException");
    assert!(text.starts_with("Signature not yet current: "), "{text}");
}

#[test]
fn a_presigned_request_says_for_how_long_within_a_week() {
    for (expires, is_one) in [
        ("1", true),
        ("604800", true),
        ("0", false),
        ("604801", false),
        ("-1", false),
        ("+1", false),
        ("1.5", false),
        ("", false),
        ("99999999999999999999999", false),
    ] {
        let query = PRESIGNED.replace("Expires=3600", &format!("Expires={expires}"));
        let (code, text) = refusal(verify_presigned(&query, SUITE_SIGNED_AT));
        // What is one is not the one that was signed.
        let wanted = if is_one {
            "InvalidSignatureException"
        } else {
            "IncompleteSignatureException"
        };
        assert_eq!(code, wanted, "{expires}: {text}");
    }
}

#[test]
fn everything_that_a_presigned_request_lacks_is_named() {
    for parameter in PRESIGNED.split('&') {
        let (name, _) = parameter.split_once('=').unwrap();
        let query = PRESIGNED.replace(parameter, "a=b");
        let (code, text) = refusal(verify_presigned(&query, SUITE_SIGNED_AT));
        assert_eq!(code, "IncompleteSignatureException");
        let lacks = format!(
            "AWS query-string parameters must include '{name}'. Re-examine the query-string \
             parameters."
        );
        assert_eq!(text, lacks);
    }
    let (_, text) = refusal(verify_presigned("X-Amz-Signature=x", SUITE_SIGNED_AT));
    assert_eq!(text.matches("must include").count(), 5);
    let none = HeaderMap::new();
    for query in [
        "",
        "a=b",
        "X-Amz-Date=20150830T123600Z",
        "x-amz-signature=x",
    ] {
        assert!(
            Authorization::find(&none, query).unwrap().is_none(),
            "{query}"
        );
    }
}

#[test]
fn a_presigned_request_of_another_algorithm_is_refused() {
    let query = PRESIGNED.replace("HMAC-SHA256", "ECDSA-P256-SHA256");
    let (code, text) = refusal(verify_presigned(&query, SUITE_SIGNED_AT));
    assert_eq!(code, "IncompleteSignatureException");
    assert!(text.contains("use 'AWS4-HMAC-SHA256'"), "{text}");
}
