//! What hyper answers by itself over HTTP/1.1 to a request whose line or headers it does not take:
//! a status without a body, which nobody is asked about. On its way out it gets the body that all
//! other refusals have.

use bytes::Bytes;
use wire::{ApiError, Codec};

use crate::request_id::RequestId;

/// How an answer without a body says so.
const NO_BODY: &str = "content-length: 0\r\n";

/// An answer on its way out, in the place of one without a body.
pub(super) struct Refusal {
    /// What of it was not written yet.
    pub(super) unsent: Bytes,
    /// Bytes of the one in whose place it is, for whoever wrote that.
    pub(super) replaced: usize,
}

impl Refusal {
    /// The whole answer in the place of `written`, if that is such a head and nothing else.
    pub(super) fn in_place_of(written: &[u8], id: impl FnOnce() -> RequestId) -> Option<Self> {
        // Most answers are told apart by this, which costs nothing.
        if !written.starts_with(b"HTTP/1.1 4") || !written.ends_with(b"\r\n\r\n") {
            return None;
        }
        let head = std::str::from_utf8(written).ok()?;
        let why = match head.get(9..12)? {
            "400" => "The request is none of HTTP.",
            "414" => "The request's path is too long.",
            "431" => "The request's line and headers are too long, or too many.",
            _ => return None,
        };
        let (before, after) = head.split_once(NO_BODY)?;
        let body = ApiError::new("MalformedHttpRequestException", why).body(Codec::Json);
        let (kind, id, length) = (Codec::Json.content_type(), id(), body.len());
        let headers = format!(
            "content-length: {length}\r\ncontent-type: {kind}\r\nx-amzn-requestid: {id}\r\n"
        );
        let parts = [
            before.as_bytes(),
            headers.as_bytes(),
            after.as_bytes(),
            &body,
        ];
        Some(Self {
            unsent: Bytes::from(parts.concat()),
            replaced: written.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_id::RequestIds;

    fn told(head: &str) -> Option<String> {
        let refusal = Refusal::in_place_of(head.as_bytes(), || RequestIds::new(7).next());
        refusal.map(|it| String::from_utf8(it.unsent.to_vec()).unwrap())
    }

    #[test]
    fn only_a_refusal_without_a_body_gets_one() {
        let empty = |status| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\ndate: x\r\n\r\n");
        for status in [
            "431 Request Header Fields Too Large",
            "414 URI Too Long",
            "400 No",
        ] {
            let told = told(&empty(status)).unwrap();
            let (head, body) = told.split_once("\r\n\r\n").unwrap();
            let length = format!("content-length: {}\r\n", body.len());
            assert!(
                head.contains(&length) && head.ends_with("date: x"),
                "{told}"
            );
            assert!(
                body.starts_with("{\"__type\":\"MalformedHttpRequestException\""),
                "{told}"
            );
        }
        for other in [
            empty("200 OK"),
            empty("404 Not Found"),
            "HTTP/1.1 431 No\r\ncontent-length: 12\r\n\r\n".to_owned(),
            format!("{}rest", empty("431 No")),
        ] {
            assert_eq!(told(&other), None, "{other}");
        }
    }
}
