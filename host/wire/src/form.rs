//! Parameters as forms and queries write them: `name=value&name=value`, percent-encoded, with `+`
//! for a space (<https://url.spec.whatwg.org/#application/x-www-form-urlencoded>).

use std::borrow::Cow;

/// The value of the first parameter of that name; `None` if there is none. What is no text is read
/// as nearly as can be.
pub fn parameter<'a>(text: &'a str, name: &str) -> Option<Cow<'a, str>> {
    text.split('&')
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .find(|(found, _)| plain(found) == name)
        .map(|(_, value)| plain(value))
}

fn plain(encoded: &str) -> Cow<'_, str> {
    if !encoded.contains(['%', '+']) {
        return Cow::Borrowed(encoded);
    }
    let spaced = encoded.replace('+', " ");
    let bytes: Vec<u8> = decoded(&spaced).collect();
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// The bytes that percent-encoded text stands for; a `%` without two digits stands for itself.
pub(crate) fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (byte, after) = rest.split_first()?;
        rest = after;
        if *byte == b'%'
            && let [high, low, after @ ..] = after
            && let (Some(high), Some(low)) = (nibble(*high), nibble(*low))
        {
            rest = after;
            return Some(high << 4 | low);
        }
        Some(*byte)
    })
}

/// The value of a hexadecimal digit.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_by_its_name_and_read_as_it_was_meant() {
        let text = "a=1&Action=Get%43aller+Identity%&b&%41=x=y&a=2&%C3%A9=%ff";
        for (name, value) in [
            ("a", Some("1")),
            ("Action", Some("GetCaller Identity%")),
            ("b", Some("")),
            ("A", Some("x=y")),
            ("é", Some("\u{fffd}")),
            ("action", None),
        ] {
            assert_eq!(parameter(text, name).as_deref(), value, "{name}");
        }
        assert_eq!(parameter("", "a"), None);
    }
}
