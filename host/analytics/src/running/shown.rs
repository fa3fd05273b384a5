//! What is shown of an application at work.

use std::sync::{Mutex, MutexGuard, PoisonError};

use types::Timestamp;

use super::AtWork;
use super::place::Counts;

/// What an application at work shows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// What it does.
    pub at_work: AtWork,
    /// Why it does not get on, if it does not.
    pub detail: Option<String>,
    /// What it counted since it was made.
    pub counts: Counts,
    /// Bytes that its state holds in memory.
    pub state_bytes: u64,
    /// No row that comes is older.
    pub time: Timestamp,
    /// When it found last that it had read all there was; `None` while it has not.
    pub caught_up_at: Option<Timestamp>,
    /// Transactions that it committed since the server started.
    pub commits: u64,
    /// What its last change made begin anew, in words.
    pub began_empty: Vec<String>,
}

impl Status {
    /// Milliseconds from the last row that was taken to now; 0 for one that has taken all there is.
    pub fn millis_behind(&self, now: Timestamp) -> u64 {
        let behind = now.since(self.time).as_millis();
        match self.caught_up_at {
            Some(_) => 0,
            None => u64::try_from(behind).unwrap_or(u64::MAX),
        }
    }
}

/// The status, for who works and who looks.
#[derive(Debug, Default)]
pub struct Shown(Mutex<Status>);

impl Shown {
    /// What is shown.
    pub fn status(&self) -> Status {
        self.lock().clone()
    }

    /// Changes what is shown.
    pub fn show(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock());
    }

    /// Shows why it does not get on. Whether that is new.
    pub fn is_stuck(&self, why: &str) -> bool {
        let mut status = self.lock();
        let is_new = status.detail.as_deref() != Some(why);
        if is_new {
            status.detail = Some(why.to_owned());
        }
        is_new
    }

    /// It gets on.
    pub fn gets_on(&self) {
        self.lock().detail = None;
    }

    // Each change leaves it whole.
    fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
