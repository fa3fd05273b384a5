//! A stream as other parts of the server read it: the logs of its shards, past the operations and
//! their limits.

use std::sync::Arc;
use std::time::Duration;

use store::LogId;
use tokio::sync::watch;
use types::{HashKeyRange, ShardId, StreamArn, Timestamp};
use wire::{Action, ApiError, Requester, Target};

use crate::Streams;
use crate::encryption::Asked;
use crate::shard::Numbering;
use crate::stream::{ShardMap, Status, StreamId};

/// What whoever has a stream read for it must be allowed to do.
const READING: Action = Action {
    service: "kinesis",
    operation: "GetRecords",
};

/// The same of whoever has records put there.
const PUTTING: Action = Action {
    service: "kinesis",
    operation: "PutRecords",
};

/// A stream that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its number: another stream under the same name has another.
    pub id: StreamId,
    /// How long its records are kept.
    pub retention: Duration,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its shards that are still listed, in order of their names.
    pub shards: Vec<SourceShard>,
}

/// One shard of a stream that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceShard {
    /// Its name.
    pub id: ShardId,
    /// The log of its records.
    pub log: LogId,
    /// What their sequence numbers are made of.
    pub numbering: Numbering,
    /// It was split or merged: its log is sealed.
    pub is_closed: bool,
    /// When it began to take records: none of its parents took any since.
    pub opened_at: Timestamp,
    /// The hash keys that it takes.
    pub range: HashKeyRange,
    /// The shards that it came from by a split or a merge, whose records come before its own.
    pub parents: Vec<ShardId>,
}

/// What a reader's work on a stream depends on: while this is the same, there are the same shards.
#[derive(Clone, Default)]
pub struct SourceMark(Option<(StreamId, Status, Arc<ShardMap>)>);

impl PartialEq for SourceMark {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some((id, status, shards)), Some((other_id, other_status, other_shards))) => {
                (id, status) == (other_id, other_status) && Arc::ptr_eq(shards, other_shards)
            }
            (mine, others) => mine.is_none() && others.is_none(),
        }
    }
}

impl Streams {
    /// Changes after the stream at an address was made, changed or deleted.
    pub fn source_changes(&self, arn: &StreamArn) -> watch::Receiver<u64> {
        self.directory.changes(arn)
    }

    /// What is at an address at the moment.
    pub fn source_mark(&self, arn: &StreamArn) -> SourceMark {
        let stream = self.directory.at(arn);
        SourceMark(stream.map(|stream| (stream.id, stream.status, Arc::clone(&stream.shards))))
    }

    /// The stream at an address, if it is there and takes records.
    pub fn source(&self, arn: &StreamArn) -> Option<Source> {
        self.source_that(arn, Status::is_in_service)
    }

    /// The stream at an address, if it is there and its logs are being deleted: what they still
    /// hold may be shown.
    pub fn ending_source(&self, arn: &StreamArn) -> Option<Source> {
        self.source_that(arn, |status| status == Status::Deleting)
    }

    /// What asks for the encryption that the stream at an address has; `None` if it has none, or is
    /// not there.
    pub fn encryption_of_source(&self, arn: &StreamArn) -> Option<Asked> {
        let stream = self.directory.at(arn)?;
        let sealing = stream.encryption.in_force.as_ref()?;
        Some(Asked::Start {
            named: sealing.named.clone(),
            master: sealing.master.clone(),
        })
    }

    /// Lets a request have the records of a stream read for it, or refuses it.
    ///
    /// # Errors
    /// AccessDeniedException: it may not read them itself.
    pub fn permit_source(&self, by: &Requester, arn: &StreamArn) -> Result<(), ApiError> {
        self.permit(by, READING, arn)
    }

    /// Lets a request have records put to a stream for it, or refuses it.
    ///
    /// # Errors
    /// AccessDeniedException: it may not put them itself.
    pub fn permit_puts(&self, by: &Requester, arn: &StreamArn) -> Result<(), ApiError> {
        self.permit(by, PUTTING, arn)
    }

    fn permit(&self, by: &Requester, action: Action, arn: &StreamArn) -> Result<(), ApiError> {
        let stream = self.directory.at(arn);
        let target = Target {
            arn,
            owner: arn.account,
            policy: stream.as_ref().and_then(|stream| stream.policy.as_deref()),
            tags: stream.as_ref().map(|stream| &stream.tags),
        };
        by.permit_to(action, &target)
    }

    fn source_that(&self, arn: &StreamArn, is: impl Fn(Status) -> bool) -> Option<Source> {
        let stream = self.directory.at(arn)?;
        if !is(stream.status) {
            return None;
        }
        let shards = stream.shards.all().iter().map(|shard| {
            let facts = shard.facts();
            SourceShard {
                id: facts.id,
                log: facts.log,
                is_closed: facts.closed_at.is_some(),
                opened_at: facts.opened_at,
                range: facts.range,
                numbering: shard.numbering(),
                parents: facts
                    .parent
                    .into_iter()
                    .chain(facts.adjacent_parent)
                    .collect(),
            }
        });
        Some(Source {
            id: stream.id,
            retention: stream.retention(),
            created_at: stream.created_at,
            shards: shards.collect(),
        })
    }
}
