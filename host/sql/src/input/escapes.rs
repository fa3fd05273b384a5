//! Texts that are not written as they are: strings of JSON with escapes, fields of CSV with doubled
//! quotes.

use super::coerce::Source;

/// A value as it was found: what it is, or a string that has to be unescaped first.
pub enum Raw<'a> {
    Plain(Source<'a>),
    /// A string of JSON with escapes in it.
    Escaped(&'a str),
    /// A field with doubled quotes in it.
    Doubled(&'a str),
}

/// The value itself, without escapes.
pub fn resolved<'a>(raw: Raw<'a>, scratch: &'a mut String) -> Source<'a> {
    scratch.clear();
    match raw {
        Raw::Plain(source) => return source,
        Raw::Escaped(text) => unescape(text, scratch),
        Raw::Doubled(text) => {
            let mut rest = text;
            while let Some((before, behind)) = rest.split_once("\"\"") {
                scratch.push_str(before);
                scratch.push('"');
                rest = behind;
            }
            scratch.push_str(rest);
        }
    }
    Source::Text(scratch)
}

/// Writes the text that a string with escapes means. Half a surrogate pair becomes U+FFFD.
pub fn unescape(raw: &str, out: &mut String) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let mut behind = rest[at + 1..].chars();
        let escape = behind.next();
        rest = behind.as_str();
        out.push(match escape {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let (character, behind) = unicode(rest);
                rest = behind;
                character
            }
            Some(other) => other,
            None => return,
        });
    }
    out.push_str(rest);
}

/// The character of the digits behind `\u`, and what stands behind it.
fn unicode(digits: &str) -> (char, &str) {
    let half = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
    let replaced = char::REPLACEMENT_CHARACTER;
    let Some(first) = half(digits) else {
        return (replaced, "");
    };
    let rest = &digits[4..];
    if !(0xd800..0xdc00).contains(&first) {
        return (char::from_u32(first).unwrap_or(replaced), rest);
    }
    match rest.strip_prefix("\\u").and_then(half) {
        Some(second @ 0xdc00..0xe000) => {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            (char::from_u32(code).unwrap_or(replaced), &rest[6..])
        }
        _ => (replaced, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(raw: &str) -> String {
        let mut text = String::new();
        unescape(raw, &mut text);
        text
    }

    #[test]
    fn escapes_mean_what_json_says() {
        let all = r#"a\\b\"\/\b\f\n\r\t\u00e4"#;
        assert_eq!(unescaped(all), "a\\b\"/\u{8}\u{c}\n\r\tä");
        assert_eq!(unescaped(r"\ud83d\ude00!"), "😀!");
    }

    #[test]
    fn half_a_pair_is_replaced() {
        assert_eq!(unescaped(r"\ud83dx"), "\u{fffd}x");
        assert_eq!(unescaped(r"\ude00\ud83d\u0041"), "\u{fffd}\u{fffd}A");
    }
}
