//! Data for people at a terminal: on one line, and with nothing in it that a terminal obeys.

use serde::de::IgnoredAny;

/// Appends bytes as text. What is no text becomes `\xff`, and so does each character that a
/// terminal obeys, does not show, or turns the line around for.
pub(super) fn write(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            write_character(out, character);
        }
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
}

fn write_character(out: &mut Vec<u8>, character: char) {
    match character {
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        _ if is_obeyed(character) => {
            let code = u32::from(character);
            let escaped = if code <= 0xff {
                format!("\\x{code:02x}")
            } else {
                format!("\\u{{{code:x}}}")
            };
            out.extend_from_slice(escaped.as_bytes());
        }
        _ => {
            let mut buffer = [0; 4];
            out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        }
    }
}

/// Controls of both sets, line ends of Unicode, and what turns the direction of writing around.
pub(super) fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

/// JSON that was written over several lines, without the space between its parts; `None` if the
/// data is no such thing.
pub(super) fn on_one_line(data: &[u8]) -> Option<Vec<u8>> {
    let begins = data.trim_ascii_start().first();
    if !matches!(begins, Some(b'{' | b'[')) || !data.contains(&b'\n') {
        return None;
    }
    serde_json::from_slice::<IgnoredAny>(data).ok()?;
    let mut out = Vec::with_capacity(data.len());
    let (mut is_in_text, mut is_escaped) = (false, false);
    for byte in data {
        if is_in_text {
            is_in_text = is_escaped || *byte != b'"';
            is_escaped = !is_escaped && *byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            is_in_text = *byte == b'"';
        }
        out.push(*byte);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_shown_as_it_is_and_other_bytes_by_their_numbers() {
        assert_eq!(shown("grüß dich, 世界 🙂".as_bytes()), "grüß dich, 世界 🙂");
        assert_eq!(shown(b"a\xff\xfeb"), "a\\xff\\xfeb");
        assert_eq!(shown(b"a\tb\r\nc"), "a\\tb\\r\\nc");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(shown(b"\x1b[31mred\x07\x7f"), "\\x1b[31mred\\x07\\x7f");
        // Control Sequence Introducer in one character, and a line written from right to left.
        assert_eq!(shown("\u{9b}2J \u{202e}x".as_bytes()), "\\x9b2J \\u{202e}x");
        for code in (0..0x20).chain(0x7f..0xa0) {
            let text = shown(char::from(code).to_string().as_bytes());
            assert!(!text.chars().any(is_obeyed), "{code}");
        }
    }

    #[test]
    fn json_over_several_lines_becomes_one_with_the_same_text_in_it() {
        let data = b" {\n  \"a b\": [1, 2.50],\r\n  \"c\": \"d \\\" \\\\\"\n}\n";
        let line = on_one_line(data).unwrap();
        assert_eq!(line, b"{\"a b\":[1,2.50],\"c\":\"d \\\" \\\\\"}");
        for other in [&b"{\"a\": 1}"[..], b"{\n not JSON", b"one\ntwo", b""] {
            assert_eq!(on_one_line(other), None);
        }
    }
}
