//! AWS Signature Version 4: verifying it for the server, in an `Authorization` header or in the
//! query of a presigned URL, and making it for clients, in the header.
//!
//! A server finds what the request says of its signature first ([`Authorization::find`]), looks up
//! the secret of the access key id that it names, and then has the signature checked
//! ([`Verifier::verify`]). The rules are those of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

mod authorization;
mod canonical;
mod keys;
mod moment;
mod presigned;
mod sign;
mod verify;

use std::fmt;

use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use subtle::ConstantTimeEq;

pub use authorization::Authorization;
pub use sign::Signer;
pub use verify::Verifier;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// A secret access key. It prints as nothing, so that it cannot slip into a log.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct SecretKey(String);

impl SecretKey {
    /// Takes the key as it stands in a credentials file.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether `text` is this key. How long it takes says nothing but whether the lengths agree.
    pub fn is_text(&self, text: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(text).into()
    }

    fn is(&self, other: &Self) -> bool {
        self.is_text(other.0.as_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey")
    }
}

/// The parts of a request that a signature covers, as they came in.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The service that the operation belongs to; a signature for another one does not count.
    pub service: &'a str,
    /// The HTTP method, in upper case.
    pub method: &'a str,
    /// The path as sent, still percent-encoded.
    pub path: &'a str,
    /// What follows `?`, as sent; empty without one.
    pub query: &'a str,
    /// The `:authority` of HTTP/2, which stands for an absent `Host` header.
    pub authority: Option<&'a str>,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

/// How a service reads paths before they are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paths {
    /// Without `.`, `..` and repeated slashes: every service but S3.
    Normalized,
    /// As sent: S3, where `a//b` is a name.
    AsSent,
}
