//! The one task that changes the catalog. Tables first, then memory: what a reader sees in the
//! [`Directory`] is durable.
//!
//! ```text
//! create:  row CREATING + shards + numbers  ->  answer  ->  logs made     ->  row ACTIVE
//! delete:  row DELETING                     ->  answer  ->  logs deleted  ->  rows removed
//!                                                           + their ends
//! ```
//!
//! A crash between two steps is rolled forward when the server starts again; a step that fails is
//! tried again every [`ROLL_FORWARD_PERIOD`].

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use store::{
    CommitError, Engine, Expect, LogId, Purpose, StoreError, TableWrite, Transaction, Version,
};
use tokio::sync::{mpsc, oneshot};
use types::limits::{
    RETENTION_HOURS_DEFAULT, SHARDS_PER_REGION_MAX, STREAMS_CREATING_MAX, TAGS_PER_RESOURCE_MAX,
};
use types::{Clock, HashKeyRange, Region, Second, ShardId, StreamArn, Timestamp};

use crate::AccountLimits;
use crate::creation_seconds::CreationSeconds;
use crate::directory::Directory;
use crate::edit::Edit;
use crate::ends;
use crate::retention_clock::RetentionClock;
use crate::rows::{self, Loaded, Numbers};
use crate::shard::ShardFacts;
use crate::stream::{Mode, ShardMap, Status, Stream, StreamId};

/// Changes that wait for their turn. One more waits where it is sent.
const CHANGES_WAITING_MAX: usize = 1_000;
/// How long the task waits before it tries an unfinished creation or deletion again.
const ROLL_FORWARD_PERIOD: Duration = Duration::from_secs(1);

/// The version of a row that was removed: nobody will expect it.
const REMOVED: Version = Version(0);

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

/// Why the catalog was not changed.
#[derive(Clone, Debug)]
pub enum ChangeError {
    /// There is a stream of that name.
    Exists,
    /// There is no stream of that name.
    NotFound,
    /// The stream is not ACTIVE.
    NotActive(Status),
    /// The account would have more shards than it may.
    OverShards(OverShards),
    /// The account has as many streams as it may, in all regions.
    OverStreams {
        /// How many that is.
        limit: usize,
    },
    /// The account creates as many streams as it may at a time.
    OverCreating,
    /// The stream keeps its records for longer than what an increase asked for.
    RetentionIsLonger {
        /// For how many hours.
        current: u32,
        /// For how many it shall keep them.
        wanted: u32,
    },
    /// The stream keeps its records for less than what a decrease asked for.
    RetentionIsShorter {
        /// For how many hours.
        current: u32,
        /// For how many it shall keep them.
        wanted: u32,
    },
    /// The stream would have more labels than it may.
    OverTags,
    /// The change was not kept.
    Commit(CommitError),
    /// The server is shutting down.
    Closing,
}

/// More shards than an account may have.
#[derive(Clone, Debug)]
pub struct OverShards {
    /// The limit is of this region alone; `None`: of all regions together.
    pub region: Option<Region>,
    /// How many shards there are.
    pub current: usize,
    /// How many there may be.
    pub limit: usize,
    /// How many more were asked for.
    pub wanted: u32,
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Commit(CommitError::Store(error))
    }
}

enum Change {
    Create(NewStream, oneshot::Sender<Result<(), ChangeError>>),
    Delete(StreamArn, oneshot::Sender<Result<(), ChangeError>>),
    Edit(StreamArn, Edit, oneshot::Sender<Result<(), ChangeError>>),
    Stop,
}

/// The way to the catalog's task.
#[derive(Clone)]
pub struct CatalogHandle(mpsc::Sender<Change>);

impl CatalogHandle {
    /// Makes a stream. Answers when it is durable as CREATING.
    pub async fn create(&self, stream: NewStream) -> Result<(), ChangeError> {
        self.ask(|answer| Change::Create(stream, answer)).await
    }

    /// Deletes a stream. Answers when it is durable as DELETING.
    pub async fn delete(&self, arn: StreamArn) -> Result<(), ChangeError> {
        self.ask(|answer| Change::Delete(arn, answer)).await
    }

    /// Changes a stream. Answers when the change is durable.
    pub async fn edit(&self, arn: StreamArn, edit: Edit) -> Result<(), ChangeError> {
        self.ask(|answer| Change::Edit(arn, edit, answer)).await
    }

    /// Ends the task after the changes that were sent before.
    pub async fn stop(&self) {
        // A task that has ended needs no stopping.
        let _ = self.0.send(Change::Stop).await;
    }

    async fn ask(
        &self,
        change: impl FnOnce(oneshot::Sender<Result<(), ChangeError>>) -> Change,
    ) -> Result<(), ChangeError> {
        let (sender, answer) = oneshot::channel();
        let sent = self.0.send(change(sender)).await;
        sent.map_err(|_| ChangeError::Closing)?;
        answer.await.unwrap_or(Err(ChangeError::Closing))
    }
}

/// What the task works with.
pub struct Ground {
    pub engine: Arc<dyn Engine>,
    pub clock: Arc<dyn Clock>,
    pub retention_clock: Arc<RetentionClock>,
    pub directory: Arc<Directory>,
    pub limits: AccountLimits,
}

/// The owner of all changes.
pub struct CatalogTask {
    ground: Ground,
    inbox: mpsc::Receiver<Change>,
    numbers: Numbers,
    numbers_version: Option<Version>,
    creation_seconds: CreationSeconds,
    /// Streams that are on their way to ACTIVE or to their end.
    unfinished: VecDeque<StreamArn>,
}

impl fmt::Debug for CatalogTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatalogTask").finish_non_exhaustive()
    }
}

impl CatalogTask {
    /// A task over what was loaded, and the way to it.
    pub fn new(ground: Ground, loaded: Loaded) -> (CatalogHandle, Self) {
        let (sender, inbox) = mpsc::channel(CHANGES_WAITING_MAX);
        let creation_seconds = creation_seconds(&loaded, ground.clock.now());
        let mut unfinished = VecDeque::new();
        for stream in loaded.streams {
            if stream.status != Status::Active {
                unfinished.push_back(stream.arn.clone());
            }
            ground.directory.put(stream);
        }
        let task = Self {
            ground,
            inbox,
            numbers: loaded.numbers,
            numbers_version: loaded.numbers_version,
            creation_seconds,
            unfinished,
        };
        (CatalogHandle(sender), task)
    }

    /// Does what it is asked, until it is told to stop.
    pub async fn run(mut self) {
        loop {
            let waiting = !self.unfinished.is_empty();
            tokio::select! {
                change = self.inbox.recv() => match change {
                    Some(change @ (Change::Create(..) | Change::Delete(..) | Change::Edit(..))) => {
                        self.apply(change).await;
                    }
                    Some(Change::Stop) | None => return,
                },
                () = tokio::time::sleep(ROLL_FORWARD_PERIOD), if waiting => {
                    self.roll_forward().await;
                }
            }
        }
    }

    async fn apply(&mut self, change: Change) {
        // A caller who has gone away does not hear how his change went; it is done all the same.
        match change {
            Change::Create(stream, answer) => {
                let arn = stream.arn.clone();
                let made = self.create(stream).await;
                self.answer_and_finish(made, arn, answer).await;
            }
            Change::Delete(arn, answer) => {
                let marked = self.mark_deleting(&arn).await;
                self.answer_and_finish(marked, arn, answer).await;
            }
            Change::Edit(arn, edit, answer) => {
                let _ = answer.send(self.edit(&arn, edit).await);
            }
            Change::Stop => {}
        }
    }

    async fn answer_and_finish(
        &mut self,
        begun: Result<(), ChangeError>,
        arn: StreamArn,
        answer: oneshot::Sender<Result<(), ChangeError>>,
    ) {
        let go_on = begun.is_ok();
        let _ = answer.send(begun);
        if go_on {
            self.unfinished.push_back(arn);
            self.roll_forward().await;
        }
    }

    /// Brings each unfinished stream to its end, or leaves it for later.
    pub async fn roll_forward(&mut self) {
        for _ in 0..self.unfinished.len() {
            let Some(arn) = self.unfinished.pop_front() else {
                return;
            };
            if let Err(error) = self.finish(&arn).await {
                tracing::warn!(stream = %arn, ?error, "a stream is not finished yet");
                self.unfinished.push_back(arn);
            }
        }
    }

    async fn finish(&mut self, arn: &StreamArn) -> Result<(), ChangeError> {
        let Some(stream) = self.ground.directory.at(arn) else {
            return Ok(());
        };
        match stream.status {
            Status::Active => {}
            Status::Creating => {
                let shards = stream.shards.all().iter();
                let logs: Vec<_> = shards.map(|shard| shard.facts().log).collect();
                self.ground.engine.create_logs(&logs).await?;
                let mut active = Stream::clone(&stream);
                active.status = Status::Active;
                self.replace(active, Purpose::Keep).await?;
            }
            Status::Deleting => {
                // Readers that had not read all records learn from the ends how many are lost.
                self.ground.engine.end_logs(&ends::of(&stream)).await?;
                let mut writes = rows::shard_removals(&stream);
                writes.push(rows::stream_removal(&stream));
                self.commit(writes, Purpose::MakeRoom).await?;
                let now = self.ground.clock.now();
                self.creation_seconds.is_gone(&stream, now);
                self.ground.directory.remove(arn);
            }
        }
        tracing::info!(stream = %arn, from = stream.status.as_str(), "a stream changed its state");
        Ok(())
    }

    async fn create(&mut self, new: NewStream) -> Result<(), ChangeError> {
        if self.ground.directory.at(&new.arn).is_some() {
            return Err(ChangeError::Exists);
        }
        self.check_limits(&new)?;
        if new.tags.len() > TAGS_PER_RESOURCE_MAX {
            return Err(ChangeError::OverTags);
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
        let version = self.replace_expecting(stream, Expect::Absent, writes, Purpose::Keep);
        self.numbers_version = Some(version.await?);
        self.numbers = numbers;
        self.creation_seconds.was_given(second);
        Ok(())
    }

    fn check_limits(&self, new: &NewStream) -> Result<(), ChangeError> {
        let AccountLimits {
            streams_max,
            shards_max,
        } = self.ground.limits;
        let usage = self.ground.directory.usage(&new.arn);
        let wanted = new.shard_count;
        let region = Some(new.arn.region.clone());
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
            created_at: now,
            retention_hours: RETENTION_HOURS_DEFAULT,
            expired_before: Timestamp(0),
            record_bytes_max: new.record_bytes_max,
            tags: new.tags,
            shards: Arc::new(ShardMap::of_facts(shards)),
            arn: new.arn,
            // The row is not written yet; the commit gives its version.
            version: Version(0),
        }
    }

    async fn mark_deleting(&mut self, arn: &StreamArn) -> Result<(), ChangeError> {
        let stream = self.ground.directory.at(arn).ok_or(ChangeError::NotFound)?;
        if stream.status == Status::Deleting {
            return Err(ChangeError::NotActive(Status::Deleting));
        }
        let mut deleting = Stream::clone(&stream);
        deleting.status = Status::Deleting;
        self.replace(deleting, Purpose::MakeRoom).await
    }

    async fn edit(&mut self, arn: &StreamArn, edit: Edit) -> Result<(), ChangeError> {
        let stream = self.ground.directory.at(arn).ok_or(ChangeError::NotFound)?;
        if stream.status != Status::Active {
            return Err(ChangeError::NotActive(stream.status));
        }
        let expired_before = stream.cutoff(self.ground.retention_clock.look());
        let purpose = edit.purpose();
        let edited = edited(&stream, edit, expired_before)?;
        self.replace(edited, purpose).await
    }

    /// Writes a stream's row in the place of the one it was read from, then shows it.
    async fn replace(&self, stream: Stream, purpose: Purpose) -> Result<(), ChangeError> {
        let expect = Expect::Version(stream.version);
        self.replace_expecting(stream, expect, Vec::new(), purpose)
            .await?;
        Ok(())
    }

    async fn replace_expecting(
        &self,
        mut stream: Stream,
        expect: Expect,
        mut writes: Vec<TableWrite>,
        purpose: Purpose,
    ) -> Result<Version, ChangeError> {
        writes.push(rows::stream_write(&stream, expect)?);
        let version = self.commit(writes, purpose).await?;
        stream.version = version;
        self.ground.directory.put(stream);
        Ok(version)
    }

    /// Commits writes of which the last is that of a stream's row. An unknown outcome is looked up
    /// by that row.
    async fn commit(
        &self,
        writes: Vec<TableWrite>,
        purpose: Purpose,
    ) -> Result<Version, ChangeError> {
        let last = writes.last().cloned();
        let transaction = Transaction {
            writes,
            ..Transaction::default()
        };
        let committed = self.ground.engine.commit_for(purpose, transaction).await;
        match (committed, last) {
            (Ok(committed), _) => Ok(committed.version),
            (Err(error @ CommitError::Unknown(_)), Some(write)) => {
                let row = self.ground.engine.get(write.table, &write.key).await?;
                if row.as_ref().map(|row| &row.value) != write.value.as_ref() {
                    return Err(ChangeError::Commit(error));
                }
                Ok(row.map_or(REMOVED, |row| row.version))
            }
            (Err(error), _) => Err(ChangeError::Commit(error)),
        }
    }
}

/// The seconds to go on with. Earlier builds did not keep the last one that they gave; they have
/// none of after the start of this one, unless the clock was set back meanwhile.
fn creation_seconds(loaded: &Loaded, now: Timestamp) -> CreationSeconds {
    let is_new = loaded.numbers_version.is_none();
    let start = (!is_new).then(|| Second::of(now));
    CreationSeconds::after(loaded.latest_creation.or(start))
}

/// The stream after an edit; records that arrived before `expired_before` have expired until now.
fn edited(stream: &Stream, edit: Edit, expired_before: Timestamp) -> Result<Stream, ChangeError> {
    let mut edited = stream.clone();
    let current = stream.retention_hours;
    match edit {
        Edit::IncreaseRetention(wanted) if wanted < current => {
            return Err(ChangeError::RetentionIsLonger { current, wanted });
        }
        Edit::DecreaseRetention(wanted) if wanted > current => {
            return Err(ChangeError::RetentionIsShorter { current, wanted });
        }
        Edit::IncreaseRetention(hours) | Edit::DecreaseRetention(hours) => {
            edited.retention_hours = hours;
            edited.expired_before = expired_before;
        }
        Edit::AddTags(tags) => edited.tags.extend(tags),
        Edit::RemoveTags(keys) => edited.tags.retain(|key, _| !keys.contains(key)),
    }
    if edited.tags.len() <= TAGS_PER_RESOURCE_MAX {
        Ok(edited)
    } else {
        Err(ChangeError::OverTags)
    }
}
