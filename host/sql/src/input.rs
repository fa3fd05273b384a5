//! Records become rows. A schema says how records are laid out and which of their values are
//! columns; a decoder reads records by it and gives batches.
//!
//! A record that is not in its format gives no row and one fault. A value that cannot be made one
//! of its column's type costs its row, and no other.

mod coerce;
mod csv;
mod discover;
mod escapes;
mod json;
mod path;
#[cfg(test)]
pub(crate) mod random;
mod rows;
mod schema;

use crate::batch::{BATCH_ROWS_MAX, Batch, Millis};
use crate::cell::Value;
use crate::fault::{Fault, FaultKind, Invalid};
use crate::operator::FaultedRow;

use coerce::Source;
use csv::{Field, Quotes};
use json::{Broken, Found, Kind, Scanner, Span};
use path::{Shape, Slot};
use rows::Rows;
use schema::{Delimiters, Format};

pub use discover::{Discovered, Undetected, discover};
pub use schema::{InputSchema, Metadata, SourceSchema, sql_type};

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

/// Characters of a value that the message of a fault shows.
const SHOWN_CHARS_MAX: usize = 64;

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
        let rows = Rows::new(&schema.columns, is_needed, metadata.collect())?;
        let reader = Reader::new(schema, &is_needed)?;
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
        let rows = Rows::new(&schema.columns, |_| true, Vec::new())?;
        let reader = Reader::new(schema, &|_| true)?;
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

/// A row of the error stream for data that could not be read.
fn faulted(fault: Fault, rowtime: Millis, data: &[u8]) -> FaultedRow {
    let kept = &data[..data.len().min(FAULT_DATA_BYTES_MAX)];
    FaultedRow {
        fault,
        rowtime,
        row: vec![Value::Bytes(kept.into())],
    }
}

/// Finds values in texts of one format.
enum Reader {
    Json {
        shape: Shape,
        /// Where each needed column is found.
        slots: Vec<Slot>,
        found: Found,
    },
    Csv {
        delimiters: Delimiters,
        /// The number of the field of each needed column.
        fields: Vec<usize>,
        found: Vec<Field>,
    },
}

impl Reader {
    fn new(schema: &InputSchema, is_needed: &dyn Fn(usize) -> bool) -> Result<Self, Invalid> {
        let needed: Vec<_> = (0..schema.columns.len())
            .filter(|at| is_needed(*at))
            .collect();
        match &schema.format {
            Format::Json { row_path, mappings } => {
                // What becomes rows is told by all paths, also those that nobody reads.
                let (mut shape, all) = Shape::new(row_path, mappings)?;
                let slots: Vec<_> = needed.iter().map(|at| all[*at]).collect();
                shape.keep_only(&slots);
                let found = Found::default();
                Ok(Self::Json {
                    shape,
                    slots,
                    found,
                })
            }
            Format::Csv(delimiters) => Ok(Self::Csv {
                delimiters: delimiters.clone(),
                fields: needed,
                found: Vec::new(),
            }),
        }
    }

    /// Reads a document or a line and adds its rows. False at the end of the text.
    fn next(
        &mut self,
        text: &str,
        at: &mut usize,
        rows: &mut Rows,
        faults: &mut Vec<FaultedRow>,
    ) -> Result<bool, Fault> {
        let begin = *at;
        match self {
            Self::Json {
                shape,
                slots,
                found,
            } => {
                let mut scanner = Scanner::new(text, begin, RECORD_ROWS_MAX);
                let more = scanner.document(shape, found).map_err(unparsable)?;
                *at = scanner.at;
                if !more {
                    return Ok(false);
                }
                for row in 0..found.row_count {
                    let (found, slots) = (&*found, &*slots);
                    let source = |column: usize| found_value(text, found, row, slots[column]);
                    rows.push(&text[begin..*at], source, faults)?;
                }
                Ok(true)
            }
            Self::Csv {
                delimiters,
                fields,
                found,
            } => {
                let mut lines = csv::Rows::new(text, begin, delimiters);
                let wanted = fields.last().map_or(0, |last| last + 1);
                let more = lines.next(wanted, found).map_err(unparsable)?;
                *at = lines.at;
                if !more {
                    return Ok(false);
                }
                let (found, fields) = (&*found, &*fields);
                let source = |column: usize| match found.get(fields[column]) {
                    Some(field) => field_value(text, field),
                    None => Raw::Plain(Source::Null),
                };
                rows.push(&text[begin..*at], source, faults)?;
                Ok(true)
            }
        }
    }
}

/// A value as it was found: what it is, or a string that has to be unescaped first.
enum Raw<'a> {
    Plain(Source<'a>),
    /// A string of JSON with escapes in it.
    Escaped(&'a str),
    /// A field with doubled quotes in it.
    Doubled(&'a str),
}

fn found_value<'a>(text: &'a str, found: &Found, row: usize, slot: Slot) -> Raw<'a> {
    let Span { kind, from, to } = match slot {
        Slot::Document(at) => found.document[at],
        Slot::Row(at) => found.rows[row * found.per_row + at],
    };
    let text = &text[from..to];
    Raw::Plain(match kind {
        Kind::Missing | Kind::Null => Source::Null,
        Kind::True => Source::Boolean(true),
        Kind::False => Source::Boolean(false),
        Kind::Number => Source::Number(text),
        Kind::Text => Source::Text(text),
        Kind::Composite => Source::Composite(text),
        Kind::Escaped => return Raw::Escaped(text),
    })
}

/// A field without quotes that is empty is null; in quotes it is an empty text.
fn field_value<'a>(text: &'a str, field: &Field) -> Raw<'a> {
    let text = &text[field.from..field.to];
    match field.quotes {
        Quotes::None if text.is_empty() => Raw::Plain(Source::Null),
        Quotes::None | Quotes::Around => Raw::Plain(Source::Text(text)),
        Quotes::Within => Raw::Doubled(text),
    }
}

fn unparsable(broken: Broken) -> Fault {
    let Broken { at, what } = broken;
    Fault::new(FaultKind::Unparsable, format!("{what}, at byte {at}"))
}

#[cfg(test)]
mod tests;
