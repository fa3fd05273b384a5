//! Registered consumers: who gets the records of a stream pushed (SubscribeToShard).

use std::collections::BTreeMap;
use std::sync::Arc;

use types::{ConsumerArn, ConsumerName, StreamArn, Timestamp};
use wire::iam::ResourcePolicy;

use crate::consumer_counts::ConsumerCounts;

/// A consumer as the catalog knows it. It is ACTIVE from the moment that it is durable.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its name within its stream.
    pub name: ConsumerName,
    /// When it was registered.
    pub created_at: Timestamp,
    /// The owner's labels.
    pub tags: BTreeMap<String, String>,
    /// Who may subscribe beside its own account.
    pub policy: Option<Arc<ResourcePolicy>>,
    /// What is counted of it, whatever is changed about it.
    pub counts: Arc<ConsumerCounts>,
}

impl Consumer {
    /// Its address, as a consumer of `stream`.
    pub fn arn(&self, stream: &StreamArn) -> ConsumerArn {
        ConsumerArn {
            stream: stream.clone(),
            name: self.name.clone(),
            created_s: self.created_at.0 / 1_000,
        }
    }
}

/// The consumers of a stream, in order of their names.
pub type Consumers = BTreeMap<ConsumerName, Arc<Consumer>>;
