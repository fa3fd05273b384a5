//! Rows of items, some at a time, within bytes: items are up to 400 KB, so that a number of rows
//! alone bounds nothing.

use bytes::Bytes;
use store::{Engine, Key, StoreError, TableId, Versioned, key_after};

/// Rows that are asked for before it is known how large they are: 16 of the largest are 6 MiB.
const ROWS_FIRST: usize = 16;
/// Rows that are asked for at once, at most.
const ROWS_MAX: usize = 512;

/// The rows of a range, read on demand.
pub struct RowPages<'a> {
    engine: &'a dyn Engine,
    table: TableId,
    from: Key,
    to: Option<Key>,
    rows_next: usize,
    is_at_end: bool,
    /// The last rows come first.
    pub is_backward: bool,
}

impl<'a> RowPages<'a> {
    /// The rows from the first whose key is at or after `from` and before `to`.
    pub fn new(engine: &'a dyn Engine, table: TableId, from: Key, to: Option<Key>) -> Self {
        Self {
            engine,
            table,
            from,
            to,
            rows_next: ROWS_FIRST,
            is_at_end: false,
            is_backward: false,
        }
    }

    /// Asks for no more rows at first than are wanted.
    pub fn start_with(&mut self, rows: Option<usize>) {
        self.rows_next = rows.map_or(ROWS_FIRST, |rows| rows.clamp(1, ROWS_FIRST));
    }

    /// The next rows; none at the end. Of small items there are more, so that some `bytes_wanted`
    /// bytes come together where there are as many.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn next(&mut self, bytes_wanted: usize) -> Result<Vec<(Key, Versioned)>, StoreError> {
        if self.is_at_end {
            return Ok(Vec::new());
        }
        let asked = self.rows_next;
        let (from, to) = (self.from.clone(), self.to.clone());
        let rows = if self.is_backward {
            self.engine.scan_back(self.table, from, to, asked).await?
        } else {
            self.engine.scan(self.table, from, to, asked).await?
        };
        match rows.last() {
            Some((last, _)) if rows.len() >= asked && self.is_backward => {
                self.to = Some(last.clone());
            }
            Some((last, _)) if rows.len() >= asked => self.from = key_after(last),
            _ => self.is_at_end = true,
        }
        let bytes: usize = rows.iter().map(|(_, row)| row.value.len()).sum();
        let each = (bytes / rows.len().max(1)).max(1);
        self.rows_next = (bytes_wanted / each).clamp(ROWS_FIRST, ROWS_MAX);
        Ok(rows)
    }
}

/// The range of all rows of the table or index `id`, those in it that begin with its number.
pub fn range_of(id: u64) -> (Key, Option<Key>) {
    let end = id
        .checked_add(1)
        .map(|next| Bytes::copy_from_slice(&next.to_be_bytes()));
    (Bytes::copy_from_slice(&id.to_be_bytes()), end)
}
