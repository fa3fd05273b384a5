//! Rows of the error stream (the guide's page on error handling).

use crate::batch::{Batch, Millis};
use crate::cell::{Cell, ColumnBuilder, Value};
use crate::fault::Invalid;
use crate::input::FAULT_DATA_BYTES_MAX;
use crate::operator::FaultedRow;
use crate::ty::{Column, RowType, SqlType};

/// What ERROR_LEVEL says of every row: a row was lost to its query.
const LEVEL: &str = "ERROR";

const MESSAGE_CHARS_MAX: usize = 4_096;
const PUMP_CHARS_MAX: usize = 128;

/// The type of the rows of `error_stream`.
pub fn error_row_type() -> RowType {
    let columns = [
        ("ERROR_TIME", SqlType::Timestamp),
        ("ERROR_LEVEL", SqlType::Varchar { length: 10 }),
        ("ERROR_NAME", SqlType::Varchar { length: 32 }),
        ("MESSAGE", SqlType::Varchar { length: 4_096 }),
        ("DATA_ROWTIME", SqlType::Timestamp),
        ("DATA_ROW", SqlType::Varchar { length: 49_152 }),
        ("PUMP_NAME", SqlType::Varchar { length: 128 }),
    ];
    RowType::with_rowtime(columns.map(|(name, ty)| Column {
        name: name.to_owned(),
        ty,
    }))
}

/// Rows of the error stream for rows that failed at `now`. A fault of input has no pump: its name
/// is empty.
///
/// # Errors
///
/// A broken invariant: a value in a column of another type.
pub fn error_rows<'a>(
    faults: impl IntoIterator<Item = (&'a str, &'a FaultedRow)>,
    now: Millis,
) -> Result<Batch, Invalid> {
    let ty = error_row_type();
    let columns = ty.columns().iter();
    let mut builders: Vec<_> = columns
        .map(|column| ColumnBuilder::new(column.ty))
        .collect();
    for (pump, faulted) in faults {
        let message: String = faulted
            .fault
            .message
            .chars()
            .take(MESSAGE_CHARS_MAX)
            .collect();
        let pump: String = pump.chars().take(PUMP_CHARS_MAX).collect();
        let data = hex(&data(&faulted.row));
        let cells = [
            Cell::Whole(now),
            Cell::Whole(now),
            Cell::Text(LEVEL),
            Cell::Text(faulted.fault.kind.name()),
            Cell::Text(&message),
            Cell::Whole(faulted.rowtime),
            Cell::Text(&data),
            Cell::Text(&pump),
        ];
        for (builder, cell) in builders.iter_mut().zip(cells) {
            builder.push(cell)?;
        }
    }
    Ok(Batch::new(
        builders.iter_mut().map(ColumnBuilder::finish).collect(),
    ))
}

/// The bytes of a record that could not be read, or the values of a row with commas between them,
/// as far as DATA_ROW has room.
fn data(row: &[Value]) -> Vec<u8> {
    let mut data = Vec::new();
    for (at, value) in row.iter().enumerate() {
        if data.len() >= FAULT_DATA_BYTES_MAX {
            break;
        }
        if at > 0 {
            data.push(b',');
        }
        match value {
            Value::Null => {}
            Value::Boolean(truth) => data.extend_from_slice(truth.to_string().as_bytes()),
            Value::Whole(number) => data.extend_from_slice(number.to_string().as_bytes()),
            Value::Double(number) => data.extend_from_slice(number.to_string().as_bytes()),
            Value::Decimal(digits) => data.extend_from_slice(digits.to_string().as_bytes()),
            Value::Text(text) => data.extend_from_slice(text.as_bytes()),
            Value::Bytes(bytes) => data.extend_from_slice(bytes),
        }
    }
    data.truncate(FAULT_DATA_BYTES_MAX);
    data
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(|digit| DIGITS[usize::from(digit)]).collect()
}
