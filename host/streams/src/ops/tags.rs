//! The characters that tags may have (AddTagsToStream; texts seen from the service).

use std::collections::BTreeMap;

use types::StreamArn;
use wire::ApiError;
use wire::json::Map;

use super::error::invalid_argument;

/// Tags as they are kept.
pub fn parse(tags: &Map<'_>, stream: &StreamArn) -> Result<BTreeMap<String, String>, ApiError> {
    check(
        tags.keys().chain(tags.values()).map(|text| text.as_str()),
        "add",
        stream,
    )?;
    let owned = tags
        .iter()
        .map(|(key, value)| (key.as_str().to_owned(), value.as_str().to_owned()));
    Ok(owned.collect())
}

/// Refuses characters that no tag may have; `doing` is `add` or `remove`.
pub fn check<'a>(
    texts: impl Iterator<Item = &'a str> + Clone,
    doing: &str,
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
    // The service names '%' as valid in one text and refuses it with another.
    if texts.flat_map(str::chars).any(|c| c == '%') {
        let StreamArn { account, name, .. } = stream;
        let preposition = if doing == "add" { "to" } else { "from" };
        return Err(invalid_argument(format!(
            "Failed to {doing} tags {preposition} stream {name} under account {account} because \
             some tags contained illegal characters. The allowed characters are Unicode letters, \
             white-spaces, '_',',','/','=','+','-','@'."
        )));
    }
    Ok(())
}

fn is_allowed(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | '/' | '=' | '+' | '-' | '@' | ':')
}
