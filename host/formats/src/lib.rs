//! Record formats of columns: JSON records become rows of a table, and rows become a file that is
//! made in memory. Pure: no I/O, no clock.
//!
//! ```text
//! table      Glue's words for columns and their types become a `Table`
//! reading    how keys are found and texts are read: by the OpenX or the Hive SerDe
//! rows       a record, read once from its first byte to its last, becomes rows of columns; one
//!            that does not fit leaves nothing behind
//! file       columns become row groups or stripes, and these a file
//!   parquet_file, orc
//! ```
//!
//! The crates of Arrow and Parquet are named here and nowhere else.

mod column;
mod date;
mod file;
mod joda;
mod json;
mod limits;
mod meter;
mod number;
mod orc;
mod parquet_file;
mod reading;
mod refusal;
mod rows;
mod table;
mod value;

#[cfg(test)]
mod tests;

pub use file::{END_BYTES, FileMemory, RowFile, digest_of};
pub use limits::{LEAVES_MAX, TABLE_BYTES_MAX, file_bytes_besides, file_bytes_besides_of};
pub use reading::{Reading, ReadingSettings};
pub use refusal::{Refusal, Unconverted};
pub use rows::Rows;
pub use settings::{
    Codec, Format, OrcCodec, OrcSettings, OrcVersion, ParquetSettings, WriterVersion,
};
pub use table::{Column as TableColumn, Table, Type};

mod settings;
