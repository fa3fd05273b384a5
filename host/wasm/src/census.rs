//! What is in a component: what admission counted, against its limits, and what it imports. For
//! people who want to know how near their plugin is to a refusal.

use crate::imports::Access;

/// What is in a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// How much there is of each thing that admission limits. Incomplete where the component was
    /// refused.
    pub counted: Vec<Counted>,
    /// What it imports, in its order; at most [`IMPORTS_LISTED_MAX`].
    pub imports: Vec<Import>,
    /// Imports beyond those that are listed.
    pub imports_left_out: u64,
}

/// Imports that are listed; more are counted. No tool makes half as many.
pub const IMPORTS_LISTED_MAX: usize = 256;

/// One thing that admission counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Of what.
    pub what: &'static str,
    /// How much there is.
    pub count: u64,
    /// A component with more is refused.
    pub max: u64,
}

/// One import of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its name, cut and without control characters.
    pub name: String,
    /// What the host has for it.
    pub access: Access,
}
