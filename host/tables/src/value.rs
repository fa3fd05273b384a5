//! Values of attributes and the items that are made of them
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html>).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

use bincode::{Decode, Encode};

use crate::number::Number;

/// Bytes of an item at most, as [`Item::size`] counts them. A larger one is refused
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
pub const ITEM_BYTES_MAX: usize = 400 * 1024;
/// Lists and maps within each other at most (the same page); deeper ones are refused.
pub const NESTING_MAX: usize = 32;

/// What an attribute holds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Value {
    /// Text.
    S(String),
    /// An exact decimal.
    N(Number),
    /// Bytes.
    B(Vec<u8>),
    /// True or false.
    Bool(bool),
    /// Nothing, said explicitly.
    Null,
    /// A set of texts, never empty.
    Ss(BTreeSet<String>),
    /// A set of numbers, never empty.
    Ns(BTreeSet<Number>),
    /// A set of bytes, never empty.
    Bs(BTreeSet<Vec<u8>>),
    /// A list of anything.
    L(Vec<Value>),
    /// Anything by name.
    M(BTreeMap<String, Value>),
}

impl Value {
    /// DynamoDB's name of its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null => "NULL",
            Self::Ss(_) => "SS",
            Self::Ns(_) => "NS",
            Self::Bs(_) => "BS",
            Self::L(_) => "L",
            Self::M(_) => "M",
        }
    }

    /// Bytes that it counts for in an item
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>).
    pub fn size(&self) -> usize {
        /// What a list or a map counts for by itself.
        const DOCUMENT_BYTES: usize = 3;
        match self {
            Self::S(text) => text.len(),
            Self::N(number) => number.size(),
            Self::B(bytes) => bytes.len(),
            Self::Bool(_) | Self::Null => 1,
            Self::Ss(set) => set.iter().map(String::len).sum(),
            Self::Ns(set) => set.iter().map(|number| number.size()).sum(),
            Self::Bs(set) => set.iter().map(Vec::len).sum(),
            Self::L(list) => {
                let members: usize = list.iter().map(|value| value.size() + 1).sum();
                DOCUMENT_BYTES + members
            }
            Self::M(map) => {
                let size = |(name, value): (&String, &Self)| name.len() + value.size() + 1;
                let members: usize = map.iter().map(size).sum();
                DOCUMENT_BYTES + members
            }
        }
    }

    /// Lists and maps within each other, itself included.
    pub fn depth(&self) -> usize {
        match self {
            Self::L(list) => 1 + list.iter().map(Self::depth).max().unwrap_or(0),
            Self::M(map) => 1 + map.values().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// Attributes by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Item(pub BTreeMap<String, Value>);

impl Item {
    /// Bytes that it counts for: its names in UTF-8 and its values.
    pub fn size(&self) -> usize {
        let size = |(name, value): (&String, &Value)| name.len() + value.size();
        self.0.iter().map(size).sum()
    }

    /// Whether lists and maps lie within each other deeper than they may.
    pub fn is_too_deep(&self) -> bool {
        self.0.values().any(|value| value.depth() > NESTING_MAX)
    }
}

impl Deref for Item {
    type Target = BTreeMap<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Item {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_counts_its_names_and_values() {
        let mut item = Item::default();
        item.insert("key".into(), Value::S("é".into()));
        assert_eq!(item.size(), 3 + 2);
        item.insert("n".into(), Value::N(Number::parse("-12.5").unwrap()));
        assert_eq!(item.size(), 5 + 1 + 2 + 1 + 1);
        item.insert("l".into(), Value::L(vec![Value::Null, Value::Bool(true)]));
        assert_eq!(item.size(), 10 + 1 + 3 + 2 + 2);
    }

    #[test]
    fn lists_within_lists_are_counted() {
        let mut value = Value::L(Vec::new());
        for _ in 1..NESTING_MAX {
            value = Value::L(vec![value]);
        }
        let mut item = Item(BTreeMap::from([("a".to_owned(), value.clone())]));
        assert!(!item.is_too_deep());
        item.insert("a".to_owned(), Value::L(vec![value]));
        assert!(item.is_too_deep());
    }
}
