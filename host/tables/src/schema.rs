//! What a table's items have in common: their key, and the keys of its indexes.

use std::fmt;

use bytes::Bytes;
use types::Invalid;

use crate::key_order::{self, KeyValue};
use crate::value::{Item, Value};

/// Bytes of the key of a row in the store. A key of an item that would need more is refused: AWS
/// takes 2,048 bytes of a hash key and 1,024 of a range key.
pub const ROW_KEY_BYTES_MAX: usize = 1_024;
/// Characters of the name of a table or an index
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>).
pub const NAME_CHARS: std::ops::RangeInclusive<usize> = 3..=255;

/// The name of a table or of an index: 3 to 255 characters of `a-zA-Z0-9_.-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName(String);

impl TableName {
    /// The name that a text is.
    ///
    /// # Errors
    /// DynamoDB's text, when it is none.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if NAME_CHARS.contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid(
            "Invalid table/index name.  Table/index names must be between 3 and 255 characters \
             long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'"
                .to_owned(),
        ))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The types that an attribute of a key may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// Text.
    S,
    /// A number.
    N,
    /// Bytes.
    B,
}

impl KeyType {
    /// DynamoDB's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
        }
    }

    /// Whether a value is of this type.
    pub fn is_of(self, value: &Value) -> bool {
        self.as_str() == value.type_name()
    }
}

/// One attribute of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAttribute {
    /// Its name.
    pub name: String,
    /// What it must hold.
    pub kind: KeyType,
}

/// The attributes that a key is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySchema {
    /// Which items belong together.
    pub hash: KeyAttribute,
    /// In which order they are; `None`: there is one at most.
    pub range: Option<KeyAttribute>,
}

/// Why an item has no place in the order of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault<'a> {
    /// It has no such attribute.
    Missing(&'a KeyAttribute),
    /// The attribute is of another type.
    WrongType(&'a KeyAttribute, &'static str),
    /// The attribute is empty text or no bytes.
    Empty(&'a KeyAttribute),
    /// The key is longer than there is room for.
    TooLong,
}

impl KeySchema {
    /// Its attributes, the hash key first.
    pub fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.hash).chain(&self.range)
    }

    /// Whether an attribute of that name is part of it.
    pub fn has(&self, name: &str) -> bool {
        self.attributes().any(|attribute| attribute.name == name)
    }

    /// Those attributes of an item that are its key.
    pub fn key_of(&self, item: &Item) -> Item {
        let of = |attribute: &KeyAttribute| {
            let value = item.get(&attribute.name)?;
            Some((attribute.name.clone(), value.clone()))
        };
        Item(self.attributes().filter_map(of).collect())
    }

    /// The values of an item's key, checked.
    ///
    /// # Errors
    /// What is wrong with the first attribute that is not as it must be.
    pub fn values<'i>(&self, item: &'i Item) -> Result<Vec<KeyValue<'i>>, KeyFault<'_>> {
        self.attributes()
            .map(|attribute| {
                let value = item.get(&attribute.name);
                attribute.checked(value.ok_or(KeyFault::Missing(attribute))?)
            })
            .collect()
    }

    /// The key of an item's row among those of the table `id`.
    ///
    /// # Errors
    /// As [`KeySchema::values`], and when the row's key is too long.
    pub fn row_key(&self, id: u64, item: &Item) -> Result<Bytes, KeyFault<'_>> {
        bounded(key_order::joined(id, &self.values(item)?))
    }
}

impl KeyAttribute {
    /// A value for this attribute of a key.
    ///
    /// # Errors
    /// It is of another type, or empty.
    pub fn checked<'i>(&self, value: &'i Value) -> Result<KeyValue<'i>, KeyFault<'_>> {
        let wrong = || KeyFault::WrongType(self, value.type_name());
        let key = KeyValue::of(value).ok_or_else(wrong)?;
        if !self.kind.is_of(value) {
            Err(wrong())
        } else if key.is_empty() {
            Err(KeyFault::Empty(self))
        } else {
            Ok(key)
        }
    }
}

/// A row's key, unless it is too long for one.
pub fn bounded<'a>(key: Vec<u8>) -> Result<Bytes, KeyFault<'a>> {
    if key.len() > ROW_KEY_BYTES_MAX {
        Err(KeyFault::TooLong)
    } else {
        Ok(Bytes::from(key))
    }
}

/// Which attributes an index holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projection {
    /// Those of the keys of the table and of the index.
    KeysOnly,
    /// These, and those of the keys.
    Include(Vec<String>),
    /// All.
    All,
}
