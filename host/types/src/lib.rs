//! The words and limits of millrace: names, keys, numbers, places and times, parsed once at the
//! edge and passed on as types. Nothing here reads a clock, a socket or a disk; the one
//! exception, [`SystemClock`], is the edge itself.

mod account;
pub mod aggregate;
mod arn;
mod consumer;
mod hash_key;
mod iso_8601;
pub mod limits;
mod log_ring;
mod partition_key;
mod sequence_number;
mod shard_id;
mod stream_name;
mod time;

use std::fmt;

pub use account::{AccountId, Caller, Region};
pub use arn::StreamArn;
pub use consumer::{ConsumerArn, ConsumerName};
pub use hash_key::{HashKey, HashKeyRange};
pub use log_ring::{LogBounds, LogEntry, LogFrom, LogPart, LogRing};
pub use partition_key::PartitionKey;
pub use sequence_number::{GivenNumber, InShard, Second, SequenceNumber};
pub use shard_id::ShardId;
pub use stream_name::StreamName;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};

/// Text that is not a value of the wanted type: a sentence for a person, which names the text and
/// the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}
