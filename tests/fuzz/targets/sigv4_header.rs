//! The headers of a signed request: lines `name: value` as they come from a socket.

use http::{HeaderMap, HeaderName, HeaderValue};
use types::Timestamp;
use wire::sigv4::{Authorization, Paths, SecretKey, SignedRequest, Verifier};

/// 2015-08-30T12:36:00Z, the moment of AWS's own examples.
const NOW: Timestamp = Timestamp(1_440_938_160_000);
const HEADERS_MAX: usize = 64;

/// Any headers are a verified request or an answer that says why not; no request is verified with
/// a secret that it was not signed with.
pub fn sigv4_header(data: &[u8]) {
    let headers = headers(data);
    let authorization = match Authorization::parse(&headers) {
        Ok(Some(authorization)) => authorization,
        Ok(None) => return assert!(!headers.contains_key("authorization")),
        Err(error) => {
            assert!(matches!(
                error.code(),
                "IncompleteSignatureException" | "InvalidSignatureException"
            ));
            return;
        }
    };
    assert!(!authorization.key_id.is_empty() && !authorization.region.is_empty());
    let request = SignedRequest {
        service: "service",
        method: "GET",
        path: "/",
        query: "",
        authority: Some("example.amazonaws.com"),
        headers: &headers,
        body: b"",
    };
    let verify = |secret: Option<&str>| {
        let secret = secret.map(SecretKey::new);
        Verifier::new(Verifier::SKEW_DEFAULT, Paths::Normalized).verify(
            &authorization,
            &request,
            secret.as_ref(),
            NOW,
        )
    };
    let right = verify(Some("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"));
    assert!(verify(Some("another")).is_err());
    let unknown = verify(None).unwrap_err();
    // An unknown key is told from a wrong signature only by its code.
    match right {
        Ok(()) => assert_eq!(unknown.code(), "UnrecognizedClientException"),
        Err(error) => assert_eq!(error.code(), "InvalidSignatureException"),
    }
}

fn headers(data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(HEADERS_MAX) {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let parsed = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value));
        if let (Ok(name), Ok(value)) = parsed {
            headers.append(name, value);
        }
    }
    headers
}
