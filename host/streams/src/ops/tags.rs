//! What tags may be (AddTagsToStream; the texts about characters were seen from the service).

use std::collections::BTreeMap;

use serde::Serialize;
use types::StreamArn;
use types::limits::TAGS_PER_RESOURCE_MAX;
use wire::ApiError;
use wire::members::{List, Map, Text};

use super::error::{invalid_argument, over_tags};

/// How keys begin that AWS keeps for itself, in any case ("Tagging your streams").
const RESERVED: &str = "aws:";

/// A label as lists show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag<'a> {
    pub key: &'a str,
    pub value: &'a str,
}

/// What is done with tags that are checked.
#[derive(Clone, Copy, Debug)]
enum Doing {
    Add,
    Remove,
}

impl Doing {
    /// `add tags to`, as the service's texts say it.
    fn words(self) -> &'static str {
        match self {
            Self::Add => "add tags to",
            Self::Remove => "remove tags from",
        }
    }
}

/// Tags as they are kept.
pub fn parse(tags: &Map<'_>, stream: &StreamArn) -> Result<BTreeMap<String, String>, ApiError> {
    let keys = tags.keys().map(Text::as_str);
    let texts = keys.clone().chain(tags.values().map(Text::as_str));
    check(texts, keys, Doing::Add, stream)?;
    let owned = tags
        .iter()
        .map(|(key, value)| (key.as_str().to_owned(), value.as_str().to_owned()));
    Ok(owned.collect())
}

/// Refuses more tags than a stream can have. To be asked before what a request may do: policies
/// compare each tag that is asked for.
pub fn check_count(tags: &Map<'_>, stream: &StreamArn) -> Result<(), ApiError> {
    if tags.count() <= TAGS_PER_RESOURCE_MAX {
        Ok(())
    } else {
        Err(over_tags(stream))
    }
}

/// Tags as they are written.
pub fn pairs<'a>(tags: &'a Map<'_>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let pairs = tags.iter();
    pairs.map(|(key, value)| (key.as_str(), value.as_str()))
}

/// Keys of tags that shall go.
pub fn parse_keys(keys: &List<Text<'_>>, stream: &StreamArn) -> Result<Vec<String>, ApiError> {
    let texts = keys.iter().map(Text::as_str);
    check(texts.clone(), texts.clone(), Doing::Remove, stream)?;
    Ok(texts.map(str::to_owned).collect())
}

/// Refuses characters that no tag may have in any of `texts`, and `keys` that are reserved.
fn check<'a>(
    texts: impl Iterator<Item = &'a str> + Clone,
    mut keys: impl Iterator<Item = &'a str>,
    doing: Doing,
    stream: &StreamArn,
) -> Result<(), ApiError> {
    if texts
        .clone()
        .flat_map(str::chars)
        .any(|c| !is_allowed(c) && c != '%')
    {
        return Err(invalid_argument(
            "Some tags contain invalid characters. Valid characters: \
             Unicode letters, digits, white space, _ . / = + - % @.",
        ));
    }
    let StreamArn { account, name, .. } = stream;
    let doing = doing.words();
    // The service names '%' as valid in one text and refuses it with another.
    if texts.flat_map(str::chars).any(|c| c == '%') {
        return Err(invalid_argument(format!(
            "Failed to {doing} stream {name} under account {account} because some tags contained \
             illegal characters. The allowed characters are Unicode letters, white-spaces, \
             '_',',','/','=','+','-','@'."
        )));
    }
    if keys.any(is_reserved) {
        return Err(invalid_argument(format!(
            "Failed to {doing} stream {name} under account {account} because some tags have keys \
             that begin with '{RESERVED}', which is reserved for AWS use."
        )));
    }
    Ok(())
}

fn is_reserved(key: &str) -> bool {
    key.get(..RESERVED.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
}

fn is_allowed(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | '/' | '=' | '+' | '-' | '@' | ':')
}
