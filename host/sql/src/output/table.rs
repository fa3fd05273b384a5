//! Rows as a table for people who look at a terminal.

use std::fmt::Write;

use super::values::Values;
use crate::batch::Batch;
use crate::fault::Invalid;
use crate::ty::RowType;

/// Characters of a value that are shown; the rest is cut.
const SHOWN_CHARS_MAX: usize = 64;

/// The rows of some batches as aligned text with a heading, `ROWTIME` first.
///
/// # Errors
///
/// A broken invariant: a batch of another type.
pub fn table(ty: &RowType, batches: &[Batch]) -> Result<String, Invalid> {
    let heading = ty.columns().iter().map(|column| column.name.clone());
    let mut lines: Vec<Vec<String>> = vec![heading.collect()];
    for batch in batches {
        if batch.columns().len() != ty.columns().len() {
            return Err(Invalid::new(
                "internal: a batch of other columns than its type",
            ));
        }
        let columns = batch.columns().iter().zip(ty.columns());
        let columns = columns.map(|(column, declared)| Values::new(column, declared.ty));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.rows() {
            let cells = columns.iter().map(|column| shown(column, row));
            lines.push(cells.collect::<Result<_, _>>()?);
        }
    }
    let mut widths = vec![0; ty.columns().len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let rule = widths.iter().map(|width| "-".repeat(*width)).collect();
    lines.insert(1, rule);
    let mut text = String::new();
    for line in &lines {
        let mut written = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            write!(written, "{cell:width$}  ", width = *width)
                .map_err(|_| Invalid::new("internal: a text that cannot be written"))?;
        }
        text.push_str(written.trim_end());
        text.push('\n');
    }
    Ok(text)
}

fn shown(column: &Values<'_>, row: usize) -> Result<String, Invalid> {
    if column.is_null(row) {
        return Ok("NULL".to_owned());
    }
    let mut value = Vec::new();
    column.write(row, &mut value)?;
    let text = String::from_utf8_lossy(&value);
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    Ok(shown.chars().map(plain).collect())
}
