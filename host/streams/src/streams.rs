//! The service: what all operations work on.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use store::{Engine, Expect, StoreError, TableWrite};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use types::limits::{
    POLICY_BYTES_PER_ACCOUNT_MAX, SHARDS_PER_ACCOUNT_MAX, STREAMS_PER_ACCOUNT_MAX,
};
use types::{Clock, Timestamp};

use crate::Metrics;
use crate::calls::CallRates;
use crate::catalog::{CatalogHandle, CatalogTask, Ground};
use crate::directory::Directory;
use crate::fanout::Fanout;
use crate::kms::{KeyOwner, Kms};
use crate::noted_time::NotedTime;
use crate::reader::DISK_TURNS;
use crate::retention;
use crate::retention_clock::{RetentionClock, RetentionTime};
use crate::rows;
use crate::scaling;
use crate::seal::SealingKey;
use crate::tables::{SEALING_KEY, SETTINGS};
use crate::turns::AccountTurns;

/// How the service behaves where that is the host's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether a shard's limits are enforced as AWS enforces them.
    pub throttle: bool,
    /// What one account may have.
    pub limits: AccountLimits,
    /// Bytes of the text of records in one answer at most; a single record may have more.
    pub answer_bytes_max: usize,
}

/// What one account may have in all regions together. Any name is a region, so that the limits of
/// one region bound nothing. A CreateStream or a PutResourcePolicy that would go over one is
/// refused with LimitExceededException.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountLimits {
    /// Streams, also those that are being created or deleted.
    pub streams_max: usize,
    /// Open shards.
    pub shards_max: usize,
    /// Bytes of memory that the policies of its streams and consumers take.
    pub policy_bytes_max: usize,
}

impl AccountLimits {
    /// The limits unless the configuration says otherwise.
    pub const DEFAULT: Self = Self {
        streams_max: STREAMS_PER_ACCOUNT_MAX,
        shards_max: SHARDS_PER_ACCOUNT_MAX,
        policy_bytes_max: POLICY_BYTES_PER_ACCOUNT_MAX,
    };
}

impl Default for Options {
    fn default() -> Self {
        Self {
            throttle: true,
            limits: AccountLimits::DEFAULT,
            answer_bytes_max: usize::MAX,
        }
    }
}

/// Why the service did not start.
#[derive(Clone, Debug)]
pub enum OpenError {
    /// The catalog could not be read.
    Store(StoreError),
    /// The key that seals tokens could not be made or kept.
    SealingKey(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "load the catalog of streams: {error}"),
            Self::SealingKey(why) => write!(f, "make the key that seals iterators: {why}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// All streams of one server.
pub struct Streams {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) catalog: CatalogHandle,
    pub(crate) sealing_key: SealingKey,
    pub(crate) options: Options,
    pub(crate) disk_turns: AccountTurns,
    pub(crate) call_rates: CallRates,
    pub(crate) fanout: Fanout,
    retention_clock: Arc<RetentionClock>,
    pub(crate) noted_time: NotedTime,
    kms: Arc<Kms>,
    metrics: Metrics,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Streams {
    /// Loads the catalog, brings streams that were being created or deleted to their end, and
    /// starts the task that forgets what retention no longer keeps.
    ///
    /// # Errors
    /// When the catalog cannot be read, or on a new data directory the sealing key not be kept. A
    /// stream that cannot be brought to its end is no error: it is tried again.
    pub async fn open(
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Arc<Self>, OpenError> {
        Self::open_with(engine, clock, options, Kms::default()).await
    }

    /// The same with master keys. A key that is not to be had is no error: what it seals is not
    /// read and not written until a start at which it is.
    pub async fn open_with(
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
        options: Options,
        kms: Kms,
    ) -> Result<Arc<Self>, OpenError> {
        kms.load(&*engine).await?;
        let kms = Arc::new(kms);
        let sealing_key = sealing_key(&*engine).await?;
        let loaded = rows::load(&*engine).await?;
        let streams = loaded.streams.iter();
        let owners = streams.map(|it| (KeyOwner::Stream(it.id.0), it.arn.account));
        kms.refuse_those_of_others(engine.keys(), &owners.collect());
        let directory = Arc::new(Directory::default());
        let noted_time = NotedTime::load(engine.clone()).await?;
        // A store that has noted none yet has stamped nothing while it was in doubt.
        let known = noted_time.at().or_else(|| engine.newest_arrival());
        let retention_clock = Arc::new(RetentionClock::new(clock.clone(), known));
        if noted_time.at().is_none() {
            noted_time.note(retention_clock.look().now).await;
        }
        let ground = Ground {
            engine: engine.clone(),
            clock: clock.clone(),
            retention_clock: retention_clock.clone(),
            directory: directory.clone(),
            limits: options.limits,
            kms: kms.clone(),
        };
        let (catalog, mut task) = CatalogTask::new(ground, loaded);
        task.finish_all().await;
        let (stop, stopped) = watch::channel(false);
        let streams = Arc::new(Self {
            engine,
            clock,
            directory,
            catalog,
            sealing_key,
            options,
            disk_turns: AccountTurns::new(DISK_TURNS),
            call_rates: CallRates::default(),
            fanout: Fanout::default(),
            retention_clock,
            noted_time,
            kms,
            metrics: Metrics::default(),
            stop,
            tasks: Mutex::new(Vec::new()),
        });
        // The task holds the service weakly, so that dropping the service ends the task.
        let weak = Arc::downgrade(&streams);
        let tasks = vec![
            tokio::spawn(task.run()),
            tokio::spawn(retention::run(weak.clone(), stopped.clone())),
            tokio::spawn(scaling::run(weak, stopped)),
        ];
        *streams.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        Ok(streams)
    }

    /// What was counted since the start.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Subscriptions of consumers that are open now.
    pub fn subscriptions(&self) -> usize {
        self.fanout.open()
    }

    /// Ends the background tasks after what they have begun. Operations that come later and would
    /// change a stream are refused.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        self.catalog.stop().await;
        let tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a background task of the streams ended badly");
            }
        }
        let time = self.retention_time();
        if time.may_trim {
            self.noted_time.note(time.now).await;
        }
    }

    /// A key for another part of the server, made from the one that seals tokens and kept nowhere:
    /// the same for the same purpose for as long as the data directory lives.
    pub fn derived_key(&self, purpose: &str) -> [u8; SealingKey::BYTES] {
        self.sealing_key.derive(purpose)
    }

    /// The master keys of this server.
    pub fn kms(&self) -> &Arc<Kms> {
        &self.kms
    }

    /// What counts as now for whatever forgets records by their age.
    pub fn retention_time(&self) -> RetentionTime {
        self.retention_clock.look()
    }

    /// What the clock says.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Reads the key that seals tokens, or makes one on a new data directory.
async fn sealing_key(engine: &dyn Engine) -> Result<SealingKey, OpenError> {
    if let Some(row) = engine.get(SETTINGS, SEALING_KEY).await? {
        return match <[u8; SealingKey::BYTES]>::try_from(&row.value[..]) {
            Ok(key) => Ok(SealingKey::new(key)),
            Err(_) => Err(OpenError::SealingKey(format!(
                "the kept key has {} bytes, not {}",
                row.value.len(),
                SealingKey::BYTES
            ))),
        };
    }
    let mut key = [0; SealingKey::BYTES];
    getrandom::fill(&mut key).map_err(|error| OpenError::SealingKey(error.to_string()))?;
    let write = TableWrite {
        table: SETTINGS,
        key: Bytes::from_static(SEALING_KEY),
        value: Some(Bytes::copy_from_slice(&key)),
        expect: Expect::Absent,
    };
    match rows::write_alone(engine, write).await {
        Ok(()) => Ok(SealingKey::new(key)),
        Err(error) => Err(OpenError::SealingKey(error.to_string())),
    }
}
