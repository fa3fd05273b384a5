//! Columns as they are inferred, and why none are.

use super::observed::Observed;
use crate::fault::Invalid;

/// A column as it is inferred.
pub struct Candidate {
    /// As the source calls it, from the outside to the inside.
    pub names: Vec<String>,
    pub mapping: Option<String>,
    pub observed: Observed,
}

/// Why no schema was inferred: UnableToDetectSchemaException.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undetected {
    /// There are no records, or nothing is in them.
    NoRecords,
    /// A record is not UTF-8.
    NotText,
    /// Records that are neither JSON nor lines with the same delimiters.
    NoPattern,
    /// A broken invariant of ours.
    Internal(Invalid),
}

impl From<Invalid> for Undetected {
    fn from(invalid: Invalid) -> Self {
        Self::Internal(invalid)
    }
}
