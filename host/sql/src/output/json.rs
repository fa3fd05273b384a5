//! Rows as JSON objects.

use super::values::{Values, declared};
use crate::batch::Batch;
use crate::fault::Invalid;
use crate::ty::RowType;

/// Writes rows of one type as `{"NAME":value,…}`: numbers and booleans as such, everything else as
/// strings, null as `null`. `ROWTIME` is not written, unless a column is declared as it.
pub struct JsonRows {
    ty: RowType,
    /// What stands before each value: a brace or a comma, and the name.
    names: Vec<Vec<u8>>,
    record: Vec<u8>,
}

impl JsonRows {
    /// For rows of this type.
    ///
    /// # Errors
    ///
    /// A broken invariant: a name that cannot be written.
    pub fn new(ty: &RowType) -> Result<Self, Invalid> {
        let mut names = Vec::with_capacity(ty.declared().len());
        for (at, column) in ty.declared().iter().enumerate() {
            let mut name = vec![if at == 0 { b'{' } else { b',' }];
            write_string(&column.name, &mut name)?;
            name.push(b':');
            names.push(name);
        }
        Ok(Self {
            ty: ty.clone(),
            names,
            record: Vec::new(),
        })
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
            for (name, column) in self.names.iter().zip(&columns) {
                self.record.extend_from_slice(name);
                write_value(column, row, &mut self.record)?;
            }
            if columns.is_empty() {
                self.record.push(b'{');
            }
            self.record.push(b'}');
            each(&self.record);
        }
        Ok(())
    }
}

fn write_value(column: &Values<'_>, row: usize, out: &mut Vec<u8>) -> Result<(), Invalid> {
    if column.is_null(row) {
        out.extend_from_slice(b"null");
    } else if let Some(text) = column.text(row) {
        write_string(text, out)?;
    } else if column.is_quoted() {
        out.push(b'"');
        column.write(row, out)?;
        out.push(b'"');
    } else {
        column.write(row, out)?;
    }
    Ok(())
}

fn write_string(text: &str, out: &mut Vec<u8>) -> Result<(), Invalid> {
    serde_json::to_writer(out, text)
        .map_err(|error| Invalid::new(format!("internal: write a string: {error}")))
}
