//! Memory of columns, asked for before it is used.

use crate::limits::{GROWTH, RECORD_BYTES_MAX};
use crate::refusal::{Refusal, Unconverted};

/// Bytes that are asked for at once.
const STEP_BYTES: usize = 256 * 1024;

/// Counts what columns take while a record is read.
pub struct Meter<'a> {
    /// Bytes in the columns.
    used: usize,
    /// Bytes that they may have.
    used_max: usize,
    /// Bytes that there is room for.
    granted: usize,
    may_hold: &'a mut dyn FnMut(usize) -> bool,
}

impl<'a> Meter<'a> {
    /// For one record; `used` bytes are in the columns, and there is room for those. `may_hold`
    /// says whether there may be so many bytes more than those.
    pub fn new(used: usize, may_hold: &'a mut dyn FnMut(usize) -> bool) -> Self {
        Self {
            used,
            used_max: used + RECORD_BYTES_MAX,
            granted: used,
            may_hold,
        }
    }

    /// Takes so many bytes of columns.
    pub fn take(&mut self, bytes: usize) -> Result<(), Unconverted> {
        self.used = self.used.saturating_add(bytes);
        if self.used > self.used_max {
            return Err(Refusal::mismatch(&format!(
                "The record becomes more than {RECORD_BYTES_MAX} bytes of columns"
            ))
            .into());
        }
        if self.used > self.granted {
            let before = self.used_max - RECORD_BYTES_MAX;
            let granted = self.used + STEP_BYTES;
            if !(self.may_hold)((granted - before) * GROWTH) {
                return Err(Unconverted::NoRoom);
            }
            self.granted = granted;
        }
        Ok(())
    }

    /// Bytes in the columns.
    pub fn used(&self) -> usize {
        self.used
    }
}
