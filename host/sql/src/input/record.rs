//! Records as they come, how much of them is taken, and what becomes of those that cannot be read.

use crate::batch::Millis;
use crate::cell::Value;
use crate::fault::Fault;
use crate::operator::FaultedRow;

/// Bytes of a record: what Kinesis takes of one. A longer one is a fault.
pub const RECORD_BYTES_MAX: usize = types::limits::DATA_BYTES_MAX;

/// Rows that one record becomes, at most. With more of them the record is a fault.
pub const RECORD_ROWS_MAX: usize = 100_000;

/// Bytes of all rows of one record, at most: a value that is repeated in each of them counts each
/// time. With more of them the record is a fault.
pub const RECORD_ROW_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of rows after which [`Decoder::is_full`] asks for a batch to be taken.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of a record that a fault keeps, from its beginning: as many as DATA_ROW of the error
/// stream can show.
pub const FAULT_DATA_BYTES_MAX: usize = 49_152 / 2;

/// What one record may become.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub rows: usize,
    pub row_bytes: usize,
}

impl Limits {
    /// Of a record of a stream.
    pub const RECORD: Self = Self {
        rows: RECORD_ROWS_MAX,
        row_bytes: RECORD_ROW_BYTES_MAX,
    };

    /// Of a document in an object of reference data, which may be all of it.
    pub const TABLE: Self = Self {
        rows: 1_000_000,
        row_bytes: 1024 * 1024 * 1024,
    };
}

/// A record of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// What the producer sent.
    pub data: &'a [u8],
    /// Becomes `ROWTIME`. It does not fall from one record to the next.
    pub rowtime: Millis,
    /// `APPROXIMATE_ARRIVAL_TIME`.
    pub arrival: Millis,
    /// `PARTITION_KEY`.
    pub partition_key: &'a str,
    /// `SEQUENCE_NUMBER`.
    pub sequence_number: &'a str,
    /// `SHARD_ID`.
    pub shard_id: &'a str,
}

/// A row of the error stream for data that could not be read.
pub fn faulted(fault: Fault, rowtime: Millis, data: &[u8]) -> FaultedRow {
    let kept = &data[..data.len().min(FAULT_DATA_BYTES_MAX)];
    FaultedRow {
        fault,
        rowtime,
        row: vec![Value::Bytes(kept.into())],
    }
}
