//! Values as texts.

use super::super::calendar;
use super::super::decimal;
use super::super::kernel::{broken, strict};
use super::super::types;
use crate::cell::{Cell, Cells};
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid};
use crate::ty::SqlType;

/// A text of the value, which must fit in the length; of a fixed length it is filled up.
pub(super) fn cast(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let from = operand.ty();
    let length = types::length(to).ok_or_else(|| broken("a text has a length"))?;
    let length = usize::try_from(length).map_err(|_| broken("a length of 32 bits"))?;
    let fixed = matches!(to, SqlType::Char { .. });
    if !from.is_moment() && matches!(from, SqlType::Binary { .. } | SqlType::Varbinary { .. }) {
        return Err(super::impossible(from, to));
    }
    strict(
        format!("CAST {from} {to}"),
        vec![operand],
        to,
        move |inputs, faults| {
            let column = inputs.column(0)?;
            let cells = Cells::new(column, from);
            let mut ty_is_wrong = false;
            let texts = inputs.write(faults, |row, out| {
                let Some(text) = written(cells.get(row), from) else {
                    ty_is_wrong |= !from.is_moment();
                    return Err(super::outside("a moment", to));
                };
                if text.chars().count() > length {
                    let message = format!("{text} does not fit in {to}");
                    return Err(Fault::new(FaultKind::Coercion, message));
                }
                out.push_str(&text);
                if fixed {
                    out.extend(std::iter::repeat_n(' ', length - text.chars().count()));
                }
                Ok(true)
            });
            if ty_is_wrong {
                return Err(broken("a value does not lie as its type says"));
            }
            Ok(texts)
        },
    )
}

/// How a value is written; none for a moment outside of the calendar.
pub(in super::super) fn written(cell: Cell<'_>, ty: SqlType) -> Option<String> {
    match (ty, cell) {
        (SqlType::Boolean, Cell::Boolean(truth)) => {
            Some(if truth { "TRUE" } else { "FALSE" }.to_owned())
        }
        (SqlType::Date, Cell::Whole(days)) => calendar::write_date(days),
        (SqlType::Time, Cell::Whole(millis)) => Some(calendar::write_time(millis)),
        (SqlType::Timestamp, Cell::Whole(millis)) => calendar::write_timestamp(millis),
        (SqlType::DayInterval, Cell::Whole(millis)) => Some(calendar::write_day_interval(millis)),
        (SqlType::YearInterval, Cell::Whole(months)) => {
            Some(calendar::write_year_interval(i32::try_from(months).ok()?))
        }
        (SqlType::Decimal { scale, .. }, Cell::Decimal(number)) => {
            Some(decimal::text(number, scale))
        }
        (SqlType::Real, Cell::Double(number)) => Some(real(number)),
        (_, Cell::Double(number)) => Some(double(number)),
        (_, Cell::Whole(number)) => Some(number.to_string()),
        (_, Cell::Text(text)) => Some(text.to_owned()),
        _ => None,
    }
}

/// The fewest digits that tell the number from others, `1.0E20` where it is very large or small.
fn double(number: f64) -> String {
    format!("{number:?}").replace('e', "E")
}

/// The same among numbers of 32 bits.
#[allow(
    clippy::cast_possible_truncation,
    reason = "REAL has the precision of 32 bits"
)]
fn real(number: f64) -> String {
    format!("{:?}", number as f32).replace('e', "E")
}
