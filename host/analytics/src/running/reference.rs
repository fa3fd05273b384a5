//! Reference data: objects of buckets that are tables of a program. Read whole when an application
//! begins to work, and again when it is changed.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use delivery::objects::Objects;

use crate::application::Reference;

/// Bytes of an object that are read at once.
const PIECE_BYTES: u64 = 4 * 1024 * 1024;

/// Reads the object of reference data, of at most so many bytes.
///
/// # Errors
/// Why there are none, in words.
pub async fn read(
    objects: &Arc<dyn Objects>,
    reference: &Reference,
    bytes_max: usize,
) -> Result<Bytes, String> {
    let bucket = reference.bucket().map_err(|invalid| invalid.to_string())?;
    let what = format!(
        "the object {} of the bucket {}",
        reference.key,
        bucket.as_str()
    );
    let failed = |error: &dyn std::fmt::Display| format!("read {what}: {error}");
    let found = objects.find(&bucket, &reference.key).await;
    let found = found.map_err(|error| failed(&error))?;
    let found = found.ok_or_else(|| format!("{what} is not there"))?;
    let length = usize::try_from(found.bytes).map_err(|error| failed(&error))?;
    if length > bytes_max {
        return Err(format!(
            "{what} has {length} bytes, and may have {bytes_max}"
        ));
    }
    let mut content = BytesMut::with_capacity(length);
    let mut from = 0;
    while from < found.bytes {
        let to = found.bytes.min(from + PIECE_BYTES);
        let piece = objects.read(&bucket, &found, from..to).await;
        let piece = piece.map_err(|error| failed(&error))?;
        content.extend_from_slice(&piece.ok_or_else(|| format!("{what} was changed meanwhile"))?);
        from = to;
    }
    Ok(content.freeze())
}
