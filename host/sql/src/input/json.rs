//! Reads JSON text once, from left to right, and notes where the wanted values lie. Builds no tree
//! of values and copies nothing.

use super::escapes::unescape;
use super::found::{Found, Kind, Span};
use super::path::{Members, Node, ROOT, Shape};
use crate::fault::FaultKind;

/// Arrays and objects in each other below a wanted value, at most. A document that is nested deeper
/// is refused.
pub const NESTING_MAX: u32 = 128;

/// Why a text is not JSON, or not of the wanted shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    pub kind: FaultKind,
    /// Bytes before the place.
    pub at: usize,
    pub what: &'static str,
}

/// The text is broken where the scanner stands; the scanner knows why.
struct Stop;

/// Goes through a text.
pub struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pub at: usize,
    rows_max: usize,
    kind: FaultKind,
    what: &'static str,
}

impl<'a> Scanner<'a> {
    /// Reads from a place in a text on. Documents of more than `rows_max` rows are refused.
    pub fn new(text: &'a str, at: usize, rows_max: usize) -> Self {
        let bytes = text.as_bytes();
        Self {
            text,
            bytes,
            at,
            rows_max,
            kind: FaultKind::Unparsable,
            what: "",
        }
    }

    /// Reads the next document. False at the end of the text.
    ///
    /// # Errors
    ///
    /// A text that is not JSON, or a document in which nothing can be where it is wanted.
    pub fn document(&mut self, shape: &Shape, found: &mut Found) -> Result<bool, Broken> {
        self.next_document(shape, found).map_err(|Stop| Broken {
            kind: self.kind,
            at: self.at,
            what: self.what,
        })
    }

    fn next_document(&mut self, shape: &Shape, found: &mut Found) -> Result<bool, Stop> {
        self.space();
        let Some(first) = self.peek() else {
            return Ok(false);
        };
        if !matches!(first, b'{' | b'[') && !shape.takes_scalars {
            return Err(self.stop("neither an object nor an array"));
        }
        found.begin(shape);
        self.value(shape, ROOT, found)?;
        if found.row_count == 0 {
            found.add_row();
        }
        Ok(true)
    }

    /// Calls itself once for each step of a path, of which there are few.
    fn value(&mut self, shape: &Shape, at: usize, found: &mut Found) -> Result<Kind, Stop> {
        let node = &shape.nodes[at];
        let from = self.at;
        let kind = match (self.peek(), node.rows) {
            _ if node.is_leaf() => self.skip()?,
            (_, Some(row)) => self.rows(shape, row, found)?,
            (Some(b'{'), None) => self.object(shape, node, found)?,
            (Some(b'['), None) => self.array(shape, node, found)?,
            (_, None) => self.scalar()?,
        };
        if let Some(slot) = node.slot {
            let quote = usize::from(matches!(kind, Kind::Text | Kind::Escaped));
            let span = Span {
                kind,
                from: from + quote,
                to: self.at - quote,
            };
            found.put(slot, span);
        }
        Ok(kind)
    }

    /// Reads an array whose elements are rows, or the only row.
    fn rows(&mut self, shape: &Shape, row: usize, found: &mut Found) -> Result<Kind, Stop> {
        // The last of several members of one name counts.
        found.begin_rows();
        if self.peek() != Some(b'[') {
            found.add_row();
            return self.value(shape, row, found);
        }
        self.at += 1;
        let mut more = self.opened(b']');
        while more {
            if found.row_count == self.rows_max {
                return Err(self.limit("more rows than a record may have"));
            }
            found.add_row();
            self.value(shape, row, found)?;
            more = self.next(b']')?;
        }
        Ok(Kind::Composite)
    }

    fn object(&mut self, shape: &Shape, node: &Node, found: &mut Found) -> Result<Kind, Stop> {
        self.at += 1;
        let mut expected = 0;
        let mut more = self.opened(b'}');
        while more {
            let child = match node.members.expected(expected) {
                Some((name, child)) if self.is_named(name) => {
                    expected += 1;
                    self.at += name.len() + 2;
                    self.colon()?;
                    Some(child)
                }
                _ => self.member(&node.members, &mut expected)?,
            };
            match child {
                Some(child) => self.value(shape, child, found)?,
                None => self.skip()?,
            };
            more = self.next(b'}')?;
        }
        Ok(Kind::Composite)
    }

    fn array(&mut self, shape: &Shape, node: &Node, found: &mut Found) -> Result<Kind, Stop> {
        self.at += 1;
        let mut index = 0;
        let mut more = self.opened(b']');
        while more {
            match node.elements.iter().find(|(at, _)| *at == index) {
                Some((_, child)) => self.value(shape, *child, found)?,
                None => self.skip()?,
            };
            index += 1;
            more = self.next(b']')?;
        }
        Ok(Kind::Composite)
    }

    /// After an opening bracket: whether something stands in it.
    fn opened(&mut self, close: u8) -> bool {
        self.space();
        let empty = self.peek() == Some(close);
        if empty {
            self.at += 1;
        }
        !empty
    }

    /// After a value: whether another one follows.
    fn next(&mut self, close: u8) -> Result<bool, Stop> {
        self.space();
        let byte = self.peek();
        self.at += 1;
        if byte == Some(b',') {
            self.space();
            return Ok(true);
        }
        if byte == Some(close) {
            return Ok(false);
        }
        self.at -= 1;
        Err(self.stop("neither a comma nor the end of what was opened"))
    }

    /// Whether a name stands here.
    fn is_named(&self, name: &[u8]) -> bool {
        let quoted = self.bytes.get(self.at..self.at + name.len() + 2);
        matches!(quoted, Some([b'"', here @ .., b'"']) if here == name)
    }

    /// Reads the name of a member and tells where its value belongs.
    fn member(&mut self, members: &Members, expected: &mut usize) -> Result<Option<usize>, Stop> {
        let from = self.at + 1;
        let kind = self.name()?;
        let name = &self.text[from..self.at - 1];
        self.colon()?;
        if kind == Kind::Text {
            return Ok(members.find(name.as_bytes(), expected));
        }
        let mut text = String::new();
        unescape(name, &mut text);
        Ok(members.find(text.as_bytes(), expected))
    }

    fn name(&mut self) -> Result<Kind, Stop> {
        if self.peek() != Some(b'"') {
            return Err(self.stop("no name of a member"));
        }
        self.string()
    }

    fn colon(&mut self) -> Result<(), Stop> {
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.stop("no colon behind a name"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Goes over a value whatever it is.
    fn skip(&mut self) -> Result<Kind, Stop> {
        if !matches!(self.peek(), Some(b'{' | b'[')) {
            return self.scalar();
        }
        let mut open = Open::default();
        loop {
            // Here a value begins.
            let mut more = false;
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    if !open.push(bracket == b'{') {
                        return Err(self.limit("arrays or objects nested too deep"));
                    }
                    self.at += 1;
                    more = self.opened(open.close());
                    if !more && open.pop() {
                        return Ok(Kind::Composite);
                    }
                }
                _ => {
                    self.scalar()?;
                }
            }
            while !more {
                more = self.next(open.close())?;
                if !more && open.pop() {
                    return Ok(Kind::Composite);
                }
            }
            if open.in_object() {
                self.name()?;
                self.colon()?;
            }
        }
    }

    fn scalar(&mut self) -> Result<Kind, Stop> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Kind::True),
            Some(b'f') => self.word("false", Kind::False),
            Some(b'n') => self.word("null", Kind::Null),
            _ => Err(self.stop("no value")),
        }
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<Kind, Stop> {
        let from = self.at;
        let to = from + word.len();
        if self.bytes.get(from..to) != Some(word.as_bytes()) {
            return Err(self.stop("no value"));
        }
        self.at = to;
        Ok(kind)
    }

    fn number(&mut self) -> Result<Kind, Stop> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Kind::Number)
    }

    fn digits(&mut self) -> Result<(), Stop> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == from {
            return Err(self.stop("no digit in a number"));
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Kind, Stop> {
        self.at += 1;
        let mut kind = Kind::Text;
        loop {
            self.plain();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(kind);
                }
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                Some(_) => return Err(self.stop("a control character in a string")),
                None => return Err(self.stop("a string without an end")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Stop> {
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.stop("a bad escape in a string"));
                }
                6
            }
            _ => return Err(self.stop("a bad escape in a string")),
        };
        self.at += length;
        Ok(())
    }

    /// Goes over what means itself in a string, eight bytes at a time.
    fn plain(&mut self) {
        while let Some(chunk) = self.bytes[self.at..].first_chunk::<8>() {
            let special = special(u64::from_le_bytes(*chunk));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while let Some(byte) = self.peek()
            && !matches!(byte, b'"' | b'\\' | 0..0x20)
        {
            self.at += 1;
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn limit(&mut self, what: &'static str) -> Stop {
        self.kind = FaultKind::Limit;
        self.stop(what)
    }

    fn stop(&mut self, what: &'static str) -> Stop {
        self.what = what;
        Stop
    }
}

/// The high bit of each byte that is a quote, a backslash or below a space. Bits above the lowest
/// one that is set may be wrong.
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let quote = zero(word ^ (ONES * 0x22));
    let backslash = zero(word ^ (ONES * 0x5c));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGH
}

/// Which brackets are open, one bit for each.
#[derive(Default)]
struct Open {
    objects: u128,
    depth: u32,
}

impl Open {
    fn push(&mut self, object: bool) -> bool {
        if self.depth == NESTING_MAX {
            return false;
        }
        self.objects = self.objects << 1 | u128::from(object);
        self.depth += 1;
        true
    }

    /// Closes one. True if it was the last.
    fn pop(&mut self) -> bool {
        self.objects >>= 1;
        self.depth -= 1;
        self.depth == 0
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn close(&self) -> u8 {
        if self.in_object() { b'}' } else { b']' }
    }
}

#[cfg(test)]
mod tests;
