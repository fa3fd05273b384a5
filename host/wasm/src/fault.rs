//! Why a call into a plugin came to nothing.

use std::fmt;
use std::time::Duration;

use crate::call_time::CallStopped;
use crate::effects::EffectsUnavailable;
use crate::limit_reached::LimitReached;
use crate::limits::{CallLimits, REASON_BYTES_MAX};
use crate::printable::printable;

/// What went wrong with one batch, or with an instance that begins or ends. The instance is of no
/// more use after any of them but [`Fault::Retryable`] and [`Fault::Permanent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The plugin took longer than its time and was stopped.
    Deadline(Deadline),
    /// It panicked, and told so before it trapped.
    Panicked(Panic),
    /// It trapped: a wild access, more memory, output or host calls than it may use, a panic that
    /// it did not tell of.
    Trap(String),
    /// It says that it cannot begin: its `init`, a consumer's `initialize`, or its `restore` of a
    /// state that an instance before it kept.
    NotReady(String),
    /// Its answer breaks the rules of its interface.
    Answer(String),
    /// Its answer names a record twice, of which not all are outputs to deliver.
    Doubled(String),
    /// It says that the same batch may go through a moment later.
    Retryable(String),
    /// It says that the batch never will.
    Permanent(String),
    /// What it asked for, tables and the like, could not be had, for no fault of its own; the batch
    /// is to be tried again.
    Unavailable(String),
    /// There are as many instances as there can be, or this build gives none so much, for no fault
    /// of the batch's.
    NoInstance(String),
    /// It was stopped for no fault of its own: nobody waits for its answer any more, or it must
    /// wait for another thread.
    Stopped,
}

/// How long a call might take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// What it was given.
    pub time: Duration,
    /// What one may be given: less is, once records keep missing their deadline.
    pub time_max: Duration,
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
    /// Whether the instance that it came of may be used again.
    pub(crate) fn leaves_its_instance(&self) -> bool {
        matches!(self, Self::Retryable(_) | Self::Permanent(_))
    }

    /// What came of a call that ended with an error: that it was late, that it panicked, which
    /// limit it reached, or what wasmtime says; with what the guest said last.
    pub(crate) fn of(
        error: &wasmtime::Error,
        time: Duration,
        limits: &CallLimits,
        told: Told,
    ) -> Self {
        if let Some(wasmtime::Trap::Interrupt) = error.downcast_ref::<wasmtime::Trap>() {
            return Self::Deadline(Deadline {
                time,
                time_max: limits.batch_time_max,
            });
        }
        if let Some(EffectsUnavailable(why)) = error.downcast_ref() {
            return Self::Unavailable(why.clone());
        }
        let Told { panic, last_words } = told;
        if let Some(panic) = panic {
            return Self::Panicked(panic);
        }
        if error.is::<CallStopped>() {
            return Self::Stopped;
        }
        let cause = match LimitReached::of(error, limits) {
            Some(reached) => reached.to_string(),
            None => error.root_cause().to_string(),
        };
        let text = if last_words.is_empty() {
            cause
        } else {
            format!("{cause}: {last_words}")
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
            Self::Deadline(deadline) => deadline.fmt(f),
            Self::Panicked(panic) => write!(f, "it panicked {}", panic.text),
            Self::Trap(what) => write!(f, "it trapped: {what}"),
            Self::Answer(what) | Self::Doubled(what) => write!(f, "its answer has {what}"),
            Self::NotReady(what) | Self::Retryable(what) | Self::Permanent(what) => {
                f.write_str(what)
            }
            Self::Unavailable(what) => write!(f, "what it asked for could not be had: {what}"),
            Self::NoInstance(what) => write!(f, "no instance could be made: {what}"),
            Self::Stopped => CallStopped.fmt(f),
        }
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (time, most) = (self.time.as_millis(), self.time_max.as_millis());
        write!(f, "it took longer than {time} ms")?;
        if self.time < self.time_max {
            f.write_str(", all that is left to one whose records keep missing it")?;
        }
        write!(f, " (batch_ms = {most})")
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn a_deadline_is_told_with_its_key_also_where_less_time_was_given() {
        let limits = Limits::default().of_call();
        let late = |ms| {
            let error = wasmtime::Error::from(wasmtime::Trap::Interrupt);
            Fault::of(&error, Duration::from_millis(ms), &limits, Told::default()).to_string()
        };
        assert_eq!(late(1_000), "it took longer than 1000 ms (batch_ms = 1000)");
        let shortened = "it took longer than 250 ms, all that is left to one whose records keep \
                         missing it (batch_ms = 1000)";
        assert_eq!(late(250), shortened);
    }

    #[test]
    fn a_limit_is_told_with_what_the_guest_said_last() {
        let limits = Limits::default().of_call();
        let error = wasmtime::Error::from(LimitReached::HostCalls(7)).context("a call");
        let told = Told {
            panic: None,
            last_words: "once more".to_owned(),
        };
        let fault = Fault::of(&error, limits.batch_time_max, &limits, told);
        let words = "it trapped: more than 7 calls to the host in one batch (host_calls = 7): \
                     once more";
        assert_eq!(fault.to_string(), words);
    }
}
