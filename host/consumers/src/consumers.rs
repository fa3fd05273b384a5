//! The service: what pages, commands and metrics ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use store::{Engine, StoreError};
use streams::Streams;
use tables::Tables;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use types::{AccountId, Caller, Clock};
use wasm::{ContentHash, GuestThreads, PluginName, Plugins};

use crate::application::{Application, ApplicationName, State, Versions};
use crate::budget::Budget;
use crate::catalog::{self, ChangeError, NewApplication};
use crate::dead_letters::{self, Content, LetterKey};
use crate::directory::{Directory, NotMade};
use crate::effects::Grants;
use crate::granted::Granted;
use crate::ground::Ground;
use crate::instances::Instances;
use crate::limits::DEAD_LETTERS_LISTED_MAX;
use crate::manifests;
use crate::replay;
pub use crate::replay::LetterError;
use crate::rows::LeaseRow;
use crate::running::Running;
use crate::status::{ApplicationDescription, ApplicationStatus, LetterDescription};
use crate::supervisor::Supervisor;

/// What applications stand on.
pub struct Foundations {
    /// Logs and tables.
    pub engine: Arc<dyn Engine>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Streams.
    pub streams: Arc<Streams>,
    /// Tables.
    pub tables: Arc<Tables>,
    /// Plugins.
    pub plugins: Arc<Plugins>,
    /// The threads that guests run on.
    pub threads: Arc<GuestThreads>,
}

/// What the operator decides.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What plugins may do, by name. One that is not there may do nothing.
    pub grants: BTreeMap<PluginName, Grants>,
    /// Bytes of memory for the batches of all applications.
    pub work_bytes: u64,
}

/// Why the service did not start.
#[derive(Debug)]
pub enum OpenError {
    /// The applications could not be read.
    Store(StoreError),
    /// The system gave no random number.
    Random(getrandom::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "load the applications: {error}"),
            Self::Random(error) => write!(f, "draw the number of a worker: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// All applications of a server, and one worker on them.
pub struct Consumers {
    ground: Arc<Ground>,
    directory: Arc<Directory>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Consumers {
    /// A worker of its own from now on: it finds the applications that are kept, and takes its part
    /// of their shards.
    ///
    /// # Errors
    /// When they cannot be read, or the system gives no random number.
    pub async fn open(foundations: Foundations, options: Options) -> Result<Arc<Self>, OpenError> {
        let me = loop {
            let me = getrandom::u64().map_err(OpenError::Random)?;
            if me != LeaseRow::NOBODY {
                break me;
            }
        };
        let Foundations {
            engine,
            clock,
            streams,
            tables,
            plugins,
            threads,
        } = foundations;
        let ground = Arc::new(Ground {
            engine,
            clock,
            streams,
            tables,
            plugins,
            threads,
            budget: Budget::new(options.work_bytes),
            instances: Arc::new(Instances::default()),
            grants: Arc::new(Granted::new(options.grants)),
            runtime: Handle::current(),
        });
        let directory = Arc::new(Directory::default());
        let (stop, stopped) = watch::channel(false);
        let mut supervisor = Supervisor::new(Arc::clone(&ground), me, Arc::clone(&directory));
        let loaded = supervisor.look_at_applications().await;
        loaded.map_err(OpenError::Store)?;
        Ok(Arc::new(Self {
            ground,
            directory,
            stop,
            task: Mutex::new(Some(tokio::spawn(supervisor.run(stopped)))),
        }))
    }

    /// What plugins may do with tables and streams from now on. An application that waits for that
    /// goes on with its next step.
    pub fn grant(&self, grants: BTreeMap<PluginName, Grants>) {
        self.ground.grants.change(grants);
    }

    /// Ends all lanes after what they have begun, and the worker with them.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        let task = {
            let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            task.take()
        };
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the supervisor of applications ended badly");
        }
    }

    /// Ends the worker as a crash would: nobody is told, and what it has begun is not finished.
    pub fn vanish(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }

    /// Makes an application.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn create(&self, new: NewApplication) -> Result<Application, ChangeError> {
        let made = catalog::create(&self.ground, new).await?;
        self.directory.meet(&made.owner, &made.name).await;
        Ok(made)
    }

    /// Lets an application stand still, after what its lanes have begun.
    ///
    /// # Errors
    /// It is not there or is being deleted, or that cannot be kept.
    pub async fn pause(&self, owner: &Caller, name: &ApplicationName) -> Result<(), ChangeError> {
        self.set_state((owner, name), State::Paused).await
    }

    /// Lets an application go on that was paused.
    ///
    /// # Errors
    /// As [`Consumers::pause`].
    pub async fn resume(&self, owner: &Caller, name: &ApplicationName) -> Result<(), ChangeError> {
        self.set_state((owner, name), State::Running).await
    }

    /// Deletes an application with its positions, states and dead letters. Tables stay.
    ///
    /// # Errors
    /// As [`Consumers::pause`], and where a manifest declares it.
    pub async fn delete(&self, owner: &Caller, name: &ApplicationName) -> Result<(), ChangeError> {
        let running = self.directory.find(owner, name);
        let running = running.ok_or(ChangeError::NotFound)?;
        let plugin = running.application().plugin.clone();
        let version = self.ground.plugins.current(&plugin);
        let declared = version.and_then(|it| manifests::declared(&plugin, it.manifest()));
        if declared.is_some_and(|it| (&it.owner, &it.name) == (owner, name)) {
            return Err(ChangeError::Declared(plugin));
        }
        self.set_state((owner, name), State::Deleting).await
    }

    /// Says which version an application works with from now on.
    ///
    /// # Errors
    /// As [`Consumers::pause`], or the version cannot be had or cannot work for it.
    pub async fn set_versions(
        &self,
        owner: &Caller,
        name: &ApplicationName,
        versions: Versions,
    ) -> Result<(), ChangeError> {
        let running = self
            .directory
            .find(owner, name)
            .ok_or(ChangeError::NotFound)?;
        let plugin = running.application().plugin.clone();
        catalog::check_plugin(&self.ground, (&plugin, true), versions).await?;
        let changed = catalog::change(&self.ground, (owner, name), |application| {
            application.versions = versions;
        });
        changed.await?;
        self.directory.look().await;
        Ok(())
    }

    async fn set_state(
        &self,
        of: (&Caller, &ApplicationName),
        state: State,
    ) -> Result<(), ChangeError> {
        let changed = catalog::change(&self.ground, of, |application| {
            // Where one begins that is being made is found out first.
            if application.state != State::Creating || state == State::Deleting {
                application.state = state;
            }
        });
        changed.await?;
        self.directory.look().await;
        Ok(())
    }

    /// Tries at once what stands in the way of shards, or passes over it: of one, or of all that
    /// this worker has and that do not get on. How many heard it; `None` if there is no such
    /// application.
    pub fn order(
        &self,
        owner: &Caller,
        name: &ApplicationName,
        (shard, skips): (Option<&str>, bool),
    ) -> Option<usize> {
        let running = self.directory.find(owner, name)?;
        let shards = running.shards().into_iter();
        let meant = shards.filter(|(key, _)| shard.is_none_or(|id| key.shard.to_string() == id));
        let meant: Vec<_> = meant.collect();
        if meant.is_empty() && shard.is_some() {
            return None;
        }
        let heard = meant.iter().filter(|(_, shard)| shard.order(skips));
        Some(heard.count())
    }

    /// The applications of a caller, or of an account, or of all.
    pub fn statuses(&self, of: Owner<'_>) -> Vec<ApplicationStatus> {
        let all = self.directory.all().into_iter();
        let theirs = all.filter(|running| of.has(&running.application().owner));
        theirs
            .map(|running| ApplicationStatus::of(&running, &self.ground))
            .collect()
    }

    /// Plugins whose manifests declare an application that cannot be made, and why.
    pub fn refused(&self) -> BTreeMap<PluginName, NotMade> {
        self.directory.refused()
    }

    /// The plugins that applications of an account work with, or would.
    pub fn plugins_of(&self, account: AccountId) -> BTreeSet<PluginName> {
        let all = self.directory.all().into_iter();
        let theirs = all.filter(|running| running.application().owner.account == account);
        let plugins = theirs.map(|running| running.application().plugin.clone());
        let not_made = self.directory.refused().into_iter();
        let not_made = not_made.filter(|(_, not_made)| not_made.owner.account == account);
        plugins.chain(not_made.map(|(plugin, _)| plugin)).collect()
    }

    /// One application with each of its shards.
    ///
    /// # Errors
    /// When what is kept of it cannot be read.
    pub async fn describe(
        &self,
        owner: &Caller,
        name: &ApplicationName,
    ) -> Result<Option<ApplicationDescription>, StoreError> {
        match self.directory.find(owner, name) {
            Some(running) => {
                let described = ApplicationDescription::of(&running, &self.ground);
                described.await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// The dead letters of an application, from after one on; at most a thousand.
    ///
    /// # Errors
    /// There is no such application, or they cannot be read.
    pub async fn letters(
        &self,
        owner: &Caller,
        name: &ApplicationName,
        after: Option<&str>,
    ) -> Result<Vec<LetterDescription>, LetterError> {
        let running = self.find(owner, name)?;
        let id = running.application().id;
        let after = match after {
            Some(text) => Some(LetterKey::parse_id(id, text).ok_or(LetterError::NotFound)?),
            None => None,
        };
        let listed = (after, DEAD_LETTERS_LISTED_MAX);
        let letters = dead_letters::list(&*self.ground.engine, id, listed).await?;
        let letters = letters.iter();
        Ok(letters
            .map(|(key, letter)| LetterDescription::of(*key, letter))
            .collect())
    }

    /// One dead letter with its content.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub async fn letter(
        &self,
        owner: &Caller,
        name: &ApplicationName,
        letter: &str,
    ) -> Result<(LetterDescription, Content), LetterError> {
        let (_, key) = self.find_letter(owner, name, letter)?;
        let engine = &*self.ground.engine;
        let found = dead_letters::find(engine, key).await?;
        let (letter, _) = found.ok_or(LetterError::NotFound)?;
        let content = dead_letters::content(engine, key, &letter).await?;
        let content = content.ok_or(LetterError::NotFound)?;
        Ok((LetterDescription::of(key, &letter), content))
    }

    /// Works on a dead letter once more, with the version that the application works with or with
    /// this one, and removes it if that goes well.
    ///
    /// # Errors
    /// It is not there, or stays.
    pub async fn replay(
        &self,
        owner: &Caller,
        name: &ApplicationName,
        (letter, version): (&str, Option<ContentHash>),
    ) -> Result<(), LetterError> {
        let (running, key) = self.find_letter(owner, name, letter)?;
        replay::replay(&self.ground, &running, (key, version)).await
    }

    /// Removes a dead letter.
    ///
    /// # Errors
    /// It is not there, or stays.
    pub async fn discard(
        &self,
        owner: &Caller,
        name: &ApplicationName,
        letter: &str,
    ) -> Result<(), LetterError> {
        let (_, key) = self.find_letter(owner, name, letter)?;
        replay::discard(&self.ground, key).await
    }

    /// Bytes that batches hold, of how many; batches that wait for some; instances that there are.
    pub fn work(&self) -> (u64, u64, usize, usize) {
        let (held, all, waiting) = self.ground.budget.held();
        (held, all, waiting, self.ground.instances.count())
    }

    fn find(&self, owner: &Caller, name: &ApplicationName) -> Result<Arc<Running>, LetterError> {
        let running = self.directory.find(owner, name);
        running.ok_or(LetterError::NotFound)
    }

    fn find_letter(
        &self,
        owner: &Caller,
        name: &ApplicationName,
        letter: &str,
    ) -> Result<(Arc<Running>, LetterKey), LetterError> {
        let running = self.find(owner, name)?;
        let key = LetterKey::parse_id(running.application().id, letter);
        Ok((running, key.ok_or(LetterError::NotFound)?))
    }
}

/// Whose applications are meant.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// Those of an account in a region.
    Caller(&'a Caller),
    /// Those of an account.
    Account(AccountId),
    /// All.
    Anybody,
}

impl Owner<'_> {
    fn has(self, owner: &Caller) -> bool {
        match self {
            Self::Caller(caller) => caller == owner,
            Self::Account(account) => account == owner.account,
            Self::Anybody => true,
        }
    }
}
