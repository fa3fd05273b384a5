//! JSON (RFC 8259), read once from its first byte to its last, by whoever knows what should come
//! next. No tree is made of it.

use std::borrow::Cow;

use crate::limits::JSON_DEPTH_MAX;
use crate::refusal::Refusal;

/// What kind of value comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An object.
    Object,
    /// An array.
    Array,
    /// A text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
}

impl Kind {
    /// Its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Null => "null",
        }
    }
}

/// JSON that is being read.
#[derive(Clone)]
pub struct Json<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

type Read<T> = Result<T, Refusal>;

impl<'a> Json<'a> {
    /// From the beginning of a text.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.skip_space();
        self.byte()
    }

    /// Whether nothing but white space is left.
    pub fn is_at_end(&mut self) -> bool {
        self.next().is_none()
    }

    fn unexpected<T>(&self) -> Read<T> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        Err(Refusal::malformed(&match rest.chars().next() {
            Some(sign) => format!("Unexpected character ({sign:?}) at byte {}", self.at),
            None => format!("Unexpected end-of-input at byte {}", self.at),
        }))
    }

    /// The kind of the value that comes next.
    pub fn kind(&mut self) -> Read<Kind> {
        Ok(match self.next() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') => Kind::Null,
            _ => return self.unexpected(),
        })
    }

    fn enters(&mut self) -> Read<()> {
        self.at += 1;
        self.depth += 1;
        if self.depth > JSON_DEPTH_MAX {
            return Err(Refusal::malformed(&format!(
                "It is nested more than {JSON_DEPTH_MAX} deep"
            )));
        }
        Ok(())
    }

    /// Goes into the object that comes next. Whether there is a member.
    pub fn begin_object(&mut self) -> Read<bool> {
        self.enters()?;
        if self.next() == Some(b'}') {
            self.leaves();
            return Ok(false);
        }
        Ok(true)
    }

    /// The name of the member that comes next; its value comes after it.
    pub fn member(&mut self) -> Read<Cow<'a, str>> {
        let name = self.member_text()?;
        unescaped(name)
    }

    /// The same as it stands there.
    fn member_text(&mut self) -> Read<&'a str> {
        if self.next() != Some(b'"') {
            return self.unexpected();
        }
        let name = self.raw_text()?;
        if self.next() != Some(b':') {
            return self.unexpected();
        }
        self.at += 1;
        Ok(name)
    }

    /// Goes on behind a member. Whether there is another.
    pub fn next_member(&mut self) -> Read<bool> {
        self.goes_on(b'}')
    }

    /// Goes into the array that comes next. Whether there is an item.
    pub fn begin_array(&mut self) -> Read<bool> {
        self.enters()?;
        if self.next() == Some(b']') {
            self.leaves();
            return Ok(false);
        }
        Ok(true)
    }

    /// Goes on behind an item. Whether there is another.
    pub fn next_item(&mut self) -> Read<bool> {
        self.goes_on(b']')
    }

    fn goes_on(&mut self, end: u8) -> Read<bool> {
        match self.next() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(found) if found == end => {
                self.leaves();
                Ok(false)
            }
            _ => self.unexpected(),
        }
    }

    fn leaves(&mut self) {
        self.at += 1;
        self.depth = self.depth.saturating_sub(1);
    }

    /// The text that comes next, as it is meant.
    pub fn text(&mut self) -> Read<Cow<'a, str>> {
        let raw = self.raw_text()?;
        unescaped(raw)
    }

    /// What stands between the quotes that come next.
    fn raw_text(&mut self) -> Read<&'a str> {
        let from = self.at + 1;
        self.at = from;
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                // What is behind it is looked at when it is read.
                Some(b'\\') => self.at += 2,
                Some(0..=0x1f) => {
                    return Err(Refusal::malformed(&format!(
                        "Illegal unquoted character in a string at byte {}",
                        self.at
                    )));
                }
                Some(_) => self.at += 1,
                None => {
                    self.at = bytes.len();
                    return self.unexpected();
                }
            }
        }
        let raw = self.text.get(from..self.at);
        self.at += 1;
        raw.ok_or_else(|| Refusal::malformed("A string ends within a character"))
    }

    /// The number that comes next, as it stands there.
    pub fn number(&mut self) -> Read<&'a str> {
        let from = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.skip_digits(),
            _ => return self.unexpected(),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        if matches!(
            self.byte(),
            Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.')
        ) {
            return self.unexpected();
        }
        Ok(self.text.get(from..self.at).unwrap_or_default())
    }

    fn digits(&mut self) -> Read<()> {
        if !matches!(self.byte(), Some(b'0'..=b'9')) {
            return self.unexpected();
        }
        self.skip_digits();
        Ok(())
    }

    fn skip_digits(&mut self) {
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    /// The `true` or `false` that comes next.
    pub fn boolean(&mut self) -> Read<bool> {
        if self.byte() == Some(b't') {
            self.word("true").map(|()| true)
        } else {
            self.word("false").map(|()| false)
        }
    }

    /// The `null` that comes next.
    pub fn null(&mut self) -> Read<()> {
        self.word("null")
    }

    fn word(&mut self, word: &str) -> Read<()> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return self.unexpected();
        }
        self.at += word.len();
        Ok(())
    }

    /// Goes behind the value that comes next, whatever it is.
    pub fn pass(&mut self) -> Read<()> {
        self.pass_into(None, false)
    }

    /// The same, and appends it without the space in it; names of members in lower case, if asked.
    pub fn pass_into(&mut self, mut out: Option<&mut String>, in_lower_case: bool) -> Read<()> {
        let kind = self.kind()?;
        let from = self.at;
        match kind {
            Kind::Object => return self.pass_object(out, in_lower_case),
            Kind::Array => return self.pass_array(out, in_lower_case),
            Kind::Text => {
                let raw = self.raw_text()?;
                unescaped(raw)?;
            }
            Kind::Number => {
                self.number()?;
            }
            Kind::Boolean => {
                self.boolean()?;
            }
            Kind::Null => self.null()?,
        }
        if let Some(out) = &mut out {
            out.push_str(self.text.get(from..self.at).unwrap_or_default());
        }
        Ok(())
    }

    fn pass_object(&mut self, mut out: Option<&mut String>, in_lower_case: bool) -> Read<()> {
        let push = |out: &mut Option<&mut String>, text: &str| {
            if let Some(out) = out {
                out.push_str(text);
            }
        };
        push(&mut out, "{");
        let mut more = self.begin_object()?;
        while more {
            let name = self.member_text()?;
            unescaped(name)?;
            push(&mut out, "\"");
            if in_lower_case {
                push(&mut out, &name.to_lowercase());
            } else {
                push(&mut out, name);
            }
            push(&mut out, "\":");
            self.pass_into(out.as_deref_mut(), in_lower_case)?;
            more = self.next_member()?;
            if more {
                push(&mut out, ",");
            }
        }
        push(&mut out, "}");
        Ok(())
    }

    fn pass_array(&mut self, mut out: Option<&mut String>, in_lower_case: bool) -> Read<()> {
        let push = |out: &mut Option<&mut String>, text: &str| {
            if let Some(out) = out {
                out.push_str(text);
            }
        };
        push(&mut out, "[");
        let mut more = self.begin_array()?;
        while more {
            self.pass_into(out.as_deref_mut(), in_lower_case)?;
            more = self.next_item()?;
            if more {
                push(&mut out, ",");
            }
        }
        push(&mut out, "]");
        Ok(())
    }
}

/// A text without its escapes.
fn unescaped(raw: &str) -> Read<Cow<'_, str>> {
    let Some((before, mut rest)) = raw.split_once('\\') else {
        return Ok(Cow::Borrowed(raw));
    };
    let mut text = String::with_capacity(raw.len());
    text.push_str(before);
    let wrong = || Refusal::malformed("Unrecognized character escape in a string");
    loop {
        let mut chars = rest.chars();
        let escape = chars.next().ok_or_else(wrong)?;
        rest = chars.as_str();
        match escape {
            '"' | '\\' | '/' => text.push(escape),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'u' => text.push(code_point(&mut rest).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        }
        match rest.split_once('\\') {
            Some((before, after)) => {
                text.push_str(before);
                rest = after;
            }
            None => {
                text.push_str(rest);
                return Ok(Cow::Owned(text));
            }
        }
    }
}

/// The sign that digits behind `\u` stand for, of which there may be two halves.
fn code_point(rest: &mut &str) -> Option<char> {
    let first = half(rest)?;
    if !(0xd800..0xe000).contains(&first) {
        return char::from_u32(first);
    }
    *rest = rest.strip_prefix("\\u")?;
    let second = half(rest)?;
    let is_pair = first < 0xdc00 && (0xdc00..0xe000).contains(&second);
    is_pair
        .then(|| 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
        .and_then(char::from_u32)
}

fn half(rest: &mut &str) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    *rest = after;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(text: &str) -> Result<String, String> {
        let mut json = Json::new(text);
        let mut out = String::new();
        let passed = json.pass_into(Some(&mut out), false);
        passed.map_err(|refusal| refusal.message)?;
        if json.is_at_end() {
            Ok(out)
        } else {
            Err("more".to_owned())
        }
    }

    /// The oracle is another reader.
    #[test]
    fn what_is_read_is_what_another_reader_reads() {
        for text in [
            "{}",
            "[]",
            " { \"a\" : [ 1 , -0.5e+7, true , false , null , \"x\\n\\u00e9\\ud83d\\ude00\" ] } ",
            "\"\\\"\\\\\\/\\b\\f\\r\\t\"",
            "0",
            "-0",
            "1e9",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "tru",
            "nulll",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "[1,]",
            "[1 2]",
            "[",
            "{\"a\":1",
            "\"a",
            "\"a\\",
            "\"\\x\"",
            "\"\\ud83d\"",
            "\"\\ud83dx\"",
            "\"\\ude00\"",
            "\"\\u00g0\"",
            "\"\u{1}\"",
            "{\"a\":1}}",
            "",
            "{'a':1}",
            "NaN",
        ] {
            let theirs = serde_json::from_str::<serde_json::Value>(text);
            let ours = compact(text);
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}: {ours:?} {theirs:?}");
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                let ours: serde_json::Value = serde_json::from_str(&ours).unwrap();
                assert_eq!(ours, theirs, "{text}");
            }
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused_and_not_followed() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(compact(&nested(JSON_DEPTH_MAX)).is_ok());
        for depth in [JSON_DEPTH_MAX + 1, 1_000_000] {
            let told = compact(&nested(depth)).unwrap_err();
            assert!(told.contains("nested more than 128 deep"), "{told}");
        }
    }

    #[test]
    fn names_are_in_lower_case_where_that_is_asked_for() {
        let mut out = String::new();
        let mut json = Json::new("{\"A\": {\"Bc\": \"D\"}}");
        json.pass_into(Some(&mut out), true).unwrap();
        assert_eq!(out, "{\"a\":{\"bc\":\"D\"}}");
    }
}
