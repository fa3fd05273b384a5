//! Turns at work, and what the threads that they are given to share.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use types::AccountId;

use crate::cpu_shares::CpuRules;
use crate::guest_thread_limits::GuestThreadLimits;
use crate::limits::{
    LIGHT_NICENESS, QUICK_NICENESS, RETURN_LOOK, SLOW_CALL, SLOW_NICENESS, TURN_TIME,
};
use crate::turns::{ByPace, Ended, Next, Pace, Party, Turns};

pub(crate) struct Shared {
    state: Mutex<State>,
    /// A turn of each pace may begin, or the threads shall end.
    pub(crate) wake_next: ByPace<Condvar>,
    /// A thread is missing, or all shall end.
    pub(crate) wake_keeper: Condvar,
    /// A turn that was away may have a place again.
    wake_returning: Condvar,
    pub(crate) limits: GuestThreadLimits,
    /// What shares of the processors' time are counted from.
    started: Instant,
}

pub(crate) struct State {
    pub(crate) turns: Turns<Job>,
    pub(crate) is_closed: bool,
    /// The turns that have a thread.
    pub(crate) running: Vec<Arc<Turn>>,
    /// Threads that have stepped back with a turn that became slow, or are away, and have no
    /// successor yet.
    pub(crate) missing: ByPace<usize>,
}

pub(crate) struct Job {
    pub(crate) turn: Arc<Turn>,
    pub(crate) work: Box<dyn FnOnce(&Turn) + Send>,
}

/// One turn at work, as its closure sees it.
pub struct Turn {
    party: Party,
    is_stopped: AtomicBool,
    /// A call took long during it.
    was_slow: AtomicBool,
    /// Another thread takes the place of its thread, which has stepped back behind all others or
    /// was away, and ends with it.
    has_successor: AtomicBool,
    /// It was away for long.
    was_away: AtomicBool,
    /// It was ended in the middle of a call, since it had become slow and all slow threads were
    /// taken.
    was_cut_short: AtomicBool,
    /// What the version that it called last may have of a processor, in milliseconds a second; see
    /// [`Turn::called`].
    asked: AtomicU64,
    begun: Mutex<Begun>,
    shared: Arc<Shared>,
}

struct Begun {
    at: Instant,
    pace: Pace,
}

thread_local! {
    /// The turn that this thread is given to: a guest is called deep inside of it.
    static TURN: RefCell<Option<Arc<Turn>>> = const { RefCell::new(None) };
}

/// The turn that the calling thread is given to; `None` on any other thread.
pub(crate) fn current_turn() -> Option<Arc<Turn>> {
    TURN.with_borrow(Clone::clone)
}

/// From now on the calling thread is given to this turn, or to none.
pub(crate) fn set_turn(turn: Option<Arc<Turn>>) {
    TURN.set(turn);
}

/// What a turn says that has called no version.
const NOBODY_ASKED: u64 = u64::MAX;

impl Turn {
    pub(crate) fn new(party: &Party, shared: &Arc<Shared>) -> Self {
        Self {
            party: party.clone(),
            is_stopped: AtomicBool::new(false),
            was_slow: AtomicBool::new(false),
            has_successor: AtomicBool::new(false),
            was_away: AtomicBool::new(false),
            was_cut_short: AtomicBool::new(false),
            asked: AtomicU64::new(NOBODY_ASKED),
            begun: Mutex::new(Begun {
                at: Instant::now(),
                pace: Pace::Quick,
            }),
            shared: Arc::clone(shared),
        }
    }

    /// Nobody waits any more for what comes of it.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Whether another thread takes the place of its thread, which ends with it.
    pub(crate) fn has_successor(&self) -> bool {
        self.has_successor.load(Ordering::Relaxed)
    }

    /// Whether nobody waits any more for what comes of it.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// Whether it has lasted as long as one should while others wait, or was stopped. Work that can
    /// go on later ends here, and asks for another turn.
    pub fn is_over(&self) -> bool {
        self.is_stopped() || self.lock().at.elapsed() >= TURN_TIME
    }

    /// Whether a call of it was ended for no fault of its own: its party was found slow, and must
    /// wait for a slow thread.
    pub fn was_cut_short(&self) -> bool {
        self.was_cut_short.load(Ordering::Relaxed)
    }

    /// Called on its own thread, from within a call that takes long or misses its deadline: goes
    /// over to the slow threads and steps back behind all others. Whether the call may go on: if
    /// all slow threads are taken it may not, since those who are quick would soon have no thread
    /// left.
    pub(crate) fn turn_slow(&self) -> bool {
        if self.was_slow.swap(true, Ordering::Relaxed) {
            return !self.was_cut_short();
        }
        let pace = self.lock().pace;
        let steps_back = pace != Pace::Slow;
        if steps_back {
            step_back(SLOW_NICENESS - niceness(pace));
        }
        {
            let mut state = self.shared.lock();
            let mut begun = self.lock();
            if !steps_back {
                state.turns.distrust(&self.party);
            } else if state.turns.turn_slow(&self.party, pace) {
                begun.pace = Pace::Slow;
            } else {
                self.was_cut_short.store(true, Ordering::Relaxed);
            }
            if steps_back && !self.has_successor.swap(true, Ordering::Relaxed) {
                // It cannot step forward again, and may have its thread for minutes.
                state.missing[pace] += 1;
            }
        }
        if steps_back {
            self.shared.wake_keeper.notify_one();
        }
        self.shared.wake();
        !self.was_cut_short()
    }

    /// Called on its own thread: does what waits for others, and lets another turn have the place
    /// of this one meanwhile. Returns once it has a place again, or is stopped.
    pub(crate) fn away<T>(&self, wait: impl FnOnce() -> T) -> T {
        let pace = {
            let mut state = self.shared.lock();
            let pace = self.lock().pace;
            state.turns.leave(pace);
            if !self.has_successor.swap(true, Ordering::Relaxed) {
                state.missing[pace] += 1;
            }
            pace
        };
        let away = Away {
            turn: self,
            pace,
            from: Instant::now(),
        };
        self.shared.wake_keeper.notify_one();
        self.shared.wake();
        let waited = wait();
        drop(away);
        waited
    }

    /// The end of [`Turn::away`]: waits for a place, unless this is stopped or unwinds.
    fn come_back(&self, pace: Pace, away_for: Duration) {
        let mut state = self.shared.lock();
        if away_for >= SLOW_CALL {
            // What it holds meanwhile others may want.
            self.was_away.store(true, Ordering::Relaxed);
            state.turns.distrust(&self.party);
        }
        state.turns.wants_back(pace);
        while !state.turns.has_place(pace) && !self.is_stopped() && !thread::panicking() {
            let waited = self.shared.wake_returning.wait_timeout(state, RETURN_LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.turns.come_back(pace);
        drop(state);
        // A place may be left that was kept for it.
        self.shared.wake();
    }

    /// For whom it is.
    pub(crate) fn account(&self) -> AccountId {
        self.party.account
    }

    /// Called on its own thread: a version is called that may have a processor for so many
    /// milliseconds a second.
    pub(crate) fn called(&self, ms_per_second: u32) {
        self.asked
            .store(u64::from(ms_per_second), Ordering::Relaxed);
    }

    fn asked(&self) -> Option<u32> {
        u32::try_from(self.asked.load(Ordering::Relaxed)).ok()
    }

    fn lock(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn that has left its place to another one. It comes back when this is dropped, also where
/// what it was away for panics: its end gives the place back once more.
struct Away<'a> {
    turn: &'a Turn,
    pace: Pace,
    from: Instant,
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        self.turn.come_back(self.pace, self.from.elapsed());
    }
}

impl Shared {
    /// For so many threads of each group.
    pub(crate) fn new(limits: GuestThreadLimits, rules: CpuRules) -> Self {
        Self {
            state: Mutex::new(State {
                turns: Turns::new(limits.by_pace(), rules),
                is_closed: false,
                running: Vec::new(),
                missing: ByPace::default(),
            }),
            wake_next: ByPace::default(),
            wake_keeper: Condvar::new(),
            wake_returning: Condvar::new(),
            limits,
            started: Instant::now(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Work is done outside of the lock, and what is done within it leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a thread of each group look whether a turn may begin. Never called with the lock held:
    /// whoever wakes would wait for it, and a thread that has stepped back may not run for long
    /// enough to give it back.
    pub(crate) fn wake(&self) {
        for pace in Pace::ALL {
            self.wake_next[pace].notify_one();
        }
        self.wake_returning.notify_all();
    }

    /// The next turn of this pace; `None` once the threads shall end.
    pub(crate) fn next(&self, pace: Pace) -> Option<Next<Job>> {
        let wake = &self.wake_next[pace];
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            let now = self.now();
            if let Some(next) = state.turns.begin(pace, now) {
                let turn = Arc::clone(&next.job.turn);
                *turn.lock() = Begun {
                    at: Instant::now(),
                    pace: next.pace,
                };
                state.running.push(turn);
                let more_wait = state.turns.waiting() > 0;
                drop(state);
                if pace == Pace::Light && more_wait {
                    // With this place taken, a quick thread may have what it has just left to it.
                    self.wake_next[Pace::Quick].notify_one();
                }
                return Some(next);
            }
            state = match state.turns.opens_at(pace, now) {
                None => {
                    let waited = wake.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
                Some(opens) => {
                    let waited = wake.wait_timeout(state, opens.saturating_sub(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// What shares go by.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Notes that a turn has ended, which had a processor for so long.
    pub(crate) fn end(&self, party: &Party, turn: &Arc<Turn>, cpu: Duration) {
        {
            let mut state = self.lock();
            let begun = turn.lock();
            let ended = Ended {
                took: begun.at.elapsed(),
                cpu,
                asked: turn.asked(),
                was_quick: !turn.was_slow.load(Ordering::Relaxed)
                    && !turn.was_away.load(Ordering::Relaxed),
            };
            state.turns.end(party, begun.pace, ended, self.now());
            state.running.retain(|running| !Arc::ptr_eq(running, turn));
        }
        // It may have had a thread of the other group.
        self.wake();
    }
}

/// How much threads of a group step back behind those that serve clients.
pub(crate) fn niceness(pace: Pace) -> i32 {
    match pace {
        Pace::Light => LIGHT_NICENESS,
        Pace::Quick => QUICK_NICENESS,
        Pace::Slow => SLOW_NICENESS,
    }
}

/// Lowers the priority of the calling thread. Refused, it works like any other.
pub(crate) fn step_back(by: i32) {
    if let Err(error) = rustix::process::nice(by) {
        tracing::debug!(%error, "lower the priority of a thread of plugins");
    }
}
