//! Items as lines: the parts of the key and then the other attributes, or JSON.

use base64_simd::STANDARD;
use clap::ValueEnum;
use serde_json::{Value, json};

use super::shapes::{Item, ItemPage};

/// What an item is printed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// The parts of the key, then `name=value` of each other attribute
    Text,
    /// One JSON object a line: the item as DynamoDB writes it, with its version
    Json,
}

/// The line of an item.
pub(super) fn line(page: &ItemPage, item: &Item, format: Format) -> String {
    match format {
        Format::Json => json!({"item": item.item, "version": item.version}).to_string(),
        Format::Text => text(&page.key, &item.item),
    }
}

fn text(key: &[String], item: &Value) -> String {
    let mut parts: Vec<String> = key.iter().map(|name| value(&item[name.as_str()])).collect();
    let others = item.as_object().into_iter().flatten();
    let others = others.filter(|(name, _)| !key.contains(name));
    parts.extend(others.map(|(name, held)| format!("{name}={}", value(held))));
    parts.join("  ")
}

/// A value as a person reads it: text as it is unless it would break the line, bytes as text where
/// they are some and as base64 else, anything else as JSON.
fn value(held: &Value) -> String {
    let of_kind = |kind: &str| held.get(kind).and_then(Value::as_str);
    if let Some(text) = of_kind("S") {
        return printable(text).unwrap_or_else(|| Value::from(text).to_string());
    }
    if let Some(number) = of_kind("N") {
        return number.to_owned();
    }
    if let Some(base64) = of_kind("B") {
        let bytes = STANDARD.decode_to_vec(base64).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        return text
            .and_then(|text| printable(&text))
            .unwrap_or_else(|| format!("base64:{base64}"));
    }
    held.to_string()
}

/// Text that a terminal shows as it is; some that looks like base64 of ours is not.
fn printable(text: &str) -> Option<String> {
    let is_plain = !text.is_empty() && !text.contains(char::is_control);
    (is_plain && !text.starts_with("base64:")).then(|| text.to_owned())
}

/// A part of a key as it was typed, in hexadecimal digits, as the server's pages want it: text,
/// or bytes after `base64:`.
pub(super) fn key_digits(typed: &str) -> Result<String, String> {
    let bytes = match typed.strip_prefix("base64:") {
        Some(base64) => STANDARD
            .decode_to_vec(base64)
            .map_err(|_| format!("{typed} is not base64"))?,
        None => typed.as_bytes().to_vec(),
    };
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_a_line_whatever_it_holds() {
        let item = json!({
            "key": {"B": "/wA="},
            "value": {"B": "aGVsbG8="},
            "n": {"N": "1.5"},
            "s": {"S": "two\nlines"},
            "l": {"L": [{"BOOL": true}]},
        });
        let key = ["key".to_owned()];
        assert_eq!(
            text(&key, &item),
            "base64:/wA=  l={\"L\":[{\"BOOL\":true}]}  n=1.5  s=\"two\\nlines\"  value=hello"
        );
    }

    #[test]
    fn a_key_that_was_printed_can_be_typed() {
        assert_eq!(key_digits("a\u{e9}").unwrap(), "61c3a9");
        assert_eq!(key_digits("base64:/wA=").unwrap(), "ff00");
        assert!(key_digits("base64:!").is_err());
    }
}
