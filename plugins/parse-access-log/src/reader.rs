//! Reading a line from left to right, each byte once.

use millrace_sdk::Error;

use crate::text::{Text, is_plain, plain_count};

/// Digits of a number of bytes. More are no number that a server counted to.
const BYTES_SENT_DIGITS_MAX: usize = 19;

/// A line and how far it has been read.
pub struct Reader<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the beginning of this line.
    pub fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    /// How far the line has been read, in bytes.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What has been read since `start`.
    pub fn since(&self, start: usize) -> &'a [u8] {
        &self.line[start..self.at]
    }

    /// Up to the next space, one byte or more.
    pub fn word(&mut self, name: &str) -> Result<Text<'a>, Error> {
        let rest = self.rest();
        let mut plain = true;
        let mut length = 0;
        while let Some(byte) = rest.get(length).filter(|byte| **byte != b' ') {
            plain &= is_plain(*byte);
            length += 1;
        }
        if length == 0 {
            return Err(self.stopped(name));
        }
        self.at += length;
        Ok(Text::new(&rest[..length], plain))
    }

    /// What stands between two `"`, of which none is escaped.
    pub fn quoted(&mut self, name: &str) -> Result<Text<'a>, Error> {
        if self.rest().first() != Some(&b'"') {
            return Err(self.stopped(&format!("a \" before {name}")));
        }
        let rest = &self.rest()[1..];
        let plain = plain_count(rest);
        let mut length = plain;
        loop {
            length += match rest.get(length) {
                Some(b'"') => break,
                // Not past the end, where an escape is cut off.
                Some(b'\\') => 2.min(rest.len() - length),
                Some(_) => 1,
                None => {
                    self.at = self.line.len();
                    return Err(self.stopped(&format!("a \" after {name}")));
                }
            };
        }
        self.at += length + 2;
        Ok(Text::new(&rest[..length], length == plain))
    }

    /// This many digits, of a number up to `most`.
    pub fn digits(&mut self, count: usize, most: u32, what: &str) -> Result<&'a [u8], Error> {
        let digits = self.rest().get(..count);
        match digits.filter(|digits| value(digits).is_some_and(|value| value <= most)) {
            Some(digits) => {
                self.at += count;
                Ok(digits)
            }
            None => Err(self.stopped(what)),
        }
    }

    /// The digits of a number of bytes; none for `-`.
    pub fn bytes_sent(&mut self) -> Result<Option<&'a [u8]>, Error> {
        let rest = self.rest();
        if rest.first() == Some(&b'-') {
            self.at += 1;
            return Ok(None);
        }
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=BYTES_SENT_DIGITS_MAX).contains(&length) {
            return Err(self.stopped("a number of bytes or -"));
        }
        self.at += length;
        Ok(Some(&rest[..length]))
    }

    /// One of these bytes.
    pub fn one_of(&mut self, bytes: &[u8], what: &str) -> Result<u8, Error> {
        match self.rest().first().filter(|byte| bytes.contains(byte)) {
            Some(byte) => {
                self.at += 1;
                Ok(*byte)
            }
            None => Err(self.stopped(what)),
        }
    }

    /// This byte.
    pub fn byte(&mut self, byte: u8, what: &str) -> Result<(), Error> {
        self.one_of(&[byte], what).map(|_| ())
    }

    /// The next bytes, if there are as many.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.rest().get(..count)?;
        self.at += count;
        Some(taken)
    }

    /// Nothing more.
    pub fn end(&self) -> Result<(), Error> {
        match self.rest() {
            [] => Ok(()),
            _ => Err(self.stopped("the end of the line")),
        }
    }

    /// The error of having stopped here, where this was expected.
    pub fn stopped(&self, expected: &str) -> Error {
        self.stopped_at(self.at, expected)
    }

    /// The error of having found, at this byte, something else than was expected.
    #[cold]
    pub fn stopped_at(&self, at: usize, expected: &str) -> Error {
        let read = String::from_utf8_lossy(&self.line[..at]);
        let column = read.chars().count() + 1;
        Error::new(format!("column {column}: expected {expected}"))
    }

    fn rest(&self) -> &'a [u8] {
        &self.line[self.at..]
    }
}

/// The number that these digits are; none for other bytes.
pub fn value(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |value, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        value.checked_mul(10)?.checked_add(digit)
    })
}
