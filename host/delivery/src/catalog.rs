//! The owner of all changes to delivery streams: one task, so that the tables and the directory
//! always agree.

mod change;
mod encrypt;
mod finish;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use store::{
    CommitError, Engine, Expect, LogId, Purpose, StoreError, TableWrite, Transaction, Version,
};
use streams::Streams;
use streams::encryption::{Asked, Encryption};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use types::limits::{DELIVERY_STREAMS_MAX, TAGS_PER_RESOURCE_MAX};

pub use self::change::{ChangeError, Edit, NewDeliveryStream};
use crate::arn::DeliveryStreamArn;
use crate::delivery_stream::{DeliveryStream, DeliveryStreamId, Origin, Status};
use crate::directory::Directory;
use crate::lane::Tools;
use crate::rows::{self, Loaded, UnreadableStream};
use crate::running::Running;
use crate::sums;
use crate::supervisor;
use crate::tables::LOGS_FIRST;

/// Changes that wait for their turn. One more waits where it is sent.
const CHANGES_WAITING_MAX: usize = 1_000;
/// How long the task waits before it tries an unfinished creation or deletion again.
const ROLL_FORWARD_PERIOD: Duration = Duration::from_secs(1);

/// Delivery streams that are on their way to ACTIVE or to their end at a time. Others wait.
const FINISHING_MAX: usize = 8;
/// How long the end of a deleted delivery stream's lanes is waited for at a time.
const STOP_WAIT: Duration = Duration::from_millis(200);

type Answer = oneshot::Sender<Result<(), ChangeError>>;

enum Change {
    Create(Box<NewDeliveryStream>, Answer),
    Delete(DeliveryStreamArn, Answer),
    Edit(DeliveryStreamArn, Edit, Answer),
    Encrypt(DeliveryStreamArn, Asked, Answer),
    Stop,
}

/// The way to the catalog's task.
#[derive(Clone)]
pub struct Catalog(mpsc::Sender<Change>);

impl Catalog {
    /// Makes a delivery stream. Answers when it is durable as CREATING.
    pub async fn create(&self, new: NewDeliveryStream) -> Result<(), ChangeError> {
        self.ask(|answer| Change::Create(Box::new(new), answer))
            .await
    }

    /// Deletes a delivery stream. Answers when it is durable as DELETING.
    pub async fn delete(&self, arn: DeliveryStreamArn) -> Result<(), ChangeError> {
        self.ask(|answer| Change::Delete(arn, answer)).await
    }

    /// Changes a delivery stream. Answers when the change is durable.
    pub async fn edit(&self, arn: DeliveryStreamArn, edit: Edit) -> Result<(), ChangeError> {
        self.ask(|answer| Change::Edit(arn, edit, answer)).await
    }

    /// Changes what records are sealed with. Answers when it is durable, and not yet in force.
    pub async fn encrypt(&self, arn: DeliveryStreamArn, asked: Asked) -> Result<(), ChangeError> {
        self.ask(|answer| Change::Encrypt(arn, asked, answer)).await
    }

    /// Ends the task after the changes that were sent before.
    pub async fn stop(&self) {
        // A task that has ended needs no stopping.
        let _ = self.0.send(Change::Stop).await;
    }

    async fn ask(&self, change: impl FnOnce(Answer) -> Change) -> Result<(), ChangeError> {
        let (sender, answer) = oneshot::channel();
        let sent = self.0.send(change(sender)).await;
        sent.map_err(|_| ChangeError::Closing)?;
        answer.await.unwrap_or(Err(ChangeError::Closing))
    }
}

/// The owner of all changes.
pub struct CatalogTask {
    tools: Arc<Tools>,
    streams: Arc<Streams>,
    directory: Arc<Directory>,
    inbox: mpsc::Receiver<Change>,
    next_id: u64,
    next_id_version: Option<Version>,
    /// Delivery streams that wait for their way to ACTIVE or to their end.
    unfinished: VecDeque<DeliveryStreamArn>,
    /// Those that are on it.
    finishing: JoinSet<Result<(), ChangeError>>,
    /// By the task that prepares it.
    under_way: HashMap<Id, DeliveryStreamArn>,
    /// Those whose way was barred, and that are tried again in a moment.
    later: Vec<DeliveryStreamArn>,
}

impl CatalogTask {
    /// A task over what was loaded, and the way to it. Delivery streams that are ACTIVE begin to
    /// work.
    pub async fn new(
        tools: Arc<Tools>,
        streams: Arc<Streams>,
        directory: Arc<Directory>,
        loaded: Loaded,
    ) -> Result<(Catalog, Self), StoreError> {
        let (sender, inbox) = mpsc::channel(CHANGES_WAITING_MAX);
        let mut unfinished = VecDeque::new();
        for stream in loaded.streams {
            let (arn, status) = (stream.arn.clone(), stream.status);
            let is_changing = stream.encryption.coming.is_some();
            let running = Running::new(stream, &tools.clock);
            let shown = running.show_lanes(&tools, &streams).await;
            tools
                .lane_quota
                .note(&running.stream(), running.lane_count());
            match (shown, status) {
                (Ok(()), Status::Active) => {
                    supervisor::start(&running, &tools, &streams);
                    unfinished.extend(is_changing.then_some(arn));
                }
                (Err(error @ StoreError::Unreadable { .. }), Status::Active) => {
                    running.stands_still(&error);
                }
                (Ok(()) | Err(StoreError::Unreadable { .. }), _) => unfinished.push_back(arn),
                (Err(error), _) => return Err(error),
            }
            directory.put(running);
        }
        for stream in loaded.unreadable {
            let (arn, why) = (&stream.arn, &stream.why);
            tracing::error!(stream = %arn, why, "a delivery stream cannot be read");
            directory.put_unreadable(stream);
        }
        let task = Self {
            tools,
            streams,
            directory,
            inbox,
            next_id: loaded.next_id,
            next_id_version: loaded.next_id_version,
            unfinished,
            finishing: JoinSet::new(),
            under_way: HashMap::new(),
            later: Vec::new(),
        };
        Ok((Catalog(sender), task))
    }

    /// Does what it is asked, until it is told to stop. What is not finished then is finished by
    /// the next process.
    pub async fn run(mut self) {
        loop {
            self.begin_to_finish();
            let waiting = !self.later.is_empty();
            tokio::select! {
                change = self.inbox.recv() => match change {
                    Some(Change::Stop) | None => return,
                    Some(change) => self.apply(change).await,
                },
                Some(prepared) = self.finishing.join_next_with_id() => {
                    self.finish(prepared).await;
                }
                () = tokio::time::sleep(ROLL_FORWARD_PERIOD), if waiting => {
                    self.unfinished.extend(self.later.drain(..));
                }
            }
        }
    }

    async fn apply(&mut self, change: Change) {
        // Where the caller has gone away, the change is done all the same.
        let (begun, arn, answer) = match change {
            Change::Create(new, answer) => {
                let arn = new.arn.clone();
                (self.create(*new).await, arn, answer)
            }
            Change::Delete(arn, answer) => (self.mark_deleting(&arn).await, arn, answer),
            Change::Encrypt(arn, asked, answer) => {
                (self.begin_encryption(&arn, asked).await, arn, answer)
            }
            Change::Edit(arn, edit, answer) => {
                let _ = answer.send(self.edit(&arn, edit).await);
                return;
            }
            Change::Stop => return,
        };
        let is_begun = begun.is_ok();
        let _ = answer.send(begun);
        let is_known = self.unfinished.contains(&arn)
            || self.later.contains(&arn)
            || self.under_way.values().any(|under_way| *under_way == arn);
        if is_begun && !is_known {
            self.unfinished.push_back(arn);
        }
    }

    /// Lets delivery streams go on their way to ACTIVE or to their end.
    fn begin_to_finish(&mut self) {
        while self.under_way.len() < FINISHING_MAX
            && let Some(arn) = self.unfinished.pop_front()
        {
            let Some(running) = self.directory.find(&arn) else {
                continue;
            };
            let (tools, streams) = (Arc::clone(&self.tools), Arc::clone(&self.streams));
            let preparing = async move { finish::prepare(&running, &tools, &streams).await };
            let task = self.finishing.spawn(preparing);
            self.under_way.insert(task.id(), arn);
        }
    }

    /// Brings a delivery stream that is prepared to ACTIVE or to its end, or leaves it for later.
    async fn finish(&mut self, prepared: Result<(Id, Result<(), ChangeError>), JoinError>) {
        let id = match &prepared {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some(arn) = self.under_way.remove(&id) else {
            return;
        };
        let finished = match prepared {
            Ok((_, Ok(()))) => self.complete(&arn).await,
            Ok((_, Err(error))) => Err(error),
            Err(error) => {
                tracing::error!(stream = %arn, %error, "to finish a delivery stream ended badly");
                self.later.push(arn);
                return;
            }
        };
        if let Err(error) = finished {
            tracing::warn!(stream = %arn, ?error, "a delivery stream is not finished yet");
            self.later.push(arn);
        }
    }

    async fn complete(&mut self, arn: &DeliveryStreamArn) -> Result<(), ChangeError> {
        let Some(running) = self.directory.find(arn) else {
            return Ok(());
        };
        let stream = running.stream();
        match stream.status {
            Status::Active => return self.finish_encryption(&running).await,
            Status::Creating => {
                let mut active = DeliveryStream::clone(&stream);
                active.status = Status::Active;
                active.encryption = stream.encryption.changed();
                self.keep_encryption(&running, active, None).await?;
                supervisor::start(&running, &self.tools, &self.streams);
            }
            Status::Deleting => {
                let (mut last, keys) = self.encryption_removals(&stream);
                last.extend([sums::removal(stream.id), rows::stream_removal(&stream)]);
                self.commit(last, Purpose::MakeRoom).await?;
                let ring = self.tools.engine.keys();
                self.streams.kms().forget(ring, &keys);
                self.tools.lane_quota.forget(&stream);
                self.directory.remove(arn);
            }
        }
        let from = stream.status.as_str();
        tracing::info!(stream = %arn, from, "a delivery stream changed its state");
        Ok(())
    }

    async fn create(&mut self, new: NewDeliveryStream) -> Result<(), ChangeError> {
        if let Some(there) = self.directory.find(&new.arn) {
            return Err(ChangeError::taken_by(there.stream().status));
        }
        if self.directory.unreadable(&new.arn).is_some() {
            return Err(ChangeError::Exists);
        }
        if self.directory.count(new.arn.owner.account) >= DELIVERY_STREAMS_MAX {
            return Err(ChangeError::TooMany);
        }
        if new.tags.len() > TAGS_PER_RESOURCE_MAX {
            return Err(ChangeError::OverTags);
        }
        let id = self.next_id;
        let mut stream = DeliveryStream {
            id: DeliveryStreamId(id),
            status: Status::Creating,
            created_at: self.tools.clock.now(),
            updated_at: None,
            version_id: 1,
            origin: match new.source {
                Some((arn, role_arn)) => Origin::Stream { arn, role_arn },
                None => Origin::DirectPut {
                    log: LogId(LOGS_FIRST + id),
                },
            },
            plan: new.destination.plan().map_err(ChangeError::Invalid)?,
            destination: new.destination,
            tags: new.tags,
            encryption: Encryption::default(),
            arn: new.arn,
            // Replaced by what the commit gives.
            row_version: Version(0),
        };
        let lanes = self.lanes_of(&stream.origin);
        if !self.tools.lane_quota.take(&stream, lanes) {
            let limit = self.tools.lane_quota.max();
            return Err(ChangeError::TooManyLanes { lanes, limit });
        }
        let kept = self.keep_new(&mut stream, new.encryption).await;
        if kept.is_err() {
            self.tools.lane_quota.forget(&stream);
        }
        let version = kept?;
        self.next_id = id + 1;
        self.next_id_version = Some(version);
        stream.row_version = version;
        self.directory.put(Running::new(stream, &self.tools.clock));
        Ok(())
    }

    /// How many lanes a delivery stream begins with.
    fn lanes_of(&self, origin: &Origin) -> usize {
        match origin {
            Origin::DirectPut { .. } => 1,
            Origin::Stream { arn, .. } => match self.streams.source(arn) {
                // Closed shards have all of their records from before.
                Some(source) => source.shards.iter().filter(|it| !it.is_closed).count(),
                // It was deleted a moment ago.
                None => 0,
            },
        }
    }

    /// Keeps a delivery stream that is made, what its records are to be sealed with, and the number
    /// of the next.
    async fn keep_new(
        &self,
        stream: &mut DeliveryStream,
        encryption: Option<Asked>,
    ) -> Result<Version, ChangeError> {
        let mut writes = vec![rows::next_id_write(stream.id.0 + 1, self.next_id_version)?];
        let changing = encryption.map(|asked| self.changing(stream, asked));
        let changing = changing.transpose()?;
        if let Some(changing) = &changing {
            stream.encryption = changing.encryption.clone();
            writes.push(rows::encryption::write(stream)?);
            writes.extend(changing.write.clone());
        }
        writes.push(rows::stream_write(stream, Expect::Absent)?);
        let kept = self.commit(writes, Purpose::Keep).await;
        if let Some(changing) = &changing {
            self.keep_or_forget(changing, &kept);
        }
        kept
    }

    async fn mark_deleting(&mut self, arn: &DeliveryStreamArn) -> Result<(), ChangeError> {
        if let Some(unreadable) = self.directory.unreadable(arn) {
            return self.forget_unreadable(&unreadable).await;
        }
        let running = self.directory.find(arn).ok_or(ChangeError::NotFound)?;
        let stream = running.stream();
        match stream.status {
            Status::Active => {}
            Status::Creating => return Err(ChangeError::Busy(stream.status)),
            // Asking twice asks for nothing more.
            Status::Deleting => return Ok(()),
        }
        let mut deleting = DeliveryStream::clone(&stream);
        deleting.status = Status::Deleting;
        self.replace(&running, deleting, Purpose::MakeRoom).await
    }

    /// Takes away the row of a delivery stream that cannot be read. Which log and which lanes are
    /// its own is not known, so that these stay; no other delivery stream ever has them.
    async fn forget_unreadable(&mut self, stream: &UnreadableStream) -> Result<(), ChangeError> {
        let writes = vec![rows::unreadable_removal(stream)];
        self.commit(writes, Purpose::MakeRoom).await?;
        self.directory.remove_unreadable(&stream.arn);
        let kept = "its log, if it had one, and the rows of its lanes";
        tracing::warn!(stream = %stream.arn, kept, "an unreadable delivery stream was deleted");
        Ok(())
    }

    async fn edit(&mut self, arn: &DeliveryStreamArn, edit: Edit) -> Result<(), ChangeError> {
        let running = self.directory.find(arn).ok_or(ChangeError::NotFound)?;
        let stream = running.stream();
        let is_open = match edit {
            Edit::Destination { .. } => stream.status == Status::Active,
            Edit::AddTags(_) | Edit::RemoveTags(_) => stream.status != Status::Deleting,
        };
        if !is_open {
            return Err(ChangeError::NotActive(stream.status));
        }
        let mut edited = DeliveryStream::clone(&stream);
        // What takes something away may go through on a disk that is short of room.
        let purpose = match edit {
            Edit::Destination { .. } | Edit::AddTags(_) => Purpose::Keep,
            Edit::RemoveTags(_) => Purpose::MakeRoom,
        };
        match edit {
            Edit::Destination {
                of_version,
                destination,
            } => {
                if of_version.parse() != Ok(stream.version_id) {
                    return Err(ChangeError::OtherVersion {
                        current: stream.version_id,
                        said: of_version,
                    });
                }
                // What changes nothing is no new version.
                if *destination == edited.destination {
                    return Ok(());
                }
                edited.plan = destination.plan().map_err(ChangeError::Invalid)?;
                edited.destination = *destination;
                edited.version_id += 1;
                edited.updated_at = Some(self.tools.clock.now());
            }
            Edit::AddTags(tags) => edited.tags.extend(tags),
            Edit::RemoveTags(keys) => edited.tags.retain(|key, _| !keys.contains(key)),
        }
        if edited.tags.len() > TAGS_PER_RESOURCE_MAX {
            return Err(ChangeError::OverTags);
        }
        self.replace(&running, edited, purpose).await
    }

    /// Writes a delivery stream's row in the place of the one it was read from, then shows it.
    async fn replace(
        &self,
        running: &Running,
        mut stream: DeliveryStream,
        purpose: Purpose,
    ) -> Result<(), ChangeError> {
        let expect = Expect::Version(stream.row_version);
        stream.row_version = self
            .commit(vec![rows::stream_write(&stream, expect)?], purpose)
            .await?;
        running.set(stream);
        Ok(())
    }

    async fn commit(
        &self,
        writes: Vec<TableWrite>,
        purpose: Purpose,
    ) -> Result<Version, ChangeError> {
        commit(&*self.tools.engine, writes, purpose).await
    }
}

/// Commits writes. An unknown outcome is looked up by the row of the last of them.
async fn commit(
    engine: &dyn Engine,
    writes: Vec<TableWrite>,
    purpose: Purpose,
) -> Result<Version, ChangeError> {
    let last = writes.last().cloned();
    let transaction = Transaction {
        writes,
        ..Transaction::default()
    };
    let committed = engine.commit_for(purpose, transaction).await;
    match (committed, last) {
        (Ok(committed), _) => Ok(committed.version),
        (Err(error @ CommitError::Unknown(_)), Some(write)) => {
            let row = engine.get(write.table, &write.key).await?;
            if write.is_kept(row.as_ref()) {
                // A row that is removed has no version, and nobody asks for it.
                Ok(row.map_or(Version(0), |row| row.version))
            } else {
                Err(ChangeError::Commit(error))
            }
        }
        (Err(error), _) => Err(ChangeError::Commit(error)),
    }
}
