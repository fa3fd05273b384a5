//! One lane: the pump's step that gathers records, decides a cut, keeps the decision, delivers it,
//! and leaves it to the pump to make that durable together with the position.
//!
//! ```text
//! gather, decide -> (read -> transform -> pack -> keep the cut and what is settled -> put)*
//!                                                 durable
//!                -> counts, position
//!                   durable
//! ```
//!
//! A cut is kept right before its first object is put. Until then it is forgotten by a crash, by
//! another configuration and by a store that refuses all of it, and what it was about is decided
//! anew. A crash after that does the cut again, to the same objects.

mod after;
mod ahead;
mod apart;
mod damaged;
mod deliver;
mod gather;
mod grace;
mod hand_over;
mod keep;
mod log;
mod obey;
mod pinned;
mod seat;
mod skip;
mod telling;
mod work;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use store::{Engine, Position, StoreError, Transaction, Version};
use streams::pump::Damage;
use streams::pump::{Batch, Retry, Step, StepError};
use tokio::sync::{mpsc, oneshot, watch};
use types::Clock;
use wasm::{ContentHash, GuestThreads, Plugins, Workplace, WorksFor};

use self::after::{After, RETENTION_TOOK_THEM};
use self::ahead::{Ahead, Held, Made};
use self::deliver::Puts;
use self::grace::{is_gone, stopped_for_long};
pub use self::log::{LaneLog, Ordered};
use self::work::Work;
use crate::counts::Became;
use crate::delivered_log::DeliveredLog;
use crate::delivery_stream::DeliveryStream;
use crate::endpoints::Endpoints;
use crate::error_log::ErrorLog;
use crate::glue::GlueTables;
use crate::lane_quota::LaneQuota;
use crate::lane_state::{LaneState, StuckCut};
use crate::metadata::Provenance;
use crate::object_name::NamingKey;
use crate::objects::Objects;
use crate::open_cut::OpenCut;
use crate::orders::{self, Asked, Obeyed};
use crate::rows::{self, Lane};
use crate::secrets::Secrets;
use crate::shares::WorkShares;

const BYTES_PER_MIB: u64 = 1024 * 1024;
/// How long a lane that failed waits at most while an order is there to be obeyed.
const ORDER_PAUSE: Duration = Duration::from_millis(100);

/// What all lanes share.
pub struct Tools {
    pub engine: Arc<dyn Engine>,
    pub clock: Arc<dyn Clock>,
    pub plugins: Arc<Plugins>,
    pub objects: Arc<dyn Objects>,
    pub endpoints: Arc<dyn Endpoints>,
    pub tables: GlueTables,
    /// What destinations may be known by.
    pub secrets: Arc<Secrets>,
    pub naming: NamingKey,
    /// How many lanes accounts may have.
    pub lane_quota: LaneQuota,
    /// What cuts at work share.
    pub shares: Arc<WorkShares>,
    /// The threads that they are worked on with.
    pub threads: Arc<GuestThreads>,
}

/// Why a cut was not delivered.
enum Undone {
    /// The configuration changed before anything of it left.
    Changed,
    /// It is to be tried again.
    Failed(StepError),
    /// It is to be tried again, and will fail in the same way until an operator decides.
    Undecided(String),
    /// Records of it cannot be read.
    Damaged(Damage),
}

impl From<StepError> for Undone {
    fn from(error: StepError) -> Self {
        Self::Failed(error)
    }
}

/// Why a cut was not worked on to its end.
enum Halt {
    /// It needs more room than it could have at once; so many bytes are enough for certain.
    NoRoom(u64),
    /// Its party was found slow, and slow parties hold as much as they may: it must wait for room
    /// as one of them.
    Slow,
    /// A put of it is slow, those that are slow hold as much as they may, and others wait for room:
    /// it must wait for room as one of them.
    SlowPut,
    /// What is not answered is to be handed over once more: an operator says so, or another
    /// endpoint is in force.
    Anew,
    /// The destination refuses a piece for good. That is kept, and the cut is done again with it.
    Refused,
    /// Anything else.
    Undone(Undone),
}

impl From<Undone> for Halt {
    fn from(undone: Undone) -> Self {
        Self::Undone(undone)
    }
}

impl From<StepError> for Halt {
    fn from(error: StepError) -> Self {
        Self::Undone(error.into())
    }
}

/// How a lane is told what goes on around it.
pub struct LaneSignals {
    /// The delivery stream as it is configured.
    pub stream: watch::Receiver<Arc<DeliveryStream>>,
    /// What lies before this shall go at once.
    pub flush: watch::Receiver<Position>,
    /// Turns true when the lane shall end.
    pub stop: watch::Receiver<bool>,
    /// Changes when a plugin does.
    pub plugins: watch::Receiver<u64>,
    /// What an operator wants of it.
    pub orders: mpsc::Receiver<Asked>,
    /// Where it is noted what goes wrong.
    pub errors: Arc<ErrorLog>,
    /// Where it is noted what is delivered.
    pub delivered: Arc<DeliveredLog>,
}

/// What the lane does about the records that come next.
enum Phase {
    /// They are gathered or on their way.
    GetsOn,
    /// The delivery of this cut failed the last time.
    Stuck(Stuck),
    /// An operator had this cut left out. That is not durable yet.
    LeavesOut(OpenCut),
    /// They cannot be read.
    Damaged(Damage),
    /// The same, and an operator had them left out. That is not durable yet.
    PassesOver(Damage),
}

/// What stands in the way of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Barrier {
    /// Something that may pass.
    Passing,
    /// Something that will not, until an operator decides.
    Decision,
    /// Records of it cannot be read, so that it cannot be skipped either.
    Damage,
}

/// A cut whose delivery failed.
#[derive(Clone)]
struct Stuck {
    open: OpenCut,
    /// Why.
    why: String,
    barrier: Barrier,
}

/// One lane at work.
pub struct LaneStep {
    work: Work,
    signals: LaneSignals,
    state: Arc<LaneState>,
    lane: Lane,
    /// Where the pump stood when the lane was so.
    stands_at: Position,
    /// What the lane is once the pump has committed that.
    after: Option<After>,
    phase: Phase,
    /// The version that the records which come next name and that cannot be had, while they wait
    /// for it.
    lacks: Option<ContentHash>,
    /// An order that came while the lane waited.
    asked: Option<Asked>,
    /// What is answered to an order once it is durable with the lane's position.
    promised: Option<(oneshot::Sender<Obeyed>, Obeyed)>,
    /// What the author calls the version that the open cut goes through. Another one may be in
    /// force by the time it is done.
    label: String,
    puts: Puts,
    /// AWS's word for why the destination did not take what was handed over last.
    code: Option<&'static str>,
    /// Whether an object is on its way.
    is_putting: Arc<AtomicBool>,
    /// Whether a put of the cut that was delivered last was slow.
    puts_slowly: bool,
    /// The cut that may come next, at work while the open one is put.
    ahead: Option<Ahead>,
    /// What the open cut became, if it was worked on ahead.
    made: Option<Made>,
    /// What was read of the one after it.
    held: Option<Held>,
}

impl LaneStep {
    /// A lane as it was left, with its pump at this position.
    pub async fn open(
        tools: Arc<Tools>,
        LaneLog {
            key,
            log,
            numbering,
            ordered,
        }: LaneLog,
        (signals, at): (LaneSignals, Position),
        state: Arc<LaneState>,
    ) -> Result<Self, StoreError> {
        let lane = rows::load_lane(&*tools.engine, (key, at)).await?;
        state.is_well();
        if let Some(open) = &lane.open {
            state.waits(&open.cut.gathering());
        }
        let provenance = Provenance::of(&signals.stream.borrow(), key, numbering);
        let arn = signals.stream.borrow().arn.clone();
        let account = arn.owner.account;
        let workplace = Workplace {
            account,
            of: WorksFor::DeliveryStream(arn.name.to_string()),
            shard: key.source().map(|(_, shard)| shard.to_string()),
        };
        let work = Work {
            tools,
            account,
            key,
            name: arn.name.clone(),
            log,
            workplace: Arc::new(workplace),
            provenance: Arc::new(provenance),
            named: None,
            ordered,
        };
        let mut step = Self {
            work,
            signals,
            state,
            lane,
            stands_at: at,
            after: None,
            phase: Phase::GetsOn,
            lacks: None,
            asked: None,
            promised: None,
            label: String::new(),
            puts: Puts::default(),
            code: None,
            is_putting: Arc::default(),
            puts_slowly: false,
            ahead: None,
            made: None,
            held: None,
        };
        step.shows(at);
        Ok(step)
    }

    /// Nothing failed that is tried again.
    fn gets_on(&mut self) {
        self.phase = Phase::GetsOn;
        self.state.gets_on();
    }

    /// The lane stands at `position`, durably.
    fn shows(&mut self, position: Position) {
        self.stands_at = position;
        let by_version = self.lane.by_version.clone();
        self.state.stands_at(position, self.lane.counts, by_version);
    }

    /// Delivers the cut that begins at `from`, which may have to be decided first; `None` when the
    /// lane shall end.
    async fn deliver_next(
        &mut self,
        from: Position,
    ) -> Result<Option<(OpenCut, Became)>, StepError> {
        loop {
            let open = match self.lane.open.clone() {
                Some(open) => self.to_error_output_in_force(open),
                None => match self.gather(from).await? {
                    Some(open) => open,
                    None => return Ok(None),
                },
            };
            let stop = self.signals.stop.clone();
            let is_putting = Arc::clone(&self.is_putting);
            // What a cut is delivered with takes memory only while one is.
            let delivering = Box::pin(self.deliver(&open));
            let done = tokio::select! {
                done = delivering => done,
                () = stopped_for_long(stop, is_putting) => return Ok(None),
            };
            match done {
                Ok(done) => return Ok(Some((open, done))),
                Err(Undone::Changed) => {}
                Err(Undone::Failed(error)) => {
                    return Err(self
                        .is_stuck_with(open, error.to_string(), Barrier::Passing)
                        .await);
                }
                Err(Undone::Undecided(why)) => {
                    return Err(self.is_stuck_with(open, why, Barrier::Decision).await);
                }
                // The pump finds the same.
                Err(Undone::Damaged(damage)) if damage.from == from => return Ok(None),
                Err(Undone::Damaged(damage)) => {
                    let why = damage.to_string();
                    return Err(self.is_stuck_with(open, why, Barrier::Damage).await);
                }
            }
        }
    }

    /// Keeps what is known of a cut whose delivery failed. What an operator is told about it.
    async fn is_stuck_with(&mut self, open: OpenCut, why: String, barrier: Barrier) -> StepError {
        if self.puts.refused && self.puts.untouched {
            self.take_back().await;
        } else {
            self.keep_what_is_there().await;
        }
        let open = self.lane.open.clone().unwrap_or(open);
        let arn = self.signals.stream.borrow().arn.clone();
        let (name, lane) = (arn.name.as_str(), self.work.key.lane_name());
        let told = match barrier {
            Barrier::Damage => {
                let commands = orders::commands_about_damaged_cut(name, &lane);
                format!("{why}: {commands}")
            }
            Barrier::Passing | Barrier::Decision if open.is_skipped() => {
                format!("{why} ({})", orders::commands_about_skipped(name, &lane))
            }
            Barrier::Decision => format!("{why}: {}", orders::commands(name, &lane)),
            Barrier::Passing => why.clone(),
        };
        self.phase = Phase::Stuck(Stuck { open, why, barrier });
        StepError::Failed(told)
    }
}

fn failed(error: &StoreError) -> StepError {
    StepError::Failed(error.to_string())
}

#[async_trait]
impl Step for LaneStep {
    async fn step(
        &mut self,
        batch: &Batch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        self.state.saw_tip(batch.tip);
        let Some(first) = batch.frames.first() else {
            return Err(StepError::Failed(
                "there is no frame to begin at".to_owned(),
            ));
        };
        let from = first.position;
        self.trim_before(from).await;
        if self.work.horizon().map_err(|error| failed(&error))? >= first.end() {
            // Retention has taken it meanwhile: the pump sees that, and passes it over.
            return Ok(from);
        }
        if self.stands_at != from {
            self.catch_up(from).await?;
        }
        if matches!(self.phase, Phase::Damaged(_) | Phase::PassesOver(_)) {
            // It can be read after all.
            self.gets_on();
            self.takes_back();
        }
        self.obey().await?;
        if !matches!(self.phase, Phase::Stuck(_)) {
            self.state.has_no_stuck_cut();
        }
        if matches!(self.phase, Phase::LeavesOut(_)) {
            return self.leave_out(from, effects);
        }
        let Some((open, done)) = self.deliver_next(from).await? else {
            return Ok(from);
        };
        self.is_done_with((from, &open), done, effects)
    }

    async fn damaged(
        &mut self,
        damage: &Damage,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        self.meets(damage, effects).await
    }

    async fn passed_over(
        &mut self,
        from: Position,
        to: Position,
        effects: &mut Transaction,
    ) -> Result<(), StepError> {
        if self.stands_at != from {
            self.catch_up(from).await?;
        }
        let (lane, _) = self.given_up(from, to)?;
        effects.writes.push(self.write_of(&lane)?);
        self.after = Some(After {
            lane,
            position: to,
            loss: RETENTION_TOOK_THEM,
        });
        Ok(())
    }

    fn committed(&mut self, _: Version) {
        if let Some(after) = self.after.take() {
            self.tell_outcome(&after);
            self.lane = after.lane;
            self.stands_at = after.position;
            let by_version = self.lane.by_version.clone();
            self.state
                .got_to(after.position, self.lane.counts, by_version);
            self.lacks = None;
            self.goes_on_from(self.stands_at);
            self.puts = Puts::default();
        }
    }

    async fn pause(&mut self, pause: Duration) {
        if self.asked.is_some() {
            // It is obeyed with the next step, unless that fails before.
            tokio::time::sleep(pause.min(ORDER_PAUSE)).await;
            return;
        }
        let version_id = self.signals.stream.borrow_and_update().version_id;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // Another configuration may be all that was missing.
            _ = self.signals.stream.wait_for(|now| now.version_id != version_id) => {}
            Some(asked) = self.signals.orders.recv() => self.asked = Some(asked),
            () = is_gone(&self.work) => {}
        }
    }

    /// A destination that does not take objects is tried for as long as it takes: the records are
    /// safe in the log, and no producer waits for them.
    fn after_failure(&mut self, error: &StepError, attempt: u32) -> Retry {
        // What it holds others may need, and what it was may not come.
        self.forget_ahead();
        if matches!(self.work.tip(), Err(StoreError::NoLog(_))) {
            return Retry::GiveUp;
        }
        let why = error.to_string();
        self.tell_failure(&why, attempt);
        let stuck = match &self.phase {
            Phase::Stuck(stuck) => Some(StuckCut::of(&stuck.open)),
            Phase::Damaged(damage) => Some(self.stuck_before(damage)),
            Phase::LeavesOut(_) | Phase::PassesOver(_) | Phase::GetsOn => None,
        };
        self.state.retries(why, stuck);
        match &self.phase {
            Phase::Stuck(stuck) => self.pause_before(&stuck.open, attempt),
            _ => Retry::backoff(attempt),
        }
    }
}
