//! Values of columns as texts.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMillisecondType, Float64Type, Int64Type,
    IntervalYearMonthType, Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    DurationMillisecondArray, Float64Array, Int64Array, IntervalYearMonthArray, StringArray,
    Time32MillisecondArray, TimestampMillisecondArray,
};

use crate::batch::Batch;
use crate::fault::Invalid;
use crate::moment;
use crate::ty::{RowType, SqlType};

/// A column whose type is looked at once.
pub enum Values<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Whole(&'a Int64Array),
    Real(&'a Float64Array),
    Double(&'a Float64Array),
    Decimal(&'a Decimal128Array, u8),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Date(&'a Date32Array),
    Time(&'a Time32MillisecondArray),
    Timestamp(&'a TimestampMillisecondArray),
    DayInterval(&'a DurationMillisecondArray),
    YearInterval(&'a IntervalYearMonthArray),
}

/// The columns that rows of this type declare, in their order.
///
/// # Errors
///
/// A broken invariant: a batch of another type.
pub fn declared<'a>(batch: &'a Batch, ty: &RowType) -> Result<Vec<Values<'a>>, Invalid> {
    if batch.columns().len() != ty.columns().len() {
        return Err(Invalid::new(
            "internal: a batch of other columns than its type",
        ));
    }
    let columns = batch.columns().iter().zip(ty.columns()).skip(1);
    columns
        .map(|(column, declared)| Values::new(column, declared.ty))
        .collect()
}

impl<'a> Values<'a> {
    pub fn new(column: &'a ArrayRef, ty: SqlType) -> Result<Self, Invalid> {
        if *column.data_type() != ty.arrow() {
            let lies = column.data_type();
            let message = format!("internal: a column of type {ty} that lies as {lies}");
            return Err(Invalid::new(message));
        }
        Ok(match ty {
            SqlType::Boolean => Self::Boolean(column.as_boolean()),
            SqlType::TinyInt | SqlType::SmallInt | SqlType::Integer | SqlType::BigInt => {
                Self::Whole(column.as_primitive::<Int64Type>())
            }
            SqlType::Real => Self::Real(column.as_primitive::<Float64Type>()),
            SqlType::Double => Self::Double(column.as_primitive::<Float64Type>()),
            SqlType::Decimal { scale, .. } => {
                Self::Decimal(column.as_primitive::<Decimal128Type>(), scale)
            }
            SqlType::Char { .. } | SqlType::Varchar { .. } => Self::Text(column.as_string()),
            SqlType::Binary { .. } | SqlType::Varbinary { .. } => Self::Bytes(column.as_binary()),
            SqlType::Date => Self::Date(column.as_primitive::<Date32Type>()),
            SqlType::Time => Self::Time(column.as_primitive::<Time32MillisecondType>()),
            SqlType::Timestamp => {
                Self::Timestamp(column.as_primitive::<TimestampMillisecondType>())
            }
            SqlType::DayInterval => {
                Self::DayInterval(column.as_primitive::<DurationMillisecondType>())
            }
            SqlType::YearInterval => {
                Self::YearInterval(column.as_primitive::<IntervalYearMonthType>())
            }
            SqlType::Null => Self::Null,
        })
    }

    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean(column) => column.is_null(row),
            Self::Whole(column) => column.is_null(row),
            Self::Real(column) | Self::Double(column) => column.is_null(row),
            Self::Decimal(column, _) => column.is_null(row),
            Self::Text(column) => column.is_null(row),
            Self::Bytes(column) => column.is_null(row),
            Self::Date(column) => column.is_null(row),
            Self::Time(column) => column.is_null(row),
            Self::Timestamp(column) => column.is_null(row),
            Self::DayInterval(column) => column.is_null(row),
            Self::YearInterval(column) => column.is_null(row),
        }
    }

    /// The text of a value, if the column is one of texts.
    pub fn text(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Text(column) => Some(column.value(row)),
            _ => None,
        }
    }

    /// Its text may have any characters in it, or is not the one of a number or a boolean.
    pub fn is_quoted(&self) -> bool {
        !matches!(
            self,
            Self::Null
                | Self::Boolean(_)
                | Self::Whole(_)
                | Self::Real(_)
                | Self::Double(_)
                | Self::Decimal(..)
        )
    }

    /// Writes a value that is not null as its plain text: bytes as base64, moments as
    /// `2018-03-09 17:05:00.000`.
    ///
    /// # Errors
    ///
    /// A broken invariant: a number that the writer of numbers refuses.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Invalid> {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Boolean(column) => {
                let text = if column.value(row) { "true" } else { "false" };
                out.extend_from_slice(text.as_bytes());
            }
            Self::Whole(column) => write_number(&column.value(row), out)?,
            Self::Real(column) => write_number(&narrowed(column.value(row)), out)?,
            Self::Double(column) => write_number(&column.value(row), out)?,
            Self::Decimal(column, scale) => write_decimal(column.value(row), *scale, out),
            Self::Text(column) => out.extend_from_slice(column.value(row).as_bytes()),
            Self::Bytes(column) => {
                base64_simd::STANDARD.encode_append(column.value(row), out);
            }
            Self::Date(column) => moment::write_date(column.value(row).into(), out),
            Self::Time(column) => moment::write_time(column.value(row).into(), out),
            Self::Timestamp(column) => moment::write_timestamp(column.value(row), out),
            Self::DayInterval(column) => write_days(column.value(row), out),
            Self::YearInterval(column) => write_years(column.value(row), out),
        }
        Ok(())
    }
}

/// Writes a number with the fewest digits that give the same one when read.
fn write_number(number: &impl serde::Serialize, out: &mut Vec<u8>) -> Result<(), Invalid> {
    serde_json::to_writer(out, number)
        .map_err(|error| Invalid::new(format!("internal: write a number: {error}")))
}

/// A value of a REAL column, which lies as a double: the 32-bit number that it is.
#[expect(
    clippy::cast_possible_truncation,
    reason = "there is no other way, and rounding is what REAL means"
)]
fn narrowed(number: f64) -> f32 {
    number as f32
}

/// Writes all digits of a decimal, with as many behind the point as its type says.
fn write_decimal(digits: i128, scale: u8, out: &mut Vec<u8>) {
    if digits < 0 {
        out.push(b'-');
    }
    let digits = digits.unsigned_abs().to_string().into_bytes();
    let scale = usize::from(scale);
    let (whole, behind) = digits.split_at(digits.len().saturating_sub(scale));
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
    if scale > 0 {
        out.push(b'.');
        out.resize(out.len() + scale - behind.len(), b'0');
        out.extend_from_slice(behind);
    }
}

/// Writes `+1 02:03:04.500`.
fn write_days(millis: i64, out: &mut Vec<u8>) {
    let sign = if millis < 0 { '-' } else { '+' };
    let millis = millis.unsigned_abs();
    let day = moment::DAY_MILLIS.unsigned_abs();
    out.extend_from_slice(format!("{sign}{} ", millis / day).as_bytes());
    let rest = millis % day;
    let (seconds, millis) = (rest / 1_000, rest % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let time = format!("{hours:02}:{minutes:02}:{seconds:02}.{millis:03}");
    out.extend_from_slice(time.as_bytes());
}

/// Writes `+1-06`.
fn write_years(months: i32, out: &mut Vec<u8>) {
    let sign = if months < 0 { '-' } else { '+' };
    let months = months.unsigned_abs();
    out.extend_from_slice(format!("{sign}{}-{:02}", months / 12, months % 12).as_bytes());
}
