//! The limits at which a call into a guest ends, each told with its value in force, and with its
//! key where an operator or a manifest can set it.

use std::fmt;

use crate::limits::{CallLimits, MEBIBYTE, STACK_BYTES};

/// A limit that a guest wanted to pass, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitReached {
    /// Bytes of all memories of an instance together.
    Memory(usize),
    /// Elements of one table.
    TableElements(usize),
    /// Resources that the component holds.
    Handles(usize),
    /// Bytes that the host takes out of the guest at once.
    OutputBytes(usize),
    /// Bytes of keys, values and records that a consumer asks for or hands over during one batch.
    EffectBytes(usize),
    /// Bytes that the host gives to the guest at once.
    InputBytes(usize),
    /// Keys, entries or records of one call to the host.
    Strings(usize),
    /// Calls to the host during one batch.
    HostCalls(u32),
    /// Calls over HTTP during one batch.
    HttpCalls(u32),
    /// Random bytes of one call.
    RandomBytes(u64),
    /// Bytes of the stack.
    Stack(usize),
}

/// What wasmtime and its WASI say of limits for which they have no type.
const OUTPUT_WORDS: &str = "fuel allocated for hostcalls has been exhausted";
const HANDLES_WORDS: &str = "store handle limit exceeded";
const RANDOM_WORDS: &str = "exceeds limit";
/// More than 4 GiB, of which the limiter is not asked.
const ADDRESSES_WORDS: &str = "memory growth exceeds memory type's limits";

impl LimitReached {
    /// The limit that ended a call with this error, if one did.
    pub(crate) fn of(error: &wasmtime::Error, limits: &CallLimits) -> Option<Self> {
        if let Some(reached) = error.downcast_ref::<Self>() {
            return Some(*reached);
        }
        if let Some(wasmtime::Trap::StackOverflow) = error.downcast_ref() {
            return Some(Self::Stack(STACK_BYTES));
        }
        let cause = error.root_cause().to_string();
        if cause.contains(OUTPUT_WORDS) {
            Some(Self::OutputBytes(limits.output_bytes_max))
        } else if cause.contains(HANDLES_WORDS) {
            Some(Self::Handles(limits.handles_max))
        } else if cause.contains(RANDOM_WORDS) {
            Some(Self::RandomBytes(limits.random_bytes_max))
        } else if cause.contains(ADDRESSES_WORDS) {
            Some(Self::Memory(limits.memory_bytes_max))
        } else {
            None
        }
    }
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(bytes) => {
                let most = mebibytes(*bytes);
                write!(f, "more than {most} MiB of memory (memory_mib = {most})")
            }
            Self::OutputBytes(bytes) => {
                let most = mebibytes(*bytes);
                write!(
                    f,
                    "more than {most} MiB given to the host at once (output_mib = {most})"
                )
            }
            Self::EffectBytes(bytes) => {
                let most = mebibytes(*bytes);
                write!(
                    f,
                    "more than {most} MiB of keys, values and records in one batch (output_mib = \
                     {most})"
                )
            }
            Self::InputBytes(bytes) => {
                let most = mebibytes(*bytes);
                write!(
                    f,
                    "more than {most} MiB taken from the host at once (output_mib = {most})"
                )
            }
            Self::Strings(count) => {
                write!(f, "more than {count} keys or records at once, {FOR_ALL}")
            }
            Self::HostCalls(calls) => write!(
                f,
                "more than {calls} calls to the host in one batch (host_calls = {calls})"
            ),
            Self::HttpCalls(calls) => {
                write!(
                    f,
                    "more than {calls} calls over HTTP in one batch, {FOR_ALL}"
                )
            }
            Self::TableElements(count) => {
                write!(f, "a table of more than {count} elements, {FOR_ALL}")
            }
            Self::Handles(count) => {
                write!(f, "more than {count} handles held at a time, {FOR_ALL}")
            }
            Self::RandomBytes(bytes) => {
                write!(f, "more than {bytes} random bytes at once, {FOR_ALL}")
            }
            Self::Stack(bytes) => {
                let most = bytes / KIBIBYTE;
                write!(f, "more than {most} KiB of stack, {FOR_ALL}")
            }
        }
    }
}

impl std::error::Error for LimitReached {}

/// What is said of a limit that nobody can set.
const FOR_ALL: &str = "the most that any plugin may have";
const KIBIBYTE: usize = 1024;

/// Bytes as the number that a configuration has: a whole one, unless a test set other limits.
fn mebibytes(bytes: usize) -> String {
    let (whole, rest) = (bytes / MEBIBYTE, bytes % MEBIBYTE);
    if rest == 0 {
        whole.to_string()
    } else {
        format!("{whole}.{:03}", rest * 1000 / MEBIBYTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn told(error: &str) -> Option<LimitReached> {
        let error = wasmtime::Error::msg(error.to_owned());
        LimitReached::of(&error, &Limits::default().of_call())
    }

    #[test]
    fn a_limit_that_can_be_set_is_told_with_its_key_and_its_value() {
        for (reached, words) in [
            (
                LimitReached::Memory(64 * MEBIBYTE),
                "more than 64 MiB of memory (memory_mib = 64)",
            ),
            (
                LimitReached::OutputBytes(MEBIBYTE + MEBIBYTE / 2),
                "more than 1.500 MiB given to the host at once (output_mib = 1.500)",
            ),
            (
                LimitReached::HostCalls(7),
                "more than 7 calls to the host in one batch (host_calls = 7)",
            ),
            (
                LimitReached::Stack(STACK_BYTES),
                "more than 512 KiB of stack, the most that any plugin may have",
            ),
        ] {
            assert_eq!(reached.to_string(), words);
        }
    }

    #[test]
    fn an_error_of_another_kind_is_no_limit() {
        assert_eq!(told("wasm `unreachable` instruction executed"), None);
        let handles = told("cannot allocate another handle: store handle limit exceeded");
        assert_eq!(handles, Some(LimitReached::Handles(1_000)));
    }
}
