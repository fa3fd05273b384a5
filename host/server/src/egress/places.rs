//! How many calls go on at once, and how much of their answers lies in memory: in all, for each
//! account and for each plugin. Who finds no place waits for one, as long as its call may last.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use types::AccountId;
use wasm::{CallError, PluginName};

/// Connections at once in all, for an account, and for a plugin. One more waits.
const CONNECTIONS_MAX: usize = 64;
const CONNECTIONS_PER_ACCOUNT_MAX: usize = 32;
const CONNECTIONS_PER_PLUGIN_MAX: usize = 16;
/// Bytes of answers that are being taken, in all and for a plugin. What would be more waits in the
/// server's socket, and its call ends with its time.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
const ANSWER_BYTES_PER_PLUGIN_MAX: usize = 16 * 1024 * 1024;
/// Accounts, and plugins, that are remembered while no call of theirs goes on.
const REMEMBERED_MAX: usize = 1_000;

/// The places of all.
pub(super) struct Places {
    connections: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    of_accounts: Shared<AccountId>,
    of_plugins: Shared<PluginName>,
    bytes_of_plugins: Shared<PluginName>,
}

/// A place of each of those that share something.
struct Shared<K> {
    each: usize,
    all: Mutex<HashMap<K, Arc<Semaphore>>>,
}

/// The place of one call, until this is dropped.
pub(super) struct Place {
    _connections: Vec<OwnedSemaphorePermit>,
    bytes: [Arc<Semaphore>; 2],
}

/// Bytes of an answer that count until this is dropped.
pub(super) struct Held {
    _bytes: [OwnedSemaphorePermit; 2],
}

impl Default for Places {
    fn default() -> Self {
        Self {
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            bytes: Arc::new(Semaphore::new(ANSWER_BYTES_MAX)),
            of_accounts: Shared::new(CONNECTIONS_PER_ACCOUNT_MAX),
            of_plugins: Shared::new(CONNECTIONS_PER_PLUGIN_MAX),
            bytes_of_plugins: Shared::new(ANSWER_BYTES_PER_PLUGIN_MAX),
        }
    }
}

impl Places {
    /// A place for a call. What belongs to few is taken first, so that nobody holds what all need
    /// while it waits for its own.
    pub(super) async fn take(
        &self,
        plugin: &PluginName,
        account: Option<AccountId>,
    ) -> Result<Place, CallError> {
        let mut connections = vec![one_of(self.of_plugins.of(plugin)).await?];
        if let Some(account) = account {
            connections.push(one_of(self.of_accounts.of(&account)).await?);
        }
        connections.push(one_of(Arc::clone(&self.connections)).await?);
        Ok(Place {
            _connections: connections,
            bytes: [self.bytes_of_plugins.of(plugin), Arc::clone(&self.bytes)],
        })
    }
}

impl Place {
    /// Room for so many bytes of the answer.
    pub(super) async fn hold(&self, bytes: usize) -> Result<Held, CallError> {
        let bytes = u32::try_from(bytes).map_err(|_| CallError::TooLarge)?;
        let [plugin, all] = &self.bytes;
        let closed = |_| CallError::Stopped;
        Ok(Held {
            _bytes: [
                Arc::clone(plugin)
                    .acquire_many_owned(bytes)
                    .await
                    .map_err(closed)?,
                Arc::clone(all)
                    .acquire_many_owned(bytes)
                    .await
                    .map_err(closed)?,
            ],
        })
    }
}

async fn one_of(places: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, CallError> {
    // They are never closed.
    places.acquire_owned().await.map_err(|_| CallError::Stopped)
}

impl<K: Clone + Eq + Hash> Shared<K> {
    fn new(each: usize) -> Self {
        Self {
            each,
            all: Mutex::default(),
        }
    }

    fn of(&self, key: &K) -> Arc<Semaphore> {
        // Each statement under the lock leaves the map whole.
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > REMEMBERED_MAX {
            all.retain(|_, places| Arc::strong_count(places) > 1);
        }
        let new = || Arc::new(Semaphore::new(self.each));
        Arc::clone(all.entry(key.clone()).or_insert_with(new))
    }
}
