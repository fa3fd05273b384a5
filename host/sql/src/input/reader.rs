//! Finds the values of rows in texts of one format.

use super::coerce::Source;
use super::csv::{Field, Lines, Quotes};
use super::escapes::Raw;
use super::found::{Found, Kind, Span};
use super::json::{Broken, Scanner};
use super::path::{Shape, Slot};
use super::record::Limits;
use super::rows::Rows;
use super::schema::{Delimiters, Format, InputSchema};
use crate::fault::{Fault, Invalid};
use crate::operator::FaultedRow;

/// Finds values in texts of one format.
pub enum Reader {
    Json {
        shape: Shape,
        /// Where each needed column is found.
        slots: Vec<Slot>,
        found: Found,
        rows_max: usize,
    },
    Csv {
        delimiters: Delimiters,
        /// The number of the field of each needed column.
        fields: Vec<usize>,
        found: Vec<Field>,
    },
}

impl Reader {
    pub fn new(
        schema: &InputSchema,
        is_needed: &dyn Fn(usize) -> bool,
        limits: Limits,
    ) -> Result<Self, Invalid> {
        let needed: Vec<_> = (0..schema.columns.len())
            .filter(|at| is_needed(*at))
            .collect();
        match &schema.format {
            Format::Json { row_path, mappings } => {
                // What becomes rows is told by all paths, also those that nobody reads.
                let (mut shape, all) = Shape::new(row_path, mappings)?;
                let mut slots: Vec<_> = needed.iter().map(|at| all[*at]).collect();
                shape.keep_only(&mut slots);
                let found = Found::default();
                Ok(Self::Json {
                    shape,
                    slots,
                    found,
                    rows_max: limits.rows,
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
    pub fn next(
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
                rows_max,
            } => {
                let mut scanner = Scanner::new(text, begin, *rows_max);
                let more = scanner.document(shape, found).map_err(fault)?;
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
                let mut lines = Lines::new(text, begin, delimiters);
                let wanted = fields.last().map_or(0, |last| last + 1);
                let more = lines.next(wanted, found).map_err(fault)?;
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

fn fault(broken: Broken) -> Fault {
    let Broken { kind, at, what } = broken;
    Fault::new(kind, format!("{what}, at byte {at}"))
}
