//! The kinds of faults that are told apart in counts: few enough for a label of a metric.

use crate::fault::Fault;
use crate::limit_reached::LimitReached;

/// Why a call into a guest failed, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It took longer than its time.
    Deadline,
    /// It panicked, and told so.
    Panic,
    /// It wanted more memory than it may have.
    Memory,
    /// It gave the host, or asked it for, more bytes than it may.
    Output,
    /// It called the host too often.
    HostCalls,
    /// It called itself too deeply.
    Stack,
    /// It reached another limit: handles, tables, random bytes, strings at once.
    Limit,
    /// It trapped for any other reason.
    Trap,
    /// It said that it cannot begin.
    NotReady,
    /// Its answer broke the rules of its interface.
    Answer,
    /// It said that the batch may go through later.
    Retryable,
    /// It said that the batch never will.
    Permanent,
}

/// All kinds, in the order in which they are counted.
pub const FAULT_KINDS: [FaultKind; 12] = [
    FaultKind::Deadline,
    FaultKind::Panic,
    FaultKind::Memory,
    FaultKind::Output,
    FaultKind::HostCalls,
    FaultKind::Stack,
    FaultKind::Limit,
    FaultKind::Trap,
    FaultKind::NotReady,
    FaultKind::Answer,
    FaultKind::Retryable,
    FaultKind::Permanent,
];

impl FaultKind {
    /// The kind of a fault that ended with this limit, if with one; `None` for what is no fault of
    /// the guest's.
    pub(crate) fn of(fault: &Fault, reached: Option<&LimitReached>) -> Option<Self> {
        Some(match fault {
            Fault::Deadline(_) => Self::Deadline,
            Fault::Panicked(_) => Self::Panic,
            Fault::Trap(_) => reached.map_or(Self::Trap, Self::of_limit),
            Fault::NotReady(_) => Self::NotReady,
            Fault::Answer(_) | Fault::Doubled(_) => Self::Answer,
            Fault::Retryable(_) => Self::Retryable,
            Fault::Permanent(_) => Self::Permanent,
            Fault::Unavailable(_) | Fault::NoInstance(_) | Fault::Stopped => return None,
        })
    }

    fn of_limit(reached: &LimitReached) -> Self {
        match reached {
            LimitReached::Memory(_) => Self::Memory,
            LimitReached::OutputBytes(_)
            | LimitReached::EffectBytes(_)
            | LimitReached::InputBytes(_) => Self::Output,
            LimitReached::HostCalls(_) | LimitReached::HttpCalls(_) => Self::HostCalls,
            LimitReached::Stack(_) => Self::Stack,
            LimitReached::TableElements(_)
            | LimitReached::Handles(_)
            | LimitReached::Strings(_)
            | LimitReached::RandomBytes(_) => Self::Limit,
        }
    }

    /// What it is called in metrics and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Panic => "panic",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::HostCalls => "host_calls",
            Self::Stack => "stack",
            Self::Limit => "limit",
            Self::Trap => "trap",
            Self::NotReady => "not_ready",
            Self::Answer => "answer",
            Self::Retryable => "retryable",
            Self::Permanent => "permanent",
        }
    }

    /// Its place in [`FAULT_KINDS`].
    pub(crate) fn place(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_at_its_own_place() {
        for (place, kind) in FAULT_KINDS.into_iter().enumerate() {
            assert_eq!(kind.place(), place, "{kind:?}");
        }
    }
}
