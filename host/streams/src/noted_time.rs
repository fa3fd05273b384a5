//! The time that retention believed last, kept in a row: what a start goes on from.
//!
//! The arrivals of records could not take its place: the clock stamps them also while it is
//! doubted, and to believe them after a restart would be to believe that clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::{CommitError, Engine, StoreError};
use types::Timestamp;

use crate::rows;

/// How far time goes on before it is noted anew. A server that was killed starts from a time that
/// is too old by at most this, so that its clock is doubted when it is ahead by so much less.
const NOTE_PERIOD: Duration = Duration::from_secs(3_600);

/// The row, as it was written last.
pub struct NotedTime {
    engine: Arc<dyn Engine>,
    noted: Mutex<Option<Timestamp>>,
}

impl NotedTime {
    /// Reads what the store keeps.
    pub async fn load(engine: Arc<dyn Engine>) -> Result<Self, StoreError> {
        let noted = Mutex::new(rows::load_noted_time(&*engine).await?);
        Ok(Self { engine, noted })
    }

    /// The time in the row; `None` before the first.
    pub fn at(&self) -> Option<Timestamp> {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that `now` is believed, if the row is off by [`NOTE_PERIOD`] or there is none.
    pub async fn follow(&self, now: Timestamp) {
        let is_near = |noted: Timestamp| {
            let apart = now.since(noted).max(noted.since(now));
            apart < NOTE_PERIOD
        };
        if !self.at().is_some_and(is_near) {
            self.note(now).await;
        }
    }

    /// Notes that `now` is believed. Without the row the next start goes on from an older one, so
    /// that it doubts its clock more and forgets less.
    pub async fn note(&self, now: Timestamp) {
        let noted = match rows::noted_time_write(now) {
            Ok(write) => rows::write_alone(&*self.engine, write).await,
            Err(error) => Err(CommitError::Store(error)),
        };
        match noted {
            Ok(()) => *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(now),
            Err(error) => tracing::warn!(%error, "the time that retention believes was not noted"),
        }
    }
}
