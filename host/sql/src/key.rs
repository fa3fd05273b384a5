//! Cells as bytes: the keys of groups and of partitions, and the rows of kept state.
//!
//! ```text
//! 00                       null
//! 01, 02                   false, true
//! 03 + 8 bytes             a whole number, moment or interval: big-endian, its sign bit turned
//! 04 + 8 bytes             a double: its bits in the order of its values
//! 05 + 16 bytes            a decimal: as a whole number
//! 06 + bytes + 00 00       a text; a zero byte in it is 00 FF
//! 07 + bytes + 00 00       bytes, likewise
//! ```
//!
//! Nothing follows that a reader has to know, so cells stand one behind the other. Bytes of cells
//! of one type have the order of their values, nulls first.

use arrow_array::ArrayRef;

use crate::cell::{Cell, Cells, Value};
use crate::fault::Invalid;
use crate::ty::SqlType;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const WHOLE: u8 = 3;
const DOUBLE: u8 = 4;
const DECIMAL: u8 = 5;
const TEXT: u8 = 6;
const BYTES: u8 = 7;

const SIGN_64: u64 = 1 << 63;
const SIGN_128: u128 = 1 << 127;

/// Puts a cell behind what is there, so that [`take_value`] gives exactly the same.
pub fn put_cell(to: &mut Vec<u8>, cell: Cell<'_>) {
    match cell {
        Cell::Null => to.push(NULL),
        Cell::Boolean(truth) => to.push(if truth { TRUE } else { FALSE }),
        Cell::Whole(number) => {
            to.push(WHOLE);
            put_i64(to, number);
        }
        Cell::Double(number) => {
            to.push(DOUBLE);
            let bits = number.to_bits();
            let ordered = if bits & SIGN_64 == 0 {
                bits | SIGN_64
            } else {
                !bits
            };
            to.extend_from_slice(&ordered.to_be_bytes());
        }
        Cell::Decimal(number) => {
            to.push(DECIMAL);
            let ordered = number.cast_unsigned() ^ SIGN_128;
            to.extend_from_slice(&ordered.to_be_bytes());
        }
        Cell::Text(text) => {
            to.push(TEXT);
            put_escaped(to, text.as_bytes());
        }
        Cell::Bytes(bytes) => {
            to.push(BYTES);
            put_escaped(to, bytes);
        }
    }
}

/// The same for a key: values that are equal give equal bytes, so that a zero has no sign and
/// there is one NaN.
pub fn put_key(to: &mut Vec<u8>, cell: Cell<'_>) {
    let cell = match cell {
        Cell::Double(0.0) => Cell::Double(0.0),
        Cell::Double(number) if number.is_nan() => Cell::Double(f64::NAN),
        other => other,
    };
    put_cell(to, cell);
}

/// Takes the first value off the bytes.
///
/// # Errors
///
/// Bytes that [`put_cell`] did not write.
pub fn take_value(from: &mut &[u8]) -> Result<Value, Invalid> {
    Ok(match take_u8(from)? {
        NULL => Value::Null,
        FALSE => Value::Boolean(false),
        TRUE => Value::Boolean(true),
        WHOLE => Value::Whole(take_i64(from)?),
        DOUBLE => {
            let ordered = take_u64(from)?;
            let bits = if ordered & SIGN_64 == 0 {
                !ordered
            } else {
                ordered ^ SIGN_64
            };
            Value::Double(f64::from_bits(bits))
        }
        DECIMAL => {
            let ordered = u128::from_be_bytes(take_array(from)?);
            Value::Decimal((ordered ^ SIGN_128).cast_signed())
        }
        TEXT => {
            let text = String::from_utf8(take_escaped(from)?);
            Value::Text(text.map_err(|_| broken("a text that is not UTF-8"))?.into())
        }
        BYTES => Value::Bytes(take_escaped(from)?.into()),
        _ => return Err(broken("a value of no known kind")),
    })
}

/// All values of a key or of a kept row.
///
/// # Errors
///
/// As [`take_value`].
pub fn take_values(mut from: &[u8]) -> Result<Vec<Value>, Invalid> {
    let mut values = Vec::new();
    while !from.is_empty() {
        values.push(take_value(&mut from)?);
    }
    Ok(values)
}

/// The keys of all rows of a batch, one behind the other.
pub struct RowKeys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl RowKeys {
    /// Keys of these columns, which have `rows` rows. Without columns all keys are empty.
    pub fn new(columns: &[ArrayRef], types: &[SqlType], rows: usize) -> Self {
        let cells: Vec<Cells<'_>> = columns
            .iter()
            .zip(types)
            .map(|(column, ty)| Cells::new(column, *ty))
            .collect();
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(rows);
        for row in 0..rows {
            for column in &cells {
                put_key(&mut bytes, column.get(row));
            }
            ends.push(bytes.len());
        }
        Self { bytes, ends }
    }

    pub fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }
}

/// Puts a number so that bytes have the order of numbers.
pub fn put_i64(to: &mut Vec<u8>, number: i64) {
    let ordered = number.cast_unsigned() ^ SIGN_64;
    to.extend_from_slice(&ordered.to_be_bytes());
}

pub fn put_u64(to: &mut Vec<u8>, number: u64) {
    to.extend_from_slice(&number.to_be_bytes());
}

/// Puts bytes behind their number.
pub fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

pub fn take_u8(from: &mut &[u8]) -> Result<u8, Invalid> {
    let [byte] = take_array(from)?;
    Ok(byte)
}

pub fn take_i64(from: &mut &[u8]) -> Result<i64, Invalid> {
    Ok((take_u64(from)? ^ SIGN_64).cast_signed())
}

pub fn take_u64(from: &mut &[u8]) -> Result<u64, Invalid> {
    Ok(u64::from_be_bytes(take_array(from)?))
}

/// What [`put_bytes`] put.
pub fn take_bytes<'a>(from: &mut &'a [u8]) -> Result<&'a [u8], Invalid> {
    let length = usize::try_from(take_u64(from)?).map_err(|_| broken("bytes without end"))?;
    let Some((bytes, rest)) = from.split_at_checked(length) else {
        return Err(broken("bytes that end too early"));
    };
    *from = rest;
    Ok(bytes)
}

/// A number of bytes that is known.
pub fn take_array<const N: usize>(from: &mut &[u8]) -> Result<[u8; N], Invalid> {
    let Some((bytes, rest)) = from.split_first_chunk::<N>() else {
        return Err(broken("bytes that end too early"));
    };
    *from = rest;
    Ok(*bytes)
}

fn put_escaped(to: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.contains(&0) {
        for byte in bytes {
            to.push(*byte);
            if *byte == 0 {
                to.push(0xFF);
            }
        }
    } else {
        to.extend_from_slice(bytes);
    }
    to.extend_from_slice(&[0, 0]);
}

fn take_escaped(from: &mut &[u8]) -> Result<Vec<u8>, Invalid> {
    let mut bytes = Vec::new();
    loop {
        let Some(zero) = from.iter().position(|byte| *byte == 0) else {
            return Err(broken("a text that does not end"));
        };
        bytes.extend_from_slice(&from[..zero]);
        *from = &from[zero + 1..];
        match take_u8(from)? {
            0 => return Ok(bytes),
            0xFF => bytes.push(0),
            _ => return Err(broken("a zero byte in a text")),
        }
    }
}

fn broken(what: &str) -> Invalid {
    Invalid::new(format!("internal: state holds {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_cell(&mut bytes, value.cell());
        bytes
    }

    #[test]
    fn values_come_back_as_they_were() {
        let values = vec![
            Value::Null,
            Value::Boolean(true),
            Value::Boolean(false),
            Value::Whole(i64::MIN),
            Value::Whole(-1),
            Value::Whole(i64::MAX),
            Value::Double(-0.5),
            Value::Double(f64::INFINITY),
            Value::Decimal(i128::MIN),
            Value::Decimal(77),
            Value::Text("a\0b".into()),
            Value::Text("".into()),
            Value::Bytes([0, 0, 255, 1].into()),
        ];
        let bytes: Vec<u8> = values.iter().flat_map(bytes_of).collect();
        assert_eq!(take_values(&bytes).unwrap(), values);
    }

    #[test]
    fn bytes_have_the_order_of_values() {
        let lists = [
            vec![
                Value::Null,
                Value::Whole(i64::MIN),
                Value::Whole(-2),
                Value::Whole(0),
                Value::Whole(9),
            ],
            vec![
                Value::Double(f64::NEG_INFINITY),
                Value::Double(-2.5),
                Value::Double(0.0),
                Value::Double(1e300),
            ],
            vec![
                Value::Decimal(-10),
                Value::Decimal(-9),
                Value::Decimal(0),
                Value::Decimal(10),
            ],
            vec![
                Value::Text("".into()),
                Value::Text("a".into()),
                Value::Text("a\0".into()),
                Value::Text("a\u{1}".into()),
                Value::Text("ab".into()),
            ],
        ];
        for list in lists {
            assert!(
                list.is_sorted_by(|a, b| bytes_of(a) < bytes_of(b)),
                "{list:?}"
            );
        }
    }

    #[test]
    fn a_key_knows_one_zero_and_one_nan() {
        let key = |number: f64| {
            let mut bytes = Vec::new();
            put_key(&mut bytes, Cell::Double(number));
            bytes
        };
        assert_eq!(key(0.0), key(-0.0));
        assert_eq!(key(f64::NAN), key(-f64::NAN));
        assert_ne!(key(1.0), key(-1.0));
    }

    #[test]
    fn bytes_that_end_too_early_are_refused() {
        let bytes = bytes_of(&Value::Text("abc".into()));
        for length in 1..bytes.len() {
            assert!(take_values(&bytes[..length]).is_err());
        }
        assert!(take_values(&[9]).is_err());
    }
}
