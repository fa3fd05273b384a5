//! The size of records in the unit of the model.

use wire::ApiError;
use wire::members::Integer;

use super::error;

const BYTES_PER_KIB: usize = 1024;

/// Bytes of so many KiB, of which the shape has refused those that are out of range.
pub fn parse(Integer(kib): Integer) -> Result<usize, ApiError> {
    let kib =
        usize::try_from(kib).map_err(|error| error::internal("read a record size", &error))?;
    Ok(kib * BYTES_PER_KIB)
}

/// KiB of so many bytes.
pub fn in_kib(bytes: usize) -> usize {
    bytes / BYTES_PER_KIB
}
