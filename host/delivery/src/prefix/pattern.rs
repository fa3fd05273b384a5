//! Patterns of times, as Java's DateTimeFormatter reads them (its `DateTimeFormatterBuilder`,
//! `appendPattern`). Pure.
//!
//! Not known are the letters that Java itself has given another meaning, or that came after the
//! versions in which AWS could have them: `B`, `F`, `g`, `v`, and the padding `p`.

use std::iter::Peekable;
use std::str::Chars;

use super::time_text::write_field;
use crate::zone::Local;

/// Digits of a year. With more Java fails while it prints, but not with the most that a number can
/// have, or with more than that where it does not look (`Y`).
const YEAR_DIGITS_MAX: usize = 10;
/// Digits of the fraction of a second.
const FRACTION_DIGITS_MAX: usize = 9;
/// Digits of any other number.
const NUMBER_DIGITS_MAX: usize = 19;

/// A pattern that was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Field>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Text(String),
    /// So many of a letter in a row.
    Letters(char, usize),
}

impl Pattern {
    /// The pattern that a text is; `None` for one that Java refuses, or whose letters are not known
    /// here.
    pub fn parse(text: &str) -> Option<Self> {
        let mut pattern = Self(Vec::new());
        let mut chars = text.chars().peekable();
        let mut optional = 0_usize;
        while let Some(first) = chars.next() {
            match first {
                '\'' => pattern.push_text(&quoted(&mut chars)?),
                'a'..='z' | 'A'..='Z' => {
                    let mut run = 1;
                    while chars.next_if_eq(&first).is_some() {
                        run += 1;
                    }
                    if !is_known(first, run) {
                        return None;
                    }
                    pattern.0.push(Field::Letters(first, run));
                }
                // What is optional is printed where it is known, which is everything here.
                '[' => optional += 1,
                ']' => optional = optional.checked_sub(1)?,
                '{' | '}' | '#' => return None,
                other => pattern.push_text(other.encode_utf8(&mut [0; 4])),
            }
        }
        Some(pattern)
    }

    /// What is appended to a prefix without expressions: `yyyy/MM/dd/HH/`.
    pub fn hour() -> Self {
        let letters = [('y', 4), ('M', 2), ('d', 2), ('H', 2)].into_iter();
        let fields = letters
            .flat_map(|(letter, run)| [Field::Letters(letter, run), Field::Text("/".to_owned())]);
        Self(fields.collect())
    }

    /// What all that it prints ends with, whatever the moment.
    pub fn last_text(&self) -> &str {
        match self.0.last() {
            Some(Field::Text(text)) => text,
            Some(Field::Letters(..)) | None => "",
        }
    }

    /// Prints a moment.
    pub fn write(&self, out: &mut String, local: &Local) {
        for field in &self.0 {
            match field {
                Field::Text(text) => out.push_str(text),
                Field::Letters(letter, run) => write_field(out, (*letter, *run), local),
            }
        }
    }

    fn push_text(&mut self, more: &str) {
        match self.0.last_mut() {
            Some(Field::Text(text)) => text.push_str(more),
            _ => self.0.push(Field::Text(more.to_owned())),
        }
    }
}

/// The text up to the quote that ends it, after the one that begins it; `None` where none does. Two
/// quotes in a row are a quote, and so is a text of nothing.
fn quoted(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\'' if chars.next_if_eq(&'\'').is_some() => text.push('\''),
            '\'' if text.is_empty() => return Some("'".to_owned()),
            '\'' => return Some(text),
            other => text.push(other),
        }
    }
}

/// Whether so many of a letter in a row have a meaning.
fn is_known(letter: char, run: usize) -> bool {
    match letter {
        'u' | 'y' => run <= YEAR_DIGITS_MAX || run == NUMBER_DIGITS_MAX,
        'Y' => run <= YEAR_DIGITS_MAX || run >= NUMBER_DIGITS_MAX,
        'G' | 'M' | 'L' | 'Q' | 'q' | 'E' | 'e' | 'X' | 'x' | 'Z' => run <= 5,
        'c' => run <= 5 && run != 2,
        'z' => run <= 4,
        'D' => run <= 3,
        'd' | 'w' | 'H' | 'h' | 'K' | 'k' | 'm' | 's' => run <= 2,
        'a' | 'W' => run == 1,
        'V' => run == 2,
        'O' => run == 1 || run == 4,
        'S' => run <= FRACTION_DIGITS_MAX,
        'n' | 'A' | 'N' => run <= NUMBER_DIGITS_MAX,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use types::Timestamp;

    use super::*;
    use crate::zone::Zone;

    /// Each line: a pattern, a zone, milliseconds after 1970 and what Java prints.
    const TEXTS: &str = include_str!("javas_texts.tsv");
    /// Patterns that Java refuses, one a line.
    const REFUSALS: &str = include_str!("javas_refusals.txt");

    #[test]
    fn every_moment_is_printed_as_java_prints_it() {
        let mut wrong = Vec::new();
        for line in TEXTS.lines() {
            let parts: Vec<&str> = line.split('\t').collect();
            let [pattern, zone, at, wanted] = parts[..] else {
                panic!("{line}")
            };
            let (zone, at) = (Zone::parse(zone).unwrap(), Timestamp(at.parse().unwrap()));
            let local = zone.local(at, zone.clocks_at(at)).unwrap();
            let mut text = String::new();
            Pattern::parse(pattern)
                .expect(pattern)
                .write(&mut text, &local);
            if text != wanted {
                wrong.push(format!("{line}, not {text}"));
            }
        }
        assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
        assert!(TEXTS.lines().count() > 3_000);
    }

    #[test]
    fn what_java_refuses_is_refused() {
        for pattern in REFUSALS.lines() {
            assert_eq!(Pattern::parse(pattern), None, "{pattern}");
        }
        assert!(REFUSALS.lines().count() > 400);
    }

    #[test]
    fn what_all_that_is_printed_ends_with_is_the_text_at_the_end() {
        let last = |text| Pattern::parse(text).unwrap().last_text().to_owned();
        assert_eq!(last("yyyy'/a'-'b/'"), "/a-b/");
        assert_eq!(last("''yyyy"), "");
        assert_eq!(Pattern::hour(), Pattern::parse("yyyy/MM/dd/HH/").unwrap());
    }
}
