//! Values of attributes in requests and answers: `{"S": "text"}`. Texts of refusals are
//! DynamoDB's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wire::members::{Blob, Boolean, Text};

use crate::number::Number;
use crate::value::{Item, NESTING_MAX, Value};

/// A value as a request gives it: one, or why it is none.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenValue(pub Result<Value, String>);

/// Values by name, as a request gives them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GivenItem(pub BTreeMap<String, GivenValue>);

impl GivenItem {
    /// The values, if all of them are some.
    ///
    /// # Errors
    /// DynamoDB's text about the first that is none.
    pub fn checked(self) -> Result<Item, String> {
        let values = self.0.into_iter().map(|(name, value)| Ok((name, value.0?)));
        let item = Item(values.collect::<Result<_, String>>()?);
        if item.is_too_deep() {
            return Err(TOO_DEEP.to_owned());
        }
        Ok(item)
    }
}

const TOO_DEEP: &str = "Nesting Levels have exceeded supported limits";
const EMPTY: &str =
    "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
const SEVERAL: &str = "Supplied AttributeValue has more than one datatypes set, must contain \
                       exactly one of the supported datatypes";
/// Members of a set that a text names.
const SHOWN_MAX: usize = 20;
/// What most of the texts begin with.
const INVALID: &str = "One or more parameter values were invalid: ";

impl<'de> Deserialize<'de> for GivenValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;

        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = GivenValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a structure")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<GivenValue, A::Error> {
                let mut found = None;
                let mut count = 0;
                while let Some(name) = members.next_key::<Text<'_>>()? {
                    if let Some(value) = member(&name, &mut members)? {
                        found = Some(value);
                        count += 1;
                    }
                }
                Ok(GivenValue(match (found, count) {
                    (Some(value), 1) => value,
                    (None, _) => Err(EMPTY.to_owned()),
                    (Some(_), _) => Err(SEVERAL.to_owned()),
                }))
            }
        }

        deserializer.deserialize_map(ValueVisitor)
    }
}

/// The value of one member; `None` of one that nobody knows, or that is null.
fn member<'de, A: MapAccess<'de>>(
    name: &str,
    members: &mut A,
) -> Result<Option<Result<Value, String>>, A::Error> {
    Ok(match name {
        "S" => {
            let text = members.next_value::<Option<Text<'_>>>()?;
            text.map(|text| Ok(Value::S(text.0.into_owned())))
        }
        "N" => {
            let text = members.next_value::<Option<Text<'_>>>()?;
            text.map(|text| number(&text).map(Value::N))
        }
        "B" => match members.next_value::<Option<Blob<'_>>>()? {
            Some(blob) => Some(Ok(Value::B(bytes(&blob)?))),
            None => None,
        },
        "BOOL" => {
            let value = members.next_value::<Option<Boolean>>()?;
            value.map(|value| Ok(Value::Bool(value.0)))
        }
        "NULL" => members.next_value::<Option<Boolean>>()?.map(|value| {
            let wrong = "Null attribute value types must have the value of true";
            value
                .0
                .then_some(Value::Null)
                .ok_or_else(|| format!("{INVALID}{wrong}"))
        }),
        "SS" | "NS" | "BS" => return set_member(name, members),
        "L" => {
            let list = members.next_value::<Option<Vec<GivenValue>>>()?;
            list.map(|list| {
                let values: Result<Vec<_>, String> = list.into_iter().map(|it| it.0).collect();
                Ok(Value::L(values?))
            })
        }
        "M" => {
            let map = members.next_value::<Option<GivenItem>>()?;
            map.map(|map| {
                let values = map.0.into_iter().map(|(name, value)| Ok((name, value.0?)));
                Ok(Value::M(values.collect::<Result<_, String>>()?))
            })
        }
        _ => {
            members.next_value::<IgnoredAny>()?;
            None
        }
    })
}

/// The value of a member that is a set.
fn set_member<'de, A: MapAccess<'de>>(
    name: &str,
    members: &mut A,
) -> Result<Option<Result<Value, String>>, A::Error> {
    Ok(match name {
        "SS" => {
            let texts = members.next_value::<Option<Vec<Text<'_>>>>()?;
            texts.map(|texts| {
                let texts = texts.into_iter().map(|text| Ok(text.0.into_owned()));
                set(
                    texts.collect(),
                    "An string set  may not be empty",
                    String::clone,
                )
                .map(Value::Ss)
            })
        }
        "NS" => {
            let texts = members.next_value::<Option<Vec<Text<'_>>>>()?;
            texts.map(|texts| {
                let numbers = texts.iter().map(|text| number(text));
                set(
                    numbers.collect(),
                    "An number set  may not be empty",
                    Number::to_string,
                )
                .map(Value::Ns)
            })
        }
        _ => match members.next_value::<Option<Vec<Blob<'_>>>>()? {
            Some(blobs) => {
                let blobs: Result<Vec<_>, A::Error> = blobs.iter().map(bytes).collect();
                Some(
                    set(Ok(blobs?), "Binary sets should not be empty", |it| {
                        base64(it)
                    })
                    .map(Value::Bs),
                )
            }
            None => None,
        },
    })
}

fn number(text: &str) -> Result<Number, String> {
    Number::parse(text).map_err(|why| why.0)
}

fn bytes<E: Error>(blob: &Blob<'_>) -> Result<Vec<u8>, E> {
    let mut out = Vec::with_capacity(blob.decoded_len());
    blob.decode_onto(&mut out)
        .map_err(|error| E::custom(error.message()))?;
    Ok(out)
}

fn set<T: Ord>(
    members: Result<Vec<T>, String>,
    empty: &str,
    shown: impl Fn(&T) -> String,
) -> Result<BTreeSet<T>, String> {
    let members = members?;
    if members.is_empty() {
        return Err(format!("{INVALID}{empty}"));
    }
    let distinct = members.iter().collect::<BTreeSet<_>>().len();
    if distinct < members.len() {
        let texts: Vec<_> = members.iter().take(SHOWN_MAX).map(shown).collect();
        let all = texts.join(", ");
        return Err(format!(
            "{INVALID}Input collection [{all}] contains duplicates"
        ));
    }
    Ok(members.into_iter().collect())
}

impl<'de> Deserialize<'de> for GivenItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor;

        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = GivenItem;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<GivenItem, A::Error> {
                let mut values = BTreeMap::new();
                while let Some((name, value)) = entries.next_entry::<Text<'_>, GivenValue>()? {
                    values.insert(name.0.into_owned(), value);
                }
                Ok(GivenItem(values))
            }
        }

        deserializer.deserialize_map(ItemVisitor)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        let name = self.type_name();
        match self {
            Self::S(text) => map.serialize_entry(name, text)?,
            Self::N(number) => map.serialize_entry(name, &number.to_string())?,
            Self::B(bytes) => map.serialize_entry(name, &base64(bytes))?,
            Self::Bool(value) => map.serialize_entry(name, value)?,
            Self::Null => map.serialize_entry(name, &true)?,
            Self::Ss(set) => map.serialize_entry(name, set)?,
            Self::Ns(set) => {
                let texts: Vec<_> = set.iter().map(Number::to_string).collect();
                map.serialize_entry(name, &texts)?;
            }
            Self::Bs(set) => {
                let texts: Vec<_> = set.iter().map(|bytes| base64(bytes)).collect();
                map.serialize_entry(name, &texts)?;
            }
            Self::L(list) => map.serialize_entry(name, list)?,
            Self::M(values) => map.serialize_entry(name, values)?,
        }
        map.end()
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

fn base64(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

// A body is refused for its depth by the parser of JSON, whose limit is 128: two levels of it are
// one of a document, and some stand around it.
const _: () = assert!(NESTING_MAX * 2 + 8 < 128);

#[cfg(test)]
mod tests {
    use super::*;

    fn given(json: &str) -> Result<Value, String> {
        serde_json::from_str::<GivenValue>(json).unwrap().0
    }

    #[test]
    fn a_value_reads_as_it_was_written() {
        for json in [
            r#"{"S":"a\"é"}"#,
            r#"{"N":"-1.5"}"#,
            r#"{"B":"AAE="}"#,
            r#"{"BOOL":false}"#,
            r#"{"NULL":true}"#,
            r#"{"SS":["a","b"]}"#,
            r#"{"NS":["1","2"]}"#,
            r#"{"BS":["AA==","AQ=="]}"#,
            r#"{"L":[{"S":""},{"L":[]}]}"#,
            r#"{"M":{"a":{"M":{}},"b":{"N":"0"}}}"#,
        ] {
            let value = given(json).unwrap();
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
        }
    }

    #[test]
    fn what_is_no_value_says_why() {
        for (json, why) in [
            ("{}", EMPTY),
            (r#"{"X":1}"#, EMPTY),
            (r#"{"S":null}"#, EMPTY),
            (r#"{"S":"a","N":"1"}"#, SEVERAL),
            (r#"{"L":[{"S":"a"},{}]}"#, EMPTY),
            (
                r#"{"SS":[]}"#,
                "One or more parameter values were invalid: An string set  may not be empty",
            ),
        ] {
            assert_eq!(given(json), Err(why.to_owned()), "{json}");
        }
        for json in [
            r#"{"S":1}"#,
            r#"{"B":"A"}"#,
            r#"{"B":"!!!!"}"#,
            "[]",
            r#"{"L":{}}"#,
        ] {
            assert!(serde_json::from_str::<GivenValue>(json).is_err(), "{json}");
        }
    }
}
