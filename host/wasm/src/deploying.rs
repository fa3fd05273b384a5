//! Versions that somebody hands to a running server, to be put in force as if they had been put
//! into the plugins directory. The thread that watches the directory does both, so that neither
//! sees the other's half done.
//!
//! A deployment may take longer than somebody waits. Whoever asks again with the same files waits
//! for the same deployment. Of one that was over meanwhile it hears if it was refused for what is
//! in its files; otherwise it is carried out again, which does nothing where it is in force.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::hash::ContentHash;
use crate::kept::Source;
use crate::name::PluginName;
use crate::refusal::Refusal;

/// Versions that are on their way at a time; the files of each are in memory. One more is refused,
/// and may be handed in again.
const DEPLOYMENTS_MAX: usize = 4;
/// Outcomes that nobody has heard of yet. Of more the oldest is forgotten: who asks for it deploys
/// anew.
const OUTCOMES_MAX: usize = 32;
/// How long an outcome waits for somebody to hear of it: after that the same files are another
/// attempt.
const OUTCOME_TIME_MAX: Duration = Duration::from_secs(600);

/// What became of a version that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The version.
    pub hash: ContentHash,
    /// It was so before.
    pub was_in_force: bool,
    /// Who goes by it now.
    pub standing: Standing,
}

/// Who goes by a version that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everybody.
    InForce,
    /// A share, as its manifest or an operator says.
    Canary,
    /// Nobody: it was set aside meanwhile.
    SetAside,
}

/// Why a version that was handed in is not in force. The one before goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDeployed {
    /// The server has no plugins directory, so that none can lie there.
    NoDirectory,
    /// For what is in its files, or lies in its place.
    Refused(String),
    /// It may be at another time.
    ForNow(String),
}

impl From<Refusal> for NotDeployed {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ForGood(why) => Self::Refused(why),
            Refusal::ForNow(why) => Self::ForNow(why),
        }
    }
}

type Outcome = Result<Deployed, Refusal>;

/// A version on its way to the watcher's thread.
pub(crate) struct Deployment {
    pub(crate) name: PluginName,
    pub(crate) source: Source,
    /// Whoever waits for what becomes of it.
    pub(crate) answer: Answer,
}

/// What tells deployments apart: a signature that comes later makes another one.
type Key = (PluginName, ContentHash, Option<Vec<u8>>);

/// The deployments that are on their way, and those of which nobody has heard yet what came of
/// them.
#[derive(Default)]
pub(crate) struct Deployments(Mutex<State>);

#[derive(Default)]
struct State {
    all: Vec<Arc<Awaited>>,
    /// Those that the watcher's thread has not come to.
    waiting: VecDeque<Deployment>,
    is_closed: bool,
}

/// One of them.
pub(crate) struct Awaited {
    key: Key,
    /// With the time since when it is known.
    outcome: Mutex<Option<(Outcome, Instant)>>,
    is_known: Condvar,
}

/// Says what came of a deployment. Dropped without that, it says that the server closes.
pub(crate) struct Answer(Arc<Awaited>);

/// How somebody comes to wait for a deployment.
pub(crate) enum Begun {
    /// It is on its way, or was; whoever watches the directory has to hear of it.
    OnItsWay(Arc<Awaited>),
    /// There are as many on their way as there may be.
    Full,
    /// Nobody takes any more.
    Closed,
}

impl Deployments {
    /// Begins a deployment, or finds the one that was begun with the same files.
    pub(crate) fn begin(&self, name: &PluginName, source: Source, now: Instant) -> Begun {
        let key = (name.clone(), source.hash(), source.signature.clone());
        let mut state = self.lock();
        if state.is_closed {
            return Begun::Closed;
        }
        state.all.retain(|it| !it.is_stale(now));
        // What came into force may have been set aside since, and what stood in the way be gone.
        state.all.retain(|it| it.key != key || it.is_to_be_heard());
        if let Some(same) = state.all.iter().find(|it| it.key == key) {
            return Begun::OnItsWay(Arc::clone(same));
        }
        let is_over = |it: &Arc<Awaited>| it.lock().is_some();
        let over = state.all.iter().filter(|it| is_over(it)).count();
        if state.all.len() - over >= DEPLOYMENTS_MAX {
            return Begun::Full;
        }
        if over >= OUTCOMES_MAX
            && let Some(oldest) = state.all.iter().position(is_over)
        {
            state.all.remove(oldest);
        }
        let awaited = Arc::new(Awaited {
            key,
            outcome: Mutex::default(),
            is_known: Condvar::new(),
        });
        state.all.push(Arc::clone(&awaited));
        state.waiting.push_back(Deployment {
            name: name.clone(),
            source,
            answer: Answer(Arc::clone(&awaited)),
        });
        Begun::OnItsWay(awaited)
    }

    /// The next one to be carried out.
    pub(crate) fn next(&self) -> Option<Deployment> {
        self.lock().waiting.pop_front()
    }

    /// Takes no more, and lets go of those that wait.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        // Each says by this that the server closes.
        drop(waiting);
    }

    /// What came of a deployment, once that is known, `wait_max` from now at most. It is forgotten
    /// by that: the same files are another deployment from then on.
    pub(crate) fn hear(&self, awaited: &Arc<Awaited>, wait_max: Duration) -> Option<Outcome> {
        let outcome = awaited.wait(wait_max)?;
        self.lock().all.retain(|it| !Arc::ptr_eq(it, awaited));
        Some(outcome)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change under the lock leaves the lists whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaited {
    fn is_stale(&self, now: Instant) -> bool {
        let is_old = |at: Instant| now.saturating_duration_since(at) > OUTCOME_TIME_MAX;
        self.lock().as_ref().is_some_and(|(_, at)| is_old(*at))
    }

    /// Whether it is on its way, or its outcome is as true later.
    fn is_to_be_heard(&self) -> bool {
        let outcome = self.lock();
        let is_lasting =
            |(outcome, _): &(Outcome, Instant)| matches!(outcome, Err(Refusal::ForGood(_)));
        outcome.as_ref().is_none_or(is_lasting)
    }

    fn wait(&self, wait_max: Duration) -> Option<Outcome> {
        let is_unknown = |outcome: &mut Option<_>| outcome.is_none();
        let waited = self
            .is_known
            .wait_timeout_while(self.lock(), wait_max, is_unknown);
        let (outcome, _) = waited.unwrap_or_else(PoisonError::into_inner);
        outcome.as_ref().map(|(outcome, _)| outcome.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Outcome, Instant)>> {
        // One assignment.
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer {
    /// Says it to all who wait, and to the next one who asks if nobody does.
    pub(crate) fn give(self, outcome: Outcome) {
        *self.0.lock() = Some((outcome, Instant::now()));
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let closes = || Refusal::ForNow("the server closes".to_owned());
        let mut outcome = self.0.lock();
        outcome.get_or_insert_with(|| (Err(closes()), Instant::now()));
        drop(outcome);
        self.0.is_known.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> PluginName {
        PluginName::parse("a").unwrap()
    }

    fn source(number: usize) -> Source {
        Source {
            component: number.to_string().into_bytes(),
            ..Source::default()
        }
    }

    fn begin(all: &Deployments, source: Source) -> Arc<Awaited> {
        match all.begin(&name(), source, Instant::now()) {
            Begun::OnItsWay(awaited) => awaited,
            Begun::Full | Begun::Closed => panic!("it is not taken"),
        }
    }

    fn new(all: &Deployments, number: usize) -> (Arc<Awaited>, Answer) {
        let awaited = begin(all, source(number));
        (awaited, all.next().expect("it is new").answer)
    }

    fn refused(why: &str) -> Outcome {
        Err(Refusal::ForGood(why.to_owned()))
    }

    /// Who asked again after 45 seconds had it compiled again, and never heard of the refusal.
    #[test]
    fn who_asks_again_hears_what_came_of_a_deployment_that_nobody_waited_for() {
        let all = Deployments::default();
        let (awaited, answer) = new(&all, 1);
        assert_eq!(all.hear(&awaited, Duration::ZERO), None, "it lasts");
        let again = begin(&all, source(1));
        assert!(all.next().is_none(), "it is on its way");
        answer.give(refused("slow"));
        for awaited in [&again, &awaited] {
            let told = all.hear(awaited, Duration::ZERO);
            assert_eq!(told, Some(refused("slow")), "all who wait hear of it");
        }
        new(&all, 1).1.give(refused("slow again"));
        let again = begin(&all, source(1));
        assert!(all.next().is_none(), "nobody has heard of it");
        let told = all.hear(&again, Duration::ZERO);
        assert_eq!(told, Some(refused("slow again")));
        new(&all, 2).1.give(refused("long ago"));
        let later = Instant::now() + OUTCOME_TIME_MAX * 2;
        all.begin(&name(), source(2), later);
        assert!(all.next().is_some(), "that was another attempt");
    }

    /// It was answered as in force ten minutes after a rollback.
    #[test]
    fn who_deploys_again_what_came_into_force_unheard_has_it_carried_out_again() {
        let for_now = Err(Refusal::ForNow("no room".to_owned()));
        let in_force = Ok(Deployed {
            hash: source(1).hash(),
            was_in_force: false,
            standing: Standing::InForce,
        });
        for outcome in [in_force, for_now] {
            let all = Deployments::default();
            new(&all, 1).1.give(outcome);
            let again = begin(&all, source(1));
            let attempt = all.next();
            assert!(attempt.is_some(), "it is another attempt");
            assert_eq!(all.hear(&again, Duration::ZERO), None);
            drop(attempt);
        }
    }

    #[test]
    fn a_signature_makes_another_deployment_of_the_same_files() {
        let all = Deployments::default();
        begin(&all, source(1));
        let signed = Source {
            signature: Some(b"signed".to_vec()),
            ..source(1)
        };
        begin(&all, signed.clone());
        let sources = [all.next(), all.next()].map(|it| it.unwrap().source);
        assert_eq!(sources, [source(1), signed]);
    }

    #[test]
    fn so_many_are_on_their_way_and_so_many_outcomes_wait() {
        let all = Deployments::default();
        let answers: Vec<_> = (0..DEPLOYMENTS_MAX).map(|it| new(&all, it).1).collect();
        let begun = all.begin(&name(), source(100), Instant::now());
        assert!(matches!(begun, Begun::Full));
        drop(answers);
        for number in 100..100 + OUTCOMES_MAX * 2 {
            new(&all, number).1.give(refused("no"));
        }
        assert!(all.lock().all.len() <= OUTCOMES_MAX);
        begin(&all, source(100 + OUTCOMES_MAX * 2 - 1));
        assert!(all.next().is_none(), "it is remembered");
        begin(&all, source(100));
        assert!(all.next().is_some(), "it is forgotten");
    }

    #[test]
    fn a_deployment_that_is_given_up_says_that_the_server_closes() {
        let all = Deployments::default();
        let awaited = begin(&all, source(1));
        let told = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| all.hear(&awaited, Duration::from_secs(60)));
            all.close();
            waiting.join().unwrap()
        });
        let closes = Err(Refusal::ForNow("the server closes".to_owned()));
        assert_eq!(told, Some(closes));
        let begun = all.begin(&name(), source(2), Instant::now());
        assert!(matches!(begun, Begun::Closed));
    }
}
