//! Members that hold other members.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::scalars::Text;
use crate::mismatch::{LIST, MAP, STRUCTURE, text_where};

/// Members of a list that are kept; more are counted and dropped, so that a body of empty members
/// cannot grow a hundredfold in memory. Every list of the model has a smaller limit, so a longer
/// list is refused by its rule.
pub const LIST_MEMBERS_KEPT: usize = 1_000;
/// Entries of a map that are kept, as [`LIST_MEMBERS_KEPT`].
pub const MAP_ENTRIES_KEPT: usize = 1_000;

/// A list. The first [`LIST_MEMBERS_KEPT`] members are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T> {
    kept: Vec<T>,
    count: usize,
}

impl<T> List<T> {
    /// How many members the client sent, with those that were not kept.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The members. These are all, once the list has passed its rule.
    pub fn into_members(self) -> Vec<T> {
        self.kept
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.kept
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(LIST)
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<List<T>, E> {
                Err(text_where(&self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<List<T>, A::Error> {
                let mut kept = Vec::new();
                while kept.len() < LIST_MEMBERS_KEPT {
                    match members.next_element()? {
                        Some(member) => kept.push(member),
                        None => break,
                    }
                }
                let mut count = kept.len();
                while count >= LIST_MEMBERS_KEPT && members.next_element::<IgnoredAny>()?.is_some()
                {
                    count += 1;
                }
                Ok(List { kept, count })
            }
        }

        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

/// A map from text to text, in the order of its keys; of two entries of one key the last counts.
/// The first [`MAP_ENTRIES_KEPT`] entries are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map<'a> {
    kept: BTreeMap<Text<'a>, Text<'a>>,
    dropped: usize,
}

impl<'a> Map<'a> {
    /// How many entries the client sent, with those that were not kept.
    pub fn count(&self) -> usize {
        self.kept.len() + self.dropped
    }

    /// The entries. These are all, once the map has passed its rule.
    pub fn into_entries(self) -> BTreeMap<Text<'a>, Text<'a>> {
        self.kept
    }
}

impl<'a> Deref for Map<'a> {
    type Target = BTreeMap<Text<'a>, Text<'a>>;

    fn deref(&self) -> &Self::Target {
        &self.kept
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Map<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapVisitor<'a>(PhantomData<&'a str>);

        impl<'de: 'a, 'a> Visitor<'de> for MapVisitor<'a> {
            type Value = Map<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(MAP)
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Map<'a>, E> {
                Err(text_where(&self))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Map<'a>, A::Error> {
                let mut kept = BTreeMap::new();
                let mut dropped = 0;
                while kept.len() < MAP_ENTRIES_KEPT {
                    match entries.next_entry()? {
                        Some((key, value)) => kept.insert(key, value),
                        None => return Ok(Map { kept, dropped }),
                    };
                }
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    dropped += 1;
                }
                Ok(Map { kept, dropped })
            }
        }

        deserializer.deserialize_map(MapVisitor(PhantomData))
    }
}

/// A structure within another: a JSON object, where `T` alone would take an array as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure<T>(pub T);

impl<T> Deref for Structure<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Structure<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StructureVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for StructureVisitor<T> {
            type Value = Structure<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(STRUCTURE)
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Structure<T>, E> {
                Err(text_where(&self))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Structure<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Structure)
            }
        }

        deserializer.deserialize_map(StructureVisitor(PhantomData))
    }
}
