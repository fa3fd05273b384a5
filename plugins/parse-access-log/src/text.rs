//! Text as a server wrote it to its log, and as a JSON string has it.

use std::ops::Range;

/// One field of a line, with the escapes that the server wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a [u8],
    /// Whether all its bytes are plain.
    plain: bool,
}

/// Whether a byte stands for itself, in the log and in a JSON string.
pub fn is_plain(byte: u8) -> bool {
    PLAIN[usize::from(byte)]
}

const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = byte != b'"' && byte != b'\\';
        byte += 1;
    }
    plain
};

/// How many bytes at the beginning are plain.
pub fn plain_count(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks();
    let words = words
        .iter()
        .take_while(|word| are_plain(u64::from_ne_bytes(**word)));
    let first = words.count() * size_of::<u64>();
    let rest = bytes[first..].iter();
    first + rest.take_while(|byte| is_plain(**byte)).count()
}

/// Whether all eight bytes of a word are plain. A borrow or carry into the next byte can only come
/// from a byte that is not.
fn are_plain(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH_BITS: u64 = ONES << 7;
    let below = |word: u64, least: u8| word.wrapping_sub(ONES * u64::from(least)) & !word;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let above_tilde = word | word.wrapping_add(ONES);
    (below(word, b' ') | above_tilde | equal(b'"') | equal(b'\\')) & HIGH_BITS == 0
}

impl<'a> Text<'a> {
    /// A text of these bytes. `plain` says that each of them is.
    pub fn new(raw: &'a [u8], plain: bool) -> Self {
        Self { raw, plain }
    }

    /// A text of plain bytes.
    #[cfg(test)]
    pub fn plain(raw: &'a [u8]) -> Self {
        Self::new(raw, true)
    }

    /// Its bytes as they stand in the log.
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Some of it.
    pub fn part(self, range: Range<usize>) -> Self {
        Self::new(&self.raw[range], self.plain)
    }

    /// Itself, unless it is the `-` that stands for nothing.
    pub fn unless_dash(self) -> Option<Self> {
        (self.raw != b"-").then_some(self)
    }

    /// Writes what it says as a JSON string. What is no UTF-8 stays as it was written: `\xe4` is
    /// these four characters in the string too, and a bare byte is written like that.
    pub fn write_json(self, out: &mut Vec<u8>) {
        out.push(b'"');
        if self.plain {
            out.extend_from_slice(self.raw);
        } else {
            write_unescaped(self.raw, out);
        }
        out.push(b'"');
    }
}

fn write_unescaped(raw: &[u8], out: &mut Vec<u8>) {
    let bytes: Vec<u8> = Characters(raw).map(|(byte, _)| byte).collect();
    let mut written = Characters(raw).map(|(_, written)| written);
    for chunk in bytes.utf8_chunks() {
        for (byte, _) in chunk.valid().bytes().zip(written.by_ref()) {
            push_escaped(byte, out);
        }
        for (_, written) in chunk.invalid().iter().zip(written.by_ref()) {
            push_as_written(written, out);
        }
    }
}

/// The bytes that were logged, each with what stands for it in the log: Apache writes `\"`, `\\`,
/// `\b`, `\n`, `\r`, `\t`, `\v`, and `\xhh` for others that cannot be printed. Any other backslash
/// stands for itself.
struct Characters<'a>(&'a [u8]);

impl<'a> Iterator for Characters<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&first, after) = self.0.split_first()?;
        let (byte, length) = match (first, after) {
            (b'\\', [b'x', high, low, ..]) => match hex(*high).zip(hex(*low)) {
                Some((high, low)) => (high << 4 | low, 4),
                None => (first, 1),
            },
            (b'\\', [b'"', ..]) => (b'"', 2),
            (b'\\', [b'\\', ..]) => (b'\\', 2),
            (b'\\', [b'b', ..]) => (0x08, 2),
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', [b'v', ..]) => (0x0b, 2),
            _ => (first, 1),
        };
        let (written, rest) = self.0.split_at(length);
        self.0 = rest;
        Some((byte, written))
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Writes what stands in the log for a byte that is no part of UTF-8 into a JSON string: an escape,
/// or the byte itself, of which the same escape is made.
fn push_as_written(written: &[u8], out: &mut Vec<u8>) {
    for byte in written {
        if byte.is_ascii() {
            push_escaped(*byte, out);
        } else {
            let digits = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
            out.extend_from_slice(br"\\x");
            out.extend_from_slice(&digits);
        }
    }
}

/// Writes one byte of valid UTF-8 into a JSON string.
fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0..0x20 => {
            let digits = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
            return;
        }
        _ => return out.push(byte),
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(raw: &[u8]) -> String {
        let plain = raw.iter().all(|byte| is_plain(*byte));
        let mut out = Vec::new();
        Text::new(raw, plain).write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_of_the_log_become_those_of_json() {
        for (raw, wanted) in [
            (r#"a b"#, r#""a b""#),
            (r#"a\"b\\c"#, r#""a\"b\\c""#),
            (r"\b\n\r\t\v", r#""\b\n\r\t\u000b""#),
            (r"\x00\x1f\x0c\x41\x7f", "\"\\u0000\\u001f\\fA\u{7f}\""),
            (
                r"C:\Windows \q \x4 \xzz \",
                r#""C:\\Windows \\q \\x4 \\xzz \\""#,
            ),
        ] {
            assert_eq!(json(raw.as_bytes()), wanted);
        }
    }

    #[test]
    fn bytes_that_are_utf_8_are_text_and_others_stay_as_they_were_written() {
        for (raw, wanted) in [
            ("Jörg".as_bytes(), "\"Jörg\""),
            (br"J\xc3\xb6rg", "\"Jörg\""),
            (b"J\\xc3\xb6rg", "\"Jörg\""),
            (br"J\xf6rg", r#""J\\xf6rg""#),
            (b"J\xf6rg", r#""J\\xf6rg""#),
            (br"\xe4\xe5-\xff", r#""\\xe4\\xe5-\\xff""#),
            (br"\xE4\xEF\x", r#""\\xE4\\xEF\\x""#),
            (b"\\xe2\x82", r#""\\xe2\\x82""#),
            (br"\xe2\x82\n\xac\t", r#""\\xe2\\x82\n\\xac\t""#),
            (br"\xed\xa0\x80", r#""\\xed\\xa0\\x80""#),
            (br"\xc3\\xb6", r#""\\xc3\\xb6""#),
            (br"\xe4\xc3\xb6", "\"\\\\xe4ö\""),
        ] {
            assert_eq!(json(raw), wanted, "{}", raw.escape_ascii());
        }
    }

    /// Whatever is no UTF-8: nothing is replaced, and nothing that was UTF-8 is touched.
    #[test]
    fn no_two_bytes_that_are_not_text_come_out_alike() {
        let mut seen = std::collections::HashSet::new();
        for byte in 0x80..=0xff_u8 {
            let escape = format!(r"\x{byte:02x}");
            let wanted = format!(r#""a\\x{byte:02x}b""#);
            assert_eq!(json(format!("a{escape}b").as_bytes()), wanted);
            assert_eq!(json(&[b'a', byte, b'b']), wanted);
            assert!(seen.insert(wanted));
        }
    }

    #[test]
    fn eight_bytes_are_plain_when_each_of_them_is() {
        for pair in 0..=u16::MAX {
            for place in 0..7 {
                let mut bytes = *b"abcdefgh";
                bytes[place..place + 2].copy_from_slice(&pair.to_le_bytes());
                let each = bytes.iter().take_while(|byte| is_plain(**byte)).count();
                assert_eq!(plain_count(&bytes), each, "{bytes:?}");
            }
        }
    }

    #[test]
    fn every_pair_of_bytes_makes_a_json_string() {
        for pair in 0..=u16::MAX {
            let text = json(&pair.to_be_bytes());
            let inner = text.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
            let mut characters = inner.chars();
            while let Some(character) = characters.next() {
                assert!(character != '"' && ' ' <= character, "{pair:04x}");
                if character == '\\' {
                    let escape = characters.next().unwrap();
                    assert!("\"\\bfnrtu".contains(escape), "{pair:04x}");
                }
            }
        }
    }
}
