//! Keys with empty parts between their slashes (`/a//b`), which S3 takes and paths of the client
//! cannot have. In a path a mark stands for each; a request loses its marks before it is sent, and
//! is signed once more without them; a listing gets them before it is read.

use std::fmt;

use bytes::Bytes;
use hyper::Uri;
use hyper::header::{AUTHORIZATION, HeaderValue};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpError, HttpErrorKind, HttpRequest};
use object_store::path::Path;

use super::ObjectError;

/// What stands for an empty part. The sign is of an area that Unicode leaves to private use.
const MARK: &str = "\u{f8ff}empty\u{f8ff}";
/// The same as the client writes it into a URL.
const MARK_IN_URL: &str = "%EF%A3%BFempty%EF%A3%BF";
/// The hash of what is put, which is signed.
const CONTENT_HASH: &str = "x-amz-content-sha256";
const KEY: [&str; 2] = ["<Key>", "</Key>"];

/// The path of an object: its key letter by letter, with marks.
///
/// # Errors
/// When it is none, which no prefix gives that was checked when it was configured.
pub(super) fn path(key: &str) -> Result<Path, ObjectError> {
    if key.contains(MARK) {
        let why = format!("the key {key} has a part that stands for none here");
        return Err(ObjectError::Impossible(why));
    }
    Path::parse(with_marks(key)).map_err(|error| ObjectError::Impossible(error.to_string()))
}

/// The key of an object by its path.
pub(super) fn key(path: Path) -> String {
    String::from(path).replace(MARK, "")
}

/// A text about an object as it is meant.
pub(super) fn told(text: &str) -> String {
    text.replace(MARK, "").replace(MARK_IN_URL, "")
}

fn with_marks(key: &str) -> String {
    let parts = key.split('/');
    let parts = parts.map(|part| if part.is_empty() { MARK } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// A listing with marks in its keys.
pub(super) fn listing(body: Bytes) -> Bytes {
    let Ok(mut rest) = std::str::from_utf8(&body) else {
        return body;
    };
    let mut marked = String::with_capacity(rest.len());
    while let Some((before, after)) = rest.split_once(KEY[0]) {
        let Some((key, after)) = after.split_once(KEY[1]) else {
            break;
        };
        marked.extend([before, KEY[0], &with_marks(key), KEY[1]]);
        rest = after;
    }
    marked.push_str(rest);
    Bytes::from(marked)
}

/// Signs requests that had marks.
pub(super) struct Signer {
    pub(super) region: String,
    pub(super) credential: AwsCredential,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    /// The request without marks.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub(super) fn as_meant(&self, mut request: HttpRequest) -> Result<HttpRequest, HttpError> {
        if !request.uri().path().contains(MARK_IN_URL) {
            return Ok(request);
        }
        let uri = request.uri().to_string().replace(MARK_IN_URL, "");
        *request.uri_mut() = uri.parse::<Uri>().map_err(unsigned)?;
        let hash = request.headers_mut().remove(CONTENT_HASH);
        let hash = hash.as_ref().and_then(bytes_of);
        request.headers_mut().remove(AUTHORIZATION);
        AwsAuthorizer::new(&self.credential, "s3", &self.region)
            .try_authorize(&mut request, hash.as_deref())
            .map_err(unsigned)?;
        Ok(request)
    }
}

fn unsigned<E: std::error::Error + Send + Sync + 'static>(error: E) -> HttpError {
    HttpError::new(HttpErrorKind::Request, error)
}

/// The bytes that digits stand for, if they stand for a hash.
fn bytes_of(digits: &HeaderValue) -> Option<Vec<u8>> {
    let digits = digits.to_str().ok()?;
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_path_whatever_parts_are_empty() {
        for text in [
            "a",
            "a/b",
            "/a",
            "//a",
            "a//b",
            "/a///b",
            "a/",
            "a b/%//\u{e9}",
        ] {
            assert_eq!(key(path(text).unwrap()), text);
        }
        for text in [".", "a/../b", "a\u{1}b", &format!("a/{MARK}/b")] {
            assert!(path(text).is_err(), "{text}");
        }
        let listed = "<Contents><Key>a//b</Key></Contents><Contents><Key>/c</Key></Contents>x//y";
        let marked = listing(Bytes::from(listed));
        let marked = std::str::from_utf8(&marked).unwrap();
        assert!(
            !marked.contains("<Key>/") && !marked.contains("a//b"),
            "{marked}"
        );
        assert_eq!(told(marked), listed);
    }
}
