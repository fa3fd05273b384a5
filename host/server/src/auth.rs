//! Who calls: a request's signature becomes a [`Caller`], or the request is refused.
//!
//! Everything but the signature itself is checked as soon as the headers are there. Only a request
//! that passes is given room for its body. The signature covers the body, so it is checked last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::request::Parts;
use types::{AccountId, Caller, Invalid, Region, Timestamp};
use wire::iam::Principal;
use wire::sigv4::{Authorization, Paths, SecretKey, SignedRequest, Verifier};
use wire::{ApiError, Identity};

use crate::config::{Credential, Session};

/// The service that requests for the server's own pages are signed for.
pub(crate) const OWN_SERVICE: &str = "kinesis";
/// How a token is presented (RFC 6750).
const BEARER: &str = "Bearer ";
/// The region of a request that names none.
const REGION_DEFAULT: &str = "us-east-1";

/// Knows the keys that may call.
pub(crate) struct Authenticator {
    keys: BTreeMap<String, Key>,
    /// Who calls a server without credentials.
    anybody: Arc<Identity>,
    verifier: Verifier,
    metrics_token: Option<SecretKey>,
}

/// What a key id is known for.
struct Key {
    secret: SecretKey,
    session: Option<Session>,
    identity: Arc<Identity>,
}

/// A caller whose signature was found to be right, or was not asked for one.
#[derive(Clone, Debug)]
pub(crate) struct Proven {
    pub(crate) caller: Caller,
    pub(crate) identity: Arc<Identity>,
    /// When its credentials expire, if they are temporary.
    pub(crate) until: Option<Timestamp>,
}

/// A caller as the headers name it. Its signature is still to be checked.
pub(crate) struct Claim<'a> {
    proven: Proven,
    /// `None`: anybody may call, so there is nothing to prove.
    signed: Option<Signed<'a>>,
}

struct Signed<'a> {
    verifier: &'a Verifier,
    authorization: Authorization<'a>,
    secret: &'a SecretKey,
    parts: &'a Parts,
    service: &'static str,
}

/// Whose counts a request for the metrics may see.
pub(crate) enum MetricsReader {
    /// The server's and those of all accounts.
    Operator,
    /// Those of one account, if the caller may.
    Account(Proven),
}

impl Authenticator {
    /// Without credentials anybody may call.
    pub(crate) fn new(
        credentials: Vec<Credential>,
        clock_skew_max: Duration,
        metrics_token: Option<SecretKey>,
    ) -> Self {
        let by_id = |credential: Credential| {
            let key = Key {
                secret: credential.secret_access_key,
                session: credential.session,
                identity: Arc::new(credential.identity),
            };
            (credential.access_key_id, key)
        };
        Self {
            keys: credentials.into_iter().map(by_id).collect(),
            anybody: Arc::new(Identity {
                principal: Principal {
                    account: AccountId::DEFAULT,
                    user: None,
                },
                policy: None,
            }),
            verifier: Verifier::new(clock_skew_max, Paths::Normalized),
            metrics_token,
        }
    }

    /// Whether any request is taken, signed or not.
    pub(crate) fn takes_anybody(&self) -> bool {
        self.keys.is_empty()
    }

    /// In whose name a request for `service` says to be made. Refuses what the headers alone show
    /// to be wrong.
    pub(crate) fn claim<'a>(
        &'a self,
        parts: &'a Parts,
        service: &'static str,
        now: Timestamp,
    ) -> Result<Claim<'a>, ApiError> {
        if self.takes_anybody() {
            let proven = Proven {
                caller: anybody(parts)?,
                identity: Arc::clone(&self.anybody),
                until: None,
            };
            return Ok(Claim {
                proven,
                signed: None,
            });
        }
        let authorization = Authorization::find(&parts.headers, query(parts))?
            .ok_or_else(ApiError::missing_authentication_token)?;
        self.verifier
            .check_head(&authorization, service, &parts.headers, now)?;
        let key = self.keys.get(&*authorization.key_id);
        let key = key.ok_or_else(ApiError::unrecognized_client)?;
        check_session(key.session.as_ref(), &authorization, now)?;
        let region = Region::parse(&authorization.region).map_err(bad_region)?;
        let caller = Caller {
            account: key.identity.principal.account,
            region,
        };
        let proven = Proven {
            caller,
            identity: Arc::clone(&key.identity),
            until: key.session.as_ref().map(|session| session.expires_at),
        };
        let signed = Signed {
            verifier: &self.verifier,
            authorization,
            secret: &key.secret,
            parts,
            service,
        };
        Ok(Claim {
            proven,
            signed: Some(signed),
        })
    }

    /// Who asks for the metrics. Without credentials only this machine reaches the server, and
    /// anybody on it may; else the request is signed, or presents the token of the configuration.
    pub(crate) fn reader_of_metrics(
        &self,
        parts: &Parts,
        now: Timestamp,
    ) -> Result<MetricsReader, ApiError> {
        if self.takes_anybody() {
            return Ok(MetricsReader::Operator);
        }
        let Some(presented) = bearer(parts) else {
            let proven = self.claim(parts, OWN_SERVICE, now)?.prove(b"")?;
            return Ok(MetricsReader::Account(proven));
        };
        match &self.metrics_token {
            Some(token) if token.is_text(presented) => Ok(MetricsReader::Operator),
            _ => Err(ApiError::unrecognized_client().with_status(401)),
        }
    }
}

impl Claim<'_> {
    /// The public key id that the request was signed with.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.signed
            .as_ref()
            .map(|signed| &*signed.authorization.key_id)
    }

    /// The caller, once the signature was found to be the one of the request and its body.
    pub(crate) fn prove(self, body: &[u8]) -> Result<Proven, ApiError> {
        if let Some(signed) = self.signed {
            let parts = signed.parts;
            let request = SignedRequest {
                service: signed.service,
                method: parts.method.as_str(),
                path: parts.uri.path(),
                query: query(parts),
                authority: parts.uri.authority().map(|authority| authority.as_str()),
                headers: &parts.headers,
                body,
            };
            signed
                .verifier
                .check_signature(&signed.authorization, &request, signed.secret)?;
        }
        Ok(self.proven)
    }
}

/// Temporary credentials come with their token, signed and in time; others come without any.
fn check_session(
    session: Option<&Session>,
    authorization: &Authorization<'_>,
    now: Timestamp,
) -> Result<(), ApiError> {
    match (session, &authorization.session_token) {
        (None, None) => Ok(()),
        (Some(session), Some(token)) if session.token.is_text(token.as_bytes()) => {
            authorization.check_token_is_signed()?;
            if now < session.expires_at {
                Ok(())
            } else {
                Err(ApiError::expired_token())
            }
        }
        (Some(_), _) | (None, Some(_)) => Err(ApiError::unrecognized_client()),
    }
}

/// The query of a request. One without is signed as one with an empty query.
pub(crate) fn query(parts: &Parts) -> &str {
    parts.uri.query().unwrap_or_default()
}

/// The token of a request that presents one.
fn bearer(parts: &Parts) -> Option<&[u8]> {
    let header = parts.headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = header.split_at_checked(BEARER.len())?;
    scheme
        .eq_ignore_ascii_case(BEARER.as_bytes())
        .then_some(token)
}

/// The caller of a server without credentials: one account, in the region that the signature is
/// for, if there is one. Nothing else of the signature is looked at.
fn anybody(parts: &Parts) -> Result<Caller, ApiError> {
    let header = parts.headers.get(AUTHORIZATION);
    let header = header.and_then(|value| value.to_str().ok());
    // In a query the slashes may be encoded; nothing that a region is made of is.
    let query = query(parts).replace("%2F", "/").replace("%2f", "/");
    let scope = [header, Some(&query)]
        .into_iter()
        .flatten()
        .find_map(|text| text.split_once("Credential="))
        .and_then(|(_, credential)| credential.split(['/', ',', '&']).nth(2));
    let region = Region::parse(scope.unwrap_or(REGION_DEFAULT)).map_err(bad_region)?;
    Ok(Caller {
        account: AccountId::DEFAULT,
        region,
    })
}

fn bad_region(error: Invalid) -> ApiError {
    ApiError::incomplete_signature(format!("Credential has a bad scope: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region_of(authorization: Option<&str>) -> Result<Caller, ApiError> {
        let mut request = http::Request::new(());
        if let Some(text) = authorization {
            let value = text.parse().unwrap();
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        anybody(&request.into_parts().0)
    }

    #[test]
    fn anybody_calls_in_the_region_of_the_scope_or_the_default_one() {
        let scope = "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-9/kinesis/aws4_request,Sig";
        let caller = region_of(Some(scope)).unwrap();
        assert_eq!(caller.region.as_str(), "eu-west-9");
        assert_eq!(caller.account, AccountId::DEFAULT);
        let presigned =
            "http://a/?X-Amz-Credential=x%2F20260101%2Feu-west-9%2Fkinesis&X-Amz-Date=y";
        let request = http::Request::get(presigned).body(()).unwrap();
        let caller = anybody(&request.into_parts().0).unwrap();
        assert_eq!(caller.region.as_str(), "eu-west-9");
        for without in [
            None,
            Some("Bearer x"),
            Some("AWS4-HMAC-SHA256 Credential=x"),
        ] {
            assert_eq!(region_of(without).unwrap().region.as_str(), "us-east-1");
        }
    }

    #[test]
    fn a_scope_with_a_bad_region_is_refused() {
        let error = region_of(Some("AWS4-HMAC-SHA256 Credential=x/1/EU WEST/kinesis")).unwrap_err();
        assert_eq!(error.code(), "IncompleteSignatureException");
    }
}
