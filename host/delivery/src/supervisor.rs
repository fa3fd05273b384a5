//! The task that starts and ends the lanes of a delivery stream. It looks at them when their stream
//! or one of them changed, and sleeps otherwise, however many there are.

mod lane_task;
mod unbegun;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use store::{Position, StoreError};
use streams::pump::PumpError;
use streams::{SourceMark, Streams};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet, yield_now};
use tokio::time::Instant;
use types::limits::DIRECT_PUT_RETENTION;

use self::lane_task::{Over, keep_going};
use self::unbegun::Unbegun;
use crate::delivery_stream::Origin;
use crate::gone::{self, LANES_PER_COMMIT, Remains};
use crate::lane::{LaneLog, Tools};
use crate::running::{Begins, Begun, LookedAt, Running, Wanted};
use crate::tables::LaneKey;

/// Time until lanes that failed are started again, and until it is tried again what the store
/// refused.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Time between two looks whether records are too old to be delivered, of a delivery stream that
/// is put to directly.
const TRIM_PERIOD: Duration = Duration::from_secs(60);
/// Time between two looks whether an account may have the lanes that its delivery stream lacks.
const ROOM_PERIOD: Duration = Duration::from_secs(10);
/// Lanes that are looked at in one turn. Then others have theirs.
const LANES_PER_TURN: usize = 256;

/// Begins to deliver.
pub(crate) fn start(running: &Arc<Running>, tools: &Arc<Tools>, streams: &Arc<Streams>) {
    let supervisor = Supervisor::new(Arc::clone(running), Arc::clone(tools), Arc::clone(streams));
    running.set_task(tokio::spawn(supervisor.run()));
}

struct Supervisor {
    running: Arc<Running>,
    tools: Arc<Tools>,
    streams: Arc<Streams>,
    /// The stream that is read, as it was when its lanes were looked at last.
    seen: Option<SourceMark>,
    unbegun: Unbegun,
    /// Lanes that could run once their parents have ended.
    waiting: Vec<Wanted>,
    /// Lanes that failed, and when they are started again.
    failed: Vec<Wanted>,
    restart_at: Option<Instant>,
    /// By the task that works on it.
    at_work: HashMap<Id, LaneLog>,
    /// The keys of the same.
    busy: HashSet<LaneKey>,
    /// They have come to the end of their logs.
    ended: HashSet<LaneKey>,
    /// Those whose rows were written by another build. They stand still for as long as this one
    /// runs.
    unreadable: HashSet<LaneKey>,
    /// Those that are not at work and whose logs are gone, until they are counted.
    gone: BTreeSet<LaneKey>,
    /// Lanes have ended whose places others may have.
    has_room: bool,
    /// When it is tried again what the store refused.
    retry_at: Option<Instant>,
    /// When to look again whether the account may have the lanes that are missing.
    room_at: Option<Instant>,
    /// When to look again whether records are too old.
    trim_at: Option<Instant>,
    lanes: JoinSet<Result<Over, PumpError>>,
}

impl Supervisor {
    fn new(running: Arc<Running>, tools: Arc<Tools>, streams: Arc<Streams>) -> Self {
        let is_direct = matches!(running.stream().origin, Origin::DirectPut { .. });
        Self {
            running,
            tools,
            streams,
            seen: None,
            unbegun: Unbegun::default(),
            waiting: Vec::new(),
            failed: Vec::new(),
            restart_at: None,
            at_work: HashMap::new(),
            busy: HashSet::new(),
            ended: HashSet::new(),
            unreadable: HashSet::new(),
            gone: BTreeSet::new(),
            has_room: false,
            retry_at: None,
            room_at: None,
            trim_at: is_direct.then(Instant::now),
            lanes: JoinSet::new(),
        }
    }

    /// Keeps the lanes at work until the delivery stream is told to stop, and ends them then.
    async fn run(mut self) {
        let mut stop = self.running.stop.subscribe();
        let mut changes = match &self.running.stream().origin {
            Origin::Stream { arn, .. } => Some(self.streams.source_changes(arn)),
            Origin::DirectPut { .. } => None,
        };
        let mut replays = self.running.replays();
        while !*stop.borrow() {
            self.look().await;
            if let Some(seen) = &self.seen {
                let looked_at = LookedAt::Source(seen.clone());
                self.running.looked_at.send_replace(looked_at);
            }
            let alarm = [self.restart_at, self.retry_at, self.room_at, self.trim_at];
            let alarm = alarm.into_iter().flatten().min();
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                () = changed(&mut changes) => {}
                // Its sender is as old as this task.
                Ok(()) = replays.changed() => self.seen = None,
                Some(ended) = self.lanes.join_next_with_id() => self.note_ends(ended),
                () = rings(alarm) => {}
            }
        }
        while let Some(ended) = self.lanes.join_next_with_id().await {
            self.note_end(ended);
        }
        self.running.looked_at.send_replace(LookedAt::NoMore);
    }

    /// Does what there is to do. What has begun durably and what is lost comes before the slower
    /// work of starting lanes.
    async fn look(&mut self) {
        if std::mem::take(&mut self.has_room) {
            self.give_room();
        }
        let now = Instant::now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.restart_at) {
            self.restart_at = None;
            self.waiting.append(&mut self.failed);
        }
        if is_due(self.retry_at) {
            self.retry_at = None;
        }
        if is_due(self.room_at) {
            (self.room_at, self.seen) = (None, None);
        }
        if self.retry_at.is_none()
            && let Err(error) = self.look_at_source().await
        {
            let arn = &self.running.stream().arn;
            tracing::warn!(stream = %arn, %error, "look at the lanes of a delivery stream");
            self.retry_at = Some(now + AGAIN_AFTER);
        }
        self.start_lanes().await;
        if is_due(self.trim_at) {
            let is_done = self.trim_expired().await;
            let period = if is_done { TRIM_PERIOD } else { AGAIN_AFTER };
            self.trim_at = Some(now + period);
        }
    }

    /// Begins the lanes of shards that are new, and counts those whose logs are gone.
    async fn look_at_source(&mut self) -> Result<(), StoreError> {
        let mark = self.running.source_mark(&self.streams);
        if self.seen.as_ref() != Some(&mark) {
            let wanted = self.running.wanted(&self.streams);
            let (running, tools) = (&self.running, &self.tools);
            self.unbegun.begin_gone(running, tools, &wanted).await?;
            // From here on all that these shards take is counted, whatever becomes of them.
            let begun = running.begin(tools, &wanted, Begins::First).await;
            self.unbegun.were_wanted(&wanted, &running.lacking(&wanted));
            let begun = begun?;
            self.waiting = wanted;
            self.look_at_logs().await?;
            self.seen = Some(mark);
            self.note_begun(begun);
        }
        self.count_gone().await
    }

    /// A stream that was made anew may have more shards than the account may have lanes. Which of
    /// them would be delivered nobody could say, so that none is, until there is room for all.
    fn note_begun(&mut self, begun: Begun) {
        let is_over = begun == Begun::NoneNew;
        let why = is_over.then(|| self.tools.lane_quota.no_room());
        if let Some(why) = &why {
            let arn = &self.running.stream().arn;
            tracing::warn!(stream = %arn, why, "a delivery waits for lanes");
            self.running.note(None, why);
        }
        self.running.has_trouble(why);
        self.room_at = is_over.then(|| Instant::now() + ROOM_PERIOD);
    }

    /// Sees how far the logs reach, and which are gone.
    async fn look_at_logs(&mut self) -> Result<(), StoreError> {
        let mut ending = Vec::new();
        for (looked, (key, log, state)) in self.running.known_lanes().into_iter().enumerate() {
            give_way(looked).await;
            match log.map(|log| self.tools.engine.tip(log)) {
                Some(Ok(tip)) => state.saw_tip(tip),
                None | Some(Err(StoreError::NoLog(_))) if self.busy.contains(&key) => {
                    ending.push((key, state));
                }
                None | Some(Err(StoreError::NoLog(_))) if self.unreadable.contains(&key) => {}
                None | Some(Err(StoreError::NoLog(_))) => {
                    self.gone.insert(key);
                }
                // Its own task says what is wrong with it.
                Some(Err(_)) => {}
            }
        }
        // They are counted once they have given up what they were about.
        let sources = ending.iter().map(|(key, _)| key.stream).collect();
        let ends = gone::ends_of(&*self.tools.engine, &sources).await?;
        for (key, state) in ending {
            if let Some(end) = key.source().and_then(|shard| ends.get(&shard)) {
                state.saw_tip(*end);
            }
        }
        Ok(())
    }

    /// Counts what was in logs that are gone.
    async fn count_gone(&mut self) -> Result<(), StoreError> {
        if self.gone.is_empty() {
            return Ok(());
        }
        let (engine, stream) = (Arc::clone(&self.tools.engine), self.running.stream());
        let engine = &*engine;
        let remains = Remains::load(engine, self.gone.iter().copied()).await?;
        for (key, error) in remains.unreadable() {
            if self.gone.remove(&key) {
                let (stream, shard) = (&stream.arn, key.shard);
                tracing::error!(%stream, shard, %error, "a lane stands still");
                self.stands_still(key, error);
            }
        }
        while !self.gone.is_empty() {
            let keys: Vec<_> = self.gone.iter().take(LANES_PER_COMMIT).copied().collect();
            let lanes = keys.iter().map(|key| (*key, self.running.tip_seen(*key)));
            let lanes: Vec<(LaneKey, Position)> = lanes.collect();
            let folded = gone::fold(engine, &stream, &remains, &lanes).await?;
            self.running.are_over(folded);
            self.give_room();
            for key in keys {
                self.gone.remove(&key);
                self.ended.remove(&key);
            }
        }
        Ok(())
    }

    /// Lanes that are over or done leave room to others.
    fn give_room(&mut self) {
        let lanes = self.running.lane_count();
        self.tools.lane_quota.note(&self.running.stream(), lanes);
        if self.room_at.is_some() {
            self.room_at = Some(Instant::now());
        }
    }

    /// The row of a lane cannot be read.
    fn stands_still(&mut self, key: LaneKey, error: &StoreError) {
        if let Some(state) = self.running.state(key) {
            state.is_unreadable(error);
        }
        self.running.note(Some(key), &error.to_string());
        self.unreadable.insert(key);
    }

    /// Starts every lane that has something to do and whose parents have not.
    async fn start_lanes(&mut self) {
        for (looked, wanted) in std::mem::take(&mut self.waiting).into_iter().enumerate() {
            give_way(looked).await;
            let key = wanted.key;
            let is_over = [&self.ended, &self.unreadable]
                .iter()
                .any(|keys| keys.contains(&key))
                || self.gone.contains(&key);
            let Some(state) = self.running.state(key) else {
                continue;
            };
            if is_over || self.busy.contains(&key) {
                continue;
            }
            let parents = &wanted.parents;
            if !parents.iter().all(|parent| self.ended.contains(parent)) {
                self.waiting.push(wanted);
                continue;
            }
            let (tools, running) = (Arc::clone(&self.tools), Arc::clone(&self.running));
            let lane = LaneLog {
                key,
                log: wanted.log,
                numbering: wanted.numbering,
                ordered: None,
            };
            let task = self.lanes.spawn(keep_going(tools, running, lane, state));
            self.at_work.insert(task.id(), lane);
            self.busy.insert(key);
        }
    }

    /// Notes an end and all others that have come until now.
    fn note_ends(&mut self, first: Result<(Id, Result<Over, PumpError>), JoinError>) {
        self.note_end(first);
        for _ in 0..LANES_PER_TURN {
            let Some(ended) = self.lanes.try_join_next_with_id() else {
                return;
            };
            self.note_end(ended);
        }
    }

    fn note_end(&mut self, ended: Result<(Id, Result<Over, PumpError>), JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, Ok(outcome)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(LaneLog {
            key,
            log,
            numbering,
            ..
        }) = self.at_work.remove(&id)
        else {
            return;
        };
        self.busy.remove(&key);
        self.running.rests(key);
        let stream = self.running.stream();
        let arn = &stream.arn;
        match outcome {
            Ok(Ok(Over::LogEnd)) => {
                if let Err(StoreError::NoLog(_)) = self.tools.engine.tip(log) {
                    // The look that followed the deletion found the lane at work.
                    self.gone.insert(key);
                } else {
                    self.ended.insert(key);
                    self.running.is_done(key);
                    self.has_room = true;
                }
                return;
            }
            Ok(Ok(Over::Stopped)) => return,
            Ok(Err(PumpError::Store(StoreError::NoLog(_)))) => {
                self.gone.insert(key);
                return;
            }
            Ok(Err(PumpError::Store(error @ StoreError::Unreadable { .. }))) => {
                tracing::error!(stream = %arn, shard = key.shard, %error, "a lane stands still");
                self.stands_still(key, &error);
                return;
            }
            Ok(Err(error)) => {
                tracing::error!(stream = %arn, shard = key.shard, %error, "a lane begins again");
                if let Some(state) = self.running.state(key) {
                    state.has_trouble(Some(error.to_string()));
                }
                self.running.note(Some(key), &error.to_string());
            }
            Err(error) => {
                tracing::error!(stream = %arn, shard = key.shard, %error, "a lane ended badly");
            }
        }
        self.failed.push(Wanted {
            key,
            log,
            numbering,
            is_closed: false,
            // They had ended when it began.
            parents: Vec::new(),
        });
        self.restart_at
            .get_or_insert_with(|| Instant::now() + AGAIN_AFTER);
    }

    /// What was put directly and could not be delivered for as long as it is kept is lost, as the
    /// service loses it, and said so. Whether it is known how far the lane has come and what time
    /// it is: before that nothing can be said to be lost.
    async fn trim_expired(&self) -> bool {
        let stream = self.running.stream();
        let Origin::DirectPut { log } = stream.origin else {
            return true;
        };
        let lanes = self.running.known_lanes();
        let direct = lanes
            .iter()
            .find(|(key, _, _)| key.stream == LaneKey::NO_STREAM);
        let delivered = direct.and_then(|(_, _, state)| state.position());
        let Some(delivered) = delivered else {
            return false;
        };
        let time = self.streams.retention_time();
        if !time.may_trim {
            // A clock that may be wrong by years takes nothing away.
            return false;
        }
        let cutoff = time.now.before(DIRECT_PUT_RETENTION);
        let engine = &self.tools.engine;
        let trimmed = async {
            let keep_from = engine.seek_time(log, cutoff).await?;
            if delivered < keep_from && engine.horizon(log)? < keep_from {
                engine.trim(log, keep_from).await?;
                tracing::error!(
                    stream = %stream.arn,
                    lost = keep_from.0 - delivered.0,
                    "records that could not be delivered within a day are lost"
                );
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = trimmed.await {
            tracing::warn!(stream = %stream.arn, %error, "trim what is too old to be delivered");
        }
        true
    }
}

/// Gives way to others after some lanes.
async fn give_way(looked: usize) {
    if looked % LANES_PER_TURN == LANES_PER_TURN - 1 {
        yield_now().await;
    }
}

/// Returns after the stream has changed that is read, if one is.
async fn changed(changes: &mut Option<watch::Receiver<u64>>) {
    if let Some(changes) = changes
        && changes.changed().await.is_ok()
    {
        return;
    }
    // Nothing is read, or the streams are closed.
    std::future::pending().await
}

async fn rings(alarm: Option<Instant>) {
    match alarm {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
