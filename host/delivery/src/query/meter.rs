//! What a query may use for one record.

/// Nested calls of the evaluation, and levels of values: each takes some of a thread's stack.
pub const DEPTH_MAX: usize = 192;
/// Bytes of memory after which it is asked whether there may be more.
const BYTES_AT_ONCE: usize = 64 * 1024;

/// Why a query goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// It took more steps than it may.
    Steps,
    /// It took more memory than it may.
    Bytes,
    /// It, or a value, is nested deeper than may be.
    Depth,
    /// It may have the memory, and there is none at the moment.
    NoRoom,
}

/// Counts what one evaluation uses. Memory that it gives back counts, too, so that it needs no more
/// than was counted.
pub struct Meter<'a> {
    steps_left: u64,
    bytes: usize,
    bytes_max: u64,
    /// Bytes that are known to be there.
    granted: usize,
    may_hold: &'a mut dyn FnMut(usize) -> bool,
}

impl<'a> Meter<'a> {
    /// An evaluation may take so many steps and bytes. `may_hold` says whether there may be so many
    /// bytes of memory in use for it.
    pub fn new(steps_max: u64, bytes_max: u64, may_hold: &'a mut dyn FnMut(usize) -> bool) -> Self {
        Self {
            steps_left: steps_max,
            bytes: 0,
            bytes_max,
            granted: 0,
            may_hold,
        }
    }

    /// Steps that are left.
    pub fn steps_left(&self) -> u64 {
        self.steps_left
    }

    /// Takes steps.
    pub fn step(&mut self, steps: usize) -> Result<(), Spent> {
        let steps = u64::try_from(steps).map_err(|_| Spent::Steps)?;
        let Some(left) = self.steps_left.checked_sub(steps) else {
            self.steps_left = 0;
            return Err(Spent::Steps);
        };
        self.steps_left = left;
        Ok(())
    }

    /// Takes memory, and a step for each so many bytes of it.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Spent> {
        self.step(bytes / 64)?;
        self.take(bytes)
    }

    /// Takes memory.
    pub fn take(&mut self, bytes: usize) -> Result<(), Spent> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes as u64 > self.bytes_max {
            return Err(Spent::Bytes);
        }
        if self.bytes > self.granted {
            self.granted = self.bytes.saturating_add(BYTES_AT_ONCE);
            if !(self.may_hold)(self.granted) {
                return Err(Spent::NoRoom);
            }
        }
        Ok(())
    }
}
