//! Why a call into a plugin came to nothing.

use std::fmt;
use std::time::Duration;

use crate::guest_log::printable;
use crate::limits::REASON_BYTES_MAX;

/// What went wrong with one batch. The instance is of no more use after any of them but
/// [`Fault::Retryable`] and [`Fault::Permanent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The plugin took longer than its time and was stopped.
    Deadline(Duration),
    /// It trapped: a panic, a wild access, more memory, output or host calls than it may use.
    Trap(String),
    /// Its answer breaks the rules of its interface.
    Answer(String),
    /// It says that the same batch may go through a moment later.
    Retryable(String),
    /// It says that the batch never will.
    Permanent(String),
    /// There are as many instances as there can be, for no fault of the batch's.
    NoInstance(String),
}

impl Fault {
    /// What wasmtime says, with what the guest said last where it ended itself.
    pub(crate) fn of(error: &wasmtime::Error, time: Duration, last_words: &str) -> Self {
        if let Some(wasmtime::Trap::Interrupt) = error.downcast_ref::<wasmtime::Trap>() {
            return Self::Deadline(time);
        }
        let cause = error.root_cause().to_string();
        let text = match last_words.is_empty() {
            true => cause,
            false => format!("{cause}: {last_words}"),
        };
        Self::Trap(printable(&text, REASON_BYTES_MAX))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline(time) => write!(f, "it took longer than {} ms", time.as_millis()),
            Self::Trap(what) => write!(f, "it trapped: {what}"),
            Self::Answer(what) => write!(f, "its answer has {what}"),
            Self::Retryable(what) | Self::Permanent(what) => f.write_str(what),
            Self::NoInstance(what) => write!(f, "no instance could be made: {what}"),
        }
    }
}

impl std::error::Error for Fault {}
