//! Enhanced fan-out: records are pushed to registered consumers (SubscribeToShard).
//!
//! A subscription has no task and no buffer of its own. Its connection asks it for the next event
//! when the last one was taken; it reads the shard's log from where it stands, waits at the tip
//! until something is durable there, and is dropped when the client goes. Consumers that stand at
//! the same place of a shard share the text of their events.

mod events;
mod leases;
mod shared;
mod subscription;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use leases::{Lease, Leases, SubscriptionKey};
pub use shared::SharedEvents;
pub use subscription::{Subscribed, Subscription};

/// What all subscriptions of a server share.
#[derive(Default)]
pub struct Fanout {
    /// Who is subscribed to what.
    pub leases: Leases,
    /// Events that others may push as well.
    pub shared: SharedEvents,
    open: Arc<AtomicUsize>,
}

/// Counts a subscription as open until it is dropped.
pub struct Open(Arc<AtomicUsize>);

impl Fanout {
    /// Counts a subscription.
    pub fn opens(&self) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(&self.open))
    }

    /// Subscriptions that are open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
