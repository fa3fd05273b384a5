//! AWS's CBOR 1.1, as the SDK for Java speaks it: the values of AWS JSON, with blobs as byte
//! strings and moments as milliseconds since 1970 under tag 1.
//!
//! Read and written here and not by a crate: those with serde's support (looked at: cbor4ii,
//! ciborium, minicbor-serde) refuse tags, copy every blob, or say of a wrong type too little for
//! AWS's texts.

mod read;
mod serialize;
mod visit;
mod write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::members::Structure;
use crate::shape::{Shape, checked};
use crate::{Answer, ApiError, mismatch};

pub use read::DEPTH_MAX;
use read::Reader;
pub(crate) use write::{begin_list, begin_structure, write_number, write_word};
pub use write::{blob_len, text_len, write_blob, write_text, write_time};

/// A structure without members.
const EMPTY: &[u8] = &[0xa0];

/// Reads an input and checks its constraints. An empty body is an input without members.
///
/// # Errors
/// SerializationException when the body is not CBOR, has more values than any input, or a member
/// has another type than its shape; ValidationException when a constraint is broken.
pub fn parse<'a, T>(body: &'a [u8]) -> Result<T, ApiError>
where
    T: Shape + Deserialize<'a>,
{
    let body = if body.is_empty() { EMPTY } else { body };
    let mut reader = Reader::new(body);
    let Structure(input) = Structure::<T>::deserialize(&mut reader)
        .and_then(|input| reader.end().map(|()| input))
        .map_err(|fault| mismatch::answer(&fault.to_string()))?;
    checked(input)
}

/// Writes a value as a whole body.
///
/// # Errors
/// InternalFailure when the value is of a kind that no output has.
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
    value
        .serialize(serialize::Output(out))
        .map_err(|fault| ApiError::internal(format!("write the answer: {fault}")))
}
