//! The one task that changes the catalog. Tables first, then memory: what a reader sees in the
//! [`Directory`] is durable.
//!
//! ```text
//! create:  row CREATING + shards + numbers  ->  answer  ->  logs made     ->  row ACTIVE
//! delete:  row DELETING                     ->  answer  ->  logs deleted  ->  rows removed
//!                                                           + their ends
//! ```
//!
//! How shards are split and merged stands in [`reshard`].
//!
//! A crash between two steps is rolled forward when the server starts again; a step that fails is
//! tried again every [`ROLL_FORWARD_PERIOD`].

mod consumers;
mod create;
mod encrypt;
mod error;
mod reshard;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use store::{CommitError, Engine, Expect, Purpose, Transaction, Version};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use types::{Clock, Second, StreamArn, Timestamp};

use crate::AccountLimits;
use crate::creation_seconds::CreationSeconds;
use crate::directory::Directory;
use crate::edit::Edit;
use crate::encryption::Asked;
use crate::ends;
use crate::kms::{KeyOwner, Kms};
use crate::resharding::Resharding;
use crate::retention_clock::RetentionClock;
use crate::rows::{self, Loaded, Numbers};
use crate::stream::{Status, Stream};

pub use consumers::{ConsumerChange, ConsumerEdit, ConsumerError};
pub use create::NewStream;
pub use error::{ChangeError, OverShards};
pub use reshard::{Begun, By};

/// Changes that wait for their turn. One more waits where it is sent.
const CHANGES_WAITING_MAX: usize = 1_000;
/// How long the task waits before it tries an unfinished creation or deletion again.
const ROLL_FORWARD_PERIOD: Duration = Duration::from_secs(1);

/// Closed shards of a stream that are forgotten in one transaction. The next ones follow when
/// retention looks again.
const FORGOTTEN_AT_ONCE_MAX: usize = 1_000;

/// The version of a row that was removed: nobody will expect it.
const REMOVED: Version = Version(0);

/// What becomes of a stream that is to be deleted and has consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumed {
    /// It is deleted with them.
    Delete,
    /// It stays.
    Refuse,
}

enum Change {
    Create(NewStream, oneshot::Sender<Result<(), ChangeError>>),
    Delete(
        StreamArn,
        Consumed,
        oneshot::Sender<Result<(), ChangeError>>,
    ),
    Edit(StreamArn, Edit, oneshot::Sender<Result<(), ChangeError>>),
    Reshard(
        StreamArn,
        Resharding,
        By,
        oneshot::Sender<Result<Begun, ChangeError>>,
    ),
    Encrypt(StreamArn, Asked, oneshot::Sender<Result<(), ChangeError>>),
    Consumer(
        StreamArn,
        ConsumerChange,
        oneshot::Sender<Result<(), ChangeError>>,
    ),
    ForgetExpired(StreamArn, oneshot::Sender<Result<(), ChangeError>>),
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
    pub async fn delete(&self, arn: StreamArn, consumed: Consumed) -> Result<(), ChangeError> {
        self.ask(|answer| Change::Delete(arn, consumed, answer))
            .await
    }

    /// Changes a stream. Answers when the change is durable.
    pub async fn edit(&self, arn: StreamArn, edit: Edit) -> Result<(), ChangeError> {
        self.ask(|answer| Change::Edit(arn, edit, answer)).await
    }

    /// Splits, merges or scales the shards of a stream. Answers when it is durable as UPDATING.
    pub async fn reshard(
        &self,
        arn: StreamArn,
        wanted: Resharding,
        by: By,
    ) -> Result<Begun, ChangeError> {
        self.ask(|answer| Change::Reshard(arn, wanted, by, answer))
            .await
    }

    /// Changes what the records of a stream are sealed with. Answers when it is durable as
    /// UPDATING.
    pub async fn encrypt(&self, arn: StreamArn, asked: Asked) -> Result<(), ChangeError> {
        self.ask(|answer| Change::Encrypt(arn, asked, answer)).await
    }

    /// Changes a consumer of a stream. Answers when that is durable.
    pub async fn change_consumer(
        &self,
        arn: StreamArn,
        change: ConsumerChange,
    ) -> Result<(), ChangeError> {
        self.ask(|answer| Change::Consumer(arn, change, answer))
            .await
    }

    /// Forgets the closed shards of a stream whose records have all expired. Answers when that is
    /// durable.
    pub async fn forget_expired(&self, arn: StreamArn) -> Result<(), ChangeError> {
        self.ask(|answer| Change::ForgetExpired(arn, answer)).await
    }

    /// Ends the task after the changes that were sent before.
    pub async fn stop(&self) {
        // A task that has ended needs no stopping.
        let _ = self.0.send(Change::Stop).await;
    }

    async fn ask<T>(
        &self,
        change: impl FnOnce(oneshot::Sender<Result<T, ChangeError>>) -> Change,
    ) -> Result<T, ChangeError> {
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
    pub kms: Arc<Kms>,
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
    /// Those whose shards are being split and merged, a round in each turn.
    resharding: VecDeque<StreamArn>,
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
            resharding: VecDeque::new(),
        };
        (CatalogHandle(sender), task)
    }

    /// Does what it is asked, until it is told to stop.
    pub async fn run(mut self) {
        loop {
            if !self.resharding.is_empty() {
                // A round and a change in turn, so that neither holds up the other.
                self.reshard_next().await;
                match self.inbox.try_recv() {
                    Ok(Change::Stop) | Err(TryRecvError::Disconnected) => return,
                    Ok(change) => self.apply(change).await,
                    Err(TryRecvError::Empty) => {}
                }
                continue;
            }
            let waiting = !self.unfinished.is_empty();
            tokio::select! {
                change = self.inbox.recv() => match change {
                    Some(Change::Stop) | None => return,
                    Some(change) => self.apply(change).await,
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
            Change::Delete(arn, consumed, answer) => {
                let marked = self.mark_deleting(&arn, consumed).await;
                self.answer_and_finish(marked, arn, answer).await;
            }
            Change::Edit(arn, edit, answer) => {
                let edited = self.edit(&arn, edit).await;
                self.answer_and_finish(edited, arn, answer).await;
            }
            Change::Reshard(arn, wanted, by, answer) => {
                let begun = self.begin_resharding(&arn, wanted, by).await;
                self.answer_and_finish(begun, arn, answer).await;
            }
            Change::Encrypt(arn, asked, answer) => {
                let begun = self.begin_encryption(&arn, asked).await;
                self.answer_and_finish(begun, arn, answer).await;
            }
            Change::Consumer(arn, change, answer) => {
                let _ = answer.send(self.change_consumer(&arn, change).await);
            }
            Change::ForgetExpired(arn, answer) => {
                let _ = answer.send(self.forget_expired(&arn).await);
            }
            Change::Stop => {}
        }
    }

    async fn answer_and_finish<T>(
        &mut self,
        begun: Result<T, ChangeError>,
        arn: StreamArn,
        answer: oneshot::Sender<Result<T, ChangeError>>,
    ) {
        let now = self.ground.directory.at(&arn);
        let go_on = begun.is_ok() && now.is_some_and(|now| now.status != Status::Active);
        let _ = answer.send(begun);
        if go_on {
            self.unfinished.push_back(arn);
            self.roll_forward().await;
        }
    }

    /// Brings all that the process before had begun to its end, or leaves it for later.
    pub async fn finish_all(&mut self) {
        self.roll_forward().await;
        while !self.resharding.is_empty() {
            self.reshard_next().await;
        }
    }

    /// Brings each unfinished stream to its end, or leaves it for later.
    async fn roll_forward(&mut self) {
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
            Status::Updating if stream.encryption.coming.is_some() => {
                self.finish_encryption(&stream).await?;
            }
            Status::Updating => {
                self.resharding.push_back(arn.clone());
                return Ok(());
            }
            Status::Deleting => {
                // Readers that had not read all records learn from the ends how many are lost.
                self.ground.engine.end_logs(&ends::of(&stream)).await?;
                let mut writes = rows::shard_removals(&stream);
                let consumers = stream.consumers.keys();
                writes.extend(consumers.map(|name| rows::consumers::removal(&stream, name)));
                writes.push(rows::resharding::removal(&stream));
                writes.push(rows::encryption::removal(&stream));
                // Nobody opens what the disk may still hold of its records.
                let keys = self.ground.kms.keys_of(KeyOwner::Stream(stream.id.0));
                writes.extend(keys.iter().map(|key| Kms::removal(*key)));
                writes.push(rows::policies::removal(&stream));
                writes.push(rows::stream_removal(&stream));
                let parts = Transaction {
                    writes,
                    ..Transaction::default()
                };
                self.commit(parts, Purpose::MakeRoom).await?;
                self.ground.kms.forget(self.ground.engine.keys(), &keys);
                let now = self.ground.clock.now();
                self.creation_seconds.is_gone(&stream, now);
                self.ground.directory.remove(arn);
            }
        }
        tracing::info!(stream = %arn, from = stream.status.as_str(), "a stream changed its state");
        Ok(())
    }

    async fn mark_deleting(
        &mut self,
        arn: &StreamArn,
        consumed: Consumed,
    ) -> Result<(), ChangeError> {
        let stream = self.ground.directory.at(arn).ok_or(ChangeError::NotFound)?;
        if stream.status == Status::Deleting {
            return Err(ChangeError::NotActive(Status::Deleting));
        }
        if consumed == Consumed::Refuse && !stream.consumers.is_empty() {
            return Err(ChangeError::HasConsumers);
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
        let (purpose, warms) = (edit.purpose(), edit.warms());
        let edited = edit.apply(&stream, expired_before)?;
        self.check_room_for_policies(&stream, &edited)?;
        match edited.warm_shards().filter(|_| warms) {
            Some(shards) => self.begin(edited, Resharding::Scale(shards)).await,
            None => {
                let parts = Transaction {
                    writes: rows::policies::changes(&stream, &edited)?,
                    ..Transaction::default()
                };
                let replaced = (edited, Expect::Version(stream.version));
                self.replace_expecting(replaced, parts, purpose).await?;
                Ok(())
            }
        }
    }

    /// Writes a stream's row in the place of the one it was read from, then shows it.
    async fn replace(&self, stream: Stream, purpose: Purpose) -> Result<(), ChangeError> {
        let expect = Expect::Version(stream.version);
        self.replace_expecting((stream, expect), Transaction::default(), purpose)
            .await?;
        Ok(())
    }

    /// The same, with what else changes in the same moment.
    async fn replace_expecting(
        &self,
        (mut stream, expect): (Stream, Expect),
        mut parts: Transaction,
        purpose: Purpose,
    ) -> Result<Version, ChangeError> {
        parts.writes.push(rows::stream_write(&stream, expect)?);
        let version = self.commit(parts, purpose).await?;
        stream.version = version;
        self.ground.directory.put(stream);
        Ok(version)
    }

    /// Commits changes of which the last row is that of a stream. An unknown outcome is looked up
    /// by that row.
    async fn commit(
        &self,
        transaction: Transaction,
        purpose: Purpose,
    ) -> Result<Version, ChangeError> {
        let last = transaction.writes.last().cloned();
        let committed = self.ground.engine.commit_for(purpose, transaction).await;
        match (committed, last) {
            (Ok(committed), _) => Ok(committed.version),
            (Err(error @ CommitError::Unknown(_)), Some(write)) => {
                let row = self.ground.engine.get(write.table, &write.key).await?;
                if !write.is_kept(row.as_ref()) {
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
