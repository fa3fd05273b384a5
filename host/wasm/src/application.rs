//! What a manifest asks for: secrets and hosts, and for a consumer tables and streams to write to,
//! and the stream that it consumes. An operator grants it or does not.

use std::collections::BTreeSet;

use serde::Deserialize;
use types::{AccountId, Invalid, Region, StreamName, Timestamp};

use crate::hosts::HostPattern;
use crate::secret::SecretName;

/// Characters of a table's name (DynamoDB developer guide, Naming rules: 3 to 255).
const TABLE_NAME_CHARS_MIN: usize = 3;
const TABLE_NAME_CHARS_MAX: usize = 255;
/// Tables, streams, hosts, and secrets, that one manifest can ask for; more are refused.
const GRANTS_MAX: usize = 64;

/// `[grants]`: what a plugin asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// Tables to read and write, by name.
    #[serde(default, deserialize_with = "tables")]
    pub tables: BTreeSet<String>,
    /// Streams to put records to, by name, of the application's account and region.
    #[serde(default, deserialize_with = "streams")]
    pub emit: BTreeSet<StreamName>,
    /// Hosts to call over HTTP.
    #[serde(default, deserialize_with = "hosts")]
    pub http: BTreeSet<HostPattern>,
    /// Secrets to read, by name.
    #[serde(default, deserialize_with = "secrets")]
    pub secrets: BTreeSet<SecretName>,
}

impl Grants {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.of_consumers().is_none() && self.secrets.is_empty() && self.http.is_empty()
    }

    /// What only a consumer may ask for and it asks for, if there is something.
    pub(crate) fn of_consumers(&self) -> Option<&'static str> {
        match (self.tables.is_empty(), self.emit.is_empty()) {
            (false, _) => Some("tables in [grants]"),
            (true, false) => Some("emit in [grants]"),
            (true, true) => None,
        }
    }
}

/// `[application]`: the application that a consumer is by itself, without anybody creating one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The stream that it consumes.
    #[serde(deserialize_with = "stream")]
    pub stream: StreamName,
    /// Where it begins with a shard that it has no checkpoint of.
    #[serde(default, deserialize_with = "start")]
    pub start: Start,
    /// Whose stream it is; `None`: that of the server's default account.
    #[serde(default, deserialize_with = "account")]
    pub account: Option<AccountId>,
    /// Where; `None`: in the server's default region.
    #[serde(default, deserialize_with = "region")]
    pub region: Option<Region>,
    /// Which versions of the plugin it goes through.
    #[serde(default)]
    pub versions: Versions,
}

/// Where an application begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record that is kept.
    #[default]
    TrimHorizon,
    /// With what comes after it was made.
    Latest,
    /// With the first record that arrived then or later.
    At(Timestamp),
}

/// Which versions of its plugin an application goes through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Versions {
    /// The one in force, whenever another comes into force.
    #[default]
    Latest,
}

fn parsed<'de, D: serde::Deserializer<'de>, T>(
    deserializer: D,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(|Invalid(why)| serde::de::Error::custom(why))
}

fn all_parsed<'de, D: serde::Deserializer<'de>, T: Ord>(
    deserializer: D,
    parse: impl Fn(&str) -> Result<T, Invalid>,
) -> Result<BTreeSet<T>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let count = texts.len();
    if count > GRANTS_MAX {
        let why = format!("{count} names, not at most {GRANTS_MAX}");
        return Err(serde::de::Error::custom(why));
    }
    let mut all = BTreeSet::new();
    for text in texts {
        let name = parse(&text).map_err(|Invalid(why)| serde::de::Error::custom(why))?;
        if !all.insert(name) {
            let why = format!("'{}' stands there twice", text.escape_default());
            return Err(serde::de::Error::custom(why));
        }
    }
    Ok(all)
}

fn stream<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<StreamName, D::Error> {
    parsed(deserializer, StreamName::parse)
}

fn streams<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeSet<StreamName>, D::Error> {
    all_parsed(deserializer, StreamName::parse)
}

fn hosts<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeSet<HostPattern>, D::Error> {
    all_parsed(deserializer, HostPattern::parse)
}

fn secrets<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeSet<SecretName>, D::Error> {
    all_parsed(deserializer, SecretName::parse)
}

fn account<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<AccountId>, D::Error> {
    parsed(deserializer, AccountId::parse).map(Some)
}

fn region<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Region>, D::Error> {
    parsed(deserializer, Region::parse).map(Some)
}

fn tables<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    all_parsed(deserializer, |text| {
        let chars = text.chars().count();
        if !(TABLE_NAME_CHARS_MIN..=TABLE_NAME_CHARS_MAX).contains(&chars) {
            return Err(Invalid(format!(
                "a table's name has {chars} characters, not {TABLE_NAME_CHARS_MIN} to \
                 {TABLE_NAME_CHARS_MAX}"
            )));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if !text.chars().all(allowed) {
            let name = text.escape_default();
            return Err(Invalid(format!("a table cannot be called '{name}'")));
        }
        Ok(text.to_owned())
    })
}

fn start<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Start, D::Error> {
    parsed(deserializer, |text| match text {
        "TRIM_HORIZON" => Ok(Start::TrimHorizon),
        "LATEST" => Ok(Start::Latest),
        text => Timestamp::parse_iso_8601(text)
            .map(Start::At)
            .ok_or_else(|| {
                let text = text.escape_default();
                Invalid(format!(
                    "'{text}' is no start: 'TRIM_HORIZON', 'LATEST' or a time as \
                 '2026-11-29T13:05:00Z'"
                ))
            }),
    })
}
