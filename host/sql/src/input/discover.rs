//! Infers a schema from sample records, as DiscoverInputSchema does.

mod candidate;
mod documents;
mod lines;
mod names;
mod observed;

use super::coerce::{Sink, Source};
use super::decoder::Decoder;
use super::record::Record;
use super::schema::{InputSchema, RecordColumn, SourceSchema, sql_type};
use crate::cell::{Cell, Cells};
use crate::fault::Invalid;
use crate::ty::SqlType;

use candidate::Candidate;
pub use candidate::Undetected;

/// Bytes of sample records that are looked at; further records are left out.
pub const SAMPLE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What was inferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovered {
    /// The schema as the API spells it.
    pub schema: SourceSchema,
    /// The texts of the columns in each row of the samples; None where one cannot be made the type
    /// of its column.
    pub rows: Vec<Vec<Option<String>>>,
}

/// Infers a schema that the records follow.
///
/// # Errors
///
/// Records in which no pattern is seen.
pub fn discover(records: &[Vec<u8>]) -> Result<Discovered, Undetected> {
    let mut texts = Vec::new();
    let mut bytes = 0;
    for record in records {
        bytes += record.len();
        if bytes > SAMPLE_BYTES_MAX {
            break;
        }
        let text = std::str::from_utf8(record).map_err(|_| Undetected::NotText)?;
        if !text.trim().is_empty() {
            texts.push(text);
        }
    }
    if texts.is_empty() {
        return Err(Undetected::NoRecords);
    }
    let is_json = |text: &&str| text.trim_start().starts_with(['{', '[']);
    let (candidates, record_format) = if texts.iter().all(is_json) {
        documents::infer(&texts)?
    } else {
        lines::infer(&texts)?
    };
    let schema = SourceSchema {
        record_format,
        record_encoding: Some("UTF-8".to_owned()),
        record_columns: columns(candidates),
    };
    let rows = rows(&schema, &texts)?;
    Ok(Discovered { schema, rows })
}

fn columns(candidates: Vec<Candidate>) -> Vec<RecordColumn> {
    let mut names = names::Names::default();
    let mut columns = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        columns.push(RecordColumn {
            name: names.give(&candidate.names),
            mapping: candidate.mapping,
            sql_type: candidate.observed.sql_type(),
        });
    }
    columns
}

/// The samples as the schema reads them: all columns as texts, of which those are shown that the
/// type of their column takes.
fn rows(schema: &SourceSchema, texts: &[&str]) -> Result<Vec<Vec<Option<String>>>, Undetected> {
    let mut as_texts = schema.clone();
    let mut sinks = Vec::new();
    for column in &mut as_texts.record_columns {
        let ty = sql_type(&column.sql_type)
            .ok_or_else(|| Invalid::new("internal: an inferred type that does not exist"))?;
        sinks.push(Sink::new(ty)?);
        column.sql_type = SqlType::TEXT.to_string();
    }
    let checked = InputSchema::parse(&as_texts).map_err(|_| Undetected::NoPattern)?;
    let needed: Vec<_> = (1..=sinks.len()).collect();
    let mut decoder = Decoder::new(&checked, &needed)?;
    let mut rows = Vec::new();
    let mut faults = Vec::new();
    for text in texts {
        let record = Record {
            data: text.as_bytes(),
            rowtime: 0,
            arrival: 0,
            partition_key: "",
            sequence_number: "",
            shard_id: "",
        };
        decoder.decode(&record, &mut faults)?;
        for batch in decoder.finish()? {
            let cells: Vec<_> = batch.columns()[1..=sinks.len()]
                .iter()
                .map(|column| Cells::new(column, SqlType::TEXT))
                .collect();
            for row in 0..batch.rows() {
                let values = cells.iter().zip(&mut sinks);
                rows.push(
                    values
                        .map(|(cells, sink)| shown(cells.get(row), sink))
                        .collect(),
                );
            }
        }
    }
    if faults.is_empty() {
        Ok(rows)
    } else {
        Err(Undetected::NoPattern)
    }
}

fn shown(cell: Cell<'_>, sink: &mut Sink) -> Option<String> {
    let Cell::Text(text) = cell else {
        return None;
    };
    let fits = sink.push(Source::Text(text)).is_ok();
    sink.finish();
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
