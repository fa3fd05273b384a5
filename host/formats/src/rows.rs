//! Records become rows of columns in memory.

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Schema, SchemaRef};

use crate::column::{self, Members};
use crate::json::{Json, Kind};
use crate::meter::Meter;
use crate::reading::Reading;
use crate::refusal::{Refusal, Unconverted};
use crate::table::Table;
use crate::value::Reader;

/// Bytes of columns that may stay in memory with nothing in them.
const SPARE_BYTES: usize = 256 * 1024;

/// Rows that are no part of a file yet.
pub struct Rows {
    columns: Members,
    schema: SchemaRef,
    reading: Reading,
    count: usize,
    /// Bytes in the columns, as they are metered.
    bytes: usize,
}

impl Rows {
    /// No rows of a table, which records become when they are read so.
    #[must_use]
    pub fn new(table: &Table, reading: Reading) -> Self {
        Self {
            columns: Members::new(&table.columns, &reading),
            schema: SchemaRef::new(Schema::new(column::fields(&table.columns))),
            reading,
            count: 0,
            bytes: 0,
        }
    }

    /// What the columns are called and hold.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows that wait.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Bytes that are metered for them.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds all objects of all these records, or nothing: one that does not fit takes the others
    /// back. `may_hold` says whether there may be so many bytes more in use than there are.
    ///
    /// # Errors
    /// The first record that does not fit, or that there is no room.
    pub fn add(
        &mut self,
        records: &[&[u8]],
        may_hold: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), Unconverted> {
        let before = self.count;
        let mut meter = Meter::new(self.bytes, may_hold);
        let mut records = records.iter();
        let added = records.try_for_each(|record| self.read(record, &mut meter));
        let used = meter.used();
        match added {
            Ok(()) => self.bytes = used,
            Err(_) => self.takes_back(before, used),
        }
        added
    }

    /// Cuts the columns back to so many rows, which have the bytes of before, and lets memory go
    /// that was taken for others.
    fn takes_back(&mut self, count: usize, used: usize) {
        self.columns.truncate(count);
        self.count = count;
        if used > self.bytes + SPARE_BYTES {
            self.columns.shrink();
        }
    }

    /// Whether a record fits. Nothing is added.
    ///
    /// # Errors
    /// As [`Rows::add`].
    pub fn check(
        &mut self,
        record: &[u8],
        may_hold: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), Unconverted> {
        let (before, bytes) = (self.count, self.bytes);
        self.add(&[record], may_hold)?;
        let used = std::mem::replace(&mut self.bytes, bytes);
        self.takes_back(before, used);
        Ok(())
    }

    /// Reads the objects of a record, of which there may be several one behind the other (developer
    /// guide, "Convert input data format").
    fn read(&mut self, record: &[u8], meter: &mut Meter<'_>) -> Result<(), Unconverted> {
        let text = std::str::from_utf8(record)
            .map_err(|error| Refusal::malformed(&format!("Invalid UTF-8: {error}")))?;
        let mut reader = Reader {
            json: Json::new(text),
            reading: &self.reading,
            meter,
        };
        loop {
            match reader.json.kind()? {
                Kind::Object => {}
                _ => {
                    reader.json.pass()?;
                    return Err(Refusal::mismatch("A JSON object is required.").into());
                }
            }
            reader.object(&mut self.columns, self.count)?;
            self.count += 1;
            if reader.json.is_at_end() {
                return Ok(());
            }
        }
    }

    /// Takes the rows out.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let arrays = self.columns.take()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        (self.count, self.bytes) = (0, 0);
        RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), arrays, &options)
    }
}
