//! How long one call into a guest may take, and what is looked at while it does: with every tick of
//! the runtime's clock whether its time is up, and whether anybody still waits for it.
//!
//! Time is that of the thread's processor, since guests run below the priority of the rest of the
//! server: on a busy machine they wait, and a record must not fail for that. A guest cannot sleep,
//! so one that takes no processor time waits for the host: for a table, or for an answer over HTTP.
//! That is counted apart, by the clock, and has a bound of its own (`HOST_WAIT_MAX`).

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use tokio::sync::watch;
use wasmtime::UpdateDeadline;

use crate::call_clock::processor_time;
use crate::guest_turns::current_turn;
use crate::limits::SLOW_CALL;

/// Ticks between two looks.
pub(crate) const LOOK_TICKS: u64 = 1;

/// Nobody waits any more for what the guest would answer, or not here.
#[derive(Debug)]
pub(crate) struct CallStopped;

impl fmt::Display for CallStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it was stopped before it could answer")
    }
}

impl std::error::Error for CallStopped {}

/// The call that a store is in.
#[derive(Debug, Default)]
pub(crate) struct CallTime {
    max: Duration,
    /// What the thread's clock showed when it began. Asking costs a fifth of a microsecond, and
    /// what a plugin takes is counted exactly for that.
    from: Option<Duration>,
    is_slow: bool,
    /// How long it had taken by the last look, or in the end.
    took: Duration,
    /// How long the guest waited for the host meanwhile.
    waited: Duration,
}

thread_local! {
    /// Turns true when nobody waits any more for guests of this thread, where it has no turn.
    static CLOSING: RefCell<Option<watch::Receiver<bool>>> = const { RefCell::new(None) };
}

/// From now on, guests that the calling thread calls are stopped when `closing` turns true.
pub(crate) fn stop_guests_when(closing: watch::Receiver<bool>) {
    CLOSING.set(Some(closing));
}

fn nobody_waits() -> bool {
    CLOSING.with_borrow(|closing| closing.as_ref().is_some_and(|it| *it.borrow()))
}

impl CallTime {
    /// A call begins that may take so long.
    pub(crate) fn begin(&mut self, max: Duration) {
        *self = Self {
            max,
            // Without a clock the first look ends the call, and says why.
            from: processor_time().ok(),
            is_slow: false,
            took: Duration::ZERO,
            waited: Duration::ZERO,
        };
    }

    /// The call has ended, on the same thread.
    pub(crate) fn end(&mut self) {
        if let (Some(from), Ok(now)) = (self.from, processor_time()) {
            self.took = now.saturating_sub(from);
        }
    }

    /// The guest waited for the host for so long.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.waited += time;
    }

    /// How long it waited for the host during the call.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }

    /// How long the last call took.
    pub(crate) fn took(&self) -> Duration {
        self.took
    }

    /// Looks, on the thread of the call, whether it may go on.
    pub(crate) fn look(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let turn = current_turn();
        if turn.as_ref().is_some_and(|turn| turn.is_stopped()) || nobody_waits() {
            return Err(wasmtime::Error::from(CallStopped));
        }
        let now = processor_time()?;
        let from = *self.from.get_or_insert(now);
        let took = now.saturating_sub(from);
        self.took = took;
        if took >= self.max {
            // However short it was: a party whose deadlines were shortened is no quicker for that.
            if let Some(turn) = turn {
                turn.turn_slow();
            }
            return Ok(UpdateDeadline::Interrupt);
        }
        if took >= SLOW_CALL && !self.is_slow {
            self.is_slow = true;
            if turn.is_some_and(|turn| !turn.turn_slow()) {
                return Err(wasmtime::Error::from(CallStopped));
            }
        }
        Ok(UpdateDeadline::Continue(LOOK_TICKS))
    }
}
