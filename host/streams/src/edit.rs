//! What can be changed of a stream.

use std::collections::BTreeMap;

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
