//! AWS JSON 1.1: a body becomes a typed input, an output becomes a body, without a tree between.
//!
//! An input is a struct whose members are all optional (absent and `null` are the same) and of the
//! types of this module, so that text and blobs borrow from the body; members that it does not
//! name are ignored. What may be in them is said once, in its [`Shape`]:
//!
//! ```ignore
//! #[derive(serde::Deserialize)]
//! #[serde(rename_all = "PascalCase")]
//! struct Input<'a> {
//!     #[serde(borrow)]
//!     stream_name: Option<Text<'a>>,
//!     #[serde(borrow)]
//!     records: Option<List<Structure<Entry<'a>>>>,
//! }
//!
//! impl Shape for Input<'_> {
//!     fn check(&self, check: &mut Check) {
//!         check.required("Records", &self.records, RECORDS);
//!         check.required("StreamName", &self.stream_name, STREAM_NAME);
//!     }
//! }
//! ```

pub(crate) mod blob;
pub(crate) mod collections;
mod mismatch;
pub(crate) mod scalars;
mod write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::shape::{Check, Shape};
use crate::{Answer, ApiError};

pub use blob::Blob;
pub use collections::{LIST_MEMBERS_KEPT, List, MAP_ENTRIES_KEPT, Map, Structure};
pub use scalars::{Boolean, EpochSeconds, Integer, Text};
pub use write::{base64_len, escaped_len, write_base64, write_epoch_seconds, write_string};

/// Reads an input and checks its constraints. An empty body is an input without members.
///
/// # Errors
/// SerializationException when the body is not JSON or a member has another JSON type than its
/// shape; ValidationException when a constraint is broken.
pub fn parse<'a, T>(body: &'a [u8]) -> Result<T, ApiError>
where
    T: Shape + Deserialize<'a>,
{
    let body = if body.is_empty() { b"{}" } else { body };
    let Structure(input) =
        serde_json::from_slice::<Structure<T>>(body).map_err(|error| mismatch::answer(&error))?;
    let mut check = Check::new();
    input.check(&mut check);
    match check.finish() {
        Ok(()) => Ok(input),
        Err(error) => Err(refusal(&input, error)),
    }
}

/// The answer to an input that is refused with `error`. A blob that is not base64 goes first: AWS
/// decodes all blobs before it checks anything. Here they are decoded to where they are kept, after
/// all checks, which costs nothing while all is well.
pub fn refusal<T: Shape>(input: &T, error: ApiError) -> ApiError {
    let mut check = Check::of_encoding();
    input.check(&mut check);
    check
        .wrong_encoding()
        .map_or(error, ApiError::serialization)
}

/// Writes an output as a whole body. Outputs skip absent members
/// (`#[serde(skip_serializing_if = "Option::is_none")]`): clients do not expect `null`.
///
/// # Errors
/// InternalFailure when the value cannot be written as JSON, such as a map with keys that are no
/// text.
pub fn answer<T: Serialize>(value: &T) -> Result<Answer, ApiError> {
    match serde_json::to_vec(value) {
        Ok(body) => Ok(Answer::whole(Bytes::from(body))),
        Err(error) => Err(ApiError::internal(format!("write the answer: {error}"))),
    }
}
