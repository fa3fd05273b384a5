//! Whether a signature is the one of its request.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use types::Timestamp;

use super::authorization::{Covered, Place};
use super::canonical::{HexDigest, Rules, hex, request_hash};
use super::keys::{KeyCache, SigningKey};
use super::moment::Moment;
use super::presigned;
use super::{Authorization, Paths, SecretKey, SignedRequest, X_AMZ_CONTENT_SHA256, X_AMZ_TARGET};
use crate::ApiError;

const MISMATCH: &str = "The request signature we calculated does not match the signature you \
    provided. Check your AWS Secret Access Key and signing method. Consult the service \
    documentation for details.";

/// Checks signatures; keeps the signing keys that it derived. One for the whole server.
pub struct Verifier {
    skew: Duration,
    paths: Paths,
    keys: KeyCache,
}

impl Verifier {
    /// How far a client's clock may be off, either way. AWS documents 15 minutes; Kinesis answers
    /// with five (awslabs/amazon-kinesis-producer#222).
    pub const SKEW_DEFAULT: Duration = Duration::from_secs(5 * 60);

    /// A verifier that takes requests signed within `skew` of the time they come in.
    pub fn new(skew: Duration, paths: Paths) -> Self {
        Self {
            skew,
            paths,
            keys: KeyCache::default(),
        }
    }

    /// Checks all that can be checked before the body is there: that the time of signing is near
    /// `now`, that the signature is for `service`, and that it covers what it must.
    ///
    /// # Errors
    /// InvalidSignatureException.
    pub fn check_head(
        &self,
        authorization: &Authorization<'_>,
        service: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        self.check_time(authorization, now)?;
        if authorization.service != service {
            return Err(ApiError::invalid_signature(format!(
                "Credential should be scoped to correct service: '{service}'. ",
            )));
        }
        check_coverage(authorization, headers)
    }

    /// Checks that `request`, whose head was found good by [`Verifier::check_head`], was signed
    /// with `secret`.
    ///
    /// # Errors
    /// InvalidSignatureException. No message says what would have been right.
    pub fn check_signature(
        &self,
        authorization: &Authorization<'_>,
        request: &SignedRequest<'_>,
        secret: &SecretKey,
    ) -> Result<(), ApiError> {
        let body_hash = hex(&Sha256::digest(request.body).into());
        check_body_hash(request.headers, &body_hash)?;
        let key = self.keys.key(&authorization.credential, secret, || {
            let Authorization {
                date,
                region,
                service,
                ..
            } = authorization;
            SigningKey::derive(secret, date, region, service)
        });
        let is_right = left_out(authorization).iter().any(|left_out| {
            let rules = Rules {
                paths: self.paths,
                signed_headers: &authorization.signed_headers,
                left_out,
            };
            let Some(hash) = request_hash(request, rules, &body_hash) else {
                return false;
            };
            let signed_at = &authorization.signed_at_text;
            let expected = key.clone().sign(signed_at, &authorization.scope, &hash);
            expected.ct_eq(authorization.signature.as_bytes()).into()
        });
        if is_right {
            Ok(())
        } else {
            Err(ApiError::invalid_signature(MISMATCH))
        }
    }

    /// Checks that `request` was signed with `secret`, which belongs to the key id of
    /// `authorization`; `None` says that there is no such id.
    ///
    /// # Errors
    /// UnrecognizedClientException without a secret, once the rest of the head is right; else as
    /// [`Verifier::check_head`] and [`Verifier::check_signature`].
    pub fn verify(
        &self,
        authorization: &Authorization<'_>,
        request: &SignedRequest<'_>,
        secret: Option<&SecretKey>,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        self.check_head(authorization, request.service, request.headers, now)?;
        let secret = secret.ok_or_else(ApiError::unrecognized_client)?;
        self.check_signature(authorization, request, secret)
    }

    fn check_time(
        &self,
        authorization: &Authorization<'_>,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let signed_at = authorization.signed_at;
        let minutes = self.skew.as_secs() / 60;
        let (good_for, said) = match authorization.place {
            Place::Header => (self.skew, format!("{minutes} min.")),
            Place::Query { expires } => (expires, format!("{} sec.", expires.as_secs())),
        };
        let (earliest, latest) = (
            Moment::of(now.before(good_for)),
            Moment::of(now.after(self.skew)),
        );
        let now = Moment::of(now);
        if signed_at < earliest {
            return Err(ApiError::invalid_signature(format!(
                "Signature expired: {signed_at} is now earlier than {earliest} ({now} - {said})"
            )));
        }
        if latest < signed_at {
            return Err(ApiError::invalid_signature(format!(
                "Signature not yet current: {signed_at} is still later than {latest} ({now} + \
                 {minutes} min.)"
            )));
        }
        Ok(())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("skew", &self.skew)
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

/// The parameters of the query that a signature may leave out. Some clients add the session token
/// once they have signed, as AWS's suite has it; it is worth nothing but beside its key.
fn left_out(authorization: &Authorization<'_>) -> &'static [&'static [&'static str]] {
    let has_token = authorization.session_token.is_some();
    match authorization.place {
        Place::Header => &[&[]],
        Place::Query { .. } if has_token => &[
            &[presigned::SIGNATURE],
            &[presigned::SIGNATURE, presigned::SECURITY_TOKEN],
        ],
        Place::Query { .. } => &[&[presigned::SIGNATURE]],
    }
}

/// The host, the date and the operation must be covered: else they could be changed on the way.
fn check_coverage(authorization: &Authorization<'_>, headers: &HeaderMap) -> Result<(), ApiError> {
    let uncovered = match authorization.covered {
        Covered { host: false, .. } => "'Host' or ':authority'",
        Covered { date: false, .. } => "'X-Amz-Date' or 'Date'",
        Covered { target: false, .. } if headers.contains_key(X_AMZ_TARGET) => "'X-Amz-Target'",
        _ => return Ok(()),
    };
    Err(ApiError::invalid_signature(format!(
        "{uncovered} must be a 'SignedHeader' in the AWS Authorization."
    )))
}

/// A client that names the body's hash must name the right one; the forms that leave the body
/// unsigned are for other services.
fn check_body_hash(headers: &HeaderMap, body_hash: &HexDigest) -> Result<(), ApiError> {
    let mut claims = headers.get_all(X_AMZ_CONTENT_SHA256).iter();
    if claims.all(|claim| claim.as_bytes() == body_hash) {
        Ok(())
    } else {
        Err(ApiError::invalid_signature(
            "The value of 'x-amz-content-sha256' is not the SHA-256 of the body.",
        ))
    }
}
