//! Members that several operations have, and their rules.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use wire::members::Text;
use wire::shape::TextRule;

/// Structures by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T>(pub BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamedVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Named<T>, A::Error> {
                let mut all = BTreeMap::new();
                while let Some((name, value)) = entries.next_entry::<Text<'_>, T>()? {
                    all.insert(name.0.into_owned(), value);
                }
                Ok(Named(all))
            }
        }

        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

/// The values of `ReturnValues`.
pub const RETURN_VALUES: TextRule =
    TextRule::one_of(&["ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"]);
/// Those of `ReturnValuesOnConditionCheckFailure`.
pub const ON_FAILURE: TextRule = TextRule::one_of(&["ALL_OLD", "NONE"]);
/// Those of `ReturnConsumedCapacity`.
pub const CAPACITY: TextRule = TextRule::one_of(&["INDEXES", "TOTAL", "NONE"]);
/// Those of `ReturnItemCollectionMetrics`.
pub const COLLECTION_METRICS: TextRule = TextRule::one_of(&["SIZE", "NONE"]);
/// Those of `ConditionalOperator`.
pub const CONDITIONAL_OPERATOR: TextRule = TextRule::one_of(&["OR", "AND"]);
/// Those of `Select`.
pub const SELECT: TextRule = TextRule::one_of(&[
    "SPECIFIC_ATTRIBUTES",
    "COUNT",
    "ALL_ATTRIBUTES",
    "ALL_PROJECTED_ATTRIBUTES",
]);
/// The name of an index.
pub const INDEX_NAME: TextRule = TextRule::chars(3, 255);
