//! What a connection is doing, and whether it has taken too long: told the time, never waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::limits::Limits;

/// The value of a time that has not come.
const NEVER: u64 = u64::MAX;

/// What a connection is doing. Times are milliseconds since it was accepted.
pub(crate) struct Activity {
    accepted: Instant,
    /// When the first bytes of the request came whose headers are still coming in.
    head_since: AtomicU64,
    /// When something last moved: a request came, a part of an answer was taken.
    moved: AtomicU64,
    /// Requests whose headers were complete so far.
    requests: AtomicUsize,
    /// Requests that are received or handled.
    serving: AtomicUsize,
    /// Answers that are being sent.
    answering: AtomicUsize,
    /// A request was answered without being read to its end.
    unread: AtomicBool,
}

/// What is to be done with a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    GoOn,
    /// It has nothing to do: ask it to end.
    Idle,
    /// It has taken too long: cut it off.
    Late(&'static str),
}

/// As long as this lives, its connection receives or handles a request.
pub(crate) struct Serving<'a>(&'a Activity);

/// As long as this lives, its connection makes and sends an answer.
pub(crate) struct Answering(Arc<Activity>);

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            accepted: Instant::now(),
            head_since: AtomicU64::new(NEVER),
            moved: AtomicU64::new(0),
            requests: AtomicUsize::new(0),
            serving: AtomicUsize::new(0),
            answering: AtomicUsize::new(0),
            unread: AtomicBool::new(false),
        }
    }

    /// A request's headers are complete.
    pub(crate) fn serves(&self) -> Serving<'_> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.serving.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(NEVER, Ordering::Relaxed);
        Serving(self)
    }

    /// An answer is about to be sent.
    pub(crate) fn answers(self: &Arc<Self>) -> Answering {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// How many requests came whose headers were complete.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether none of them is received or handled, and no answer is made.
    pub(crate) fn has_answered(&self) -> bool {
        self.serving.load(Ordering::Relaxed) == 0 && self.answering.load(Ordering::Relaxed) == 0
    }

    /// The request at hand is answered without being read to its end.
    pub(crate) fn leaves_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Whether bytes of a request may still come that nobody will read.
    pub(crate) fn has_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    /// Notes that something moved.
    pub(crate) fn moves(&self) {
        self.moved.store(self.now(), Ordering::Relaxed);
    }

    /// Bytes came over a connection of HTTP/1.1.
    pub(crate) fn bytes_came(&self) {
        if self.still_since().is_some() {
            self.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// When something last moved, if nothing is received, handled or sent now.
    pub(crate) fn still_since(&self) -> Option<u64> {
        let is_still = self.has_answered() && self.head_since.load(Ordering::Relaxed) == NEVER;
        is_still.then(|| self.moved.load(Ordering::Relaxed))
    }

    pub(crate) fn verdict(&self, limits: &Limits) -> Verdict {
        self.verdict_at(self.now(), limits)
    }

    fn verdict_at(&self, now: u64, limits: &Limits) -> Verdict {
        let passed = |since: u64, limit: Duration| {
            u128::from(now.saturating_sub(since)) >= limit.as_millis()
        };
        let head_since = self.head_since.load(Ordering::Relaxed);
        let moved = self.moved.load(Ordering::Relaxed);
        if self.serving.load(Ordering::Relaxed) > 0 {
            return Verdict::GoOn; // A body has deadlines of its own.
        }
        if self.answering.load(Ordering::Relaxed) > 0 {
            return Verdict::GoOn; // So has an answer, in the budget.
        }
        if head_since != NEVER && passed(head_since, limits.head) {
            return Verdict::Late("the headers of a request are not complete in time");
        }
        if passed(moved, limits.idle) {
            Verdict::Idle
        } else {
            Verdict::GoOn
        }
    }

    fn now(&self) -> u64 {
        // 584 million years are as long ago as any other moment that has come.
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(NEVER - 1)
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.moves();
        self.0.serving.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
        self.0.moves();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, activity: &Activity) -> Verdict {
        activity.verdict_at(seconds * 1000, &Limits::default())
    }

    #[test]
    fn a_connection_without_requests_is_idle_after_a_while() {
        let activity = Activity::new();
        assert_eq!(at(74, &activity), Verdict::GoOn);
        assert_eq!(at(75, &activity), Verdict::Idle);
    }

    #[test]
    fn headers_have_a_deadline_from_their_first_byte() {
        let activity = Activity::new();
        activity.bytes_came();
        activity.bytes_came();
        assert_eq!(at(9, &activity), Verdict::GoOn);
        assert!(matches!(at(11, &activity), Verdict::Late(_)));
        drop(activity.serves());
        assert_eq!(at(11, &activity), Verdict::GoOn);
    }

    #[test]
    fn a_request_being_handled_is_not_hurried() {
        let activity = Activity::new();
        let serving = activity.serves();
        activity.bytes_came();
        assert_eq!(at(10_000, &activity), Verdict::GoOn);
        drop(serving);
        assert_eq!(at(10_000, &activity), Verdict::Idle);
    }

    #[test]
    fn a_connection_is_still_between_requests_and_not_within_one() {
        let activity = Arc::new(Activity::new());
        assert_eq!(activity.still_since(), Some(0));
        activity.bytes_came();
        assert_eq!(activity.still_since(), None);
        let serving = activity.serves();
        assert_eq!(activity.still_since(), None);
        let answering = activity.answers();
        drop(serving);
        assert_eq!(activity.still_since(), None);
        drop(answering);
        assert!(activity.still_since().is_some());
    }

    #[test]
    fn an_answer_under_way_is_left_to_its_own_pace() {
        let activity = Arc::new(Activity::new());
        let answering = activity.answers();
        assert_eq!(at(10_000, &activity), Verdict::GoOn);
        drop(answering);
        assert_eq!(at(10_000, &activity), Verdict::Idle);
    }
}
