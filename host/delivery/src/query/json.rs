//! JSON to values, within what a query may use. Pure.

use std::collections::HashMap;
use std::rc::Rc;

use super::meter::{DEPTH_MAX, Meter, Spent};
use super::value::{VALUE_BYTES, Value};

/// Members of an object beyond which their names are looked up.
const SCANNED_MAX: usize = 16;

/// Why text is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is no JSON.
    NotJson,
    /// Something stands behind it.
    More,
    /// It takes too much.
    Spent(Spent),
}

impl From<Spent> for Unread {
    fn from(spent: Spent) -> Self {
        Self::Spent(spent)
    }
}

/// Reads one value, and white space around it.
pub fn read(data: &[u8], meter: &mut Meter<'_>) -> Result<Value, Unread> {
    let mut reader = Reader { data, at: 0, meter };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < data.len() {
        return Err(Unread::More);
    }
    Ok(value)
}

struct Reader<'a, 'm, 'r> {
    data: &'a [u8],
    at: usize,
    meter: &'m mut Meter<'r>,
}

impl Reader<'_, '_, '_> {
    fn peek(&self) -> Option<u8> {
        self.data.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The next byte that is no white space.
    fn next(&mut self) -> Option<u8> {
        self.skip_space();
        self.peek()
    }

    fn value(&mut self, depth: usize) -> Result<Value, Unread> {
        if depth > DEPTH_MAX {
            return Err(Unread::Spent(Spent::Depth));
        }
        match self.next().ok_or(Unread::NotJson)? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => {
                let text = self.text()?;
                Ok(Value::Text(Rc::from(text)))
            }
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let rest = self.data.get(self.at..).unwrap_or_default();
                let words = [
                    ("null", Value::Null),
                    ("true", Value::Bool(true)),
                    ("false", Value::Bool(false)),
                ];
                let mut words = words.into_iter();
                let found = words.find(|(word, _)| rest.starts_with(word.as_bytes()));
                let (word, value) = found.ok_or(Unread::NotJson)?;
                self.at += word.len();
                Ok(value)
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Unread> {
        self.at += 1;
        let mut items = Vec::new();
        if self.next() == Some(b']') {
            self.at += 1;
            return Ok(Value::counted_array(items, self.meter)?);
        }
        loop {
            // Twice, as a list that grows is copied.
            self.meter.take(2 * VALUE_BYTES)?;
            items.push(self.value(depth + 1)?);
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(Unread::NotJson),
            }
        }
        self.at += 1;
        Ok(Value::counted_array(items, self.meter)?)
    }

    fn object(&mut self, depth: usize) -> Result<Value, Unread> {
        self.at += 1;
        let mut entries: Vec<(Rc<str>, Value)> = Vec::new();
        let mut places: HashMap<Rc<str>, usize> = HashMap::new();
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(Value::counted_object(entries, self.meter)?);
        }
        loop {
            if self.next() != Some(b'"') {
                return Err(Unread::NotJson);
            }
            let name: Rc<str> = Rc::from(self.text()?);
            if self.next() != Some(b':') {
                return Err(Unread::NotJson);
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            self.meter.take(4 * VALUE_BYTES)?;
            // The last one of a name counts, in the place of the first.
            let known = if entries.len() > SCANNED_MAX {
                places.get(&name).copied()
            } else {
                entries.iter().position(|(known, _)| *known == name)
            };
            match known.and_then(|place| entries.get_mut(place)) {
                Some((_, before)) => *before = value,
                None => {
                    entries.push((Rc::clone(&name), value));
                    if entries.len() == SCANNED_MAX + 1 {
                        let names = entries.iter().map(|(name, _)| Rc::clone(name));
                        places = names.zip(0..).collect();
                    } else if entries.len() > SCANNED_MAX {
                        places.insert(name, entries.len() - 1);
                    }
                }
            }
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(Unread::NotJson),
            }
        }
        self.at += 1;
        Ok(Value::counted_object(entries, self.meter)?)
    }

    fn number(&mut self) -> Result<Value, Unread> {
        let start = self.at;
        while matches!(
            self.peek(),
            Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
        ) {
            self.at += 1;
        }
        let text = self.data.get(start..self.at).unwrap_or_default();
        let text = std::str::from_utf8(text).map_err(|_| Unread::NotJson)?;
        self.meter.step(text.len() / 16)?;
        // `+1`, `1.` and `.5` are no JSON; what follows is what Rust reads besides.
        let digits = text.strip_prefix('-').unwrap_or(text);
        let begins = digits.starts_with(|first: char| first.is_ascii_digit());
        let number: f64 = text.parse().map_err(|_| Unread::NotJson)?;
        if !begins {
            return Err(Unread::NotJson);
        }
        Ok(Value::Number(number))
    }

    /// A string, from its quotation mark on.
    fn text(&mut self) -> Result<String, Unread> {
        self.at += 1;
        let rest = self.data.get(self.at..).unwrap_or_default();
        let plain = rest
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\'))
            .ok_or(Unread::NotJson)?;
        self.meter.take(plain + 2 * VALUE_BYTES)?;
        let begin = rest.get(..plain).unwrap_or_default();
        self.takes_replaced(begin)?;
        // What is no UTF-8 is replaced, as by jq.
        let mut out = String::from_utf8_lossy(begin).into_owned();
        self.at += plain;
        loop {
            match self.peek().ok_or(Unread::NotJson)? {
                b'"' => {
                    self.at += 1;
                    self.meter.take(out.len())?;
                    return Ok(out);
                }
                b'\\' => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                _ => {
                    let rest = self.data.get(self.at..).unwrap_or_default();
                    let plain = rest
                        .iter()
                        .position(|byte| matches!(byte, b'"' | b'\\'))
                        .ok_or(Unread::NotJson)?;
                    self.meter.take(plain)?;
                    let more = rest.get(..plain).unwrap_or_default();
                    self.takes_replaced(more)?;
                    out.push_str(&String::from_utf8_lossy(more));
                    self.at += plain;
                }
            }
        }
    }

    /// Each byte that is no UTF-8 becomes three, and text that grows is copied.
    fn takes_replaced(&mut self, bytes: &[u8]) -> Result<(), Unread> {
        if std::str::from_utf8(bytes).is_err() {
            self.meter.take(6 * bytes.len())?;
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<char, Unread> {
        let escaped = self.peek().ok_or(Unread::NotJson)?;
        self.at += 1;
        Ok(match escaped {
            b'"' | b'\\' | b'/' => char::from(escaped),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                self.character(first)?
            }
            _ => return Err(Unread::NotJson),
        })
    }

    /// The character of an escape of UTF-16 and, where it is a half, of the one behind it.
    fn character(&mut self, first: u16) -> Result<char, Unread> {
        let is_high = (0xd800..0xdc00).contains(&first);
        let after = self.data.get(self.at..).unwrap_or_default();
        if is_high && after.starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.unit()?;
            if (0xdc00..0xe000).contains(&second) {
                let whole = char::decode_utf16([first, second]).next();
                return Ok(whole.and_then(Result::ok).unwrap_or('\u{fffd}'));
            }
            self.at = before;
        }
        Ok(char::from_u32(u32::from(first)).unwrap_or('\u{fffd}'))
    }

    fn unit(&mut self) -> Result<u16, Unread> {
        let digits = self.data.get(self.at..self.at + 4).ok_or(Unread::NotJson)?;
        self.at += 4;
        let digits = std::str::from_utf8(digits).map_err(|_| Unread::NotJson)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Unread::NotJson);
        }
        u16::from_str_radix(digits, 16).map_err(|_| Unread::NotJson)
    }
}
