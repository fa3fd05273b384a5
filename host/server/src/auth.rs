//! Who calls: a request's signature becomes a [`Caller`], or the request is refused.

use std::time::Duration;

use http::header::AUTHORIZATION;
use http::request::Parts;
use types::{AccountId, Caller, Region, Timestamp};
use wire::ApiError;

use crate::config::Credential;

/// The region of a request that names none.
const REGION_DEFAULT: &str = "us-east-1";

/// Knows the keys that may call.
pub(crate) struct Authenticator {
    credentials: Vec<Credential>,
    _clock_skew_max: Duration,
}

impl Authenticator {
    pub(crate) fn new(credentials: Vec<Credential>, clock_skew_max: Duration) -> Self {
        Self {
            credentials,
            _clock_skew_max: clock_skew_max,
        }
    }

    pub(crate) fn authenticate(
        &self,
        parts: &Parts,
        _body: &[u8],
        _now: Timestamp,
    ) -> Result<Caller, ApiError> {
        if self.credentials.is_empty() {
            return anybody(parts);
        }
        Err(ApiError::missing_authentication_token())
    }
}

/// The caller of a server without credentials: one account, in the region that the signature is
/// for, if there is one.
fn anybody(parts: &Parts) -> Result<Caller, ApiError> {
    let header = parts.headers.get(AUTHORIZATION);
    let scope = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once("Credential="))
        .and_then(|(_, credential)| credential.split(['/', ',']).nth(2));
    let region = Region::parse(scope.unwrap_or(REGION_DEFAULT))
        .map_err(|error| ApiError::incomplete_signature(error.to_string()))?;
    Ok(Caller {
        account: AccountId::DEFAULT,
        region,
    })
}
