//! The members that say what a table or an index is to be.

use serde::Deserialize;
use wire::ApiError;
use wire::members::{Integer, Text};

use super::error;
use crate::catalog::NewIndex;
use crate::schema::{KeyAttribute, KeySchema, KeyType, Projection, TableName};
use crate::table::{Billing, Throughput};

/// Characters of the name of an attribute of a key, or one that an index projects
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
const KEY_NAME_CHARS_MAX: usize = 255;

/// An attribute and its type.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttributeDefinition<'a> {
    #[serde(borrow)]
    attribute_name: Option<Text<'a>>,
    attribute_type: Option<Text<'a>>,
}

/// A part of a key.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeySchemaElement<'a> {
    #[serde(borrow)]
    attribute_name: Option<Text<'a>>,
    key_type: Option<Text<'a>>,
}

/// Units of reading and writing.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProvisionedThroughput {
    read_capacity_units: Option<Integer>,
    write_capacity_units: Option<Integer>,
}

/// Which attributes an index holds.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProjectionMember<'a> {
    #[serde(borrow)]
    projection_type: Option<Text<'a>>,
    non_key_attributes: Option<Vec<Text<'a>>>,
}

/// An index.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct IndexMember<'a> {
    #[serde(borrow)]
    index_name: Option<Text<'a>>,
    key_schema: Option<Vec<KeySchemaElement<'a>>>,
    projection: Option<ProjectionMember<'a>>,
    provisioned_throughput: Option<ProvisionedThroughput>,
}

/// The attributes that keys may be made of, each with its type.
pub struct Attributes(Vec<KeyAttribute>);

impl Attributes {
    /// Of a list of definitions.
    ///
    /// # Errors
    /// One of them is none, or comes twice.
    pub fn parse(members: Option<Vec<AttributeDefinition<'_>>>) -> Result<Self, ApiError> {
        let mut all: Vec<KeyAttribute> = Vec::new();
        for member in members.unwrap_or_default() {
            let name = required(&member.attribute_name, "AttributeName")?.to_owned();
            let kind = match required(&member.attribute_type, "AttributeType")? {
                "S" => KeyType::S,
                "N" => KeyType::N,
                "B" => KeyType::B,
                other => {
                    return Err(error::invalid(format!(
                        "1 validation error detected: Value '{other}' at \
                         'attributeDefinitions.1.member.attributeType' failed to satisfy \
                         constraint: Member must satisfy enum value set: [B, N, S]"
                    )));
                }
            };
            if name.is_empty() || name.chars().count() > KEY_NAME_CHARS_MAX {
                return Err(error::invalid_values(format!(
                    "The name of an attribute of a key has 1 to {KEY_NAME_CHARS_MAX} characters"
                )));
            }
            if all.iter().any(|attribute| attribute.name == name) {
                let text = "Cannot have two attributes with the same name";
                return Err(error::invalid(text));
            }
            all.push(KeyAttribute { name, kind });
        }
        Ok(Self(all))
    }

    /// The schema of a key that is made of them.
    ///
    /// # Errors
    /// It is none.
    pub fn keys(&self, members: Option<Vec<KeySchemaElement<'_>>>) -> Result<KeySchema, ApiError> {
        let members = members.unwrap_or_default();
        let mut parts = Vec::new();
        for member in &members {
            let name = required(&member.attribute_name, "AttributeName")?;
            let kind = required(&member.key_type, "KeyType")?;
            if !matches!(kind, "HASH" | "RANGE") {
                return Err(error::invalid(format!(
                    "1 validation error detected: Value '{kind}' at \
                     'keySchema.1.member.keyType' failed to satisfy constraint: Member must \
                     satisfy enum value set: [HASH, RANGE]"
                )));
            }
            parts.push((name, kind));
        }
        match parts[..] {
            [(hash, "HASH")] => Ok(KeySchema {
                hash: self.find(hash, &parts)?,
                range: None,
            }),
            [(hash, "HASH"), (range, "RANGE")] if hash == range => Err(error::invalid(
                "Both the Hash Key and the Range Key element in the KeySchema have the same name",
            )),
            [(hash, "HASH"), (range, "RANGE")] => Ok(KeySchema {
                hash: self.find(hash, &parts)?,
                range: Some(self.find(range, &parts)?),
            }),
            [(_, "RANGE"), ..] => Err(error::invalid(
                "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
            )),
            [_, (_, "HASH")] => Err(error::invalid(
                "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
            )),
            _ => Err(error::invalid(format!(
                "1 validation error detected: Value at 'keySchema' failed to satisfy constraint: \
                 Member must have length between 1 and 2; it has {}",
                parts.len()
            ))),
        }
    }

    fn find(&self, name: &str, parts: &[(&str, &str)]) -> Result<KeyAttribute, ApiError> {
        let found = self.0.iter().find(|attribute| attribute.name == name);
        found.cloned().ok_or_else(|| {
            let keys: Vec<_> = parts.iter().map(|(name, _)| *name).collect();
            let all: Vec<_> = self.0.iter().map(|it| it.name.as_str()).collect();
            error::invalid_values(format!(
                "Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], \
                 AttributeDefinitions: [{}]",
                keys.join(", "),
                all.join(", ")
            ))
        })
    }

    /// Refuses definitions that no key uses.
    ///
    /// # Errors
    /// There are some.
    pub fn all_used<'k>(
        &self,
        keys: impl Iterator<Item = &'k KeySchema> + Clone,
    ) -> Result<(), ApiError> {
        let is_used = |name: &str| keys.clone().any(|keys| keys.has(name));
        if self.0.iter().all(|attribute| is_used(&attribute.name)) {
            return Ok(());
        }
        Err(error::invalid_values(
            "Number of attributes in KeySchema does not exactly match number of attributes \
             defined in AttributeDefinitions",
        ))
    }

    /// The index that a member describes.
    ///
    /// # Errors
    /// It is none.
    pub fn index(&self, member: IndexMember<'_>) -> Result<NewIndex, ApiError> {
        let name = required(&member.index_name, "IndexName")?;
        Ok(NewIndex {
            name: TableName::parse(name).map_err(|why| error::invalid(why.0))?,
            keys: self.keys(member.key_schema)?,
            projection: projection(member.projection)?,
            throughput: match member.provisioned_throughput {
                Some(units) => units.read()?,
                None => Throughput::default(),
            },
        })
    }
}

impl ProvisionedThroughput {
    /// The units, at least one each.
    ///
    /// # Errors
    /// They are none.
    pub fn read(self) -> Result<Throughput, ApiError> {
        let units = |member: Option<Integer>, name: &str| match member {
            Some(Integer(units)) if units >= 1 => Ok(units.unsigned_abs()),
            Some(Integer(units)) => Err(error::invalid(format!(
                "1 validation error detected: Value '{units}' at 'provisionedThroughput.{name}' \
                 failed to satisfy constraint: Member must have value greater than or equal to 1"
            ))),
            None => Err(error::invalid(format!(
                "1 validation error detected: Value null at 'provisionedThroughput.{name}' failed \
                 to satisfy constraint: Member must not be null"
            ))),
        };
        Ok(Throughput {
            read: units(self.read_capacity_units, "readCapacityUnits")?,
            write: units(self.write_capacity_units, "writeCapacityUnits")?,
        })
    }
}

/// How a table is paid for.
///
/// # Errors
/// The members contradict each other.
pub fn billing(
    mode: Option<&Text<'_>>,
    units: Option<ProvisionedThroughput>,
) -> Result<Billing, ApiError> {
    match (mode.map(Text::as_str), units) {
        (Some("PAY_PER_REQUEST"), None) => Ok(Billing::PayPerRequest),
        (Some("PAY_PER_REQUEST"), Some(_)) => Err(error::invalid_values(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode \
             is PAY_PER_REQUEST",
        )),
        (_, Some(units)) => Ok(Billing::Provisioned(units.read()?)),
        (_, None) => Err(error::invalid_values(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is \
             PROVISIONED",
        )),
    }
}

fn projection(member: Option<ProjectionMember<'_>>) -> Result<Projection, ApiError> {
    let member = member.unwrap_or(ProjectionMember {
        projection_type: None,
        non_key_attributes: None,
    });
    let names: Option<Vec<String>> = member.non_key_attributes.map(|names| {
        let names = names.into_iter();
        names.map(|name| name.0.into_owned()).collect()
    });
    let kind = member.projection_type.as_ref().map(Text::as_str);
    match (kind, names) {
        (Some("ALL"), None) => Ok(Projection::All),
        (Some("KEYS_ONLY"), None) => Ok(Projection::KeysOnly),
        (Some("INCLUDE"), Some(names)) if !names.is_empty() => {
            let is_name = |name: &String| (1..=KEY_NAME_CHARS_MAX).contains(&name.chars().count());
            if !names.iter().all(is_name) {
                return Err(error::invalid_values(format!(
                    "The names of NonKeyAttributes have 1 to {KEY_NAME_CHARS_MAX} characters"
                )));
            }
            Ok(Projection::Include(names))
        }
        (Some("INCLUDE"), _) => Err(error::invalid_values(
            "ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        )),
        (Some(kind @ ("ALL" | "KEYS_ONLY")), Some(_)) => Err(error::invalid_values(format!(
            "ProjectionType is {kind}, but NonKeyAttributes is specified"
        ))),
        (Some(other), _) => Err(error::invalid(format!(
            "1 validation error detected: Value '{other}' at 'projection.projectionType' failed \
             to satisfy constraint: Member must satisfy enum value set: [ALL, INCLUDE, KEYS_ONLY]"
        ))),
        (None, _) => Err(error::invalid_values("Unknown ProjectionType: null")),
    }
}

fn required<'a>(member: &'a Option<Text<'_>>, name: &str) -> Result<&'a str, ApiError> {
    member.as_ref().map(Text::as_str).ok_or_else(|| {
        error::invalid(format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: \
             Member must not be null"
        ))
    })
}
