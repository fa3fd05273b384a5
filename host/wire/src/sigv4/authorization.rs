//! Reading the `Authorization` header.

use http::header::{AUTHORIZATION, DATE, HOST};
use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};

use super::moment::Moment;
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
/// SignedHeaders=<a;b>, Signature=<64 hex digits>`, and the moment of signing. Well formed, but
/// not yet verified.
#[derive(Clone, Copy, Debug)]
pub struct Authorization<'a> {
    /// Who claims to have signed.
    pub key_id: &'a str,
    /// The region that the request is for.
    pub region: &'a str,
    /// The service that the request is for, such as `kinesis`.
    pub service: &'a str,
    /// The session token of temporary credentials, if the request has one. AWS's suite has
    /// requests whose signature does not cover it, so it is not to be trusted before it is
    /// matched with the key id.
    pub session_token: Option<&'a str>,
    /// `<id>/<date>/<region>/<service>/aws4_request`.
    pub(super) credential: &'a str,
    /// The credential without the id.
    pub(super) scope: &'a str,
    /// The scope's day, `20150830`.
    pub(super) date: &'a str,
    pub(super) signed_headers: &'a str,
    pub(super) covered: Covered,
    pub(super) signature: &'a str,
    pub(super) signed_at: Moment,
    /// `20150830T123600Z`.
    pub(super) signed_at_text: [u8; 16],
}

/// Which of the headers that must be signed are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Covered {
    pub(super) host: bool,
    /// The header that says when the request was signed.
    pub(super) date: bool,
    pub(super) target: bool,
}

impl Covered {
    fn by(signed_headers: &str, date_header: &HeaderName) -> Result<Self, ApiError> {
        let mut covered = Self::default();
        for (index, name) in signed_headers.split(';').enumerate() {
            if SIGNED_HEADERS_MAX <= index {
                return Err(ApiError::incomplete_signature(format!(
                    "No more than {SIGNED_HEADERS_MAX} headers can be signed."
                )));
            }
            covered.host |= name == HOST.as_str();
            covered.date |= name == date_header.as_str();
            covered.target |= name == X_AMZ_TARGET.as_str();
        }
        Ok(covered)
    }
}

impl<'a> Authorization<'a> {
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
        if parameters.algorithm != ALGORITHM.as_bytes() {
            return Err(ApiError::incomplete_signature(format!(
                "Unsupported AWS 'algorithm': use '{ALGORITHM}'."
            )));
        }
        let (signed_at, signed_at_text) = parse_date(date)?;
        let session_token = headers.get(X_AMZ_SECURITY_TOKEN);
        let authorization = Self {
            // A token that is no text is still a token, and nobody's.
            session_token: session_token.map(|token| token.to_str().unwrap_or_default()),
            signed_headers,
            covered: Covered::by(signed_headers, date_header)?,
            signature,
            signed_at,
            signed_at_text,
            ..Self::of_credential(credential, signed_at)?
        };
        authorization.check_scope_date()?;
        Ok(Some(authorization))
    }

    /// The parts of the credential; the others are empty.
    fn of_credential(credential: &'a str, signed_at: Moment) -> Result<Self, ApiError> {
        // AWS repeats the credential. It may be a secret in the wrong place, and messages are
        // logged.
        let malformed = || {
            ApiError::incomplete_signature(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term",
            )
        };
        let (key_id, scope) = credential.split_once('/').ok_or_else(malformed)?;
        let mut parts = scope.split('/');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let (Some(date), Some(region), Some(service), Some(terminator), None) =
            (next(), next(), next(), next(), parts.next())
        else {
            return Err(malformed());
        };
        if key_id.is_empty() {
            return Err(malformed());
        }
        if terminator != TERMINATOR {
            return Err(ApiError::invalid_signature(format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}'."
            )));
        }
        Ok(Self {
            key_id,
            region,
            service,
            session_token: None,
            credential,
            scope,
            date,
            signed_headers: "",
            covered: Covered::default(),
            signature: "",
            signed_at,
            signed_at_text: [0; 16],
        })
    }

    fn check_scope_date(&self) -> Result<(), ApiError> {
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

/// The text of `X-Amz-Date` or else of `Date`, and the name of the header that it is from. A header
/// that is no text is an empty one, which is no date.
fn date_of(headers: &HeaderMap) -> Option<(&str, HeaderName)> {
    [X_AMZ_DATE, DATE].into_iter().find_map(|name| {
        let date = headers.get(&name)?;
        Some((date.to_str().unwrap_or_default(), name))
    })
}

/// The moment and its text in ISO 8601's basic format, which is what is signed.
fn parse_date(text: &str) -> Result<(Moment, [u8; 16]), ApiError> {
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
        let mut words = header.splitn(2, |byte| *byte == b' ');
        let algorithm = words.next().unwrap_or_default();
        let rest = words.next().unwrap_or_default();
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
