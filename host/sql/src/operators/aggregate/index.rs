//! From the keys of rows to groups, with fast ways for one text and for one whole number.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_buffer::NullBuffer;

use super::hash::KeyHash;
use crate::cell::{Cell, Value};
use crate::fault::Invalid;
use crate::key::{RowKeys, put_key, take_value};
use crate::ty::{Family, SqlType};

/// What the keys of a query consist of.
#[derive(Clone, Copy, PartialEq)]
pub enum KeyShape {
    Whole,
    Text,
    /// None, several, or one of another type.
    Bytes,
}

impl KeyShape {
    pub fn of(types: &[SqlType]) -> Self {
        let [ty] = types else {
            return Self::Bytes;
        };
        match ty.family() {
            Family::Whole | Family::Timestamp => Self::Whole,
            Family::Text => Self::Text,
            _ => Self::Bytes,
        }
    }
}

/// The keys of some rows.
pub enum Keys<'a> {
    Whole(&'a [i64], Option<&'a NullBuffer>),
    Text(&'a StringArray),
    Bytes(RowKeys),
}

/// The key of one row.
#[derive(Clone, Copy)]
pub enum Key<'a> {
    Null,
    Whole(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Keys<'a> {
    pub fn new(columns: &'a [ArrayRef], types: &[SqlType], rows: usize) -> Self {
        let shape = KeyShape::of(types);
        match (shape, columns, types) {
            (KeyShape::Text, [column], _) => Self::Text(column.as_string()),
            (KeyShape::Whole, [column], [SqlType::Timestamp]) => {
                let numbers = column.as_primitive::<TimestampMillisecondType>();
                Self::Whole(numbers.values(), numbers.nulls())
            }
            (KeyShape::Whole, [column], _) => {
                let numbers = column.as_primitive::<Int64Type>();
                Self::Whole(numbers.values(), numbers.nulls())
            }
            _ => Self::Bytes(RowKeys::new(columns, types, rows)),
        }
    }

    pub fn get(&self, row: usize) -> Key<'_> {
        match self {
            Self::Whole(_, Some(nulls)) if nulls.is_null(row) => Key::Null,
            Self::Whole(numbers, _) => Key::Whole(numbers[row]),
            Self::Text(texts) if texts.is_null(row) => Key::Null,
            Self::Text(texts) => Key::Text(texts.value(row)),
            Self::Bytes(keys) => Key::Bytes(keys.get(row)),
        }
    }
}

impl Key<'_> {
    /// As a group keeps it.
    pub fn to_bytes(self) -> Box<[u8]> {
        let mut bytes = Vec::new();
        match self {
            Key::Null => put_key(&mut bytes, Cell::Null),
            Key::Whole(number) => put_key(&mut bytes, Cell::Whole(number)),
            Key::Text(text) => put_key(&mut bytes, Cell::Text(text)),
            Key::Bytes(key) => bytes.extend_from_slice(key),
        }
        bytes.into()
    }
}

/// The groups of one window by their keys.
#[derive(Default)]
pub struct KeyIndex {
    null: Option<usize>,
    wholes: HashMap<i64, usize, KeyHash>,
    texts: HashMap<Box<str>, usize, KeyHash>,
    others: HashMap<Box<[u8]>, usize, KeyHash>,
}

impl KeyIndex {
    pub fn get(&self, key: Key<'_>) -> Option<usize> {
        match key {
            Key::Null => self.null,
            Key::Whole(number) => self.wholes.get(&number).copied(),
            Key::Text(text) => self.texts.get(text).copied(),
            Key::Bytes(bytes) => self.others.get(bytes).copied(),
        }
    }

    pub fn insert(&mut self, key: Key<'_>, group: usize) {
        match key {
            Key::Null => {
                self.null = Some(group);
            }
            Key::Whole(number) => {
                self.wholes.insert(number, group);
            }
            Key::Text(text) => {
                self.texts.insert(text.into(), group);
            }
            Key::Bytes(bytes) => {
                self.others.insert(bytes.into(), group);
            }
        }
    }

    /// By a key as a group keeps it.
    pub fn insert_kept(
        &mut self,
        shape: KeyShape,
        key: &[u8],
        group: usize,
    ) -> Result<(), Invalid> {
        with_kept(shape, key, |key| self.insert(key, group))
    }

    pub fn remove_kept(&mut self, shape: KeyShape, key: &[u8]) -> Result<(), Invalid> {
        with_kept(shape, key, |key| match key {
            Key::Null => {
                self.null = None;
            }
            Key::Whole(number) => {
                self.wholes.remove(&number);
            }
            Key::Text(text) => {
                self.texts.remove(text);
            }
            Key::Bytes(bytes) => {
                self.others.remove(bytes);
            }
        })
    }
}

fn with_kept(shape: KeyShape, mut key: &[u8], then: impl FnOnce(Key<'_>)) -> Result<(), Invalid> {
    if shape == KeyShape::Bytes {
        then(Key::Bytes(key));
        return Ok(());
    }
    match take_value(&mut key)? {
        Value::Null => then(Key::Null),
        Value::Whole(number) => then(Key::Whole(number)),
        Value::Text(text) => then(Key::Text(&text)),
        _ => return Err(Invalid::new("internal: a key of another type")),
    }
    Ok(())
}
