//! Rows as lines with commas.

use super::values::declared;
use crate::batch::Batch;
use crate::fault::Invalid;
use crate::ty::RowType;

/// Writes rows of one type as values with commas between them and a line feed behind the last one.
/// Quotes are those of RFC 4180; null is an empty field, an empty text is two quotes.
pub struct CsvRows {
    ty: RowType,
    record: Vec<u8>,
    value: Vec<u8>,
}

impl CsvRows {
    /// For rows of this type.
    pub fn new(ty: &RowType) -> Self {
        Self {
            ty: ty.clone(),
            record: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Calls `each` with the record of each row, in their order.
    ///
    /// # Errors
    ///
    /// A broken invariant: a batch of another type.
    pub fn encode(&mut self, batch: &Batch, mut each: impl FnMut(&[u8])) -> Result<(), Invalid> {
        let columns = declared(batch, &self.ty)?;
        for row in 0..batch.rows() {
            self.record.clear();
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    self.record.push(b',');
                }
                if column.is_null(row) {
                    continue;
                }
                self.value.clear();
                column.write(row, &mut self.value)?;
                write_field(&self.value, &mut self.record);
            }
            self.record.push(b'\n');
            each(&self.record);
        }
        Ok(())
    }
}

/// Writes a field, in quotes where it would be read otherwise without them.
fn write_field(value: &[u8], out: &mut Vec<u8>) {
    let is_special = |byte: &u8| matches!(byte, b',' | b'"' | b'\r' | b'\n');
    let is_spaced = value.first() == Some(&b' ') || value.last() == Some(&b' ');
    if !(value.is_empty() || is_spaced || value.iter().any(is_special)) {
        out.extend_from_slice(value);
        return;
    }
    out.push(b'"');
    for byte in value {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
