//! The way to records that others keep, once there is one.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::name::PluginName;
use crate::shadow::{Retained, RetainedRecords, SHADOW_BYTES_MAX};

/// How long a shadow run waits for a server that is starting. After that its version is refused for
/// now.
const STARTING_MAX: Duration = Duration::from_secs(10);

/// Who reads records, once that is known.
#[derive(Default)]
pub(crate) struct RecordsOfOthers {
    source: Mutex<Option<Arc<dyn RetainedRecords>>>,
    is_there: Condvar,
}

impl RecordsOfOthers {
    /// Says who reads them.
    pub(crate) fn come_from(&self, source: Arc<dyn RetainedRecords>) {
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
        self.is_there.notify_all();
    }

    /// The last records of a stream that goes through a plugin. Blocks.
    pub(crate) fn last(&self, plugin: &PluginName, records_max: u32) -> Result<Retained, String> {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .is_there
            .wait_timeout_while(source, STARTING_MAX, |source| source.is_none());
        // The value is an option, whole at every moment.
        let (source, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let found = source.as_ref().map(Arc::clone);
        drop(source);
        let found = found.ok_or("the server reads no records yet")?;
        let records_max = usize::try_from(records_max).map_err(|error| error.to_string())?;
        found.last(plugin, records_max, SHADOW_BYTES_MAX)
    }
}
