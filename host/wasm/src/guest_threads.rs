//! The threads that guests run on, with all that is done with their records before and after: a
//! fixed number, below the priority of the threads that serve clients, shared out in turns.
//!
//! A turn is a closure that blocks. It hears that it is not wanted any more, and so does a guest
//! that it is in the middle of: see [`Turn`] and `call_time`.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use types::AccountId;

use crate::call_clock::processor_time;
use crate::cpu_shares::{CpuRules, CpuShare};
use crate::guest_thread_limits::GuestThreadLimits;
use crate::guest_turns::{Job, Shared, Turn, niceness, set_turn, step_back};
use crate::limits::SPAWN_PAUSE;
use crate::name::PluginName;
use crate::turns::{Next, Pace, Party};

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
    /// Threads for those alone who use little of the processors.
    pub light_max: usize,
    /// Turns on them.
    pub light: usize,
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

/// What all plugins and accounts may have of the processors, and had; in order of their names.
#[derive(Clone, Debug, Default)]
pub struct CpuSharesShown {
    /// By plugin, over all for whom it works.
    pub plugins: Vec<(PluginName, CpuShare)>,
    /// By account, over all its plugins.
    pub accounts: Vec<(AccountId, CpuShare)>,
}

/// The threads. Dropping them ends them.
pub struct GuestThreads(Arc<Shared>);

/// Stops a turn when nobody waits for it any more.
struct StopWhenDropped(Arc<Turn>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl GuestThreads {
    /// Starts so many threads.
    ///
    /// # Errors
    /// When the machine gives no more threads.
    pub fn start(limits: GuestThreadLimits) -> std::io::Result<Self> {
        Self::start_sharing(limits, CpuRules::default())
    }

    /// The same where nobody takes more of the processors' time than these rules say.
    ///
    /// # Errors
    /// When the machine gives no more threads.
    pub fn start_sharing(limits: GuestThreadLimits, rules: CpuRules) -> std::io::Result<Self> {
        let threads = Self(Arc::new(Shared::new(limits, rules)));
        for pace in Pace::ALL {
            for _ in 0..limits.by_pace()[pace] {
                spawn(&threads.0, pace)?;
            }
        }
        let shared = Arc::clone(&threads.0);
        let keeper = thread::Builder::new().name("millrace-guests".to_owned());
        keeper.spawn(move || keep(&shared))?;
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
        let turn = Arc::new(Turn::new(party, &self.0));
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
            let now = self.0.now();
            state.turns.ask(party.clone(), is_slow, job, now);
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

    /// Whether a party waits until it may have a processor again, having used its share.
    pub fn is_held_back(&self, party: &Party) -> bool {
        let now = self.0.now();
        now < self.0.lock().turns.shares.opens_at(party, now)
    }

    /// What a plugin may have of the processors, and had.
    pub fn share_of_plugin(&self, plugin: &PluginName) -> CpuShare {
        self.0.lock().turns.shares.of_plugin(plugin)
    }

    /// What an account may have of the processors, and had.
    pub fn share_of_account(&self, account: AccountId) -> CpuShare {
        self.0.lock().turns.shares.of_account(account)
    }

    /// The shares of all plugins, and of all accounts, that had a turn.
    pub fn shares(&self) -> CpuSharesShown {
        let state = self.0.lock();
        let (mut plugins, mut accounts) =
            (state.turns.shares.plugins(), state.turns.shares.accounts());
        drop(state);
        plugins.sort_by(|(one, _), (another, _)| one.cmp(another));
        accounts.sort_by_key(|(account, _)| account.to_string());
        CpuSharesShown { plugins, accounts }
    }

    /// Turns that a delivery stream has at the moment.
    pub fn running_of(&self, delivery_stream: u64) -> usize {
        self.0.lock().turns.running_of(delivery_stream)
    }

    /// What the threads do at the moment.
    pub fn counts(&self) -> GuestThreadCounts {
        let limits = self.0.limits;
        let turns = &self.0.lock().turns;
        GuestThreadCounts {
            light_max: limits.light(),
            light: turns.running(Pace::Light),
            quick_max: limits.quick(),
            quick: turns.running(Pace::Quick),
            slow_max: limits.slow(),
            slow: turns.running(Pace::Slow),
            waiting: turns.waiting(),
        }
    }

    /// Stops every turn, those that wait and those under way; the threads end. Does not block.
    pub fn close(&self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        for turn in &state.running {
            turn.stop();
        }
        let waiting = state.turns.drain();
        drop(state);
        // Outside of the lock: whoever waits for one hears of it here.
        drop(waiting);
        for pace in Pace::ALL {
            self.0.wake_next[pace].notify_all();
        }
        self.0.wake_keeper.notify_all();
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        self.close();
    }
}

/// Starts successors of threads that have stepped back or are away, from a thread that never
/// stepped back: threads inherit the priority of the one that starts them.
fn keep(shared: &Arc<Shared>) {
    let mut state = shared.lock();
    while !state.is_closed {
        let missing = |pace: &Pace| state.missing[*pace] > 0;
        let Some(pace) = Pace::ALL.into_iter().find(missing) else {
            let waited = shared.wake_keeper.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        state.missing[pace] -= 1;
        drop(state);
        let spawned = spawn(shared, pace);
        state = shared.lock();
        if pace == Pace::Light {
            state.turns.lacks_light(spawned.is_err());
        }
        if let Err(error) = spawned {
            tracing::warn!(%error, "start a thread of plugins; it will be tried again");
            state.missing[pace] += 1;
            // For what only the missing thread would have looked at.
            shared.wake_next[Pace::Quick].notify_one();
            let waited = shared.wake_keeper.wait_timeout(state, SPAWN_PAUSE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn spawn(shared: &Arc<Shared>, pace: Pace) -> std::io::Result<()> {
    let shared = Arc::clone(shared);
    let thread = thread::Builder::new().name("millrace-guest".to_owned());
    thread.spawn(move || {
        step_back(niceness(pace));
        while let Some(next) = shared.next(pace) {
            let Next { party, job, .. } = next;
            let Job { turn, work } = job;
            set_turn(Some(Arc::clone(&turn)));
            let from = processor_time();
            let worked = catch_unwind(AssertUnwindSafe(|| {
                // Whoever asked for it may have gone while it waited.
                if !turn.is_stopped() {
                    work(&turn);
                }
            }));
            set_turn(None);
            if worked.is_err() {
                tracing::error!(?party, "the work on a batch panicked");
            }
            shared.end(&party, &turn, taken_since(from));
            if turn.has_successor() {
                return;
            }
        }
    })?;
    Ok(())
}

/// How long the calling thread has had a processor since then.
fn taken_since(from: wasmtime::Result<Duration>) -> Duration {
    let taken = from.and_then(|from| Ok(processor_time()?.saturating_sub(from)));
    taken.unwrap_or_else(|error| {
        tracing::error!(%error, "read the clock of a thread of plugins");
        Duration::ZERO
    })
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    /// How long a turn is waited for that nothing stands in the way of.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// How much a thread steps back behind the one that asks for it, with the turn's pace.
    async fn behind(threads: &GuestThreads, is_slow: bool) -> i32 {
        let party = Party {
            account: AccountId::DEFAULT,
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
            account: AccountId::DEFAULT,
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

    /// Its place was given back twice: when it went away, and when it ended.
    #[tokio::test]
    async fn a_turn_that_panics_while_it_is_away_gives_its_place_back_once() {
        let threads = GuestThreads::start(GuestThreadLimits::new(2, 1).unwrap()).unwrap();
        let party = Party {
            account: AccountId::DEFAULT,
            delivery_stream: 1,
            plugin: None,
        };
        let lost = threads.run(&party, false, |turn| {
            turn.away::<()>(|| panic!("the call panics"));
        });
        assert_eq!(lost.await, Err(TurnLost::Panicked));
        let ended = async {
            while !threads.0.lock().running.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.unwrap();
        assert_eq!(threads.counts().quick, 0);
    }

    /// Guests whose deadlines were shortened are stopped before a call is found slow.
    #[tokio::test]
    async fn a_slow_turn_steps_back_before_it_begins_and_no_quick_one_inherits_that() {
        let threads = GuestThreads::start(GuestThreadLimits::new(3, 1).unwrap()).unwrap();
        for is_slow in [false, true, true, false, true, false] {
            let pace = if is_slow { Pace::Slow } else { Pace::Light };
            assert_eq!(behind(&threads, is_slow).await, niceness(pace));
        }
    }
}
