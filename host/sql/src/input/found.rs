//! Where the wanted values of a document lie in its text.

use super::path::{Shape, Slot};

/// What kind of value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is at that path.
    Missing,
    Null,
    True,
    False,
    Number,
    /// A string whose text is what stands between its quotes.
    Text,
    /// A string with escapes.
    Escaped,
    /// An array or an object.
    Composite,
}

/// A value and where it lies; of strings without the quotes.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub kind: Kind,
    pub from: usize,
    pub to: usize,
}

/// What is in a place where nothing was found.
pub const MISSING: Span = Span {
    kind: Kind::Missing,
    from: 0,
    to: 0,
};

/// The wanted values of one document.
#[derive(Debug, Default)]
pub struct Found {
    pub document: Vec<Span>,
    /// Of each row `per_row` values; a document has at least one row.
    pub rows: Vec<Span>,
    pub per_row: usize,
    pub row_count: usize,
}

impl Found {
    pub fn begin(&mut self, shape: &Shape) {
        self.document.clear();
        self.document.resize(shape.document_slots, MISSING);
        self.per_row = shape.row_slots;
        self.begin_rows();
    }

    pub fn begin_rows(&mut self) {
        self.rows.clear();
        self.row_count = 0;
    }

    pub fn add_row(&mut self) {
        self.rows.resize(self.rows.len() + self.per_row, MISSING);
        self.row_count += 1;
    }

    pub fn put(&mut self, slot: Slot, span: Span) {
        match slot {
            Slot::Document(at) => self.document[at] = span,
            Slot::Row(at) => {
                let row = self.rows.len() - self.per_row;
                self.rows[row + at] = span;
            }
        }
    }
}
