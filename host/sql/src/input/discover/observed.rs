//! What was seen of the values of a column, and the type that takes them all.

use crate::input::coerce::Source;
use crate::moment;

/// The shortest VARCHAR that is inferred; longer ones are powers of two, as the guide's examples
/// have them.
const VARCHAR_MIN: usize = 4;

/// Digits that a 32-bit number keeps in any case.
const REAL_DIGITS: usize = 6;

/// Characters of a date without a time.
const DATE_CHARS: usize = 10;

/// Which kinds of values were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    chars_max: usize,
    booleans: bool,
    /// Whole numbers of 32 bits, of 64 bits.
    integers: bool,
    big_integers: bool,
    /// Other numbers, of few digits and of many.
    reals: bool,
    doubles: bool,
    dates: bool,
    timestamps: bool,
    texts: bool,
}

impl Observed {
    /// Takes a value of JSON into account.
    pub fn see(&mut self, source: Source<'_>) {
        match source {
            Source::Null => {}
            Source::Boolean(truth) => {
                self.booleans = true;
                self.see_length(if truth { "true" } else { "false" });
            }
            Source::Number(text) => {
                self.see_number(text);
                self.see_length(text);
            }
            Source::Text(text) => {
                self.see_text(text);
                self.see_length(text);
            }
            Source::Composite(text) => {
                self.texts = true;
                self.see_length(text);
            }
        }
    }

    /// Takes a field into account, of which only its text tells what it is.
    pub fn see_field(&mut self, text: &str) {
        let trimmed = text.trim();
        self.see(if trimmed.is_empty() {
            Source::Null
        } else if is_number(trimmed) {
            Source::Number(trimmed)
        } else if trimmed.eq_ignore_ascii_case("true") || trimmed.eq_ignore_ascii_case("false") {
            Source::Boolean(trimmed.eq_ignore_ascii_case("true"))
        } else {
            Source::Text(text)
        });
    }

    /// Nothing but texts, which any value could be.
    pub fn is_text(&self) -> bool {
        self.sql_type().starts_with("VARCHAR")
    }

    fn see_number(&mut self, text: &str) {
        if text.parse::<i32>().is_ok() {
            self.integers = true;
        } else if text.parse::<i64>().is_ok() {
            self.big_integers = true;
        } else {
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            let is_plain = !text.contains(['e', 'E']);
            if is_plain && digits <= REAL_DIGITS {
                self.reals = true;
            } else {
                self.doubles = true;
            }
        }
    }

    fn see_text(&mut self, text: &str) {
        match moment::parse_timestamp(text) {
            Some(_) if text.trim().len() > DATE_CHARS => self.timestamps = true,
            Some(_) => self.dates = true,
            None => self.texts = true,
        }
    }

    fn see_length(&mut self, text: &str) {
        self.chars_max = self.chars_max.max(text.chars().count());
    }

    /// The narrowest type of the guide's that all values fit.
    pub fn sql_type(&self) -> String {
        let numbers = self.integers || self.big_integers || self.reals || self.doubles;
        let moments = self.dates || self.timestamps;
        let families = [self.booleans, numbers, moments, self.texts];
        if self.texts || families.iter().filter(|seen| **seen).count() != 1 {
            let length = self.chars_max.max(VARCHAR_MIN).next_power_of_two();
            return format!("VARCHAR({})", length.min(65_535));
        }
        let is_wide = self.doubles || (self.big_integers && self.reals);
        let ty = match self {
            _ if self.booleans => "BOOLEAN",
            _ if self.timestamps => "TIMESTAMP",
            _ if self.dates => "DATE",
            _ if is_wide => "DOUBLE",
            _ if self.reals => "REAL",
            _ if self.big_integers => "BIGINT",
            _ => "INTEGER",
        };
        ty.to_owned()
    }
}

fn is_number(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit();
    let part = |byte: u8| digit(byte) || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes().any(digit) && text.bytes().all(part) && text.parse::<f64>().is_ok()
}
