//! Functions of moments and texts in a pattern: `CHAR_TO_TIMESTAMP`, `TIMESTAMP_TO_CHAR` and those
//! like them.

use arrow_array::types::TimestampMillisecondType;

use super::arguments::{text, wrong};
use super::cast;
use super::date_format::Format;
use super::kernel::strict;
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid};
use crate::ty::SqlType;

/// Patterns of rows, of which the last one is kept.
#[derive(Default)]
struct Formats {
    last: Option<(String, Format)>,
}

impl Formats {
    fn get(&mut self, pattern: &str) -> Result<&Format, Fault> {
        let (known, format) = match self.last.take() {
            Some((known, format)) if known == pattern => (known, format),
            _ => {
                let made = Format::parse(pattern);
                let made = made.map_err(|message| Fault::new(FaultKind::Argument, message))?;
                (pattern.to_owned(), made)
            }
        };
        Ok(&self.last.insert((known, format)).1)
    }
}

fn checked(pattern: Expr, of: &str) -> Result<Expr, Invalid> {
    let pattern = text(pattern, of)?;
    if let Some(Value::Text(written)) = pattern.as_literal() {
        Format::parse(written).map_err(Invalid::new)?;
    }
    Ok(pattern)
}

/// `CHAR_TO_TIMESTAMP(pattern, text)`, or to a DATE or TIME.
pub(super) fn from_char(name: &str, pattern: Expr, of: Expr, ty: SqlType) -> Result<Expr, Invalid> {
    let arguments = vec![checked(pattern, name)?, text(of, name)?];
    let moment = strict(
        "FROM CHAR",
        arguments,
        SqlType::Timestamp,
        |inputs, faults| {
            let (patterns, texts) = (inputs.texts(0)?, inputs.texts(1)?);
            let mut formats = Formats::default();
            Ok(inputs.rows::<TimestampMillisecondType>(faults, |row| {
                let format = formats.get(patterns.get(row))?;
                let read = format.read(texts.get(row));
                read.map(Some).ok_or_else(|| {
                    let start: String = texts.get(row).chars().take(100).collect();
                    let message = format!("'{start}' is not written as {}", patterns.get(row));
                    Fault::new(FaultKind::Coercion, message)
                })
            }))
        },
    )?;
    cast::cast(moment, ty)
}

/// `TIMESTAMP_TO_CHAR(pattern, x)`, or of a DATE or TIME.
pub(super) fn to_char(name: &str, pattern: Expr, of: Expr) -> Result<Expr, Invalid> {
    let pattern = checked(pattern, name)?;
    if !of.ty().is_moment() && of.ty() != SqlType::Null {
        return Err(wrong(name, &[pattern, of], "a pattern and a moment"));
    }
    let arguments = vec![pattern, cast::cast(of, SqlType::Timestamp)?];
    strict("TO CHAR", arguments, SqlType::TEXT, |inputs, faults| {
        let patterns = inputs.texts(0)?;
        let moments = inputs.numbers::<TimestampMillisecondType>(1)?;
        let mut formats = Formats::default();
        Ok(inputs.write(faults, |row, out| {
            let written = formats.get(patterns.get(row))?.write(moments.get(row), out);
            written
                .map(|()| true)
                .ok_or_else(|| cast::outside("a moment", SqlType::TEXT))
        }))
    })
}
