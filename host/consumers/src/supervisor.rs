//! The task of a worker: it says that it lives, looks which applications there are and which shards
//! are its own, and starts and ends their lanes. All that it decides by is in rows, so that another
//! worker over the same store comes to the same, and a crash anywhere changes nothing.

mod declared;
mod gone;
mod look;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::{LogId, Position, StoreError, Version};
use streams::pump::{Ended, Pump, PumpError};
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, interval};

use crate::application::ApplicationId;
use crate::directory::Directory;
use crate::ground::Ground;
use crate::lane::{Lane, LaneOf};
use crate::limits::{LOOK_PERIOD, STOP_TIME_MAX};
use crate::rows;
use crate::running::Running;
use crate::table_ids::ShardKey;

/// Time until a lane that failed begins again; twice as long after each further failure.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(30);

/// The task.
pub struct Supervisor {
    ground: Arc<Ground>,
    me: u64,
    directory: Arc<Directory>,
    /// Something is to be looked at.
    nudge: Arc<Notify>,
    applications: BTreeMap<ApplicationId, Known>,
    leases: HashMap<ShardKey, (u64, Version)>,
    /// Whether another worker lives, whose leases change without this one.
    has_company: bool,
    lanes: JoinSet<Result<Over, PumpError>>,
    at_work: HashMap<ShardKey, LaneAtWork>,
    by_task: HashMap<Id, ShardKey>,
    failed: HashMap<ShardKey, Failed>,
}

/// An application as this worker knows it.
struct Known {
    running: Arc<Running>,
    /// All shards of which something is kept, and whether they have ended.
    shards: BTreeMap<ShardKey, ShardKnown>,
    is_loaded: bool,
    /// Tells of changes of its stream.
    forwarding: JoinHandle<()>,
}

impl Drop for Known {
    fn drop(&mut self) {
        self.forwarding.abort();
    }
}

#[derive(Clone, Copy, Default)]
struct ShardKnown {
    is_ended: bool,
    /// The log's end, as it was seen last.
    tip_seen: Position,
}

struct LaneAtWork {
    stop: watch::Sender<bool>,
    /// It ends because another worker has the shard.
    is_lost: Arc<AtomicBool>,
}

struct Failed {
    times: u32,
    again_at: Instant,
}

/// Why a lane ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// All records of a shard that takes no more are done.
    LogEnd,
    /// It was told to.
    Stopped,
}

impl Supervisor {
    /// The task of a new worker.
    pub fn new(ground: Arc<Ground>, me: u64, directory: Arc<Directory>) -> Self {
        Self {
            nudge: Arc::clone(&directory.nudge),
            ground,
            me,
            directory,
            applications: BTreeMap::new(),
            leases: HashMap::new(),
            has_company: true,
            lanes: JoinSet::new(),
            at_work: HashMap::new(),
            by_task: HashMap::new(),
            failed: HashMap::new(),
        }
    }

    /// Works until the stop comes, and ends all lanes then.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut looks = interval(LOOK_PERIOD);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let nudge = Arc::clone(&self.nudge);
        let mut plugins = self.ground.plugins.changes();
        let mut has_new_versions = true;
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                _ = looks.tick() => {}
                () = nudge.notified() => {}
                Ok(()) = plugins.changed() => has_new_versions = true,
                Some(ended) = self.lanes.join_next_with_id() => self.note_end(ended),
            }
            while let Some(ended) = self.lanes.try_join_next_with_id() {
                self.note_end(ended);
            }
            if std::mem::take(&mut has_new_versions) {
                self.pin().await;
            }
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "look at the applications");
            }
            self.directory.looked();
        }
        self.end().await;
    }

    /// Keeps the versions that applications work with from being deleted.
    async fn pin(&self) {
        match rows::pinned(&*self.ground.engine).await {
            Ok(pinned) => self.ground.plugins.pin(pinned),
            Err(error) => tracing::warn!(%error, "look at the versions of applications"),
        }
    }

    /// Ends all lanes, and says that this worker is gone.
    async fn end(&mut self) {
        for lane in self.at_work.values() {
            lane.stop.send_replace(true);
        }
        let ending = async {
            while let Some(ended) = self.lanes.join_next_with_id().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a lane of an application ended badly");
                }
            }
        };
        if tokio::time::timeout(STOP_TIME_MAX, ending).await.is_err() {
            tracing::warn!("lanes of applications did not end in time and are cut off");
        }
        self.lanes.shutdown().await;
        if let Err(error) = self.say_gone().await {
            // Others take over at its deadline.
            tracing::warn!(%error, "say that a worker is gone");
        }
    }

    /// Starts the lane of a shard.
    fn start(&mut self, of: LaneOf) {
        let (stop, stopped) = watch::channel(false);
        let is_lost = Arc::new(AtomicBool::new(false));
        let key = of.key;
        let (ground, lost) = (Arc::clone(&self.ground), Arc::clone(&is_lost));
        let task = self.lanes.spawn(work(ground, of, stopped, lost));
        self.by_task.insert(task.id(), key);
        self.at_work.insert(key, LaneAtWork { stop, is_lost });
    }

    /// Ends the lane of a shard, if it has one.
    fn stop(&mut self, key: ShardKey, is_lost: bool) {
        if let Some(lane) = self.at_work.get(&key) {
            lane.is_lost.fetch_or(is_lost, Ordering::Release);
            lane.stop.send_replace(true);
        }
    }

    fn note_end(&mut self, ended: Result<(Id, Result<Over, PumpError>), JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => {
                tracing::error!(%error, "a lane of an application ended badly");
                let failed = PumpError::Store(store::codec::damaged("a lane's end"));
                (error.id(), Err(failed))
            }
        };
        let Some(key) = self.by_task.remove(&id) else {
            return;
        };
        self.at_work.remove(&key);
        let Some(known) = self.applications.get_mut(&key.application) else {
            return;
        };
        let shard = known.running.shard(key);
        match outcome {
            Ok(Over::LogEnd) => {
                known.shards.entry(key).or_default().is_ended = true;
                self.failed.remove(&key);
            }
            Ok(Over::Stopped) => {
                self.failed.remove(&key);
            }
            // Its log is gone, which the next look counts.
            Err(PumpError::Store(StoreError::NoLog(_))) => {}
            // The next look reads who has it.
            Err(PumpError::Fenced) => self.has_company = true,
            Err(error) => {
                let times = self.failed.get(&key).map_or(0, |failed| failed.times) + 1;
                let pause = AGAIN_AFTER.saturating_mul(1 << times.min(5));
                self.failed.insert(
                    key,
                    Failed {
                        times,
                        again_at: Instant::now() + pause.min(AGAIN_AFTER_MAX),
                    },
                );
                let name = known.running.application().name.clone();
                let id = key.shard;
                tracing::error!(application = %name, shard = %id, %error, "a lane begins again");
                shard.is_stuck(&error.to_string(), self.ground.now());
            }
        }
        shard.show(|shown| {
            shown.is_here = false;
            shown.committing = None;
        });
    }

    /// The shards that have ended, of those that are known.
    fn ended(&self, id: ApplicationId) -> BTreeSet<ShardKey> {
        let known = self.applications.get(&id);
        let shards = known.into_iter().flat_map(|known| &known.shards);
        let ended = shards.filter(|(_, shard)| shard.is_ended);
        ended.map(|(key, _)| *key).collect()
    }
}

/// Works on a shard until its log ends or the stop comes.
async fn work(
    ground: Arc<Ground>,
    of: LaneOf,
    mut stop: watch::Receiver<bool>,
    is_lost: Arc<AtomicBool>,
) -> Result<Over, PumpError> {
    let (engine, log, name) = (Arc::clone(&ground.engine), of.log, of.key.pump_name());
    // Where it begins was kept before it had a lane.
    let mut pump = Pump::claim(Arc::clone(&engine), log, &name, Position::FIRST).await?;
    // The step reads by itself, within its memory; all it needs is to hear of the next frame.
    pump.set_batch_bytes(1);
    pump.gives_no_frames();
    let mut lane = Lane::open(ground, of, pump.position(), stop.clone()).await?;
    let worked = keep_going(&mut pump, &mut lane, &mut stop, &is_lost).await;
    match (worked, tip(&*engine, log)) {
        (Err(_), Err(error @ StoreError::NoLog(_))) => Err(PumpError::Store(error)),
        (worked, _) => worked,
    }
}

async fn keep_going(
    pump: &mut Pump,
    lane: &mut Lane,
    stop: &mut watch::Receiver<bool>,
    is_lost: &AtomicBool,
) -> Result<Over, PumpError> {
    loop {
        match pump.run(lane, stop).await? {
            Ended::Idle => lane.swap_at_rest(pump, stop).await?,
            Ended::LogEnd if lane.end(pump, stop).await? => return Ok(Over::LogEnd),
            Ended::LogEnd | Ended::Stopped => break,
        }
    }
    if is_lost.load(Ordering::Acquire) {
        lane.lose().await;
    } else {
        lane.shut_down(pump, stop).await?;
    }
    Ok(Over::Stopped)
}

fn tip(engine: &dyn store::Engine, log: LogId) -> Result<Position, StoreError> {
    engine.tip(log)
}
