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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BATCH_ROWS_MAX;
    use crate::cell::{Cell, Cells};
    use crate::fault::FaultKind;
    use crate::ty::SqlType;

    fn schema(format: &str) -> InputSchema {
        let text = format!(
            r#"{{
                "RecordColumns": [
                    {{"SqlType": "VARCHAR(8)", "Name": "TICKER", "Mapping": "$.t"}},
                    {{"SqlType": "INTEGER", "Name": "N", "Mapping": "$.n"}}
                ],
                "RecordFormat": {format}
            }}"#
        );
        InputSchema::from_json(&text).unwrap()
    }

    fn csv() -> InputSchema {
        schema(
            r#"{"RecordFormatType": "CSV", "MappingParameters": {"CSVMappingParameters":
            {"RecordRowDelimiter": "\n", "RecordColumnDelimiter": ","}}}"#,
        )
    }

    fn numbers(reference: &Reference) -> Vec<i64> {
        let mut numbers = Vec::new();
        for batch in &reference.batches {
            assert!(batch.rows() <= BATCH_ROWS_MAX);
            assert_eq!(batch.columns().len(), 3);
            let cells = Cells::new(batch.column(2), SqlType::Integer);
            for row in 0..batch.rows() {
                if let Cell::Whole(number) = cells.get(row) {
                    numbers.push(number);
                }
            }
        }
        numbers
    }

    #[test]
    fn lines_and_documents_are_rows_of_a_table() {
        let reference = read(&csv(), b"Ticker,Company\nAMZN,1\nQXZ,2", 9).unwrap();
        assert_eq!(numbers(&reference), [1, 2]);
        assert_eq!(reference.batches[0].rowtimes().values(), &[9, 9]);
        assert_eq!(reference.faults_count, 1);
        assert_eq!(reference.faults[0].fault.kind, FaultKind::Coercion);
        let json = schema(r#"{"RecordFormatType": "JSON"}"#);
        let reference = read(&json, b"{\"n\":1}\n{\"n\":2} [{\"n\":3},{\"n\":4}]", 9).unwrap();
        assert_eq!(numbers(&reference), [1, 2, 3, 4]);
    }

    #[test]
    fn a_large_object_becomes_many_batches() {
        let lines: Vec<_> = (0..20_000).map(|n| format!("t,{n}")).collect();
        let reference = read(&csv(), lines.join("\n").as_bytes(), 0).unwrap();
        assert_eq!(numbers(&reference), (0..20_000).collect::<Vec<_>>());
        assert_eq!(reference.batches.len(), 3);
    }

    #[test]
    fn faults_are_counted_and_some_are_kept() {
        let reference = read(&csv(), "a,x\n".repeat(1_000).as_bytes(), 0).unwrap();
        assert_eq!(reference.faults_count, 1_000);
        assert_eq!(reference.faults.len(), FAULTS_KEPT_MAX);
        assert!(reference.batches.is_empty());
    }

    #[test]
    fn rows_before_a_place_that_cannot_be_read_are_kept() {
        let json = schema(r#"{"RecordFormatType": "JSON"}"#);
        let reference = read(&json, b"{\"n\":1} {\"n\":2} {\"n\"", 0).unwrap();
        assert_eq!(numbers(&reference), [1, 2]);
        assert_eq!(reference.faults_count, 1);
        assert_eq!(reference.faults[0].fault.kind, FaultKind::Unparsable);
    }

    #[test]
    fn an_object_that_is_not_text_is_refused() {
        assert!(read(&csv(), b"\xff", 0).is_err());
    }
}
