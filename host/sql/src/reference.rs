//! Reference data: an object with the rows of a table, all of them known before the first row of a
//! stream.

use crate::batch::{Batch, Millis};
use crate::fault::Invalid;
use crate::input::{Decoder, InputSchema};
use crate::operator::FaultedRow;

/// Bytes of an object of reference data, at most (the guide's page on limits). A longer one is
/// refused.
pub const REFERENCE_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Bytes that the rows of a table hold, at most: nulls and numbers can take more than their text.
pub const TABLE_BYTES_MAX: usize = 4 * REFERENCE_BYTES_MAX;

/// Faults that are kept to be shown; the others are only counted.
pub const FAULTS_KEPT_MAX: usize = 100;

/// The rows of a table.
#[derive(Debug, Default)]
pub struct Reference {
    /// Of [`InputSchema::table_type`].
    pub batches: Vec<Batch>,
    /// The first of the rows that could not be read.
    pub faults: Vec<FaultedRow>,
    /// How many rows could not be read.
    pub faults_count: u64,
}

/// Reads an object of reference data. `rowtime` is what its rows have as `ROWTIME`.
///
/// # Errors
///
/// An object that is too large or whose rows are, or that is not UTF-8.
pub fn read(schema: &InputSchema, object: &[u8], rowtime: Millis) -> Result<Reference, Invalid> {
    if object.len() > REFERENCE_BYTES_MAX {
        let message = format!("reference data of more than {REFERENCE_BYTES_MAX} bytes");
        return Err(Invalid::new(message));
    }
    let text = std::str::from_utf8(object)
        .map_err(|error| Invalid::new(format!("reference data is not UTF-8: {error}")))?;
    let mut decoder = Decoder::of_table(schema)?;
    let mut reference = Reference::default();
    let mut at = 0;
    let mut bytes = 0;
    loop {
        let mut faults = Vec::new();
        let more = decoder.decode_next(text, &mut at, rowtime, &mut faults);
        reference.note(faults);
        if decoder.is_full() || !more {
            bytes += decoder.bytes();
            if bytes > TABLE_BYTES_MAX {
                return Err(Invalid::new(
                    "the rows of reference data take too much memory",
                ));
            }
            reference.batches.extend(decoder.finish()?);
        }
        if !more {
            return Ok(reference);
        }
    }
}

impl Reference {
    fn note(&mut self, faults: Vec<FaultedRow>) {
        for fault in faults {
            self.faults_count += 1;
            if self.faults.len() < FAULTS_KEPT_MAX {
                self.faults.push(fault);
            }
        }
    }
}
