//! The query of a presigned request, as it stands in the request's line.

use http::{HeaderMap, HeaderValue};
use types::Timestamp;
use wire::form;
use wire::sigv4::{Authorization, Paths, SecretKey, SignedRequest, Verifier};

/// 2015-08-30T12:36:00Z, the moment of AWS's own examples.
const NOW: Timestamp = Timestamp(1_440_938_160_000);

/// Any query is a verified request, no signature at all, or an answer that says why not; no request
/// is verified with a secret that it was not signed with.
pub fn sigv4_query(data: &[u8]) {
    let Ok(query) = str::from_utf8(data) else {
        return; // No server hands on such a line.
    };
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("example.amazonaws.com"));
    let authorization = match Authorization::find(&headers, query) {
        Ok(Some(authorization)) => authorization,
        Ok(None) => {
            let name = "X-Amz-Signature";
            return assert!(form::parameter(query, name).is_none(), "{query}");
        }
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
        query,
        authority: None,
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
