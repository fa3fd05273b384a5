//! What a cut's outcome depends on besides its records, as it was when the cut was decided. A later
//! try goes by this, whatever is configured by then.
//!
//! What is of the build itself cannot be kept: its compiler, the size of a guest's stack. Where
//! that changes what a plugin makes of records, [`Settled`](crate::settled::Settled) tells.

use std::num::TryFromIntError;
use std::time::Duration;

use bincode::{Decode, Encode};
use wasm::{CallLimits, ContentHash, Version};

use crate::delivery_stream::Destination;

/// Records of one batch.
const BATCH_RECORDS_MAX: usize = 1_000;
/// The same where records go to partitions: how many of these begin with a batch is bounded.
const PARTITIONED_RECORDS_MAX: usize = 100;
/// Bytes of the records of one batch; a larger record goes alone.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// The version of a plugin that a cut's records go through, and within which limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pins {
    /// The version: its component and its manifest.
    pub hash: ContentHash,
    /// What a call may use.
    pub limits: CallLimits,
    /// Records of one batch.
    pub batch_records_max: usize,
    /// Bytes of the records of one batch; a larger record goes alone.
    pub batch_bytes_max: usize,
}

impl Pins {
    /// A version within the limits of now, at work for this destination.
    pub fn of(version: &Version, destination: &Destination) -> Self {
        Self {
            hash: version.hash(),
            limits: version.call_limits(),
            batch_records_max: match destination.partitioning {
                Some(_) => PARTITIONED_RECORDS_MAX,
                None => BATCH_RECORDS_MAX,
            },
            batch_bytes_max: BATCH_BYTES_MAX,
        }
    }
}

/// [`Pins`] as they lie in a row.
#[derive(Encode, Decode)]
pub struct PinsRow {
    hash: [u8; 32],
    memory_bytes_max: u64,
    table_elements_max: u64,
    handles_max: u64,
    output_bytes_max: u64,
    host_calls_max: u32,
    random_bytes_max: u64,
    batch_time_max: Duration,
    batch_records_max: u64,
    batch_bytes_max: u64,
}

impl PinsRow {
    /// # Errors
    /// Where a `usize` is wider than a row's number, which no processor has.
    pub fn of(pins: &Pins) -> Result<Self, TryFromIntError> {
        let Pins {
            hash,
            limits,
            batch_records_max,
            batch_bytes_max,
        } = pins;
        Ok(Self {
            hash: hash.0,
            memory_bytes_max: limits.memory_bytes_max.try_into()?,
            table_elements_max: limits.table_elements_max.try_into()?,
            handles_max: limits.handles_max.try_into()?,
            output_bytes_max: limits.output_bytes_max.try_into()?,
            host_calls_max: limits.host_calls_max,
            random_bytes_max: limits.random_bytes_max,
            batch_time_max: limits.batch_time_max,
            batch_records_max: (*batch_records_max).try_into()?,
            batch_bytes_max: (*batch_bytes_max).try_into()?,
        })
    }

    /// # Errors
    /// When a number is none that this machine can have.
    pub fn read(self) -> Result<Pins, TryFromIntError> {
        Ok(Pins {
            hash: ContentHash(self.hash),
            limits: CallLimits {
                memory_bytes_max: self.memory_bytes_max.try_into()?,
                table_elements_max: self.table_elements_max.try_into()?,
                handles_max: self.handles_max.try_into()?,
                output_bytes_max: self.output_bytes_max.try_into()?,
                host_calls_max: self.host_calls_max,
                random_bytes_max: self.random_bytes_max,
                batch_time_max: self.batch_time_max,
            },
            batch_records_max: self.batch_records_max.try_into()?,
            batch_bytes_max: self.batch_bytes_max.try_into()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_read_back_from_their_row() {
        let pins = Pins {
            hash: ContentHash([7; 32]),
            limits: CallLimits {
                memory_bytes_max: 1,
                table_elements_max: 2,
                handles_max: 3,
                output_bytes_max: 4,
                host_calls_max: 5,
                random_bytes_max: 6,
                batch_time_max: Duration::from_millis(7),
            },
            batch_records_max: 8,
            batch_bytes_max: 9,
        };
        assert_eq!(PinsRow::of(&pins).unwrap().read(), Ok(pins));
    }
}
