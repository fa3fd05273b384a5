//! Where an instance works: whose records it is given, which is told with what it logs and counted
//! with what it takes.

use types::{AccountId, StreamArn};

use crate::consumer::Assignment;

/// What an instance works for, all its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workplace {
    /// The account of the delivery stream or application.
    pub account: AccountId,
    /// What it works for.
    pub of: WorksFor,
    /// The shard whose records it is given; `None` where records are put to a delivery stream
    /// directly.
    pub shard: Option<String>,
}

/// Who has an instance work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorksFor {
    /// The delivery stream of this name.
    DeliveryStream(String),
    /// The application of this name.
    Application(String),
}

impl WorksFor {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::DeliveryStream(name) | Self::Application(name) => name,
        }
    }
}

impl Workplace {
    /// Where an instance of a consumer works; `None` where it is an author's trial, whose stream
    /// has no address.
    pub fn of_consumer(assignment: &Assignment) -> Option<Self> {
        let stream = StreamArn::parse(&assignment.stream).ok()?;
        Some(Self {
            account: stream.account,
            of: WorksFor::Application(assignment.application.clone()),
            shard: Some(assignment.shard.clone()),
        })
    }
}
