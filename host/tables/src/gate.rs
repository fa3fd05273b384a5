//! Who writes items of a table at the moment. A change of what a write must do (an index that
//! comes or goes, the end of the table) waits until nobody writes by the old rules, and whoever
//! writes then goes by the new ones.

use std::fmt;
use std::sync::Arc;

use store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fault;

/// Writes to one table at the same time. One more waits for its turn.
const WRITERS_MAX: u32 = 1_024;

/// The way of writes into one table.
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(WRITERS_MAX as usize)))
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

impl Gate {
    /// Lets one write in, for as long as its permit lives.
    ///
    /// # Errors
    /// Never: nobody closes the gate.
    pub async fn enter(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let permit = Arc::clone(&self.0).acquire_owned().await;
        permit.map_err(|_| fault::broken("a gate is closed"))
    }

    /// Waits until nobody writes, and keeps everybody out for as long as the permit lives.
    ///
    /// # Errors
    /// Never: nobody closes the gate.
    pub async fn shut(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let all = Arc::clone(&self.0).acquire_many_owned(WRITERS_MAX).await;
        all.map_err(|_| fault::broken("a gate is closed"))
    }
}
