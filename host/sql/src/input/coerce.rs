//! Values of records become values of columns, by the rules of the guide's page "Mapping Streaming
//! Source Elements to SQL Input Columns" (sch-mapping).

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder,
    StringBuilder, Time32MillisecondBuilder, TimestampMillisecondBuilder,
};

use crate::fault::Invalid;
use crate::moment;
use crate::ty::SqlType;

/// Bytes of a value that has a fixed size, about.
const FIXED_BYTES: usize = 8;

/// A value as it stands in a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source<'a> {
    Null,
    Boolean(bool),
    /// A number of JSON as it is written.
    Number(&'a str),
    /// A string of JSON, or a field of CSV.
    Text(&'a str),
    /// An array or an object as it is written.
    Composite(&'a str),
}

/// A value that cannot become one of the column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch;

/// A column that grows by values of records.
pub struct Sink {
    ty: SqlType,
    inner: Inner,
}

enum Inner {
    Boolean(BooleanBuilder),
    Whole {
        builder: Int64Builder,
        least: i64,
        most: i64,
    },
    Real(Float64Builder),
    Double(Float64Builder),
    Decimal {
        builder: Decimal128Builder,
        precision: u8,
        scale: u8,
    },
    Text {
        builder: StringBuilder,
        length: usize,
        padded: bool,
    },
    Bytes {
        builder: BinaryBuilder,
        length: usize,
        padded: bool,
    },
    Date(Date32Builder),
    Time(Time32MillisecondBuilder),
    Timestamp(TimestampMillisecondBuilder),
}

impl Sink {
    /// An empty column of this type.
    ///
    /// # Errors
    ///
    /// A type that columns cannot have: an interval, or the one of `NULL`.
    pub fn new(ty: SqlType) -> Result<Self, Invalid> {
        let whole = |least: i64, most: i64| Inner::Whole {
            builder: Int64Builder::new(),
            least,
            most,
        };
        let chars = |length: u32| {
            usize::try_from(length).map_err(|_| Invalid::new("internal: a length beyond memory"))
        };
        let inner = match ty {
            SqlType::Boolean => Inner::Boolean(BooleanBuilder::new()),
            SqlType::TinyInt => whole(i8::MIN.into(), i8::MAX.into()),
            SqlType::SmallInt => whole(i16::MIN.into(), i16::MAX.into()),
            SqlType::Integer => whole(i32::MIN.into(), i32::MAX.into()),
            SqlType::BigInt => whole(i64::MIN, i64::MAX),
            SqlType::Real => Inner::Real(Float64Builder::new()),
            SqlType::Double => Inner::Double(Float64Builder::new()),
            SqlType::Decimal { precision, scale } => Inner::Decimal {
                builder: Decimal128Builder::new().with_data_type(ty.arrow()),
                precision,
                scale,
            },
            SqlType::Char { length } | SqlType::Varchar { length } => Inner::Text {
                builder: StringBuilder::new(),
                length: chars(length)?,
                padded: matches!(ty, SqlType::Char { .. }),
            },
            SqlType::Binary { length } | SqlType::Varbinary { length } => Inner::Bytes {
                builder: BinaryBuilder::new(),
                length: chars(length)?,
                padded: matches!(ty, SqlType::Binary { .. }),
            },
            SqlType::Date => Inner::Date(Date32Builder::new()),
            SqlType::Time => Inner::Time(Time32MillisecondBuilder::new()),
            SqlType::Timestamp => Inner::Timestamp(TimestampMillisecondBuilder::new()),
            SqlType::DayInterval | SqlType::YearInterval | SqlType::Null => {
                return Err(Invalid::new(format!("a column cannot be of type {ty}")));
            }
        };
        Ok(Self { ty, inner })
    }

    pub fn ty(&self) -> SqlType {
        self.ty
    }

    /// Adds a value and tells how many bytes it takes, about. Where it does not fit, null is added.
    ///
    /// # Errors
    ///
    /// The value cannot be made one of the column's type.
    pub fn push(&mut self, source: Source<'_>) -> Result<usize, Mismatch> {
        if source == Source::Null {
            self.push_null();
            return Ok(FIXED_BYTES);
        }
        let pushed = self.push_some(source);
        if pushed.is_none() {
            self.push_null();
        }
        pushed.ok_or(Mismatch)
    }

    fn push_some(&mut self, source: Source<'_>) -> Option<usize> {
        match &mut self.inner {
            Inner::Boolean(builder) => builder.append_value(boolean(source)?),
            Inner::Whole {
                builder,
                least,
                most,
            } => {
                let number = whole(source)?;
                if number < *least || number > *most {
                    return None;
                }
                builder.append_value(number);
            }
            Inner::Real(builder) => builder.append_value(real(source)?),
            Inner::Double(builder) => builder.append_value(double(source)?),
            Inner::Decimal {
                builder,
                precision,
                scale,
            } => builder.append_value(decimal(source, *precision, *scale)?),
            Inner::Text {
                builder,
                length,
                padded,
            } => return push_text(builder, source, *length, *padded),
            Inner::Bytes {
                builder,
                length,
                padded,
            } => {
                let bytes = binary(source, *length, *padded)?;
                builder.append_value(&bytes);
                return Some(bytes.len());
            }
            Inner::Date(builder) => builder.append_value(moment::parse_date(text(source)?)?),
            Inner::Time(builder) => builder.append_value(moment::parse_time(text(source)?)?),
            Inner::Timestamp(builder) => {
                builder.append_value(moment::parse_timestamp(text(source)?)?);
            }
        }
        Some(FIXED_BYTES)
    }

    pub fn push_null(&mut self) {
        match &mut self.inner {
            Inner::Boolean(builder) => builder.append_null(),
            Inner::Whole { builder, .. } => builder.append_null(),
            Inner::Real(builder) | Inner::Double(builder) => builder.append_null(),
            Inner::Decimal { builder, .. } => builder.append_null(),
            Inner::Text { builder, .. } => builder.append_null(),
            Inner::Bytes { builder, .. } => builder.append_null(),
            Inner::Date(builder) => builder.append_null(),
            Inner::Time(builder) => builder.append_null(),
            Inner::Timestamp(builder) => builder.append_null(),
        }
    }

    /// The column so far; it is empty after that.
    pub fn finish(&mut self) -> ArrayRef {
        match &mut self.inner {
            Inner::Boolean(builder) => Arc::new(builder.finish()),
            Inner::Whole { builder, .. } => Arc::new(builder.finish()),
            Inner::Real(builder) | Inner::Double(builder) => Arc::new(builder.finish()),
            Inner::Decimal { builder, .. } => Arc::new(builder.finish()),
            Inner::Text { builder, .. } => Arc::new(builder.finish()),
            Inner::Bytes { builder, .. } => Arc::new(builder.finish()),
            Inner::Date(builder) => Arc::new(builder.finish()),
            Inner::Time(builder) => Arc::new(builder.finish()),
            Inner::Timestamp(builder) => Arc::new(builder.finish()),
        }
    }
}

fn boolean(source: Source<'_>) -> Option<bool> {
    match source {
        Source::Boolean(truth) => Some(truth),
        Source::Number(number) => {
            let digits = number.split(['e', 'E']).next()?;
            Some(digits.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
        }
        Source::Text(text) => Some(text.eq_ignore_ascii_case("true")),
        Source::Null | Source::Composite(_) => None,
    }
}

fn whole(source: Source<'_>) -> Option<i64> {
    let text = match source {
        Source::Boolean(truth) => return Some(i64::from(truth)),
        Source::Number(number) => number,
        Source::Text(text) => text.trim(),
        Source::Null | Source::Composite(_) => return None,
    };
    match short_whole(text.as_bytes()) {
        Some(number) => Some(number),
        None => i64::try_from(exact(text, 0)?).ok(),
    }
}

/// A number of at most 18 digits and nothing else, which is what most whole numbers are.
fn short_whole(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut number = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(if negative { -number } else { number })
}

/// The nearest 32-bit number.
fn real(source: Source<'_>) -> Option<f64> {
    let number: f32 = match source {
        Source::Boolean(truth) => u8::from(truth).into(),
        Source::Number(text) => text.parse().ok()?,
        Source::Text(text) => decimal_text(text)?.parse().ok()?,
        Source::Null | Source::Composite(_) => return None,
    };
    number.is_finite().then(|| number.into())
}

fn double(source: Source<'_>) -> Option<f64> {
    let number: f64 = match source {
        Source::Boolean(truth) => u8::from(truth).into(),
        Source::Number(text) => text.parse().ok()?,
        Source::Text(text) => decimal_text(text)?.parse().ok()?,
        Source::Null | Source::Composite(_) => return None,
    };
    number.is_finite().then_some(number)
}

/// A text that is a number in decimal digits: no infinity and what else Rust takes for numbers.
fn decimal_text(text: &str) -> Option<&str> {
    let text = text.trim();
    let part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes().all(part).then_some(text)
}

fn decimal(source: Source<'_>, precision: u8, scale: u8) -> Option<i128> {
    let digits = match source {
        Source::Boolean(true) => exact("1", scale)?,
        Source::Boolean(false) => 0,
        Source::Number(text) => exact(text, scale)?,
        Source::Text(text) => exact(text.trim(), scale)?,
        Source::Null | Source::Composite(_) => return None,
    };
    let limit = 10_u128.checked_pow(precision.into())?;
    (digits.unsigned_abs() < limit).then_some(digits)
}

/// The digits of a number with `scale` of them behind the point. None if it has more, other than
/// zeros, or if it is not a number.
fn exact(text: &str, scale: u8) -> Option<i128> {
    let (negative, text) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if before.len() + behind.len() == 0 || !all_digits(before) || !all_digits(behind) {
        return None;
    }
    let shift = match exponent {
        Some(exponent) => shift(exponent)?,
        None => 0,
    };
    let zeros = behind.len() - behind.trim_end_matches('0').len();
    let behind = &behind[..behind.len() - zeros];
    let mut digits: i128 = 0;
    for digit in before.bytes().chain(behind.bytes()) {
        digits = digits.checked_mul(10)?.checked_add((digit - b'0').into())?;
    }
    if digits == 0 {
        return Some(0);
    }
    let mut places = i64::from(scale) + shift - i64::try_from(behind.len()).ok()?;
    while places < 0 {
        if digits % 10 != 0 {
            return None;
        }
        digits /= 10;
        places += 1;
    }
    digits = digits.checked_mul(10_i128.checked_pow(u32::try_from(places).ok()?)?)?;
    Some(if negative { -digits } else { digits })
}

/// An exponent, of which what is far out of every range is enough to know.
fn shift(text: &str) -> Option<i64> {
    const FAR: i64 = 1_000_000_000_000;
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let far = if text.starts_with('-') { -FAR } else { FAR };
    Some(text.parse().unwrap_or(far).clamp(-FAR, FAR))
}

/// Only texts become moments.
fn text(source: Source<'_>) -> Option<&str> {
    match source {
        Source::Text(text) => Some(text),
        _ => None,
    }
}

/// Every value is a text too. One that is too long is cut, which is no fault.
fn push_text(
    builder: &mut StringBuilder,
    source: Source<'_>,
    length: usize,
    padded: bool,
) -> Option<usize> {
    let text = match source {
        Source::Boolean(true) => "true",
        Source::Boolean(false) => "false",
        Source::Number(text) | Source::Text(text) | Source::Composite(text) => text,
        Source::Null => return None,
    };
    let text = first_chars(text, length);
    if !padded {
        builder.append_value(text);
        return Some(text.len());
    }
    let missing = length - text.chars().count();
    let text = format!("{text}{:missing$}", "");
    builder.append_value(&text);
    Some(text.len())
}

/// At most so many characters from the left.
pub fn first_chars(text: &str, length: usize) -> &str {
    if text.len() <= length {
        return text;
    }
    match text.char_indices().nth(length) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A truth is its lowest bit; a text is a literal such as `X'3F67'`. What is too long is a fault,
/// what is too short for BINARY gets zeros: before a truth, behind a literal.
fn binary(source: Source<'_>, length: usize, padded: bool) -> Option<Vec<u8>> {
    let mut bytes = match source {
        Source::Boolean(truth) => {
            let mut bytes = vec![0; if padded { length } else { 1 }];
            *bytes.last_mut()? = u8::from(truth);
            bytes
        }
        Source::Text(text) => {
            let digits = text.trim().strip_prefix(['X', 'x'])?.strip_prefix('\'')?;
            hex(digits.strip_suffix('\'')?)?
        }
        Source::Null | Source::Number(_) | Source::Composite(_) => return None,
    };
    if bytes.len() > length {
        return None;
    }
    if padded {
        bytes.resize(length, 0);
    }
    Some(bytes)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let mut bytes = Vec::with_capacity(pairs.len());
    for [high, low] in pairs {
        let value = |digit: u8| {
            char::from(digit)
                .to_digit(16)
                .and_then(|d| u8::try_from(d).ok())
        };
        bytes.push(value(*high)? << 4 | value(*low)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
