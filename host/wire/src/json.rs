//! AWS JSON 1.1: a body becomes a typed input, an output becomes a body, without a tree between.

mod write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use crate::members::Structure;
use crate::shape::{Shape, checked};
use crate::{Answer, ApiError, items, mismatch};

pub use write::{base64_len, escaped_len, write_base64, write_epoch_seconds, write_string};

/// Reads an input and checks its constraints. An empty body is an input without members.
///
/// # Errors
/// SerializationException when the body is not JSON, has more values than any input, or a member
/// has another JSON type than its shape; ValidationException when a constraint is broken.
pub fn parse<'a, T>(body: &'a [u8]) -> Result<T, ApiError>
where
    T: Shape + Deserialize<'a>,
{
    let body = if body.is_empty() { b"{}" } else { body };
    if items::are_too_many(body) {
        return Err(mismatch::answer(items::TOO_MANY));
    }
    let Structure(input) =
        serde_json::from_slice::<Structure<T>>(body).map_err(|error| refused(&error))?;
    checked(input)
}

fn refused(error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    mismatch::answer(match error.classify() {
        // The parser adds the place; AWS's texts have none.
        Category::Data => text.rsplit_once(" at line ").map_or(&*text, |(own, _)| own),
        _ => &text,
    })
}

/// Writes a value as a whole body.
///
/// # Errors
/// InternalFailure when the value cannot be written as JSON, such as a map with keys that are no
/// text.
pub fn answer<T: Serialize>(value: &T) -> Result<Answer, ApiError> {
    let mut body = Vec::with_capacity(128);
    write_value(&mut body, value)?;
    Ok(Answer::whole(Bytes::from(body)))
}

/// Appends a value.
///
/// # Errors
/// As [`answer`].
pub(crate) fn write_value<T>(out: &mut Vec<u8>, value: &T) -> Result<(), ApiError>
where
    T: Serialize + ?Sized,
{
    serde_json::to_writer(out, value)
        .map_err(|error| ApiError::internal(format!("write the answer: {error}")))
}
