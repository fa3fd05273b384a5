//! The way to records that others keep, once there is one.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::shadow::{RecordsOf, Retained, RetainedRecords, SHADOW_BYTES_MAX};

/// How long a shadow run waits for a server that is starting. After that its version is refused for
/// now.
const STARTING_MAX: Duration = Duration::from_secs(10);

/// Who reads records, once that is known.
#[derive(Default)]
pub(crate) struct RecordsOfOthers {
    state: Mutex<State>,
    has_changed: Condvar,
}

#[derive(Default)]
struct State {
    source: Option<Arc<dyn RetainedRecords>>,
    is_closed: bool,
}

impl RecordsOfOthers {
    /// Says who reads them.
    pub(crate) fn come_from(&self, source: Arc<dyn RetainedRecords>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.source = Some(source);
        self.has_changed.notify_all();
    }

    /// Lets go of whoever waits for that.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_closed = true;
        self.has_changed.notify_all();
    }

    /// The last records of a stream. Blocks, until `closing` turns true at most.
    pub(crate) fn last(
        &self,
        of: &RecordsOf,
        records_max: u32,
        closing: watch::Receiver<bool>,
    ) -> Result<Retained, String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unknown = |state: &mut State| state.source.is_none() && !state.is_closed;
        let waited = self
            .has_changed
            .wait_timeout_while(state, STARTING_MAX, is_unknown);
        // Each change is one assignment.
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            return Err("the server closes".to_owned());
        }
        let found = state.source.as_ref().map(Arc::clone);
        drop(state);
        let found = found.ok_or("the server reads no records yet")?;
        let records_max = usize::try_from(records_max).map_err(|error| error.to_string())?;
        found.last(of, (records_max, SHADOW_BYTES_MAX), closing)
    }
}
