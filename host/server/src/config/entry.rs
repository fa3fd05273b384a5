//! Values of the configuration file with the keys and lines that errors name.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of a mebibyte.
pub(super) const MEBIBYTE: u64 = 1024 * 1024;

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Wrong {
    /// From 1; `None`: it is wrong with the file as a whole.
    pub(super) line: Option<usize>,
    pub(super) what: String,
}

/// A value with the name that it goes by in messages and the text that it came from.
pub(super) struct Entry<'a> {
    text: &'a str,
    pub(super) key: &'a str,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Entry<'a> {
    /// The entries of a whole file, of which all keys are among `keys`.
    pub(super) fn of_file(
        text: &'a str,
        root: &'a DeTable<'a>,
        keys: &str,
    ) -> Result<Vec<Self>, Wrong> {
        entries(text, root, "", keys)
    }

    /// The entries of a section of which all keys are among `keys`.
    pub(super) fn entries(&self, section: &str, keys: &str) -> Result<Vec<Self>, Wrong> {
        let place = format!(" in {section}");
        entries(self.text, self.table(section)?, &place, keys)
    }

    /// The entries of a section whose keys are names.
    pub(super) fn named(&self, shape: &str) -> Result<Vec<Self>, Wrong> {
        let table = self.value.get_ref().as_table();
        let table = table.ok_or_else(|| self.wrong(&format!("is not a table: write {shape}")))?;
        let entries = table.iter().map(|(key, value)| Entry {
            text: self.text,
            key: key.get_ref(),
            value,
        });
        Ok(entries.collect())
    }

    /// The elements of a list; each goes by this entry's name.
    pub(super) fn list(&self, shape: &str) -> Result<Vec<Self>, Wrong> {
        let array = self.value.get_ref().as_array();
        let array = array.ok_or_else(|| self.wrong(&format!("is not a list: write {shape}")))?;
        let elements = array.iter().map(|value| Entry {
            text: self.text,
            key: self.key,
            value,
        });
        Ok(elements.collect())
    }

    /// Whether it is a string.
    pub(super) fn is_string(&self) -> bool {
        self.value.get_ref().as_str().is_some()
    }

    pub(super) fn string(&self) -> Result<&'a str, Wrong> {
        let value = self.value.get_ref();
        value.as_str().ok_or_else(|| self.wrong("is not a string"))
    }

    pub(super) fn boolean(&self) -> Result<bool, Wrong> {
        let value = self.value.get_ref();
        value
            .as_bool()
            .ok_or_else(|| self.wrong("is not true or false"))
    }

    pub(super) fn number(&self, min: u64, max: u64) -> Result<u64, Wrong> {
        let integer = self.value.get_ref().as_integer();
        let number = integer.and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok());
        number
            .filter(|n| (min..=max).contains(n))
            .ok_or_else(|| self.wrong(&format!("is not a whole number from {min} to {max}")))
    }

    /// A number of bytes that is written in mebibytes.
    pub(super) fn mebibytes(&self, min: u64, max: u64) -> Result<u64, Wrong> {
        Ok(self.number(min, max)? * MEBIBYTE)
    }

    /// A number that the machine counts by.
    pub(super) fn count(&self, min: u64, max: u64) -> Result<usize, Wrong> {
        self.counted(self.number(min, max)?)
    }

    /// A number of bytes of memory that is written in mebibytes.
    pub(super) fn memory_mebibytes(&self, min: u64, max: u64) -> Result<usize, Wrong> {
        self.counted(self.mebibytes(min, max)?)
    }

    fn counted(&self, number: u64) -> Result<usize, Wrong> {
        usize::try_from(number).map_err(|_| self.wrong("is too large"))
    }

    pub(super) fn wrong(&self, what: &str) -> Wrong {
        Wrong {
            line: Some(line_of(self.text, self.value.span())),
            what: format!("'{}' {what}", self.key),
        }
    }

    /// For a known key that no section reads: it is never taken for another.
    pub(super) fn unread(&self) -> Wrong {
        self.wrong("is a key that this build does not read")
    }

    fn table(&self, section: &str) -> Result<&'a DeTable<'a>, Wrong> {
        let value = self.value.get_ref();
        value
            .as_table()
            .ok_or_else(|| self.wrong(&format!("is not a section: write {section}")))
    }
}

/// The line on which a stretch of the file begins, from 1.
pub(super) fn line_of(text: &str, span: Range<usize>) -> usize {
    let before = text.as_bytes().iter().take(span.start);
    before.filter(|b| **b == b'\n').count() + 1
}

fn entries<'a>(
    text: &'a str,
    table: &'a DeTable<'a>,
    place: &str,
    keys: &str,
) -> Result<Vec<Entry<'a>>, Wrong> {
    // Between two separators lies an empty word, which is no key.
    let known = keys
        .split([',', ' ', '[', ']'])
        .filter(|word| !word.is_empty() && *word != "and");
    let mut entries = Vec::new();
    for (key, value) in table {
        if !known.clone().any(|known| known == key.get_ref().as_ref()) {
            return Err(Wrong {
                line: Some(line_of(text, key.span())),
                what: format!("unknown key '{}'{place}; known are {keys}", key.get_ref()),
            });
        }
        entries.push(Entry {
            text,
            key: key.get_ref(),
            value,
        });
    }
    Ok(entries)
}
