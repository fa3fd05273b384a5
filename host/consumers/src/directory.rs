//! The applications that this worker knows, for whoever asks for one.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use types::Caller;
use wasm::PluginName;

use crate::application::{ApplicationId, ApplicationName};
use crate::running::Running;

/// How long somebody waits until the supervisor has looked.
const LOOK_TIME_MAX: Duration = Duration::from_secs(20);

/// An application that a plugin's manifest declares, and that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotMade {
    /// Whose it would be.
    pub owner: Caller,
    /// Why it cannot be made.
    pub why: String,
}

/// Applications by owner and name. Only the supervisor writes here.
pub struct Directory {
    all: RwLock<BTreeMap<(Caller, ApplicationName), Arc<Running>>>,
    /// Plugins whose manifests declare an application that cannot be made, and why.
    refused: RwLock<BTreeMap<PluginName, NotMade>>,
    /// The supervisor is to look.
    pub nudge: Arc<Notify>,
    /// How often it has looked.
    looks: watch::Sender<u64>,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            all: RwLock::default(),
            refused: RwLock::default(),
            nudge: Arc::default(),
            looks: watch::channel(0).0,
        }
    }
}

impl Directory {
    /// One application.
    pub fn find(&self, owner: &Caller, name: &ApplicationName) -> Option<Arc<Running>> {
        let key = (owner.clone(), name.clone());
        self.read().get(&key).cloned()
    }

    /// All applications, in order of their owners and names.
    pub fn all(&self) -> Vec<Arc<Running>> {
        self.read().values().cloned().collect()
    }

    /// Has the supervisor look, and returns once it has, or does not for long.
    pub async fn look(&self) {
        if tokio::time::timeout(LOOK_TIME_MAX, self.looked_anew())
            .await
            .is_err()
        {
            tracing::warn!("the supervisor of applications does not look");
        }
    }

    /// The same until it has found an application that was just made.
    pub async fn meet(&self, owner: &Caller, name: &ApplicationName) {
        let mut looks = self.looks.subscribe();
        let met = async {
            while self.find(owner, name).is_none() {
                self.nudge.notify_one();
                if looks.changed().await.is_err() {
                    return;
                }
            }
        };
        if tokio::time::timeout(LOOK_TIME_MAX, met).await.is_err() {
            tracing::warn!("the supervisor of applications does not look");
        }
    }

    async fn looked_anew(&self) {
        let mut looks = self.looks.subscribe();
        // One that is under way may have passed what is new.
        let wanted = looks.borrow_and_update().saturating_add(2);
        self.nudge.notify_one();
        while *looks.borrow_and_update() < wanted {
            if looks.changed().await.is_err() {
                return;
            }
            self.nudge.notify_one();
        }
    }

    pub(crate) fn looked(&self) {
        self.looks.send_modify(|looks| *looks += 1);
    }

    pub(crate) fn set(&self, all: Vec<Arc<Running>>) {
        let by_name = all.into_iter().map(|running| {
            let application = running.application();
            let key = (application.owner.clone(), application.name.clone());
            (key, running)
        });
        let by_name = by_name.collect();
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = by_name;
    }

    /// Plugins whose manifests declare an application that cannot be made, and why.
    pub fn refused(&self) -> BTreeMap<PluginName, NotMade> {
        let refused = self.refused.read();
        refused.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn refuse(&self, now: BTreeMap<PluginName, NotMade>) {
        let mut refused = self.refused.write().unwrap_or_else(PoisonError::into_inner);
        for (plugin, not_made) in &now {
            if refused.get(plugin) != Some(not_made) {
                let why = &not_made.why;
                tracing::warn!(%plugin, why, "the application of a plugin is not made");
            }
        }
        *refused = now;
    }

    pub(crate) fn remove(&self, id: ApplicationId) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, running| running.application().id != id);
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<(Caller, ApplicationName), Arc<Running>>> {
        // Each change puts a whole map in the place of another, or takes one entry out.
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }
}
