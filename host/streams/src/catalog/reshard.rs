//! Splits, merges and scalings: rounds of one transaction each.
//!
//! ```text
//! row UPDATING + the aim  ->  answer  ->  shards closed and made,  ->  ...  ->  the last of them
//!                                         logs sealed and made                  + row ACTIVE
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use store::{Expect, LogChange, LogId, Purpose, Transaction};
use types::limits::{CLOSED_SHARDS_PER_ACCOUNT_MAX, SCALINGS_PER_DAY_MAX};
use types::{HashKey, HashKeyRange, Second, ShardId, StreamArn, Timestamp};

use super::{CatalogTask, ChangeError};
use crate::codec::damaged;
use crate::directory::owner;
use crate::mode::Mode;
use crate::resharding::{Refused, Resharding, Step};
use crate::rows::{self, Numbers};
use crate::shard::{Shard, ShardFacts};
use crate::stream::{ShardMap, Status, Stream};

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// Who changes the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The owner, of a stream in PROVISIONED mode, within the limits of UpdateShardCount.
    Owner,
    /// The service, of a stream in ON_DEMAND mode.
    Service,
}

/// How many shards there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Open shards before.
    pub current: usize,
}

impl By {
    fn decides(self, mode: Mode) -> bool {
        match mode {
            Mode::Provisioned => self == Self::Owner,
            Mode::OnDemand(_) => self == Self::Service,
        }
    }
}

/// The shards of a stream after a round, and what must be done to their logs.
struct Round {
    shards: ShardMap,
    changes: Vec<LogChange>,
    /// Numbers that were given to logs.
    logs: u64,
    /// The latest second in which a shard of it was made.
    created: Option<Second>,
}

impl CatalogTask {
    /// Keeps what is to become of a stream's shards. Answers when that is durable as UPDATING.
    pub(super) async fn begin_resharding(
        &mut self,
        arn: &StreamArn,
        wanted: Resharding,
        by: By,
    ) -> Result<Begun, ChangeError> {
        let stream = self.ground.directory.at(arn).ok_or(ChangeError::NotFound)?;
        if stream.status != Status::Active {
            return Err(ChangeError::NotActive(stream.status));
        }
        if !by.decides(stream.mode) {
            return Err(ChangeError::OtherMode);
        }
        wanted.check(&stream.shards).map_err(ChangeError::Refused)?;
        let mut updating = Stream::clone(&stream);
        if by == By::Owner
            && let Resharding::Scale(_) = wanted
        {
            let factor = wanted.check_factor(&stream.shards);
            factor.map_err(ChangeError::Refused)?;
            let now = self.ground.clock.now();
            note_scaling(&mut updating.scaled_at, now)?;
        }
        let current = stream.shards.open_count();
        self.begin(updating, wanted).await?;
        Ok(Begun { current })
    }

    /// Keeps a changed stream together with what is to become of its shards.
    pub(super) async fn begin(
        &mut self,
        mut updating: Stream,
        wanted: Resharding,
    ) -> Result<(), ChangeError> {
        // Those that are only there on the way count, as at AWS.
        let steps = wanted.steps(&updating.shards);
        let more = u32::try_from(steps.splits).map_err(|_| ChangeError::OverClosedShards)?;
        self.check_room_for_shards(&updating.arn, more)?;
        let usage = self.ground.directory.usage(&owner(&updating.arn));
        if usage.closed_shards + steps.closed() > CLOSED_SHARDS_PER_ACCOUNT_MAX {
            return Err(ChangeError::OverClosedShards);
        }
        updating.status = Status::Updating;
        updating.resharding = Some(wanted);
        let writes = vec![rows::resharding::write(&updating)?];
        let expect = Expect::Version(updating.version);
        let parts = Transaction {
            writes,
            ..Transaction::default()
        };
        self.replace_expecting((updating, expect), parts, Purpose::Keep)
            .await?;
        Ok(())
    }

    /// Does one round of the stream whose turn it is.
    pub(super) async fn reshard_next(&mut self) {
        let Some(arn) = self.resharding.pop_front() else {
            return;
        };
        let stream = self.ground.directory.at(&arn);
        let Some(stream) = stream.filter(|stream| stream.status == Status::Updating) else {
            return;
        };
        match self.reshard(&stream).await {
            Ok(after) if after.status == Status::Updating => self.resharding.push_back(arn),
            Ok(_) => {
                let from = stream.status.as_str();
                tracing::info!(stream = %arn, from, "a stream changed its state");
            }
            Err(error) => {
                tracing::warn!(stream = %arn, ?error, "shards are not changed yet");
                self.unfinished.push_back(arn);
            }
        }
    }

    /// Does one round, all of it or nothing.
    async fn reshard(&mut self, stream: &Stream) -> Result<Arc<Stream>, ChangeError> {
        let Some(aim) = stream.resharding else {
            // Both are written in one transaction.
            return Err(damaged("what is to become of the shards of an UPDATING stream").into());
        };
        let round = self.round(stream, &aim.next_round(&stream.shards))?;
        let mut after = stream.clone();
        after.shards = Arc::new(round.shards);
        if aim.next_round(&after.shards).is_empty() {
            (after.status, after.resharding) = (Status::Active, None);
        }
        let numbers = Numbers {
            log: self.numbers.log + round.logs,
            ..self.numbers
        };
        let mut writes = rows::shard_changes(stream, &after)?;
        writes.push(rows::resharding::write(&after)?);
        writes.push(rows::numbers_write(numbers, self.numbers_version)?);
        let latest = round
            .created
            .filter(|at| self.creation_seconds.is_latest(*at));
        if let Some(second) = latest {
            writes.push(rows::latest_creation_write(second)?);
        }
        let parts = Transaction {
            writes,
            changes: round.changes,
            ..Transaction::default()
        };
        let expect = Expect::Version(stream.version);
        let version = self.replace_expecting((after, expect), parts, Purpose::Keep);
        self.numbers_version = Some(version.await?);
        self.numbers = numbers;
        if let Some(second) = round.created {
            self.creation_seconds.was_given(second);
        }
        let now = self.ground.directory.at(&stream.arn);
        now.ok_or(ChangeError::NotFound)
    }

    fn round(&self, stream: &Stream, steps: &[Step]) -> Result<Round, ChangeError> {
        let now = self.ground.clock.now();
        let mut making = Making {
            stream,
            closed_at: self.moment(stream, steps, now)?,
            now,
            next_id: next_shard(stream)?,
            next_log: self.numbers.log,
            closed: HashMap::new(),
            made: Vec::new(),
        };
        for step in steps {
            making.take(*step)?;
        }
        let Making { closed, made, .. } = making;
        let all = stream.shards.all().iter();
        let mut shards: Vec<_> = all
            .map(|shard| closed.get(&shard.facts().id).unwrap_or(shard).clone())
            .collect();
        let creations = made.iter().map(|facts| LogChange::Create(facts.log));
        let seals = closed
            .values()
            .map(|shard| LogChange::Seal(shard.facts().log));
        let changes = creations.chain(seals).collect();
        let created = made.iter().map(|facts| facts.created).max();
        let logs = made.len() as u64;
        shards.extend(made.into_iter().map(|facts| Arc::new(Shard::new(facts))));
        Ok(Round {
            shards: ShardMap::new(shards),
            changes,
            logs,
            created,
        })
    }

    /// When the shards of a round are closed and others take their place: after all that they hold
    /// has arrived, and all that they promised, and after they were opened, though the clock was
    /// set back meanwhile. So a shard is never taken for older than its records or than its
    /// parents, and at any moment each hash key is in one.
    fn moment(
        &self,
        stream: &Stream,
        steps: &[Step],
        now: Timestamp,
    ) -> Result<Timestamp, ChangeError> {
        let closing = steps.iter().flat_map(|step| match *step {
            Step::Split(shard, _) => [Some(shard), None],
            Step::Merge(shard, adjacent) => [Some(shard), Some(adjacent)],
        });
        let mut latest = now;
        for shard in closing.flatten().filter_map(|id| stream.shards.find(id)) {
            let facts = shard.facts();
            // What was promised of what comes holds for what its children take as well.
            let coming = self.ground.engine.arrivals_from(facts.log, Timestamp(0))?;
            latest = latest.max(facts.opened_at).max(coming.at);
        }
        Ok(Timestamp(latest.0.saturating_add(1)))
    }

    /// Forgets the closed shards of which nothing is kept any more, with their logs. Readers that
    /// had not come to their ends learn how many records they missed.
    pub(super) async fn forget_expired(&mut self, arn: &StreamArn) -> Result<(), ChangeError> {
        let Some(stream) = self.ground.directory.at(arn) else {
            return Ok(());
        };
        let time = self.ground.retention_clock.look();
        if stream.status != Status::Active || !time.may_trim {
            return Ok(());
        }
        let cutoff = stream.cutoff(time);
        let (mut kept, mut kept_ids) = (Vec::new(), HashSet::new());
        let mut gone = Vec::new();
        for shard in stream.shards.all() {
            let (log, closed_at) = (shard.facts().log, shard.facts().closed_at);
            let is_over = closed_at.is_some_and(|at| at < cutoff)
                && self.ground.engine.horizon(log)? == self.ground.engine.tip(log)?;
            // Who comes to the end of a shard finds its children: they do not go before it.
            let facts = shard.facts();
            let mut parents = facts.parent.iter().chain(&facts.adjacent_parent);
            let has_parent = parents.any(|parent| kept_ids.contains(parent));
            if is_over && !has_parent && gone.len() < super::FORGOTTEN_AT_ONCE_MAX {
                gone.push(shard.facts().clone());
            } else {
                kept_ids.insert(facts.id);
                kept.push(shard.clone());
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        let mut after = Stream::clone(&stream);
        after.shards = Arc::new(ShardMap::new(kept));
        let parts = Transaction {
            writes: rows::shard_changes(&stream, &after)?,
            ends: crate::ends::of_shards(stream.id, &gone),
            ..Transaction::default()
        };
        let expect = Expect::Version(stream.version);
        self.replace_expecting((after, expect), parts, Purpose::MakeRoom)
            .await?;
        tracing::info!(stream = %arn, shards = gone.len(), "closed shards have expired");
        Ok(())
    }
}

/// Counts one more scaling of a day (UpdateShardCount: ten per rolling 24 hours and stream).
fn note_scaling(scaled_at: &mut Vec<Timestamp>, now: Timestamp) -> Result<(), ChangeError> {
    // One that is ahead was noted before the clock was set back: it counts for a day as well.
    scaled_at.retain(|at| now.0.abs_diff(at.0) < DAY_MS);
    if scaled_at.len() >= SCALINGS_PER_DAY_MAX {
        return Err(ChangeError::OverScalings);
    }
    scaled_at.push(now);
    Ok(())
}

/// The number of the next shard. The shard that was made last is always among those that are
/// listed: it is open, or was closed for one that was made later.
fn next_shard(stream: &Stream) -> Result<ShardId, ChangeError> {
    let last = stream.shards.all().iter().map(|shard| shard.facts().id.0);
    let next = last.max().map_or(Some(0), |last| last.checked_add(1));
    next.map(ShardId).ok_or(ChangeError::OverClosedShards)
}

/// A round as it is made.
struct Making<'a> {
    stream: &'a Stream,
    now: Timestamp,
    /// When shards are closed, and their children opened.
    closed_at: Timestamp,
    next_id: ShardId,
    next_log: u64,
    closed: HashMap<ShardId, Arc<Shard>>,
    made: Vec<ShardFacts>,
}

impl Making<'_> {
    fn take(&mut self, step: Step) -> Result<(), ChangeError> {
        match step {
            Step::Split(id, at) => {
                let parent = self.close(id)?;
                let (low, high) = (parent.range.first, parent.range.last);
                let below = HashKey(at.0.saturating_sub(1));
                for (first, last) in [(low, below), (at, high)] {
                    self.make(HashKeyRange { first, last }, &parent, None)?;
                }
            }
            Step::Merge(id, adjacent) => {
                let (low, high) = (self.close(id)?, self.close(adjacent)?);
                let range = HashKeyRange {
                    first: low.range.first,
                    last: high.range.last,
                };
                self.make(range, &low, Some(&high))?;
            }
        }
        Ok(())
    }

    /// Closes a shard. What it was.
    fn close(&mut self, id: ShardId) -> Result<ShardFacts, ChangeError> {
        let shard = self.stream.shards.find(id);
        let shard = shard.ok_or(ChangeError::Refused(Refused::NoShard(id)))?;
        let closed = shard.closed(self.closed_at);
        self.closed.insert(id, Arc::new(closed));
        Ok(shard.facts().clone())
    }

    fn make(
        &mut self,
        range: HashKeyRange,
        parent: &ShardFacts,
        adjacent_parent: Option<&ShardFacts>,
    ) -> Result<(), ChangeError> {
        let parents = [Some(parent), adjacent_parent].into_iter().flatten();
        self.made.push(ShardFacts {
            id: self.next_id,
            range,
            log: LogId(self.next_log),
            parent: Some(parent.id),
            adjacent_parent: adjacent_parent.map(|parent| parent.id),
            created: Second::of_shard(self.now, parents.map(|parent| parent.created)),
            opened_at: self.closed_at,
            closed_at: None,
        });
        self.next_log += 1;
        let next = self.next_id.0.checked_add(1);
        self.next_id = next.map(ShardId).ok_or(ChangeError::OverClosedShards)?;
        Ok(())
    }
}
