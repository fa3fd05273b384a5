//! Records of a stream become batches.

use super::reader::Reader;
use super::record::{
    BATCH_BYTES_MAX, Limits, RECORD_BYTES_MAX, RECORD_ROW_BYTES_MAX, RECORD_ROWS_MAX, Record,
    faulted,
};
use super::rows::Rows;
use super::schema::InputSchema;
use crate::batch::{BATCH_ROWS_MAX, Batch, Millis};
use crate::fault::{Fault, FaultKind, Invalid};
use crate::operator::FaultedRow;

/// Reads records by a schema and gathers rows.
pub struct Decoder {
    reader: Reader,
    rows: Rows,
}

impl Decoder {
    /// A decoder of a stream's records. Its batches have the columns of
    /// [`InputSchema::row_type`]; of those that are not `needed` (by their number there) all
    /// values are null, and nothing is read for them.
    ///
    /// # Errors
    ///
    /// A broken invariant: a schema is checked before.
    pub fn new(schema: &InputSchema, needed: &[usize]) -> Result<Self, Invalid> {
        let columns = schema.columns.len();
        let is_needed = |column: usize| needed.contains(&(column + 1));
        let metadata = schema.metadata().into_iter().enumerate();
        let metadata = metadata.map(|(at, kind)| (kind, is_needed(columns + at)));
        let limits = Limits::RECORD;
        let rows = Rows::new(&schema.columns, is_needed, metadata.collect(), limits)?;
        let reader = Reader::new(schema, &is_needed, limits)?;
        Ok(Self { reader, rows })
    }

    /// The same with every column.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn with_all_columns(schema: &InputSchema) -> Result<Self, Invalid> {
        let all: Vec<_> = (0..schema.row_type().columns().len()).collect();
        Self::new(schema, &all)
    }

    /// A decoder of reference data: all columns of [`InputSchema::table_type`].
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub(crate) fn of_table(schema: &InputSchema) -> Result<Self, Invalid> {
        let limits = Limits::TABLE;
        let rows = Rows::new(&schema.columns, |_| true, Vec::new(), limits)?;
        let reader = Reader::new(schema, &|_| true, limits)?;
        Ok(Self { reader, rows })
    }

    /// Adds the rows of a record. What cannot be read is added to `faults`.
    ///
    /// # Errors
    ///
    /// A broken invariant: a batch that was not taken though the decoder was full.
    pub fn decode(
        &mut self,
        record: &Record<'_>,
        faults: &mut Vec<FaultedRow>,
    ) -> Result<(), Invalid> {
        if self.rows.bytes() > BATCH_BYTES_MAX + RECORD_ROW_BYTES_MAX {
            return Err(Invalid::new(
                "internal: rows were not taken out of a full decoder",
            ));
        }
        let known_faults = faults.len();
        let begin = self.rows.begin_record(record);
        if let Err(fault) = self.decode_all(record, faults) {
            self.rows.undo(&begin);
            faults.truncate(known_faults);
            faults.push(faulted(fault, record.rowtime, record.data));
        }
        Ok(())
    }

    fn decode_all(
        &mut self,
        record: &Record<'_>,
        faults: &mut Vec<FaultedRow>,
    ) -> Result<(), Fault> {
        let limit = |what: &str| Fault::new(FaultKind::Limit, what);
        if record.data.len() > RECORD_BYTES_MAX {
            return Err(limit("the record is longer than a record may be"));
        }
        let text = std::str::from_utf8(record.data).map_err(|error| {
            let at = error.valid_up_to();
            let message = format!("the record is not UTF-8 at byte {at}");
            Fault::new(FaultKind::Unparsable, message)
        })?;
        let mut at = 0;
        while self.reader.next(text, &mut at, &mut self.rows, faults)? {
            if self.rows.of_record() > RECORD_ROWS_MAX {
                return Err(limit("the record has more rows than one may have"));
            }
        }
        Ok(())
    }

    /// Adds the rows of the next document or line of a longer text, from `at` on, which moves
    /// behind it. False at the end, or where the text cannot be read any further.
    pub(crate) fn decode_next(
        &mut self,
        text: &str,
        at: &mut usize,
        rowtime: Millis,
        faults: &mut Vec<FaultedRow>,
    ) -> bool {
        let record = Record {
            data: text.as_bytes(),
            rowtime,
            arrival: rowtime,
            partition_key: "",
            sequence_number: "",
            shard_id: "",
        };
        let known_faults = faults.len();
        let begin = self.rows.begin_record(&record);
        let place = *at;
        match self.reader.next(text, at, &mut self.rows, faults) {
            Ok(more) => more,
            Err(fault) => {
                self.rows.undo(&begin);
                faults.truncate(known_faults);
                faults.push(faulted(fault, rowtime, &text.as_bytes()[place..]));
                false
            }
        }
    }

    /// Bytes of the rows that wait to be taken, about.
    pub(crate) fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    /// Rows that wait to be taken.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// It is time to take what there is.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_ROWS_MAX || self.rows.bytes() >= BATCH_BYTES_MAX
    }

    /// The rows since the last call, in batches of at most [`BATCH_ROWS_MAX`].
    ///
    /// # Errors
    ///
    /// A broken invariant: columns that are not equally long.
    pub fn finish(&mut self) -> Result<Vec<Batch>, Invalid> {
        self.rows.finish()
    }
}

#[cfg(test)]
mod tests;
