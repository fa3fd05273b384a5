//! New streams, and the limits of what an account may have.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::{Expect, LogId, Purpose, Transaction, Version};
use types::limits::{
    RETENTION_HOURS_DEFAULT, SHARDS_PER_REGION_MAX, STREAMS_CREATING_MAX, TAGS_PER_RESOURCE_MAX,
};
use types::{HashKeyRange, Second, ShardId, StreamArn, Timestamp};

use super::{CatalogTask, ChangeError, OverShards};
use crate::directory::owner;
use crate::edit::EditError;
use crate::encryption::Encryption;
use crate::mode::{Mode, ModeSwitches};
use crate::monitoring::ShardLevelMetrics;
use crate::rows::{self, Numbers};
use crate::shard::ShardFacts;
use crate::stream::{ShardMap, Status, Stream, StreamId};

/// What CreateStream asks for.
#[derive(Clone, Debug)]
pub struct NewStream {
    /// Where the stream shall be.
    pub arn: StreamArn,
    /// Who decides how many shards there are.
    pub mode: Mode,
    /// How many there are at first.
    pub shard_count: u32,
    /// Bytes that a record's data and partition key may have together.
    pub record_bytes_max: usize,
    /// The owner's labels.
    pub tags: BTreeMap<String, String>,
}

impl CatalogTask {
    pub(super) async fn create(&mut self, new: NewStream) -> Result<(), ChangeError> {
        if self.ground.directory.at(&new.arn).is_some() {
            return Err(ChangeError::Exists);
        }
        self.check_room_for_shards(&new.arn, new.shard_count)?;
        self.check_room_for_streams(&new.arn)?;
        if new.tags.len() > TAGS_PER_RESOURCE_MAX {
            return Err(EditError::OverTags.into());
        }
        let numbers = Numbers {
            stream: self.numbers.stream + 1,
            log: self.numbers.log + u64::from(new.shard_count),
        };
        let now = self.ground.clock.now();
        let second = self.creation_seconds.next(&new.arn, now);
        let stream = self.new_stream(new, now, second);
        let mut writes = rows::shard_writes(&stream)?;
        writes.push(rows::numbers_write(numbers, self.numbers_version)?);
        if self.creation_seconds.is_latest(second) {
            writes.push(rows::latest_creation_write(second)?);
        }
        let parts = Transaction {
            writes,
            ..Transaction::default()
        };
        let version = self.replace_expecting((stream, Expect::Absent), parts, Purpose::Keep);
        self.numbers_version = Some(version.await?);
        self.numbers = numbers;
        self.creation_seconds.was_given(second);
        Ok(())
    }

    pub(super) fn check_room_for_shards(
        &self,
        arn: &StreamArn,
        wanted: u32,
    ) -> Result<(), ChangeError> {
        let shards_max = self.ground.limits.shards_max;
        let usage = self.ground.directory.usage(&owner(arn));
        let region = Some(arn.region.clone());
        for (region, current, limit) in [
            (region, usage.shards_in_region, SHARDS_PER_REGION_MAX),
            (None, usage.shards, shards_max),
        ] {
            let left = limit.saturating_sub(current);
            if usize::try_from(wanted).is_ok_and(|wanted| wanted <= left) {
                continue;
            }
            return Err(ChangeError::OverShards(OverShards {
                region,
                current,
                limit,
                wanted,
            }));
        }
        Ok(())
    }

    fn check_room_for_streams(&self, arn: &StreamArn) -> Result<(), ChangeError> {
        let streams_max = self.ground.limits.streams_max;
        let usage = self.ground.directory.usage(&owner(arn));
        if usage.streams >= streams_max {
            return Err(ChangeError::OverStreams { limit: streams_max });
        }
        if usage.creating_in_region >= STREAMS_CREATING_MAX {
            return Err(ChangeError::OverCreating);
        }
        Ok(())
    }

    fn new_stream(&self, new: NewStream, now: Timestamp, created: Second) -> Stream {
        let ranges = HashKeyRange::split_evenly(new.shard_count);
        let shards = (0..).zip(ranges).map(|(number, range)| ShardFacts {
            id: ShardId(number),
            range,
            log: LogId(self.numbers.log + u64::from(number)),
            parent: None,
            adjacent_parent: None,
            created,
            opened_at: now,
            closed_at: None,
        });
        Stream {
            id: StreamId(self.numbers.stream),
            status: Status::Creating,
            mode: new.mode,
            mode_switches: ModeSwitches::default(),
            created_at: now,
            retention_hours: RETENTION_HOURS_DEFAULT,
            expired_before: Timestamp(0),
            record_bytes_max: new.record_bytes_max,
            monitored: ShardLevelMetrics::NONE,
            tags: new.tags,
            policy: None,
            shards: Arc::new(ShardMap::of_facts(shards)),
            counts: Arc::default(),
            consumers: Arc::default(),
            resharding: None,
            encryption: Encryption::default(),
            scaled_at: Vec::new(),
            arn: new.arn,
            // The row is not written yet; the commit gives its version.
            version: Version(0),
        }
    }
}
