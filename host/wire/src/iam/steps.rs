//! How much work one policy may be for one request.

use std::cell::Cell;

/// Steps that may be taken to find out what one policy says of one request, however it is written:
/// about one for each byte that is looked at. A policy that needs more denies the request, and the
/// log says which statement it was. No policy that means anything comes near: 20 KiB of ARNs that
/// are compared with one name take less than 100,000.
pub const STEPS_MAX: usize = 500_000;

/// Steps that an operator or a pattern costs before it looks at anything.
pub const STEPS_EACH: usize = 16;

/// Steps that were taken.
#[derive(Debug, Default)]
pub struct Steps(Cell<usize>);

impl Steps {
    pub fn take(&self, count: usize) {
        self.0.set(self.0.get().saturating_add(count));
    }

    /// Whether none is left: what was found out with the last ones says nothing.
    pub fn are_spent(&self) -> bool {
        self.0.get() >= STEPS_MAX
    }

    /// How many were taken.
    #[cfg(test)]
    pub fn taken(&self) -> usize {
        self.0.get()
    }
}
