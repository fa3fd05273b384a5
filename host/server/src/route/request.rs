//! What a request's headers must be before anything is done for it.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Version};
use wire::{ApiError, Codec};

use crate::limits::HEADERS_MAX;
use crate::operations::{self, OPERATIONS};

pub(crate) const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
/// What bodies may call themselves, and how they are written then.
const CONTENT_TYPES: [(&str, Codec); 5] = [
    ("application/x-amz-json-1.0", Codec::Json10),
    ("application/cbor", Codec::RpcV2Cbor),
    ("application/x-amz-json-1.1", Codec::Json),
    ("application/json", Codec::Json),
    ("application/x-amz-cbor-1.1", Codec::Cbor),
];

/// What a header costs besides its name and its value: its place in the table of headers, which is
/// up to twice as large as it has to be, and an allocation for each of the two.
const HEADER_BYTES: usize = 192;

/// Bytes that the line and the headers of a request take in memory.
pub(super) fn head_bytes(parts: &Parts) -> usize {
    let of_header = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + HEADER_BYTES
    };
    let headers: usize = parts.headers.iter().map(of_header).sum();
    // A CONNECT request names a host and no path.
    let path = parts.uri.path_and_query();
    headers + path.map_or(0, |path| path.as_str().len())
}

/// HTTP/1.1 refuses too many headers while it reads them; HTTP/2 knows only how long they are.
pub(super) fn check_header_count(parts: &Parts) -> Result<(), ApiError> {
    if parts.headers.len() > HEADERS_MAX {
        return Err(malformed("The request has too many headers.").with_status(431));
    }
    Ok(())
}

/// A request must say once which host it is for; its signature covers that.
pub(super) fn check_host(parts: &Parts) -> Result<(), ApiError> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(malformed("The request has more than one Host header."));
    }
    if host.is_none() && parts.version == Version::HTTP_11 {
        return Err(malformed("The request has no Host header."));
    }
    if parts.headers.contains_key(TRANSFER_ENCODING) && parts.headers.contains_key(CONTENT_LENGTH) {
        let what = "The request has both a Content-Length and a Transfer-Encoding header.";
        return Err(malformed(what));
    }
    Ok(())
}

/// A server that takes anybody must not be called by another name than `localhost` or an address.
/// A web page can point a name of its own at 127.0.0.1 and then call whatever listens there as if
/// it were its own server (DNS rebinding); the browser names the page's host all the same.
pub(super) fn check_host_is_local(parts: &Parts) -> Result<(), ApiError> {
    let authority = match parts.headers.get(HOST) {
        Some(host) => Authority::try_from(host.as_bytes()).ok(),
        None => match (parts.uri.authority(), parts.version) {
            (Some(authority), _) => Some(authority.clone()),
            (None, Version::HTTP_09 | Version::HTTP_10) => return Ok(()), // No browser.
            (None, _) => None,
        },
    };
    if authority.is_some_and(|authority| is_local(authority.host())) {
        return Ok(());
    }
    Err(ApiError::access_denied(
        "Without [[credentials]] in its configuration this server is called as localhost or by \
         its IP address, and by no other name.",
    ))
}

fn is_local(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if let Some(address) = bracketed {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    // RFC 6761: names under localhost never leave the machine.
    name == "localhost" || name.ends_with(".localhost") || host.parse::<Ipv4Addr>().is_ok()
}

/// How the body is written, if it says so.
pub(super) fn codec(parts: &Parts) -> Option<Codec> {
    let whole = parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = whole.split(';').next()?.trim();
    let known = |(name, _): &&(&str, Codec)| kind.eq_ignore_ascii_case(name);
    CONTENT_TYPES.iter().find(known).map(|(_, codec)| *codec)
}

/// The place of the operation that the request names in the table.
pub(super) fn operation(parts: &Parts) -> Result<usize, ApiError> {
    let headers = &parts.headers;
    let target = headers.get(TARGET).and_then(|target| target.to_str().ok());
    let by_path = target_of_path(parts.uri.path());
    let target = target.or(by_path.as_deref());
    let Some(codec) = codec(parts) else {
        return Err(of_unknown_type(target));
    };
    let place = target.and_then(operations::lookup);
    let place = place.ok_or_else(|| unknown(target))?;
    let takes_gzip = OPERATIONS.get(place).is_some_and(|it| it.takes_gzip);
    if headers.contains_key(CONTENT_ENCODING) && !(takes_gzip && is_compressed(parts)) {
        return Err(malformed("A Content-Encoding is not accepted."));
    }
    // What a service does not speak is to it as any other type that it does not know.
    if OPERATIONS.get(place).is_some_and(|it| it.speaks(codec)) {
        Ok(place)
    } else {
        Err(ApiError::unknown_content_type())
    }
}

/// Whether the body says that it is compressed by gzip.
pub(super) fn is_compressed(parts: &Parts) -> bool {
    let mut encodings = parts.headers.get_all(CONTENT_ENCODING).iter();
    let is_gzip = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"gzip");
    encodings.next().is_some_and(is_gzip) && encodings.next().is_none()
}

/// What Smithy's RPC v2 names by a path, as the header of others does:
/// `/service/SERVICE/operation/OPERATION`.
fn target_of_path(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/service/")?;
    let (service, operation) = rest.split_once("/operation/")?;
    Some(format!("{service}.{operation}"))
}

/// Where the error codes of the service come from that a request names: of those that say so, which
/// are the two that speak AWS JSON 1.0, DynamoDB where it names none.
pub(super) fn home_of_errors(parts: &Parts) -> &'static str {
    let target = parts.headers.get(TARGET);
    let target = target.and_then(|target| target.to_str().ok());
    match target.and_then(|target| target.split_once('.')) {
        Some(("GraniteServiceVersion20100801", _)) => wire::CLOUDWATCH_ERRORS,
        _ => wire::DYNAMODB_ERRORS,
    }
}

/// Whether `target` names an operation of a service of which some are here, and which.
fn missing(target: &str) -> Option<&str> {
    /// Characters of the name of an operation that is said again.
    const NAME_CHARS_MAX: usize = 64;
    let (prefix, name) = target.split_once('.')?;
    let is_partly_here = matches!(
        prefix,
        "DynamoDB_20120810" | "GraniteServiceVersion20100801"
    );
    let is_name = name.len() <= NAME_CHARS_MAX && name.bytes().all(|b| b.is_ascii_alphanumeric());
    (is_partly_here && is_name).then_some(name)
}

/// The answer to a request for an operation that is not here.
fn unknown(target: Option<&str>) -> ApiError {
    match target.and_then(missing) {
        None => ApiError::unknown_operation(),
        Some(name) => {
            let text = format!("The operation {name} is not supported by this server.");
            ApiError::new("UnknownOperationException", text)
        }
    }
}

/// The answer to a body that calls itself nothing that is known.
fn of_unknown_type(target: Option<&str>) -> ApiError {
    let names_operation = target
        .and_then(|target| target.split_once('.'))
        .is_some_and(|(service, operation)| !service.is_empty() && !operation.is_empty());
    if names_operation {
        ApiError::unknown_content_type()
    } else {
        ApiError::no_operation_named()
    }
}

/// The request is wrong as HTTP.
pub(super) fn malformed(what: impl Into<String>) -> ApiError {
    ApiError::new("MalformedHttpRequestException", what)
}
