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
/// Bytes of answers until guests have them, in all, for an account and for a plugin. What would be
/// more waits in the server's socket, and its call ends with its time; or it ends at once, where
/// its answer has begun and does not say how long it is.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
const ANSWER_BYTES_PER_ACCOUNT_MAX: usize = ANSWER_BYTES_MAX / 2;
const ANSWER_BYTES_PER_PLUGIN_MAX: usize = 16 * 1024 * 1024;
/// Accounts, and plugins, that are remembered while no call of theirs goes on.
const REMEMBERED_MAX: usize = 1_000;

/// The places of all.
pub(super) struct Places {
    connections: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    of_accounts: Shared<AccountId>,
    of_plugins: Shared<PluginName>,
    bytes_of_accounts: Shared<AccountId>,
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
    /// Room of the account, of the plugin and of all, in the order in which it is taken.
    bytes: Vec<Arc<Semaphore>>,
}

/// Bytes of an answer that count until this is dropped.
pub(super) struct Held {
    bytes: usize,
    /// One for each room that they count in.
    permits: Vec<OwnedSemaphorePermit>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            bytes: Arc::new(Semaphore::new(ANSWER_BYTES_MAX)),
            of_accounts: Shared::new(CONNECTIONS_PER_ACCOUNT_MAX),
            of_plugins: Shared::new(CONNECTIONS_PER_PLUGIN_MAX),
            bytes_of_accounts: Shared::new(ANSWER_BYTES_PER_ACCOUNT_MAX),
            bytes_of_plugins: Shared::new(ANSWER_BYTES_PER_PLUGIN_MAX),
        }
    }
}

impl Places {
    /// A place for a call. What only its account has a use for is taken first, then what the plugin
    /// has for all accounts, so that nobody holds what others need while it waits for its own.
    pub(super) async fn take(
        &self,
        plugin: &PluginName,
        account: Option<AccountId>,
    ) -> Result<Place, CallError> {
        let (mut connections, mut bytes) = (Vec::new(), Vec::new());
        if let Some(account) = account {
            connections.push(one_of(self.of_accounts.of(&account)).await?);
            bytes.push(self.bytes_of_accounts.of(&account));
        }
        connections.push(one_of(self.of_plugins.of(plugin)).await?);
        connections.push(one_of(Arc::clone(&self.connections)).await?);
        bytes.push(self.bytes_of_plugins.of(plugin));
        bytes.push(Arc::clone(&self.bytes));
        Ok(Place {
            _connections: connections,
            bytes,
        })
    }
}

impl Place {
    /// Waits for room for so many bytes of the answer. A call that holds some must not: two that
    /// did would wait for each other.
    pub(super) async fn hold(&self, bytes: usize) -> Result<Held, CallError> {
        let count = u32::try_from(bytes).map_err(|_| CallError::TooLarge)?;
        let mut permits = Vec::with_capacity(self.bytes.len());
        for room in &self.bytes {
            let permit = Arc::clone(room).acquire_many_owned(count).await;
            // They are never closed.
            permits.push(permit.map_err(|_| CallError::Stopped)?);
        }
        Ok(Held { bytes, permits })
    }

    /// Makes what is held room for so many bytes, if that can be had at once. Whether it was.
    pub(super) fn grow(&self, held: &mut Held, bytes: usize) -> bool {
        let more = bytes.saturating_sub(held.bytes);
        let Ok(count) = u32::try_from(more) else {
            return false;
        };
        let mut permits = Vec::with_capacity(self.bytes.len());
        for room in &self.bytes {
            let Ok(permit) = Arc::clone(room).try_acquire_many_owned(count) else {
                return false;
            };
            permits.push(permit);
        }
        for (permit, more) in held.permits.iter_mut().zip(permits) {
            permit.merge(more);
        }
        held.bytes += more;
        true
    }
}

impl Held {
    /// How many they are.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn place(places: &Places, plugin: &str, account: AccountId) -> Place {
        let plugin = PluginName::parse(plugin).unwrap();
        places.take(&plugin, Some(account)).await.unwrap()
    }

    /// Each piece of an answer had two permits of its own.
    #[tokio::test]
    async fn room_that_grows_stays_one_and_is_given_back_as_a_whole() {
        let places = Places::default();
        let place = place(&places, "a", AccountId::DEFAULT).await;
        let mut held = place.hold(1).await.unwrap();
        for bytes in 2..1_000 {
            assert!(place.grow(&mut held, bytes));
        }
        assert_eq!((held.bytes(), held.permits.len()), (999, 3));
        assert!(!place.grow(&mut held, ANSWER_BYTES_PER_PLUGIN_MAX + 1));
        assert_eq!(held.bytes(), 999, "it is as it was");
        assert_eq!(places.bytes.available_permits(), ANSWER_BYTES_MAX - 999);
        drop(held);
        assert_eq!(places.bytes.available_permits(), ANSWER_BYTES_MAX);
    }

    /// Four plugins of one account held all the room there is.
    #[tokio::test]
    async fn an_account_leaves_half_of_the_room_to_others() {
        let places = Places::default();
        let greedy = AccountId::parse("111111111111").unwrap();
        let mut held = Vec::new();
        for plugin in ["a", "b"] {
            let place = place(&places, plugin, greedy).await;
            held.push(place.hold(ANSWER_BYTES_PER_PLUGIN_MAX).await.unwrap());
        }
        let third = place(&places, "c", greedy).await;
        let mut none = third.hold(0).await.unwrap();
        assert!(!third.grow(&mut none, 1));
        let other = AccountId::parse("222222222222").unwrap();
        let other = place(&places, "c", other).await;
        let room = other.hold(ANSWER_BYTES_PER_PLUGIN_MAX).await.unwrap();
        assert_eq!(room.bytes(), ANSWER_BYTES_PER_PLUGIN_MAX);
    }
}
