//! The one text that both sides make of a request before it is signed.

use http::HeaderMap;
use http::header::HOST;
use sha2::{Digest, Sha256};

use super::{Paths, SignedRequest};
use crate::form::decoded;

const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";
const HEX_LOWER: &[u8; 16] = b"0123456789abcdef";

/// A SHA-256 in lower-case hexadecimal digits.
pub(super) type HexDigest = [u8; 64];

/// What of a request its signature is about.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) paths: Paths,
    /// The names of the headers, with semicolons between.
    pub(super) signed_headers: &'a str,
    /// Parameters of the query that are not signed.
    pub(super) left_out: &'a [&'a str],
}

/// The SHA-256 of the canonical request:
///
/// ```text
/// method \n path \n query \n (name:value \n for each signed header) \n signed headers \n body hash
/// ```
///
/// `None` when a signed header is absent.
pub(super) fn request_hash(
    request: &SignedRequest<'_>,
    rules: Rules<'_>,
    body_hash: &HexDigest,
) -> Option<HexDigest> {
    // One buffer and one hash over it cost less than a hash of many small parts.
    let mut text = Vec::with_capacity(1024);
    text.extend_from_slice(request.method.as_bytes());
    text.push(b'\n');
    write_path(&mut text, request.path, rules.paths);
    text.push(b'\n');
    write_query(&mut text, request.query, rules.left_out);
    text.push(b'\n');
    for name in rules.signed_headers.split(';') {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        match request.authority {
            Some(host) if name == HOST.as_str() && !request.headers.contains_key(HOST) => {
                write_value(&mut text, host.as_bytes());
            }
            _ => write_values(&mut text, request.headers, name)?,
        }
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(rules.signed_headers.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(body_hash);
    Some(hex(&Sha256::digest(&text).into()))
}

/// The bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8; 32]) -> HexDigest {
    let mut out = [0; 64];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[
            HEX_LOWER[usize::from(byte >> 4)],
            HEX_LOWER[usize::from(byte & 0xf)],
        ]);
    }
    out
}

/// All values of a header in the order they were sent, with commas between.
fn write_values(out: &mut Vec<u8>, headers: &HeaderMap, name: &str) -> Option<()> {
    let mut values = headers.get_all(name).iter();
    write_value(out, values.next()?.as_bytes());
    for value in values {
        out.push(b',');
        write_value(out, value.as_bytes());
    }
    Some(())
}

/// Without white space at the ends, and with one space for each stretch of it within.
fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t');
    let words = value.split(is_space).filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// The path, encoded once more than it was sent.
pub(super) fn write_path(out: &mut Vec<u8>, path: &str, paths: Paths) {
    match paths {
        _ if path.is_empty() || path == "/" => out.push(b'/'),
        Paths::AsSent => write_encoded(out, path.bytes(), |byte| byte == b'/'),
        Paths::Normalized => {
            let mut segments = Vec::new();
            for segment in path.split('/') {
                match segment {
                    "" | "." => {}
                    ".." => drop(segments.pop()),
                    _ => segments.push(segment),
                }
            }
            for segment in &segments {
                out.push(b'/');
                write_encoded(out, segment.bytes(), |_| false);
            }
            if segments.is_empty() || path.ends_with('/') {
                out.push(b'/');
            }
        }
    }
}

/// The parameters but those that are left out, in the order of their encoded names, then values.
pub(super) fn write_query(out: &mut Vec<u8>, query: &str, left_out: &[&str]) {
    if query.is_empty() {
        return;
    }
    let encoded = |text: &str| {
        let mut out = Vec::with_capacity(text.len());
        write_encoded(&mut out, decoded(text), |_| false);
        out
    };
    let mut parameters: Vec<(Vec<u8>, Vec<u8>)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (encoded(name), encoded(value))
        })
        .filter(|(name, _)| !left_out.iter().any(|left_out| left_out.as_bytes() == name))
        .collect();
    parameters.sort();
    for (index, (name, value)) in parameters.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986 and what `also` lets through.
fn write_encoded(out: &mut Vec<u8>, bytes: impl Iterator<Item = u8>, also: fn(u8) -> bool) {
    for byte in bytes {
        let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if unreserved || also(byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[
                b'%',
                HEX_UPPER[usize::from(byte >> 4)],
                HEX_UPPER[usize::from(byte & 0xf)],
            ]);
        }
    }
}
