//! What can be changed of a stream.

use std::collections::BTreeMap;

use store::Purpose;

/// A change to a stream that exists.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Keeps records for more hours, or as many as now.
    IncreaseRetention(u32),
    /// Keeps records for fewer hours, or as many as now.
    DecreaseRetention(u32),
    /// Adds labels or replaces their values.
    AddTags(BTreeMap<String, String>),
    /// Removes labels; those that are not there stay so.
    RemoveTags(Vec<String>),
}

impl Edit {
    /// What takes something away may go through on a disk that is short of room.
    pub fn purpose(&self) -> Purpose {
        match self {
            Self::IncreaseRetention(_) | Self::AddTags(_) => Purpose::Keep,
            Self::DecreaseRetention(_) | Self::RemoveTags(_) => Purpose::MakeRoom,
        }
    }
}
