//! The owner of all changes to applications: one task, so that the tables and the directory always
//! agree.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use store::{CommitError, Engine, Expect, Purpose, StoreError, TableWrite, Transaction, Version};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use types::Clock;

use crate::application::{Application, ApplicationId, Lineage, Phase};
use crate::arn::ApplicationArn;
use crate::directory::{Directory, Listed};
use crate::limits::{APPLICATIONS_MAX, CHANGES_WAITING_MAX, ENDING_MAX};
use crate::rows::{self, KeptOperation, Loaded, UnreadableApplication};
use crate::running::Applications;

/// How long the task waits before it tries an unfinished deletion again.
const ROLL_FORWARD_PERIOD: Duration = Duration::from_secs(1);
/// Rows that one commit of a deletion removes at most.
const REMOVALS_PER_COMMIT_MAX: usize = 64;

type Answer = oneshot::Sender<Result<Arc<Application>, ChangeError>>;

enum Change {
    Create(Box<Application>, Answer),
    Replace(Box<Replacement>, Answer),
    Forget(
        Arc<UnreadableApplication>,
        oneshot::Sender<Result<(), ChangeError>>,
    ),
    Stop,
}

/// Another state of an application.
pub struct Replacement {
    /// The application that it was made from. Where that is no longer the one in force, nothing is
    /// changed.
    pub before: Arc<Application>,
    /// What it becomes. The catalog counts its version and its operations, and notes the time.
    pub after: Application,
    /// What is remembered of it; `None`: nothing.
    pub operation: Option<&'static str>,
}

/// Why nothing was changed.
#[derive(Clone, Debug)]
pub enum ChangeError {
    /// There is an application of that name.
    Exists,
    /// The application was changed meanwhile, or deleted.
    Concurrent,
    /// The account has as many as it may.
    TooMany,
    /// The change was not kept.
    Commit(CommitError),
    /// The server is shutting down.
    Closing,
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Commit(CommitError::Store(error))
    }
}

/// The way to the catalog's task.
#[derive(Clone)]
pub struct Catalog(mpsc::Sender<Change>);

impl Catalog {
    /// Makes an application, of which the catalog chooses the number. Answers when it is durable.
    pub async fn create(&self, new: Application) -> Result<Arc<Application>, ChangeError> {
        self.ask(|answer| Change::Create(Box::new(new), answer))
            .await
    }

    /// Changes an application. Answers when the change is durable, with what it has become.
    pub async fn replace(&self, by: Replacement) -> Result<Arc<Application>, ChangeError> {
        self.ask(|answer| Change::Replace(Box::new(by), answer))
            .await
    }

    /// Forgets an application that cannot be read.
    pub async fn forget(&self, it: Arc<UnreadableApplication>) -> Result<(), ChangeError> {
        self.ask(|answer| Change::Forget(it, answer)).await
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

/// The owner of all changes.
pub struct CatalogTask {
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
    directory: Arc<Directory>,
    running: Arc<Applications>,
    inbox: mpsc::Receiver<Change>,
    next_id: u64,
    next_id_version: Option<Version>,
    /// Applications that wait for their end.
    unfinished: VecDeque<ApplicationArn>,
    /// Those that are on their way to it.
    ending: JoinSet<Result<(), ChangeError>>,
    /// By the task that ends it.
    under_way: HashMap<Id, ApplicationArn>,
    /// Those whose way was barred, and that are tried again in a moment.
    later: Vec<ApplicationArn>,
}

impl CatalogTask {
    /// A task over what was loaded, and the way to it. Applications that shall work begin to.
    pub fn new(
        (engine, clock): (Arc<dyn Engine>, Arc<dyn Clock>),
        directory: Arc<Directory>,
        running: Arc<Applications>,
        loaded: Loaded,
    ) -> (Catalog, Self) {
        let (sender, inbox) = mpsc::channel(CHANGES_WAITING_MAX);
        let mut unfinished = VecDeque::new();
        for application in loaded.applications {
            let application = Arc::new(application);
            match application.phase {
                Phase::Ready => {}
                Phase::Running => running.start(Arc::clone(&application)),
                Phase::Deleting => unfinished.push_back(application.arn.clone()),
            }
            let arn = application.arn.clone();
            directory.put(&arn, Listed::Application(application));
        }
        for it in loaded.unreadable {
            let (arn, why) = (it.arn.clone(), &it.why);
            tracing::error!(application = %arn, why, "an application cannot be read");
            directory.put(&arn, Listed::Unreadable(Arc::new(it)));
        }
        let task = Self {
            engine,
            clock,
            directory,
            running,
            inbox,
            next_id: loaded.next_id,
            next_id_version: loaded.next_id_version,
            unfinished,
            ending: JoinSet::new(),
            under_way: HashMap::new(),
            later: Vec::new(),
        };
        (Catalog(sender), task)
    }

    /// Does what it is asked, until it is told to stop. What is not finished then is finished by
    /// the next process.
    pub async fn run(mut self) {
        loop {
            self.begin_to_end();
            let waiting = !self.later.is_empty();
            tokio::select! {
                change = self.inbox.recv() => match change {
                    Some(Change::Stop) | None => return,
                    Some(change) => self.apply(change).await,
                },
                Some(ended) = self.ending.join_next_with_id() => self.note_end(ended),
                () = tokio::time::sleep(ROLL_FORWARD_PERIOD), if waiting => {
                    self.unfinished.extend(self.later.drain(..));
                }
            }
        }
    }

    async fn apply(&mut self, change: Change) {
        // Where the caller has gone away, the change is done all the same.
        match change {
            Change::Create(new, answer) => {
                let _ = answer.send(self.create(*new).await);
            }
            Change::Replace(by, answer) => {
                let _ = answer.send(self.replace(*by).await);
            }
            Change::Forget(it, answer) => {
                let _ = answer.send(self.forget(&it).await);
            }
            Change::Stop => {}
        }
    }

    async fn create(&mut self, mut new: Application) -> Result<Arc<Application>, ChangeError> {
        if self.directory.find(&new.arn).is_some() {
            return Err(ChangeError::Exists);
        }
        if self.directory.count(new.arn.owner.account) >= APPLICATIONS_MAX {
            return Err(ChangeError::TooMany);
        }
        new.id = ApplicationId(self.next_id);
        let mut writes = vec![rows::next_id_write(self.next_id + 1, self.next_id_version)?];
        writes.extend(rows::version_writes(&new)?);
        writes.push(rows::application_write(&new, Expect::Absent)?);
        let version = self.commit(writes, Purpose::Keep).await?;
        self.next_id += 1;
        self.next_id_version = Some(version);
        new.row_version = version;
        Ok(self.show(new))
    }

    async fn replace(&mut self, by: Replacement) -> Result<Arc<Application>, ChangeError> {
        let Replacement {
            before,
            mut after,
            operation,
        } = by;
        let in_force = self.directory.application(&before.arn);
        let is_in_force = in_force.is_some_and(|it| it.row_version == before.row_version);
        if !is_in_force {
            return Err(ChangeError::Concurrent);
        }
        let now = self.clock.now();
        let mut writes = Vec::new();
        let is_new_version = after.version != before.version;
        if is_new_version {
            after.updated_at = now;
            after.lineage = Lineage {
                created_at_ms: now.0,
                ..after.lineage
            };
            writes.extend(rows::version_writes(&after)?);
        }
        if let Some(operation) = operation {
            let kept = KeptOperation {
                operation: operation.to_owned(),
                at_ms: now.0,
                versions: is_new_version.then_some((before.version, after.version)),
            };
            writes.extend(rows::operation_writes(&after, &kept)?);
            after.next_operation += 1;
        }
        let expect = Expect::Version(before.row_version);
        writes.push(rows::application_write(&after, expect)?);
        // What takes something away may go through on a disk that is short of room.
        let purpose = match after.phase {
            Phase::Deleting => Purpose::MakeRoom,
            Phase::Ready | Phase::Running => Purpose::Keep,
        };
        after.row_version = self.commit(writes, purpose).await?;
        let after = self.show(after);
        self.tell_running(&before, &after);
        Ok(after)
    }

    /// Has what changed take effect on an application at work.
    fn tell_running(&mut self, before: &Application, after: &Arc<Application>) {
        match (before.phase, after.phase) {
            (Phase::Ready, Phase::Running) => self.running.start(Arc::clone(after)),
            (Phase::Running, Phase::Running) if before.version != after.version => {
                self.running.update(Arc::clone(after));
            }
            (Phase::Running, Phase::Ready) => self.running.stop(after.id),
            (Phase::Ready | Phase::Running, Phase::Deleting) => {
                self.running.stop(after.id);
                self.unfinished.push_back(after.arn.clone());
            }
            (Phase::Running, Phase::Running)
            | (Phase::Ready, Phase::Ready)
            | (Phase::Deleting, _) => {}
        }
    }

    /// Shows an application as it is from now on.
    fn show(&self, application: Application) -> Arc<Application> {
        let application = Arc::new(application);
        let listed = Listed::Application(Arc::clone(&application));
        self.directory.put(&application.arn, listed);
        application
    }

    /// Takes away the row of an application that cannot be read. What its number is, and so what
    /// else is kept of it, is not known: that stays, and no other application ever has it.
    async fn forget(&mut self, it: &UnreadableApplication) -> Result<(), ChangeError> {
        let writes = vec![rows::application_removal(&it.arn, it.row_version)];
        self.commit(writes, Purpose::MakeRoom).await?;
        self.directory.remove(&it.arn);
        tracing::warn!(application = %it.arn, "an unreadable application was deleted");
        Ok(())
    }

    /// Lets applications go on their way to their end.
    fn begin_to_end(&mut self) {
        while self.under_way.len() < ENDING_MAX
            && let Some(arn) = self.unfinished.pop_front()
        {
            let Some(application) = self.directory.application(&arn) else {
                continue;
            };
            let (engine, running) = (Arc::clone(&self.engine), Arc::clone(&self.running));
            let ending = end(engine, running, application);
            let task = self.ending.spawn(ending);
            self.under_way.insert(task.id(), arn);
        }
    }

    /// Forgets an application that has ended, or leaves it for later.
    fn note_end(&mut self, ended: Result<(Id, Result<(), ChangeError>), JoinError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some(arn) = self.under_way.remove(&id) else {
            return;
        };
        match ended {
            Ok((_, Ok(()))) => {
                self.directory.remove(&arn);
                tracing::info!(application = %arn, "an application was deleted");
            }
            Ok((_, Err(error))) => {
                tracing::warn!(application = %arn, ?error, "an application is not deleted yet");
                self.later.push(arn);
            }
            Err(error) => {
                tracing::error!(application = %arn, %error, "to delete an application ended badly");
                self.later.push(arn);
            }
        }
    }

    async fn commit(
        &self,
        writes: Vec<TableWrite>,
        purpose: Purpose,
    ) -> Result<Version, ChangeError> {
        commit(&*self.engine, writes, purpose).await
    }
}

/// Ends an application's work and removes all that is kept of it, its own row last.
async fn end(
    engine: Arc<dyn Engine>,
    running: Arc<Applications>,
    application: Arc<Application>,
) -> Result<(), ChangeError> {
    running.forget(application.id).await?;
    let removals = rows::removals(&*engine, application.id).await?;
    for removals in removals.chunks(REMOVALS_PER_COMMIT_MAX) {
        commit(&*engine, removals.to_vec(), Purpose::MakeRoom).await?;
    }
    let last = rows::application_removal(&application.arn, application.row_version);
    commit(&*engine, vec![last], Purpose::MakeRoom).await?;
    Ok(())
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
