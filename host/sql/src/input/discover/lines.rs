//! Infers the delimiters and the columns of lines.

use super::candidate::{Candidate, Undetected};
use super::observed::Observed;
use crate::input::csv::{Field, Lines};
use crate::input::schema::{
    COLUMNS_MAX, CsvMappingParameters, Delimiters, MappingParameters, RecordFormat,
};

/// What may stand between columns, the likeliest first.
const COLUMN_DELIMITERS: [&str; 4] = [",", "\t", "|", ";"];

type Fields<'a> = Vec<Vec<&'a str>>;

/// Columns that all lines have.
pub fn infer(texts: &[&str]) -> Result<(Vec<Candidate>, RecordFormat), Undetected> {
    let anywhere = |wanted: &str| texts.iter().any(|text| text.contains(wanted));
    let row = ["\r\n", "\n", "\r"]
        .into_iter()
        .find(|delimiter| anywhere(delimiter));
    let row = row.unwrap_or("\n").to_owned();
    let mut best: Option<(Delimiters, Fields<'_>)> = None;
    for column in COLUMN_DELIMITERS {
        let delimiters = Delimiters {
            row: row.clone(),
            column: column.to_owned(),
        };
        let Some(fields) = split(texts, &delimiters) else {
            continue;
        };
        let width = fields[0].len();
        if width > 1
            && best
                .as_ref()
                .is_none_or(|(_, known)| known[0].len() < width)
        {
            best = Some((delimiters, fields));
        }
    }
    // Lines without a pattern are one column, cut by what stands in none of them.
    if best.is_none()
        && let Some(column) = COLUMN_DELIMITERS
            .into_iter()
            .rev()
            .find(|wanted| !anywhere(wanted))
    {
        let column = column.to_owned();
        let delimiters = Delimiters { row, column };
        best = split(texts, &delimiters).map(|fields| (delimiters, fields));
    }
    let (delimiters, fields) = best.ok_or(Undetected::NoPattern)?;
    let csv = Some(CsvMappingParameters {
        record_row_delimiter: delimiters.row,
        record_column_delimiter: delimiters.column,
    });
    let format = RecordFormat {
        record_format_type: "CSV".to_owned(),
        mapping_parameters: Some(MappingParameters { json: None, csv }),
    };
    Ok((columns(&fields), format))
}

/// The fields of all lines, if all have as many.
fn split<'a>(texts: &[&'a str], delimiters: &Delimiters) -> Option<Fields<'a>> {
    let mut lines = Vec::new();
    let mut fields: Vec<Field> = Vec::new();
    for text in texts {
        let mut rows = Lines::new(text, 0, delimiters);
        while rows.next(COLUMNS_MAX, &mut fields).ok()? {
            let fields = fields.iter().map(|field| &text[field.from..field.to]);
            lines.push(fields.collect::<Vec<_>>());
        }
    }
    let width = lines.first()?.len();
    lines
        .iter()
        .all(|line| line.len() == width)
        .then_some(lines)
}

fn columns(lines: &Fields<'_>) -> Vec<Candidate> {
    let all = observed(lines);
    let below = observed(&lines[1..]);
    let first = &lines[0];
    let is_heading = lines.len() > 1
        && observed(&lines[..1]).iter().all(Observed::is_text)
        && first.iter().all(|name| !name.trim().is_empty())
        && !below.iter().all(Observed::is_text);
    let named = |at: usize| if is_heading { first[at].trim() } else { "" };
    let columns = if is_heading { below } else { all };
    let columns = columns.into_iter().enumerate();
    let columns = columns.map(|(at, observed)| Candidate {
        names: vec![named(at).to_owned()],
        mapping: None,
        observed,
    });
    columns.collect()
}

fn observed(lines: &[Vec<&str>]) -> Vec<Observed> {
    let width = lines.first().map_or(0, Vec::len);
    let mut columns = vec![Observed::default(); width];
    for line in lines {
        for (column, field) in columns.iter_mut().zip(line) {
            column.see_field(field);
        }
    }
    columns
}
