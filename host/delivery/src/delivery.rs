//! The service: what all operations work on.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::{Engine, StoreError};
use streams::kms::KeyOwner;
use streams::{Counter, Streams};
use tokio::task::JoinHandle;
use types::{AccountId, Caller, Clock, LogFrom, LogPart, Timestamp};
use wasm::{Absence, GuestThreadCounts, GuestThreads, Plugins};
use wire::{ApiError, Requester};

use crate::arn::{DeliveryStreamArn, DeliveryStreamName};
use crate::catalog::{Catalog, CatalogTask};
use crate::delivered_log::Delivered;
use crate::delivery_stream::NotChosen;
use crate::directory::Directory;
use crate::endpoints::Endpoints;
use crate::error_log::DeliveryError;
use crate::glue::{Glue, GlueTables};
use crate::gone;
use crate::lane::Tools;
use crate::lane_quota::LaneQuota;
use crate::ledger::{Holding, WorkLimits};
use crate::letters::LetterCalls;
use crate::object_name::NamingKey;
use crate::objects::Objects;
use crate::ops;
use crate::orders::{LaneAnswer, Order};
use crate::pruning;
use crate::redeliveries::{self, Shares};
use crate::rows::{self, UnreadableStream};
use crate::running::{Flushed, Running};
use crate::secrets::Secrets;
use crate::shares::WorkShares;
use crate::status::{DeliveryDescription, DeliveryStatus};
use crate::tables::LaneKey;

/// How long a flush waits until everything is delivered.
pub const FLUSH_TIME_MAX: Duration = Duration::from_secs(45);

/// How long an order waits for its lane's answer: about as long as a lane may take to try a put.
pub const ORDER_TIME_MAX: Duration = FLUSH_TIME_MAX;

/// How long all lanes together may take to end. They give up what they have begun sooner.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// Why the service did not start.
#[derive(Clone, Debug)]
pub struct OpenError(StoreError);

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "load the delivery streams: {}", self.0)
    }
}

impl std::error::Error for OpenError {}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

/// What delivery stands on.
pub struct Foundations {
    /// Logs and tables.
    pub engine: Arc<dyn Engine>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Streams that can be read.
    pub streams: Arc<Streams>,
    /// Components that records go through.
    pub plugins: Arc<Plugins>,
    /// The threads that cuts are worked on with. They are closed with the service: whoever shares
    /// them ends before.
    pub threads: Arc<GuestThreads>,
    /// Memory for cuts at work.
    pub work_limits: WorkLimits,
    /// Lanes of one account: a shard that a delivery stream reads is one, and so is a delivery
    /// stream that is put to directly.
    pub lanes_per_account_max: usize,
    /// Where objects go.
    pub objects: Arc<dyn Objects>,
    /// Where requests go.
    pub endpoints: Arc<dyn Endpoints>,
    /// Where tables are that records become rows of.
    pub glue: Glue,
    /// What destinations may be known by.
    pub secrets: Arc<Secrets>,
    /// Whether direct puts are held to AWS's quotas.
    pub throttle: bool,
    /// What objects are named with; the same for as long as the data directory lives.
    pub naming_key: [u8; 32],
}

/// What is counted over all delivery streams, from the server's start.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Records that were put directly and acknowledged.
    pub incoming_records: Counter,
    /// Bytes of their data.
    pub incoming_bytes: Counter,
}

/// What the cuts of all delivery streams hold and do at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkStatus {
    /// What they may hold.
    pub limits: WorkLimits,
    /// What they hold.
    pub held: Holding,
    /// The most bytes that they have held at a time.
    pub bytes_peak: u64,
    /// Cuts that wait until they may hold something.
    pub waiting: usize,
    /// What their threads do.
    pub threads: GuestThreadCounts,
}

/// All delivery streams of one server.
pub struct Delivery {
    pub(crate) tools: Arc<Tools>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) catalog: Catalog,
    /// Whether direct puts are held to AWS's quotas.
    pub(crate) throttle: bool,
    metrics: Metrics,
    /// Who works with dead letters.
    pub(crate) letter_calls: LetterCalls,
    /// Orders of each account that are at work.
    pub(crate) redelivery_shares: Shares,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Deletes old versions of plugins.
    pruning: JoinHandle<()>,
    /// Forgets where deleted logs ended.
    sweeping: JoinHandle<()>,
}

impl Delivery {
    /// Loads all delivery streams and lets those that are ACTIVE go on with what they had begun.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn open(foundations: Foundations) -> Result<Arc<Self>, OpenError> {
        let Foundations {
            engine,
            clock,
            streams,
            plugins,
            threads,
            work_limits,
            lanes_per_account_max,
            objects,
            endpoints,
            glue,
            secrets,
            throttle,
            naming_key,
        } = foundations;
        let loaded = rows::load(&*engine).await?;
        let all = loaded.streams.iter();
        let owners = all.map(|it| (KeyOwner::Delivery(it.id.0), it.arn.owner.account));
        let kms = streams.kms();
        kms.refuse_those_of_others(engine.keys(), &owners.collect());
        let pruning = tokio::spawn(pruning::run(Arc::clone(&engine), Arc::clone(&plugins)));
        let sweeping = tokio::spawn(gone::sweep(Arc::clone(&engine)));
        let tables = GlueTables::new(glue, Arc::clone(&endpoints), Arc::clone(&clock));
        let tools = Arc::new(Tools {
            engine,
            clock,
            plugins,
            objects,
            endpoints,
            tables,
            secrets,
            naming: NamingKey(naming_key),
            lane_quota: LaneQuota::new(lanes_per_account_max),
            shares: WorkShares::new(work_limits),
            threads,
        });
        let directory = Arc::new(Directory::default());
        let (catalog, task) = CatalogTask::new(
            Arc::clone(&tools),
            Arc::clone(&streams),
            Arc::clone(&directory),
            loaded,
        )
        .await?;
        let delivery = Arc::new(Self {
            tools,
            streams,
            directory,
            catalog,
            throttle,
            metrics: Metrics::default(),
            letter_calls: LetterCalls::default(),
            redelivery_shares: Shares::default(),
            task: Mutex::new(Some(tokio::spawn(task.run()))),
            pruning,
            sweeping,
        });
        redeliveries::resume(&delivery).await?;
        Ok(delivery)
    }

    /// Ends all lanes after what they have begun. What waits is delivered after the next start.
    pub async fn close(&self) {
        self.pruning.abort();
        self.sweeping.abort();
        self.catalog.stop().await;
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the catalog of delivery streams ended badly");
        }
        let mut stopping = tokio::task::JoinSet::new();
        for running in self.directory.all() {
            stopping.spawn(async move { running.stop(STOP_TIME_MAX).await });
        }
        while stopping.join_next().await.is_some() {}
        self.tools.threads.close();
    }

    /// What cuts hold and do at the moment.
    pub fn work(&self) -> WorkStatus {
        let (held, bytes_peak, waiting) = self.tools.shares.held();
        WorkStatus {
            limits: self.tools.shares.limits(),
            held,
            bytes_peak,
            waiting,
            threads: self.tools.threads.counts(),
        }
    }

    /// What was counted since the start.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How each delivery stream of a caller is, in order of their names; `None`: of all callers.
    pub fn statuses(&self, caller: Option<&Caller>) -> Vec<DeliveryStatus> {
        let all = match caller {
            Some(caller) => self.directory.of(caller, None),
            None => self.directory.all(),
        };
        let is_theirs = |owner: &Caller| caller.is_none_or(|caller| caller == owner);
        self.in_order(all.iter(), is_theirs)
    }

    /// How each delivery stream of an account is, in all regions.
    pub fn statuses_of(&self, account: AccountId) -> Vec<DeliveryStatus> {
        let all = self.directory.all();
        let is_theirs = |running: &&Arc<Running>| running.stream().arn.owner.account == account;
        self.in_order(all.iter().filter(is_theirs), |owner| {
            owner.account == account
        })
    }

    /// How many delivery streams stand still because no version of the plugin that they name can be
    /// loaded. One that is being loaded, or that an operator paused, is not among them.
    pub fn without_plugin(&self) -> usize {
        let lacks_it = |running: &&Arc<Running>| {
            let stream = running.stream();
            let transform = stream.destination.transform.as_ref();
            // A canary is chosen for lanes: any of them tells whether there is a version at all.
            let lane = LaneKey {
                delivery_stream: stream.id,
                stream: LaneKey::NO_STREAM,
                shard: 0,
            };
            let chosen = transform.map(|transform| transform.choose(&self.tools.plugins, lane));
            match chosen {
                None | Some(Ok(_)) => false,
                Some(Err(NotChosen::Absent(_, Absence::Loading | Absence::Paused(_)))) => false,
                Some(Err(_)) => true,
            }
        };
        self.directory.all().iter().filter(lacks_it).count()
    }

    /// These and those whose rows cannot be read.
    fn in_order<'a>(
        &self,
        all: impl Iterator<Item = &'a Arc<Running>>,
        is_theirs: impl Fn(&Caller) -> bool,
    ) -> Vec<DeliveryStatus> {
        let mut all: Vec<_> = all
            .map(|running| DeliveryStatus::of(running, &self.tools))
            .collect();
        let unreadable = self.directory.all_unreadable().into_iter();
        let unreadable = unreadable.filter(|stream| is_theirs(&stream.arn.owner));
        all.extend(unreadable.map(|stream| DeliveryStatus::of_unreadable(&stream)));
        all.sort_by(|a, b| a.arn.cmp(&b.arn));
        all
    }

    /// How one delivery stream is.
    pub fn status(&self, caller: &Caller, name: &str) -> Option<DeliveryStatus> {
        if let Some(stream) = self.find_unreadable(caller, name) {
            return Some(DeliveryStatus::of_unreadable(&stream));
        }
        let running = self.find(caller, name)?;
        Some(DeliveryStatus::of(&running, &self.tools))
    }

    /// Lets a request do to a delivery stream what it asks for, or refuses it: before it learns
    /// anything of it, also that there is none.
    ///
    /// # Errors
    /// AccessDeniedException: it may not.
    pub fn permit(&self, by: &Requester, name: &str) -> Result<(), ApiError> {
        ops::enter(self, by, name).map(drop)
    }

    /// Lets a request have records put to a delivery stream for it, or refuses it. Whether there is
    /// one that takes them.
    ///
    /// # Errors
    /// AccessDeniedException: it may not put them itself.
    pub fn permit_puts(&self, by: &Requester, name: &str) -> Result<bool, ApiError> {
        ops::permit_puts(self, by, name)
    }

    /// The same with each of its lanes.
    pub fn describe(&self, caller: &Caller, name: &str) -> Option<DeliveryDescription> {
        let running = self.find(caller, name)?;
        Some(DeliveryDescription::of(&running, &self.tools))
    }

    /// What went wrong with a delivery stream lately, the oldest first, at most so many; `None` if
    /// there is no such delivery stream.
    pub fn errors(
        &self,
        caller: &Caller,
        name: &str,
        (from, errors_max): (&LogFrom, usize),
    ) -> Option<LogPart<DeliveryError>> {
        let running = self.find(caller, name)?;
        Some(running.errors().read(from, errors_max))
    }

    /// What a delivery stream has delivered lately, the oldest first, at most so many; `None` if
    /// there is no such delivery stream.
    pub fn delivered(
        &self,
        caller: &Caller,
        name: &str,
        (from, entries_max): (&LogFrom, usize),
    ) -> Option<LogPart<Delivered>> {
        let running = self.find(caller, name)?;
        let (_, delivered) = running.both_logs();
        Some(delivered.read(from, entries_max))
    }

    /// Delivers everything that waits in a delivery stream without waiting for more. Answers what
    /// became of it; `None` if there is no such delivery stream.
    pub async fn flush(&self, caller: &Caller, name: &str) -> Option<Flushed> {
        let running = self.find(caller, name)?;
        let read = (&*self.tools.engine, &*self.streams);
        Some(running.flush(read, FLUSH_TIME_MAX).await)
    }

    /// Tells the lanes of a delivery stream that do not get on, or the one of this name, what to do
    /// about it. Returns what they answered; `None` if there is no such delivery stream or lane.
    pub async fn order(
        &self,
        caller: &Caller,
        name: &str,
        order: Order,
        lane: Option<&str>,
    ) -> Option<Vec<LaneAnswer>> {
        let running = self.find(caller, name)?;
        running
            .order(&self.tools, (order, lane), ORDER_TIME_MAX)
            .await
    }

    pub(crate) fn find(&self, caller: &Caller, name: &str) -> Option<Arc<Running>> {
        self.directory.find(&arn_of(caller, name)?)
    }

    /// The delivery stream of that name, if its row cannot be read.
    pub(crate) fn find_unreadable(&self, caller: &Caller, name: &str) -> Option<UnreadableStream> {
        self.directory.unreadable(&arn_of(caller, name)?)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.tools.clock.now()
    }
}

fn arn_of(caller: &Caller, name: &str) -> Option<DeliveryStreamArn> {
    Some(DeliveryStreamArn {
        owner: caller.clone(),
        name: DeliveryStreamName::parse(name).ok()?,
    })
}

/// A random id for a record that was acknowledged. Nothing can be looked up by it.
pub(crate) fn record_id() -> Result<String, getrandom::Error> {
    let mut id = [0; 64];
    getrandom::fill(&mut id)?;
    Ok(base64_simd::STANDARD.encode_to_string(id))
}
