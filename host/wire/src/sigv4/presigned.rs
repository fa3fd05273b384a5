//! A signature in the query: what a presigned URL has in place of an `Authorization` header.

use std::borrow::Cow;
use std::time::Duration;

use super::Authorization;
use super::authorization::{Covered, Place, check_algorithm, parse_date};
use crate::ApiError;
use crate::form::decoded;

/// Seconds that a presigned URL may be good for: a week.
const EXPIRES_SECONDS_MAX: u64 = 604_800;

const ALGORITHM: &str = "X-Amz-Algorithm";
const CREDENTIAL: &str = "X-Amz-Credential";
const DATE: &str = "X-Amz-Date";
const EXPIRES: &str = "X-Amz-Expires";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";
pub(super) const SIGNATURE: &str = "X-Amz-Signature";
pub(super) const SECURITY_TOKEN: &str = "X-Amz-Security-Token";

/// What a signature has to have, in the order in which its absence is told.
const REQUIRED: [&str; 6] = [
    ALGORITHM,
    CREDENTIAL,
    SIGNATURE,
    DATE,
    SIGNED_HEADERS,
    EXPIRES,
];
/// A query that has one of these means to be signed.
const TELLING: [&str; 3] = [ALGORITHM, CREDENTIAL, SIGNATURE];
/// What they all begin with.
const PREFIX: &str = "X-Amz-";

/// Reads the signature in a query; `None` when there is none.
///
/// # Errors
/// IncompleteSignatureException when a parameter is missing, there twice or malformed;
/// InvalidSignatureException when the credential's scope is not one of the day of signing.
pub(super) fn parse(query: &str) -> Result<Option<Authorization<'_>>, ApiError> {
    // Most requests have no query at all.
    if query.is_empty() {
        return Ok(None);
    }
    let parameters: Vec<Parameter<'_>> = query
        .split('&')
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(name, value)| (text(name), text(value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    let is_there = |wanted: &&str| parameters.iter().any(|(name, _)| name == wanted);
    if !TELLING.iter().any(is_there) {
        return Ok(None);
    }
    let missing: Vec<&str> = REQUIRED
        .into_iter()
        .filter(|name| !is_there(name))
        .collect();
    if !missing.is_empty() {
        return Err(lacking(&missing));
    }
    let value = |name| one(&parameters, name)?.ok_or_else(|| lacking(&[name]));
    check_algorithm(value(ALGORITHM)?.as_bytes())?;
    let (signed_at, signed_at_text) = parse_date(&value(DATE)?)?;
    let signed_headers = value(SIGNED_HEADERS)?;
    let authorization = Authorization {
        session_token: one(&parameters, SECURITY_TOKEN)?,
        covered: Covered::by(&signed_headers, None)?,
        signed_headers,
        signature: value(SIGNATURE)?,
        place: Place::Query {
            expires: parse_expires(&value(EXPIRES)?)?,
        },
        signed_at_text,
        ..Authorization::of_credential(value(CREDENTIAL)?, signed_at)?
    };
    authorization.check_scope_date()?;
    Ok(Some(authorization))
}

type Parameter<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The value of a parameter, if it is there. Of two, nobody could say which one counts.
fn one<'a>(parameters: &[Parameter<'a>], name: &str) -> Result<Option<Cow<'a, str>>, ApiError> {
    let mut values = parameters.iter().filter(|(found, _)| found == name);
    let value = values.next().map(|(_, value)| value.clone());
    match values.next() {
        None => Ok(value),
        Some(_) => Err(ApiError::incomplete_signature(format!(
            "AWS query-string parameters must include '{name}' once."
        ))),
    }
}

fn lacking(names: &[&str]) -> ApiError {
    let mut text = String::new();
    for name in names {
        text.push_str(&format!(
            "AWS query-string parameters must include '{name}'. "
        ));
    }
    text.push_str("Re-examine the query-string parameters.");
    ApiError::incomplete_signature(text)
}

fn parse_expires(text: &str) -> Result<Duration, ApiError> {
    // `parse` alone would take a sign.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| is_number);
    let seconds = seconds.filter(|seconds| (1..=EXPIRES_SECONDS_MAX).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        ApiError::incomplete_signature(format!(
            "X-Amz-Expires must be a number of seconds from 1 to {EXPIRES_SECONDS_MAX}."
        ))
    })
}

/// What percent-encoded text stands for. What is no text is no value of any use: it is nobody's id
/// and no token.
fn text(encoded: &str) -> Cow<'_, str> {
    if !encoded.contains('%') {
        return Cow::Borrowed(encoded);
    }
    let bytes: Vec<u8> = decoded(encoded).collect();
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}
