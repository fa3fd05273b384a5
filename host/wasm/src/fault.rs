//! Why a call into a plugin came to nothing.

use std::fmt;
use std::time::Duration;

use crate::call_time::CallStopped;
use crate::guest_log::printable;
use crate::limits::REASON_BYTES_MAX;

/// What went wrong with one batch. The instance is of no more use after any of them but
/// [`Fault::Retryable`] and [`Fault::Permanent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The plugin took longer than its time and was stopped.
    Deadline(Duration),
    /// It panicked, and told so before it trapped.
    Panicked(Panic),
    /// It trapped: a wild access, more memory, output or host calls than it may use, a panic that
    /// it did not tell of.
    Trap(String),
    /// Its `init` says that it cannot begin.
    NotReady(String),
    /// Its answer breaks the rules of its interface.
    Answer(String),
    /// Its answer names a record twice, of which not all are outputs to deliver.
    Doubled(String),
    /// It says that the same batch may go through a moment later.
    Retryable(String),
    /// It says that the batch never will.
    Permanent(String),
    /// There are as many instances as there can be, or this build gives none so much, for no fault
    /// of the batch's.
    NoInstance(String),
    /// It was stopped for no fault of its own: nobody waits for its answer any more, or it must
    /// wait for another thread.
    Stopped,
}

/// What a guest says of its panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// The record of the batch that it was working on, from 0; `None` when it was none.
    pub record: Option<u32>,
    /// Where, and in which words. Bounded, and without control characters.
    pub text: String,
}

impl Fault {
    /// What came of a call that ended with an error: that it was late, that it panicked, or what
    /// wasmtime says with what the guest said last where it ended itself.
    pub(crate) fn of(error: &wasmtime::Error, time: Duration, told: Told) -> Self {
        if let Some(wasmtime::Trap::Interrupt) = error.downcast_ref::<wasmtime::Trap>() {
            return Self::Deadline(time);
        }
        let Told { panic, last_words } = told;
        if let Some(panic) = panic {
            return Self::Panicked(panic);
        }
        if error.is::<CallStopped>() {
            return Self::Stopped;
        }
        let cause = error.root_cause().to_string();
        let text = match last_words.is_empty() {
            true => cause,
            false => format!("{cause}: {last_words}"),
        };
        Self::Trap(printable(&text, REASON_BYTES_MAX))
    }
}

/// What a guest said before its call ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) panic: Option<Panic>,
    /// What it wrote last to its standard error; empty if nothing.
    pub(crate) last_words: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline(time) => write!(f, "it took longer than {} ms", time.as_millis()),
            Self::Panicked(panic) => write!(f, "it panicked {}", panic.text),
            Self::Trap(what) => write!(f, "it trapped: {what}"),
            Self::NotReady(what) => write!(f, "init: {what}"),
            Self::Answer(what) | Self::Doubled(what) => write!(f, "its answer has {what}"),
            Self::Retryable(what) | Self::Permanent(what) => f.write_str(what),
            Self::NoInstance(what) => write!(f, "no instance could be made: {what}"),
            Self::Stopped => CallStopped.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}
