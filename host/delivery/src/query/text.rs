//! Values as text: as JSON, and in the formats of jq's manual ("Format strings and escaping").

use super::meter::{Meter, Spent};
use super::number;
use super::run::Stop;
use super::value::Value;

/// How values stand in a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    Base64,
    Base64d,
    Uri,
    Html,
}

impl Format {
    /// The format of a name, with its `@`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "@text" => Self::Text,
            "@json" => Self::Json,
            "@base64" => Self::Base64,
            "@base64d" => Self::Base64d,
            "@uri" => Self::Uri,
            "@html" => Self::Html,
            _ => return None,
        })
    }

    /// A value in this format.
    pub fn write(self, value: &Value, meter: &mut Meter<'_>) -> Result<String, Stop> {
        if self == Self::Json {
            return Ok(to_json(value, meter)?);
        }
        let text = to_text(value, meter)?;
        // Each byte becomes six at most.
        meter.hold(6 * text.len())?;
        Ok(match self {
            Self::Text | Self::Json => text,
            Self::Base64 => base64_simd::STANDARD.encode_to_string(text),
            Self::Base64d => {
                let wrong = || Stop::error("a string is not valid base64 data");
                let decoded = base64_decoded(&text).ok_or_else(wrong)?;
                String::from_utf8_lossy(&decoded).into_owned()
            }
            Self::Uri => uri(&text),
            Self::Html => html(&text),
        })
    }
}

/// What is up to the first padding, as in jq 1.6: what is behind it does not count, nor do bits of
/// which there is no whole byte.
fn base64_decoded(text: &str) -> Option<Vec<u8>> {
    let bare = text.split('=').next().unwrap_or_default();
    // One digit alone is no byte.
    if bare.len() % 4 == 1 {
        return None;
    }
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for digit in bare.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = (held << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((held >> bits) & 0xff).unwrap_or_default());
            held &= (1 << bits) - 1;
        }
    }
    Some(out)
}

fn uri(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::new();
    for byte in text.bytes() {
        // As in jq 1.6; later ones escape some more.
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 15] {
                out.push(char::from(DIGITS[usize::from(half)]));
            }
        }
    }
    out
}

fn html(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&apos;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

/// A string as it is, and everything else as JSON.
pub fn to_text(value: &Value, meter: &mut Meter<'_>) -> Result<String, Spent> {
    match value {
        Value::Text(text) => {
            meter.hold(text.len())?;
            Ok(text.to_string())
        }
        other => to_json(other, meter),
    }
}

/// JSON without white space.
pub fn to_json(value: &Value, meter: &mut Meter<'_>) -> Result<String, Spent> {
    let mut out = String::new();
    write_json(&mut out, value, meter)?;
    Ok(out)
}

fn write_json(out: &mut String, value: &Value, meter: &mut Meter<'_>) -> Result<(), Spent> {
    // Twice what comes, as text that grows is copied.
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => meter.hold(64)?,
        Value::Text(text) => meter.hold(12 * text.len() + 8)?,
        Value::Array(array) => meter.hold(4 * array.items().len() + 8)?,
        Value::Object(object) => meter.hold(8 * object.entries().len() + 8)?,
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&number::to_text(*number)),
        Value::Text(text) => write_string(out, text),
        Value::Array(array) => {
            out.push('[');
            for (place, item) in array.items().iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_json(out, item, meter)?;
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (place, (name, item)) in object.entries().iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                meter.hold(12 * name.len())?;
                write_string(out, name);
                out.push(':');
                write_json(out, item, meter)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_string(out: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control @ ('\0'..'\u{20}' | '\u{7f}') => {
                // Its code has two digits.
                let code = u8::try_from(control).unwrap_or_default();
                out.push_str("\\u00");
                for half in [code >> 4, code & 15] {
                    out.push(char::from(DIGITS[usize::from(half)]));
                }
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
