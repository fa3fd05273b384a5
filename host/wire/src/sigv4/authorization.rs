//! What a request says of its signature, and the `Authorization` header that mostly says it.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use http::header::{AUTHORIZATION, DATE, HOST};
use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};

use super::moment::Moment;
use super::presigned;
use super::{ALGORITHM, TERMINATOR, X_AMZ_DATE, X_AMZ_SECURITY_TOKEN, X_AMZ_TARGET};
use crate::ApiError;
use crate::bounded::bounded;
use crate::json::write_base64;

/// Headers that a signature may cover. As many as the server takes in one request.
const SIGNED_HEADERS_MAX: usize = 64;
/// Characters of a day, `20150830`.
const DAY_LEN: usize = 8;

/// The parts of a header
/// `AWS4-HMAC-SHA256 Credential=<id>/<date>/<region>/<service>/aws4_request,
/// SignedHeaders=<a;b>, Signature=<64 hex digits>`, or the same from a query, and the moment of
/// signing. Well formed, but not yet verified.
#[derive(Clone, Debug)]
pub struct Authorization<'a> {
    /// Who claims to have signed.
    pub key_id: Cow<'a, str>,
    /// The region that the request is for.
    pub region: Cow<'a, str>,
    /// The service that the request is for, such as `kinesis`.
    pub service: Cow<'a, str>,
    /// The session token of temporary credentials, if the request has one. AWS's suite has
    /// requests whose signature does not cover it, so it is not to be trusted before it is
    /// matched with the key id.
    pub session_token: Option<Cow<'a, str>>,
    /// `<id>/<date>/<region>/<service>/aws4_request`.
    pub(super) credential: Cow<'a, str>,
    /// The credential without the id.
    pub(super) scope: Cow<'a, str>,
    /// The scope's day, `20150830`.
    pub(super) date: Cow<'a, str>,
    pub(super) signed_headers: Cow<'a, str>,
    pub(super) covered: Covered,
    pub(super) signature: Cow<'a, str>,
    pub(super) place: Place,
    pub(super) signed_at: Moment,
    /// `20150830T123600Z`.
    pub(super) signed_at_text: [u8; 16],
}

/// Where a signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the header: it is good near the moment of signing.
    Header,
    /// In the query: it is good for as long as its signer said, from then on.
    Query { expires: Duration },
}

/// Which of the headers that must be signed are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Covered {
    pub(super) host: bool,
    /// The header that says when the request was signed.
    pub(super) date: bool,
    pub(super) target: bool,
    /// The session token, which need not be there.
    pub(super) session_token: bool,
}

impl Covered {
    pub(super) fn by(
        signed_headers: &str,
        date_header: Option<&HeaderName>,
    ) -> Result<Self, ApiError> {
        let mut covered = Self::default();
        for (index, name) in signed_headers.split(';').enumerate() {
            if SIGNED_HEADERS_MAX <= index {
                return Err(ApiError::incomplete_signature(format!(
                    "No more than {SIGNED_HEADERS_MAX} headers can be signed."
                )));
            }
            covered.host |= name == HOST.as_str();
            // A date in the query is covered with all of it.
            covered.date |= date_header.is_none_or(|header| name == header.as_str());
            covered.target |= name == X_AMZ_TARGET.as_str();
            covered.session_token |= name == X_AMZ_SECURITY_TOKEN.as_str();
        }
        Ok(covered)
    }
}

impl<'a> Authorization<'a> {
    /// Finds the signature of a request, in its header or its query; `None` when it has none.
    ///
    /// # Errors
    /// As [`Authorization::parse`]; IncompleteSignatureException when it has two, too.
    pub fn find(headers: &'a HeaderMap, query: &'a str) -> Result<Option<Self>, ApiError> {
        let presigned = presigned::parse(query)?;
        if presigned.is_none() {
            return Self::parse(headers);
        }
        if headers.contains_key(AUTHORIZATION) {
            return Err(ApiError::incomplete_signature(
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the \
                 Authorization header should be specified.",
            ));
        }
        Ok(presigned)
    }

    /// Reads the header; `None` when there is none.
    ///
    /// # Errors
    /// IncompleteSignatureException when a part is missing or malformed; InvalidSignatureException
    /// when the credential's scope is not one of this day.
    pub fn parse(headers: &'a HeaderMap) -> Result<Option<Self>, ApiError> {
        let Some(header) = headers.get(AUTHORIZATION) else {
            return Ok(None);
        };
        let header = header.as_bytes();
        let parameters = Parameters::split(header);
        let date = date_of(headers);
        let (Some(credential), Some(signature), Some(signed_headers), Some((date, date_header))) = (
            parameters.credential,
            parameters.signature,
            parameters.signed_headers,
            &date,
        ) else {
            return Err(parameters.incomplete(header, date.is_some()));
        };
        check_algorithm(parameters.algorithm)?;
        let (signed_at, signed_at_text) = parse_date(date)?;
        let session_token = headers.get(X_AMZ_SECURITY_TOKEN);
        let authorization = Self {
            // A token that is no text is still a token, and nobody's.
            session_token: session_token.map(|token| token.to_str().unwrap_or_default().into()),
            signed_headers: signed_headers.into(),
            covered: Covered::by(signed_headers, Some(date_header))?,
            signature: signature.into(),
            signed_at_text,
            ..Self::of_credential(credential.into(), signed_at)?
        };
        authorization.check_scope_date()?;
        Ok(Some(authorization))
    }

    /// Refuses a session token in a header that the signature does not cover: it could be
    /// anybody's. In a query it may be, as AWS's suite has it.
    ///
    /// # Errors
    /// InvalidSignatureException.
    pub fn check_token_is_signed(&self) -> Result<(), ApiError> {
        if self.covered.session_token || self.place != Place::Header {
            return Ok(());
        }
        Err(ApiError::invalid_signature(
            "'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization.",
        ))
    }

    /// The parts of the credential; the others are empty.
    pub(super) fn of_credential(
        credential: Cow<'a, str>,
        signed_at: Moment,
    ) -> Result<Self, ApiError> {
        // AWS repeats the credential. It may be a secret in the wrong place, and messages are
        // logged.
        let malformed = || {
            ApiError::incomplete_signature(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term",
            )
        };
        let [key_id, date, region, service, terminator] =
            parts(&credential).ok_or_else(malformed)?;
        if part(&credential, terminator) != TERMINATOR {
            return Err(ApiError::invalid_signature(format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}'."
            )));
        }
        Ok(Self {
            scope: part(&credential, date.start..credential.len()),
            key_id: part(&credential, key_id),
            date: part(&credential, date),
            region: part(&credential, region),
            service: part(&credential, service),
            session_token: None,
            credential,
            signed_headers: Cow::Borrowed(""),
            covered: Covered::default(),
            signature: Cow::Borrowed(""),
            place: Place::Header,
            signed_at,
            signed_at_text: [0; 16],
        })
    }

    pub(super) fn check_scope_date(&self) -> Result<(), ApiError> {
        if self.date.as_bytes() == &self.signed_at_text[..DAY_LEN] {
            return Ok(());
        }
        Err(ApiError::invalid_signature(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{}' != '{:.DAY_LEN$}', from '{}'.",
            self.date, self.signed_at, self.signed_at
        )))
    }
}

/// Where the parts between the slashes of a credential lie; `None` unless there are five, none of
/// them empty.
fn parts(credential: &str) -> Option<[Range<usize>; 5]> {
    let mut start = 0;
    let mut parts = credential.split('/').map(|part| {
        let range = start..start + part.len();
        start = range.end + 1;
        range
    });
    let mut next = || parts.next().filter(|part| !part.is_empty());
    let five = [next()?, next()?, next()?, next()?, next()?];
    parts.next().is_none().then_some(five)
}

/// A part of a text, borrowed if the text is. The range lies between characters.
fn part<'a>(text: &Cow<'a, str>, range: Range<usize>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    }
}

pub(super) fn check_algorithm(algorithm: &[u8]) -> Result<(), ApiError> {
    if algorithm == ALGORITHM.as_bytes() {
        return Ok(());
    }
    Err(ApiError::incomplete_signature(format!(
        "Unsupported AWS 'algorithm': use '{ALGORITHM}'."
    )))
}

/// The text of `X-Amz-Date` or else of `Date`, and the name of the header that it is from. A header
/// that is no text is an empty one, which is no date.
fn date_of(headers: &HeaderMap) -> Option<(&str, HeaderName)> {
    [X_AMZ_DATE, DATE].into_iter().find_map(|name| {
        let date = headers.get(&name)?;
        Some((date.to_str().unwrap_or_default(), name))
    })
}

/// The moment and its text in ISO 8601's basic format, which is what is signed.
pub(super) fn parse_date(text: &str) -> Result<(Moment, [u8; 16]), ApiError> {
    // Nearly every client sends the basic format: then the text is there already.
    if let (Some(moment), Ok(basic)) = (Moment::parse_basic(text), text.as_bytes().try_into()) {
        return Ok((moment, basic));
    }
    match Moment::parse_http(text) {
        Some(moment) => Ok((moment, moment.basic())),
        None => Err(ApiError::incomplete_signature(format!(
            "Date must be in ISO-8601 'basic format'. Got '{}'. See \
             http://en.wikipedia.org/wiki/ISO_8601",
            bounded(text)
        ))),
    }
}

/// What the header holds, before anything is required of it.
struct Parameters<'a> {
    algorithm: &'a [u8],
    credential: Option<&'a str>,
    signature: Option<&'a str>,
    signed_headers: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    /// Parameters are separated by a comma, a space or both. One that is no text is none.
    fn split(header: &'a [u8]) -> Self {
        // A header of one word has no parameters.
        let first_space = header.iter().position(|byte| *byte == b' ');
        let (algorithm, rest) = header.split_at(first_space.unwrap_or(header.len()));
        let mut parameters = Self {
            algorithm,
            credential: None,
            signature: None,
            signed_headers: None,
        };
        for parameter in rest.split(|byte| matches!(byte, b' ' | b',')) {
            if let Some(value) = parameter.strip_prefix(b"Credential=") {
                parameters.credential = text(value);
            } else if let Some(value) = parameter.strip_prefix(b"Signature=") {
                parameters.signature = text(value);
            } else if let Some(value) = parameter.strip_prefix(b"SignedHeaders=") {
                parameters.signed_headers = text(value);
            }
        }
        parameters
    }

    /// Names everything that is missing, as AWS does.
    fn incomplete(&self, header: &[u8], has_date: bool) -> ApiError {
        let mut text = String::new();
        for (name, value) in [
            ("Credential", self.credential),
            ("Signature", self.signature),
            ("SignedHeaders", self.signed_headers),
        ] {
            if value.is_none() {
                text.push_str(&format!(
                    "Authorization header requires '{name}' parameter. "
                ));
            }
        }
        if !has_date {
            text.push_str(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                 header. ",
            );
        }
        // So does AWS: the header can be recognised, but not read, in a log.
        text.push_str("(Hashed with SHA-256 and encoded with Base64) Authorization=");
        let mut digest = Vec::new();
        write_base64(&mut digest, &Sha256::digest(header));
        text.push_str(&String::from_utf8_lossy(&digest));
        ApiError::incomplete_signature(text)
    }
}

/// The value of a parameter, if it has one.
fn text(value: &[u8]) -> Option<&str> {
    str::from_utf8(value).ok().filter(|text| !text.is_empty())
}
