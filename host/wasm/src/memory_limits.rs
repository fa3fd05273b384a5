//! How much memory an instance may have: all its memories together, and each of its tables.

use wasmtime::ResourceLimiter;

use crate::limit_reached::LimitReached;
use crate::limits::{
    CORE_INSTANCES_PER_COMPONENT_MAX, CallLimits, MEMORIES_PER_COMPONENT_MAX,
    TABLES_PER_COMPONENT_MAX,
};

/// Counts what an instance has. A guest that wants more traps: few of them look whether they got
/// what they asked for.
pub(crate) struct MemoryLimits {
    memory_bytes_max: usize,
    table_elements_max: usize,
    /// Bytes of all its memories.
    memory_bytes: usize,
}

impl MemoryLimits {
    pub(crate) fn new(limits: &CallLimits) -> Self {
        Self {
            memory_bytes_max: limits.memory_bytes_max,
            table_elements_max: limits.table_elements_max,
            memory_bytes: 0,
        }
    }

    /// Bytes of all memories: they never get smaller.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

impl ResourceLimiter for MemoryLimits {
    /// `current` is 0 where a memory begins. What is counted here and then not given ends the
    /// instance, so nothing is ever taken out again.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        own_max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.checked_sub(current);
        let bytes = more.and_then(|more| self.memory_bytes.checked_add(more));
        match bytes {
            Some(bytes) if bytes <= self.memory_bytes_max => self.memory_bytes = bytes,
            _ => return Err(LimitReached::Memory(self.memory_bytes_max).into()),
        }
        within(own_max, desired, "bytes of a memory")
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        own_max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.table_elements_max {
            return Err(LimitReached::TableElements(self.table_elements_max).into());
        }
        within(own_max, desired, "elements of a table")
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_PER_COMPONENT_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_PER_COMPONENT_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_PER_COMPONENT_MAX as usize
    }
}

/// Traps a guest that wants more than it declared itself.
fn within(own_max: Option<usize>, desired: usize, what: &str) -> wasmtime::Result<bool> {
    match own_max {
        Some(own_max) if desired > own_max => Err(wasmtime::Error::msg(format!(
            "{desired} {what} that was declared to have {own_max} at most"
        ))),
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Limits, MEBIBYTE};

    fn limits() -> MemoryLimits {
        let limits = Limits {
            memory_bytes_max: 4 * MEBIBYTE,
            ..Limits::default()
        };
        MemoryLimits::new(&limits.of_call())
    }

    #[test]
    fn memories_have_together_what_one_may_have() {
        let mut limits = limits();
        assert!(limits.memory_growing(0, MEBIBYTE, None).unwrap());
        assert!(limits.memory_growing(0, 2 * MEBIBYTE, None).unwrap());
        let grown = limits.memory_growing(MEBIBYTE, 2 * MEBIBYTE, None);
        assert!(grown.unwrap(), "all of it");
        let refused = limits.memory_growing(2 * MEBIBYTE, 2 * MEBIBYTE + 1, None);
        let why = refused.unwrap_err().to_string();
        assert_eq!(why, "more than 4 MiB of memory (memory_mib = 4)");
    }

    #[test]
    fn what_a_guest_declared_itself_binds_it() {
        let refused = limits().memory_growing(0, 2 * MEBIBYTE, Some(MEBIBYTE));
        let why = refused.unwrap_err().to_string();
        assert!(why.contains("declared to have 1048576 at most"), "{why}");
    }
}
