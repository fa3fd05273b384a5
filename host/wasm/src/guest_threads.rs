//! The threads that guests run on, with all that is done with their records before and after: a
//! fixed number, below the priority of the threads that serve clients, shared out in turns.
//!
//! A turn is a closure that blocks. It hears that it is not wanted any more, and so does a guest
//! that it is in the middle of: see [`Turn`] and `call_time`.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::guest_thread_limits::GuestThreadLimits;
use crate::limits::{GUEST_NICENESS, SLOW_NICENESS, SPAWN_PAUSE, TURN_TIME};
use crate::turns::{Next, Pace, Party, Turns};

/// Why a turn came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnLost {
    /// The server stops, and no turn begins any more.
    Closed,
    /// The closure panicked.
    Panicked,
}

impl fmt::Display for TurnLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the threads of plugins are closed",
            Self::Panicked => "the work on a batch panicked",
        })
    }
}

impl std::error::Error for TurnLost {}

/// What the threads do at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuestThreadCounts {
    /// Threads of which a turn takes one until it is found slow.
    pub quick_max: usize,
    /// Turns on them.
    pub quick: usize,
    /// Threads for those who were found slow.
    pub slow_max: usize,
    /// Turns on them.
    pub slow: usize,
    /// Turns that wait for a thread.
    pub waiting: usize,
}

/// The threads. Dropping them ends them.
pub struct GuestThreads(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// A quick turn may begin, or the threads shall end.
    wake_quick: Condvar,
    /// The same for slow ones.
    wake_slow: Condvar,
    /// A quick thread is missing, or all shall end.
    wake_keeper: Condvar,
    quick_max: usize,
    slow_max: usize,
}

struct State {
    turns: Turns<Job>,
    is_closed: bool,
    /// The turns that have a thread.
    running: Vec<Arc<Turn>>,
    /// Quick threads that have stepped back with a turn that became slow, and have no successor
    /// yet.
    missing: usize,
}

struct Job {
    turn: Arc<Turn>,
    work: Box<dyn FnOnce(&Turn) + Send>,
}

/// One turn at work, as its closure sees it.
pub struct Turn {
    party: Party,
    is_stopped: AtomicBool,
    /// A call took long during it.
    was_slow: AtomicBool,
    /// Its thread was a quick one, has stepped back behind all others, and ends with it.
    has_stepped_back: AtomicBool,
    /// It was ended in the middle of a call, since it had become slow and all slow threads were
    /// taken.
    was_cut_short: AtomicBool,
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

impl Turn {
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
        let steps_back = self.lock().pace == Pace::Quick;
        if steps_back {
            self.has_stepped_back.store(true, Ordering::Relaxed);
            step_back(SLOW_NICENESS - GUEST_NICENESS);
        }
        {
            let mut state = self.shared.lock();
            let mut begun = self.lock();
            if begun.pace == Pace::Slow {
                state.turns.distrust(&self.party);
            } else if state.turns.turn_slow(&self.party) {
                begun.pace = Pace::Slow;
            } else {
                self.was_cut_short.store(true, Ordering::Relaxed);
            }
            if steps_back {
                // It cannot step forward again, and may have its thread for minutes.
                state.missing += 1;
            }
        }
        if steps_back {
            self.shared.wake_keeper.notify_one();
        }
        self.shared.wake();
        !self.was_cut_short()
    }

    fn lock(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops a turn when nobody waits for it any more.
struct StopWhenDropped(Arc<Turn>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.is_stopped.store(true, Ordering::Relaxed);
    }
}

impl GuestThreads {
    /// Starts so many threads.
    ///
    /// # Errors
    /// When the machine gives no more threads.
    pub fn start(limits: GuestThreadLimits) -> std::io::Result<Self> {
        let (quick_max, slow_max) = (limits.quick(), limits.slow());
        let threads = Self(Arc::new(Shared {
            state: Mutex::new(State {
                turns: Turns::new(quick_max, slow_max),
                is_closed: false,
                running: Vec::new(),
                missing: 0,
            }),
            wake_quick: Condvar::new(),
            wake_slow: Condvar::new(),
            wake_keeper: Condvar::new(),
            quick_max,
            slow_max,
        }));
        for _ in 0..quick_max {
            spawn(&threads.0, Pace::Quick)?;
        }
        for _ in 0..slow_max {
            spawn(&threads.0, Pace::Slow)?;
        }
        let shared = Arc::clone(&threads.0);
        let keeper = thread::Builder::new().name("millrace-guests".to_owned());
        keeper.spawn(move || shared.keep())?;
        Ok(threads)
    }

    /// Does `work` on one of the threads once it is the party's turn; on a slow one if it was found
    /// slow, or `is_slow`: a call of such a turn is not cut short. If this is dropped before
    /// there is an answer, the turn is stopped, and with it a guest that is in the middle of a
    /// call.
    ///
    /// # Errors
    /// When the threads are closed, or the work panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        party: &Party,
        is_slow: bool,
        work: impl FnOnce(&Turn) -> T + Send + 'static,
    ) -> Result<T, TurnLost> {
        let (tell, told) = oneshot::channel();
        let turn = Arc::new(Turn {
            party: party.clone(),
            is_stopped: AtomicBool::new(false),
            was_slow: AtomicBool::new(false),
            has_stepped_back: AtomicBool::new(false),
            was_cut_short: AtomicBool::new(false),
            begun: Mutex::new(Begun {
                at: Instant::now(),
                pace: Pace::Quick,
            }),
            shared: Arc::clone(&self.0),
        });
        let job = Job {
            turn: Arc::clone(&turn),
            work: Box::new(move |turn| {
                // Nobody waits for the answer of a turn that was stopped.
                let _ = tell.send(work(turn));
            }),
        };
        let _stop = StopWhenDropped(turn);
        {
            let mut state = self.0.lock();
            if state.is_closed {
                return Err(TurnLost::Closed);
            }
            state.turns.ask(party.clone(), is_slow, job);
        }
        self.0.wake();
        told.await.map_err(|_| {
            if self.0.lock().is_closed {
                TurnLost::Closed
            } else {
                TurnLost::Panicked
            }
        })
    }

    /// Whether a party was found to be slow, and has not shown since that it is not.
    pub fn is_slow(&self, party: &Party) -> bool {
        self.0.lock().turns.is_slow(party)
    }

    /// Turns that a delivery stream has at the moment.
    pub fn running_of(&self, delivery_stream: u64) -> usize {
        self.0.lock().turns.running_of(delivery_stream)
    }

    /// What the threads do at the moment.
    pub fn counts(&self) -> GuestThreadCounts {
        let (quick, slow, waiting) = self.0.lock().turns.counts();
        GuestThreadCounts {
            quick_max: self.0.quick_max,
            quick,
            slow_max: self.0.slow_max,
            slow,
            waiting,
        }
    }

    /// Stops every turn, those that wait and those under way; the threads end. Does not block.
    pub fn close(&self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        for turn in &state.running {
            turn.is_stopped.store(true, Ordering::Relaxed);
        }
        let waiting = state.turns.drain();
        drop(state);
        // Outside of the lock: whoever waits for one hears of it here.
        drop(waiting);
        self.0.wake_quick.notify_all();
        self.0.wake_slow.notify_all();
        self.0.wake_keeper.notify_all();
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Work is done outside of the lock, and what is done within it leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a thread of each group look whether a turn may begin. Never called with the lock held:
    /// whoever wakes would wait for it, and a thread that has stepped back may not run for long
    /// enough to give it back.
    fn wake(&self) {
        self.wake_quick.notify_one();
        self.wake_slow.notify_one();
    }

    /// The next turn of this pace; `None` once the threads shall end.
    fn next(&self, pace: Pace) -> Option<Next<Job>> {
        let wake = match pace {
            Pace::Quick => &self.wake_quick,
            Pace::Slow => &self.wake_slow,
        };
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(next) = state.turns.begin(pace) {
                let turn = Arc::clone(&next.job.turn);
                *turn.lock() = Begun {
                    at: Instant::now(),
                    pace: next.pace,
                };
                state.running.push(turn);
                return Some(next);
            }
            let waited = wake.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes that a turn has ended.
    fn end(&self, party: &Party, turn: &Arc<Turn>) {
        {
            let mut state = self.lock();
            let begun = turn.lock();
            let was_quick = !turn.was_slow.load(Ordering::Relaxed);
            let (pace, took) = (begun.pace, begun.at.elapsed());
            state.turns.end(party, pace, took, was_quick);
            state.running.retain(|running| !Arc::ptr_eq(running, turn));
        }
        // It may have had a thread of the other group.
        self.wake();
    }

    /// Starts successors of quick threads that have stepped back, from a thread that never did:
    /// threads inherit the priority of the one that starts them.
    fn keep(self: &Arc<Self>) {
        let mut state = self.lock();
        while !state.is_closed {
            if state.missing == 0 {
                let waited = self.wake_keeper.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.missing -= 1;
            drop(state);
            let spawned = spawn(self, Pace::Quick);
            state = self.lock();
            if let Err(error) = spawned {
                tracing::warn!(%error, "start a thread of plugins; it will be tried again");
                state.missing += 1;
                let waited = self.wake_keeper.wait_timeout(state, SPAWN_PAUSE);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

fn spawn(shared: &Arc<Shared>, pace: Pace) -> std::io::Result<()> {
    let shared = Arc::clone(shared);
    let thread = thread::Builder::new().name("millrace-guest".to_owned());
    thread.spawn(move || {
        step_back(match pace {
            Pace::Quick => GUEST_NICENESS,
            Pace::Slow => SLOW_NICENESS,
        });
        while let Some(next) = shared.next(pace) {
            let Next { party, job, .. } = next;
            let Job { turn, work } = job;
            TURN.set(Some(Arc::clone(&turn)));
            let worked = catch_unwind(AssertUnwindSafe(|| {
                // Whoever asked for it may have gone while it waited.
                if !turn.is_stopped() {
                    work(&turn);
                }
            }));
            TURN.set(None);
            if worked.is_err() {
                tracing::error!(?party, "the work on a batch panicked");
            }
            shared.end(&party, &turn);
            if turn.has_stepped_back.load(Ordering::Relaxed) {
                return;
            }
        }
    })?;
    Ok(())
}

/// Lowers the priority of the calling thread. Refused, it works like any other.
pub(crate) fn step_back(by: i32) {
    if let Err(error) = rustix::process::nice(by) {
        tracing::debug!(%error, "lower the priority of a thread of plugins");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::getpriority_process;

    use super::*;

    /// How long a turn is waited for that nothing stands in the way of.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// How much a thread steps back behind the one that asks for it, with the turn's pace.
    async fn behind(threads: &GuestThreads, is_slow: bool) -> i32 {
        let party = Party {
            delivery_stream: u64::from(is_slow),
            plugin: None,
        };
        let own = getpriority_process(None).unwrap();
        let priority = threads.run(&party, is_slow, |_| getpriority_process(None).unwrap());
        priority.await.unwrap() - own
    }

    #[tokio::test]
    async fn a_quick_thread_is_there_while_those_that_became_slow_keep_theirs() {
        let threads = GuestThreads::start(GuestThreadLimits::new(2, 1).unwrap()).unwrap();
        let party = |delivery_stream| Party {
            delivery_stream,
            plugin: None,
        };
        let (tell, told) = oneshot::channel();
        let loops = party(1);
        let slow = threads.run(&loops, false, |turn| {
            let goes_on = turn.turn_slow();
            tell.send(goes_on).unwrap();
            while !turn.is_stopped() {
                thread::yield_now();
            }
        });
        let victim = party(2);
        let quick = async {
            assert!(told.await.unwrap(), "a slow thread was free");
            threads.run(&victim, false, |_| ()).await.unwrap();
        };
        tokio::select! {
            ended = slow => panic!("nobody stopped it: {ended:?}"),
            done = tokio::time::timeout(PATIENCE, quick) => done.unwrap(),
        }
        assert_eq!(threads.counts().slow, 1);
    }

    /// Guests whose deadlines were shortened are stopped before a call is found slow.
    #[tokio::test]
    async fn a_slow_turn_steps_back_before_it_begins_and_no_quick_one_inherits_that() {
        let threads = GuestThreads::start(GuestThreadLimits::new(2, 1).unwrap()).unwrap();
        for is_slow in [false, true, true, false, true, false] {
            let expected = if is_slow {
                SLOW_NICENESS
            } else {
                GUEST_NICENESS
            };
            assert_eq!(behind(&threads, is_slow).await, expected);
        }
    }
}
