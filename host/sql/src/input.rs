//! Records become rows. A schema says how records are laid out and which of their values are
//! columns; a decoder reads records by it and gives batches.
//!
//! A record that is not in its format gives no row and one fault. A value that cannot be made one
//! of its column's type costs its row, and no other.

mod coerce;
mod csv;
mod decoder;
mod discover;
mod escapes;
mod found;
mod json;
mod path;
#[cfg(test)]
pub(crate) mod random;
mod reader;
mod record;
mod rows;
mod schema;

pub use decoder::Decoder;
pub use discover::{Discovered, Undetected, discover};
pub use record::{
    BATCH_BYTES_MAX, FAULT_DATA_BYTES_MAX, RECORD_BYTES_MAX, RECORD_ROW_BYTES_MAX, RECORD_ROWS_MAX,
    Record,
};
pub use schema::{
    CsvMappingParameters, InputSchema, JsonMappingParameters, MappingParameters, Metadata,
    RecordColumn, RecordFormat, SourceSchema, sql_type,
};
