//! Signing, for our own clients.

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::request::Parts;
use sha2::{Digest, Sha256};
use types::{Invalid, Timestamp};

use super::canonical::{Rules, hex, request_hash};
use super::keys::SigningKey;
use super::moment::Moment;
use super::{
    ALGORITHM, Paths, SecretKey, SignedRequest, TERMINATOR, X_AMZ_DATE, X_AMZ_SECURITY_TOKEN,
};

/// Signs requests in one name, for one region and service.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The access key id.
    pub key_id: &'a str,
    /// Its secret.
    pub secret: &'a SecretKey,
    /// The token of temporary credentials.
    pub session_token: Option<&'a str>,
    /// The region to address.
    pub region: &'a str,
    /// The service to address, such as `kinesis`.
    pub service: &'a str,
}

impl Signer<'_> {
    /// Adds the headers of a signature over `parts` and `body`; a `Host` header too, if there is
    /// none and the URI has an authority. Covered are the host, the content type and every
    /// `x-amz-` header.
    ///
    /// # Errors
    /// When the key id, token or region cannot stand in a header.
    pub fn sign(&self, parts: &mut Parts, body: &[u8], now: Timestamp) -> Result<(), Invalid> {
        let signed_at = Moment::of(now);
        let signed_at_text = signed_at.to_string();
        let headers = &mut parts.headers;
        if !headers.contains_key(HOST)
            && let Some(authority) = parts.uri.authority()
        {
            headers.insert(HOST, value(authority.as_str())?);
        }
        headers.insert(X_AMZ_DATE, value(&signed_at_text)?);
        if let Some(token) = self.session_token {
            headers.insert(X_AMZ_SECURITY_TOKEN, value(token)?);
        }
        let signed_headers = covered(headers);
        let request = SignedRequest {
            service: self.service,
            method: parts.method.as_str(),
            path: parts.uri.path(),
            // A request without a query is signed as one with an empty query.
            query: parts.uri.query().unwrap_or_default(),
            authority: None,
            headers,
            body,
        };
        let body_hash = hex(&Sha256::digest(body).into());
        let rules = Rules {
            paths: Paths::Normalized,
            signed_headers: &signed_headers,
            left_out: &[],
        };
        let hash = request_hash(&request, rules, &body_hash)
            .ok_or_else(|| Invalid("a header to sign is missing".to_owned()))?;
        let (day, _) = signed_at_text
            .split_once('T')
            .ok_or_else(|| Invalid(format!("'{signed_at_text}' has no day")))?;
        let scope = format!("{day}/{}/{}/{TERMINATOR}", self.region, self.service);
        let key = SigningKey::derive(self.secret, day, self.region, self.service);
        let signature = key.sign(&signed_at.basic(), &scope, &hash);
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed_headers}, Signature={}",
            self.key_id,
            String::from_utf8_lossy(&signature)
        );
        headers.insert(AUTHORIZATION, value(&authorization)?);
        Ok(())
    }
}

/// The names of the headers to sign, sorted, with semicolons between.
fn covered(headers: &HeaderMap) -> String {
    let mut names: Vec<&str> = headers
        .keys()
        .filter(|name| {
            **name == HOST || **name == CONTENT_TYPE || name.as_str().starts_with("x-amz-")
        })
        .map(|name| name.as_str())
        .collect();
    names.sort_unstable();
    names.join(";")
}

fn value(text: &str) -> Result<HeaderValue, Invalid> {
    HeaderValue::from_str(text)
        .map_err(|_| Invalid("a part of the credentials cannot stand in a header".to_owned()))
}
