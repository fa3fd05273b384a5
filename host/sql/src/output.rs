//! Rows become records: one for each row, as JSON or as CSV; texts of a table for people; and rows
//! of the error stream.

mod csv;
mod errors;
mod json;
mod table;
mod values;

pub use csv::CsvRows;
pub use errors::{error_row_type, error_rows};
pub use json::JsonRows;
pub use table::table;

#[cfg(test)]
mod tests;
