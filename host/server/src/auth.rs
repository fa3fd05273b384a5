//! Who calls: a request's signature becomes a [`Caller`], or the request is refused.

use std::collections::HashMap;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::request::Parts;
use types::{AccountId, Caller, Invalid, Region, Timestamp};
use wire::ApiError;
use wire::sigv4::{Authorization, Paths, Request, Verifier};

use crate::config::Credential;

/// The region of a request that names none.
const REGION_DEFAULT: &str = "us-east-1";

/// Knows the keys that may call.
pub(crate) struct Authenticator {
    credentials: HashMap<String, Credential>,
    verifier: Verifier,
}

impl Authenticator {
    /// Without credentials anybody may call.
    pub(crate) fn new(credentials: Vec<Credential>, clock_skew_max: Duration) -> Self {
        let by_id = |credential: Credential| (credential.access_key_id.clone(), credential);
        Self {
            credentials: credentials.into_iter().map(by_id).collect(),
            verifier: Verifier::new(clock_skew_max, Paths::Normalized),
        }
    }

    /// Whether any request is taken, signed or not.
    pub(crate) fn takes_anybody(&self) -> bool {
        self.credentials.is_empty()
    }

    /// In whose name a request is made, once its signature for `service` was found to be right.
    pub(crate) fn authenticate(
        &self,
        parts: &Parts,
        service: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Caller, ApiError> {
        if self.takes_anybody() {
            return anybody(parts);
        }
        let authorization = Authorization::parse(&parts.headers)?
            .ok_or_else(ApiError::missing_authentication_token)?;
        let request = Request {
            service,
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            authority: parts.uri.authority().map(|authority| authority.as_str()),
            headers: &parts.headers,
            body,
        };
        let credential = self.credentials.get(authorization.key_id);
        // No temporary credentials are given out, so no session token is one of ours.
        let credential = credential.filter(|_| authorization.session_token.is_none());
        let secret = credential.map(|credential| &credential.secret_access_key);
        self.verifier
            .verify(&authorization, &request, secret, now)?;
        let account = credential
            .ok_or_else(ApiError::unrecognized_client)?
            .account;
        let region = Region::parse(authorization.region).map_err(bad_region)?;
        Ok(Caller { account, region })
    }
}

/// The caller of a server without credentials: one account, in the region that the signature is
/// for, if there is one. Nothing else of the signature is looked at.
fn anybody(parts: &Parts) -> Result<Caller, ApiError> {
    let header = parts.headers.get(AUTHORIZATION);
    let scope = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once("Credential="))
        .and_then(|(_, credential)| credential.split(['/', ',']).nth(2));
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
