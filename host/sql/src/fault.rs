//! What can be wrong with a program, and with a row that goes through one.

use std::fmt;

/// A place in the text of a program, counted from 1. A column counts characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The character in it.
    pub column: u32,
}

/// Why a program cannot be run: what CodeValidationException says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Where it is wrong, if one place is.
    pub at: Option<Place>,
    /// What is wrong, in words.
    pub message: String,
}

impl Invalid {
    /// Something is wrong at a place.
    pub fn at(place: Place, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            at: Some(place),
            message,
        }
    }

    /// Something is wrong with the program as a whole, or at a place that the caller knows.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            at: None,
            message: message.into(),
        }
    }

    /// The same, with this place if it had none.
    pub fn or_at(mut self, place: Place) -> Self {
        self.at.get_or_insert(place);
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(Place { line, column }) => {
                write!(f, "line {line}, column {column}: {}", self.message)
            }
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Invalid {}

/// What went wrong with one row, by the names that `ERROR_NAME` of the error stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// A division by zero.
    DivisionByZero,
    /// A number that its type cannot hold.
    Overflow,
    /// A value that cannot be made one of the wanted type.
    Coercion,
    /// Input that is not in its format, or does not have the shape of the schema.
    Unparsable,
    /// An argument that a function does not take.
    Argument,
    /// A row whose ROWTIME, or time of its watermark, is older than what was answered already.
    LateRow,
    /// A function of a plugin failed.
    Function,
    /// More than a limit allows.
    Limit,
}

impl FaultKind {
    /// The text of `ERROR_NAME`, at most 32 characters.
    pub fn name(self) -> &'static str {
        match self {
            Self::DivisionByZero => "DIVISION_BY_ZERO",
            Self::Overflow => "NUMERIC_OVERFLOW",
            Self::Coercion => "COERCION_ERROR",
            Self::Unparsable => "PARSE_ERROR",
            Self::Argument => "INVALID_ARGUMENT",
            Self::LateRow => "LATE_ROW",
            Self::Function => "FUNCTION_FAILED",
            Self::Limit => "LIMIT_EXCEEDED",
        }
    }
}

/// A row that is taken out of its query and becomes one of the error stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Of what kind it is.
    pub kind: FaultKind,
    /// What happened, in words; the error stream shows its first 4,096 characters.
    pub message: String,
}

impl Fault {
    /// A fault of a kind, in words.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// Faults of the rows of one batch, by the number of the row. The first of each row counts.
#[derive(Debug, Default)]
pub struct RowFaults {
    faults: std::collections::BTreeMap<usize, Fault>,
}

impl RowFaults {
    /// Notes what is wrong with a row.
    pub fn add(&mut self, row: usize, fault: Fault) {
        self.faults.entry(row).or_insert(fault);
    }

    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    pub fn has(&self, row: usize) -> bool {
        self.faults.contains_key(&row)
    }

    pub fn get(&self, row: usize) -> Option<&Fault> {
        self.faults.get(&row)
    }

    /// The rows that failed in their order, with what was wrong.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Fault)> {
        self.faults.iter().map(|(row, fault)| (*row, fault))
    }

    /// Takes over faults of a part of the batch; `rows[n]` is the row that was number n there.
    pub fn add_part(&mut self, part: Self, rows: &[usize]) {
        for (row, fault) in part.faults {
            self.add(rows[row], fault);
        }
    }
}
