//! Fields of records with delimiters. Quotes are those of RFC 4180: a field that begins with one
//! ends with one, and two of them in it mean one.

use memchr::{memchr, memchr2};

use super::json::Broken;
use super::schema::Delimiters;
use crate::fault::FaultKind;

/// A field, and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub from: usize,
    pub to: usize,
    pub quotes: Quotes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    None,
    /// Around the field, and none in it.
    Around,
    /// Around it, and doubled ones in it.
    Within,
}

/// What ended a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Column,
    Row,
}

/// Goes through a text row by row.
pub struct Lines<'a> {
    text: &'a [u8],
    pub at: usize,
    row: &'a [u8],
    column: &'a [u8],
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a str, at: usize, delimiters: &'a Delimiters) -> Self {
        Self {
            text: text.as_bytes(),
            at,
            row: delimiters.row.as_bytes(),
            column: delimiters.column.as_bytes(),
        }
    }

    /// Reads the next row that is not empty, and of it as many fields as are wanted. False at the
    /// end.
    ///
    /// # Errors
    ///
    /// A quote that is not closed, or something between it and the next delimiter.
    pub fn next(&mut self, wanted: usize, fields: &mut Vec<Field>) -> Result<bool, Broken> {
        fields.clear();
        while !self.row.is_empty() && self.text[self.at..].starts_with(self.row) {
            self.at += self.row.len();
        }
        if self.at == self.text.len() {
            return Ok(false);
        }
        loop {
            let (field, end) = self.field()?;
            if fields.len() < wanted {
                fields.push(field);
            }
            if end == End::Row {
                return Ok(true);
            }
        }
    }

    fn field(&mut self) -> Result<(Field, End), Broken> {
        let mut begin = self.at;
        while self.text.get(begin) == Some(&b' ') && self.column[0] != b' ' {
            begin += 1;
        }
        if self.text.get(begin) == Some(&b'"') {
            return self.quoted(begin);
        }
        let from = self.at;
        let (to, end) = self.delimiter(from);
        let quotes = Quotes::None;
        Ok((Field { from, to, quotes }, end))
    }

    /// The next delimiter from a place on. Goes behind it.
    fn delimiter(&mut self, from: usize) -> (usize, End) {
        let (column, row) = (self.column[0], self.row[0]);
        let mut at = from;
        while let Some(offset) = memchr2(column, row, &self.text[at..]) {
            at += offset;
            for (delimiter, end) in [(self.column, End::Column), (self.row, End::Row)] {
                if self.text[at..].starts_with(delimiter) {
                    self.at = at + delimiter.len();
                    return (at, end);
                }
            }
            at += 1;
        }
        self.at = self.text.len();
        (self.at, End::Row)
    }

    fn quoted(&mut self, begin: usize) -> Result<(Field, End), Broken> {
        let from = begin + 1;
        let mut to = from;
        let mut quotes = Quotes::Around;
        loop {
            let Some(offset) = memchr(b'"', &self.text[to..]) else {
                let what = "a quote that is not closed";
                return Err(broken(begin, what));
            };
            to += offset;
            if self.text.get(to + 1) != Some(&b'"') {
                break;
            }
            quotes = Quotes::Within;
            to += 2;
        }
        let (behind, end) = self.delimiter(to + 1);
        if self.text[to + 1..behind]
            .iter()
            .any(|byte| !byte.is_ascii_whitespace())
        {
            let what = "text between a quote and a delimiter";
            return Err(broken(to + 1, what));
        }
        Ok((Field { from, to, quotes }, end))
    }
}

fn broken(at: usize, what: &'static str) -> Broken {
    let kind = FaultKind::Unparsable;
    Broken { kind, at, what }
}

#[cfg(test)]
mod tests;
