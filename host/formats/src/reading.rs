//! How JSON is read: by the OpenX SerDe or by Hive's.

use std::borrow::Cow;
use std::collections::HashMap;

use types::Invalid;

use crate::date;
use crate::joda::TimeFormat;
use crate::orc;
use crate::settings::Format;
use crate::table::Column;

/// What is said of a deserializer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadingSettings {
    /// `OpenXJsonSerDe`.
    OpenX {
        /// Keys are in lower case before they are looked for.
        ignores_case: bool,
        /// Points in keys are underscores.
        replaces_dots: bool,
        /// Columns that have another key than their name, and which.
        mappings: Vec<(String, String)>,
    },
    /// `HiveJsonSerDe`, with its formats of times.
    Hive(Vec<String>),
}

/// The same, ready to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    ignores_case: bool,
    replaces_dots: bool,
    mappings: HashMap<String, String>,
    /// What stands where another type is wanted is made that type, where it can be.
    is_lenient: bool,
    formats: Vec<TimeFormat>,
    /// Moments are those of ORC files, which do not have all of them.
    is_for_orc: bool,
}

impl Reading {
    /// A reading by these settings, for files of this format.
    ///
    /// # Errors
    /// A sentence that says which format of times is not known.
    pub fn new(settings: &ReadingSettings, format: &Format) -> Result<Self, Invalid> {
        let is_for_orc = matches!(format, Format::Orc(_));
        Ok(match settings {
            ReadingSettings::OpenX {
                ignores_case,
                replaces_dots,
                mappings,
            } => Self {
                ignores_case: *ignores_case,
                replaces_dots: *replaces_dots,
                mappings: mappings.iter().cloned().collect(),
                is_lenient: true,
                formats: Vec::new(),
                is_for_orc,
            },
            ReadingSettings::Hive(formats) => Self {
                ignores_case: true,
                replaces_dots: false,
                mappings: HashMap::new(),
                is_lenient: false,
                formats: formats
                    .iter()
                    .map(|format| TimeFormat::parse(format))
                    .collect::<Result<_, _>>()?,
                is_for_orc,
            },
        })
    }

    /// Whether it is the OpenX SerDe, which makes texts of what is nested, numbers of texts, and
    /// arrays of single values; Hive's refuses these (AWS was seen to do both).
    pub(crate) fn is_lenient(&self) -> bool {
        self.is_lenient
    }

    /// Whether keys that become values, of maps and in texts, are in lower case. OpenX has all keys
    /// in lower case before it looks at any (the same).
    pub(crate) fn lowers_keys(&self) -> bool {
        self.is_lenient && self.ignores_case
    }

    /// What a key of JSON is looked for as.
    pub(crate) fn key<'a>(&self, key: &'a str) -> Cow<'a, str> {
        let has_dots = self.replaces_dots && key.contains('.');
        let has_case = self.ignores_case && !is_lower(key);
        match (has_dots, has_case) {
            (false, false) => Cow::Borrowed(key),
            (true, false) => Cow::Owned(key.replace('.', "_")),
            (false, true) => Cow::Owned(key.to_lowercase()),
            (true, true) => Cow::Owned(key.replace('.', "_").to_lowercase()),
        }
    }

    /// Where the columns are by what keys are looked for as.
    pub(crate) fn places(&self, columns: &[Column]) -> HashMap<String, usize> {
        let columns = columns.iter().enumerate();
        let places = columns.map(|(place, column)| {
            let key = self.mappings.get(&column.name).unwrap_or(&column.name);
            (self.key(key).into_owned(), place)
        });
        places.collect()
    }

    /// Whether files have a moment.
    pub(crate) fn has_moment(&self, micros: i64) -> bool {
        !self.is_for_orc || orc::can_be_written(micros)
    }

    /// The moment that a text is, in microseconds.
    pub(crate) fn micros_of_text(&self, text: &str) -> Option<i64> {
        if self.is_lenient {
            return date::openx_timestamp(text);
        }
        let mut found = self.formats.iter().filter_map(|format| format.micros(text));
        found.next().or_else(|| date::java_timestamp(text))
    }

    /// The moment that a number is.
    pub(crate) fn micros_of_number(&self, text: &str) -> Option<i64> {
        if self.is_lenient {
            return date::epoch(text);
        }
        let mut found = self.formats.iter().filter_map(|format| format.micros(text));
        found.next()
    }

    /// The day that a text is.
    pub(crate) fn day(&self, text: &str) -> Option<i32> {
        let mut found = self.formats.iter().filter_map(|format| format.day(text));
        let found = found.next();
        found.or_else(|| date::date(text.trim()).map(date::days))
    }
}

fn is_lower(key: &str) -> bool {
    key.bytes()
        .all(|it| it.is_ascii() && !it.is_ascii_uppercase())
}
