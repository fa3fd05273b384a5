//! Which lanes a delivery stream has: one for each shard of its source, shown as its rows say.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use store::{Engine, LogId, Position, StoreError, Transaction};
use streams::pump::row;
use streams::{Numbering, SourceMark, StreamId, Streams};
use types::ShardId;

use super::Running;
use crate::counts::Counts;
use crate::delivery_stream::{DeliveryStream, Origin};
use crate::gone::{self, LANES_PER_COMMIT};
use crate::lane::Tools;
use crate::lane_state::LaneState;
use crate::rows;
use crate::sums;
use crate::tables::LaneKey;

/// A lane that could run.
pub(crate) struct Wanted {
    pub(crate) key: LaneKey,
    pub(crate) log: LogId,
    /// What the sequence numbers of its records are made of; `None` for what is put directly.
    pub(crate) numbering: Option<Numbering>,
    /// The log is sealed.
    pub(crate) is_closed: bool,
    /// Lanes that must have come to their end before.
    pub(crate) parents: Vec<LaneKey>,
}

impl Running {
    /// What its lanes depend on, as it is at the moment.
    pub(crate) fn source_mark(&self, streams: &Streams) -> SourceMark {
        match &self.stream().origin {
            Origin::Stream { arn, .. } => streams.source_mark(arn),
            Origin::DirectPut { .. } => SourceMark::default(),
        }
    }

    /// The lanes that could run, as far as their source has them at the moment.
    pub(crate) fn wanted(&self, streams: &Streams) -> Vec<Wanted> {
        let mut wanted = self.wanted_of_source(streams);
        wanted.extend(self.wanted_of_replays());
        wanted
    }

    fn wanted_of_source(&self, streams: &Streams) -> Vec<Wanted> {
        let stream = self.stream();
        match &stream.origin {
            Origin::DirectPut { log } => vec![Wanted {
                key: key_of(&stream, StreamId(LaneKey::NO_STREAM), ShardId(0)),
                log: *log,
                numbering: None,
                is_closed: false,
                parents: Vec::new(),
            }],
            Origin::Stream { arn, .. } => {
                let Some(source) = streams.source(arn) else {
                    return Vec::new();
                };
                // A parent that is not listed any more has nothing left to deliver.
                let listed: HashSet<ShardId> = source.shards.iter().map(|shard| shard.id).collect();
                let is_listed = |parent: &&ShardId| listed.contains(*parent);
                let shards = source.shards.iter().map(|shard| Wanted {
                    key: key_of(&stream, source.id, shard.id),
                    log: shard.log,
                    numbering: Some(shard.numbering),
                    is_closed: shard.is_closed,
                    parents: shard
                        .parents
                        .iter()
                        .filter(is_listed)
                        .map(|parent| key_of(&stream, source.id, *parent))
                        .collect(),
                });
                shards.collect()
            }
        }
    }

    /// Shows what all lanes did that have begun, and what waits for them. They are not at work.
    pub(crate) async fn show_lanes(
        &self,
        tools: &Tools,
        streams: &Streams,
    ) -> Result<(), StoreError> {
        let (engine, stream) = (&*tools.engine, self.stream());
        self.look_for_replays(engine);
        let logs = self.logs(streams);
        let closed = self.wanted(streams).into_iter();
        let closed = closed.filter(|wanted| wanted.is_closed);
        let closed: HashSet<LaneKey> = closed.map(|wanted| wanted.key).collect();
        let pumps = rows::load_pumps(engine, &LaneKey::pumps_of(stream.id)).await?;
        let kept = rows::load_lanes(engine, Some(LaneKey::rows_of(stream.id)));
        let mut kept = kept.await?;
        let is_gone = |key: &&LaneKey| !logs.contains_key(*key);
        let gone = pumps.keys().filter(is_gone).map(|key| key.stream);
        let ends = gone::ends_of(engine, &gone.collect()).await?;
        for (key, (position, _)) in pumps {
            let found = kept.remove(&key);
            let found = found.unwrap_or_else(|| Ok(rows::not_begun((key, position))));
            let log = logs.get(&key).copied();
            let state = self.shown(key, log);
            let lane = found.unwrap_or_else(|error| {
                // What it counted is not known; what waits is.
                state.is_unreadable(&error);
                rows::Lane::default()
            });
            state.stands_at(position, lane.counts, lane.by_version);
            if closed.contains(&key) && log.is_some_and(|log| is_at_end(engine, log, position)) {
                self.is_done(key);
            }
            if let Some(end) = key.source().and_then(|shard| ends.get(&shard)) {
                state.saw_tip(*end);
            }
        }
        // An earlier version of this program counted them and kept them apart.
        for (key, found) in kept {
            let state = self.shown(key, None);
            match found {
                Ok(lane) => state.is_over(lane.counts, lane.by_version),
                Err(error) => state.is_unreadable(&error),
            }
        }
        let (sum, _) = sums::load(engine, stream.id).await?;
        self.lock().show_sum(sum);
        Ok(())
    }

    /// Where a lane shows how it is that is not at work.
    pub(super) fn shown(&self, key: LaneKey, log: Option<LogId>) -> Arc<LaneState> {
        let mut lanes = self.lock();
        let shown = lanes.by_key.entry(key).or_default();
        shown.log = log;
        Arc::clone(&shown.state)
    }

    /// The logs of all lanes, also of a source that is being deleted.
    fn logs(&self, streams: &Streams) -> BTreeMap<LaneKey, LogId> {
        let stream = self.stream();
        let wanted = self.wanted(streams).into_iter();
        let mut logs: BTreeMap<_, _> = wanted.map(|wanted| (wanted.key, wanted.log)).collect();
        if let Origin::Stream { arn, .. } = &stream.origin
            && let Some(ending) = streams.ending_source(arn)
        {
            let shards = ending.shards.iter();
            logs.extend(shards.map(|shard| (key_of(&stream, ending.id, shard.id), shard.log)));
        }
        logs
    }

    /// Keeps where lanes begin that have not. Whatever is shown of a lane hangs on this row: what
    /// waits counts from there on, until it is delivered or counted as lost.
    pub(crate) async fn begin(
        &self,
        tools: &Tools,
        wanted: &[Wanted],
        begins: Begins,
    ) -> Result<Begun, StoreError> {
        let lacking = self.lacking(wanted);
        if lacking.is_empty() {
            return Ok(Begun::All);
        }
        let (engine, stream) = (&*tools.engine, self.stream());
        let begun = rows::load_pumps(engine, &LaneKey::pumps_of(stream.id)).await?;
        let (mut known, mut new, mut room) = (Vec::new(), Vec::new(), 0);
        for wanted in lacking {
            let kept = begun.get(&wanted.key).map(|(position, _)| *position);
            let position = match kept {
                Some(position) => Some(position),
                None => begins.position(engine, &stream, wanted.log).await?,
            };
            // One that was deleted before anything waited in it does not begin.
            let Some(position) = position else { continue };
            room += usize::from(!wanted.is_done_at(engine, position));
            let lanes = if kept.is_some() { &mut known } else { &mut new };
            lanes.push((wanted, position));
        }
        if room > 0 && !tools.lane_quota.take(&stream, self.lane_count() + room) {
            return Ok(Begun::NoneNew);
        }
        for new in new.chunks(LANES_PER_COMMIT) {
            let beginnings = new.iter().map(|(wanted, position)| (wanted.key, *position));
            keep_beginnings(engine, beginnings).await?;
            self.have_begun(engine, new);
        }
        self.have_begun(engine, &known);
        Ok(Begun::All)
    }

    /// Keeps and shows lanes at the beginnings of logs that are gone, and ended there, so that they
    /// are counted as all lanes are whose logs go.
    pub(crate) async fn begin_gone(
        &self,
        tools: &Tools,
        gone: &[(LaneKey, Position)],
    ) -> Result<(), StoreError> {
        if gone.is_empty() {
            return Ok(());
        }
        let engine = &*tools.engine;
        let pumps = LaneKey::pumps_of(self.stream().id);
        let begun = rows::load_pumps(engine, &pumps).await?;
        for gone in gone.chunks(LANES_PER_COMMIT) {
            // An earlier try may have come further than it knew.
            let new = gone.iter().filter(|(key, _)| !begun.contains_key(key));
            keep_beginnings(engine, new.map(|(key, _)| (*key, Position::FIRST))).await?;
            for (key, end) in gone {
                let state = self.shown(*key, None);
                state.stands_at(Position::FIRST, Counts::default(), Vec::new());
                state.saw_tip(*end);
                self.is_done(*key);
            }
        }
        Ok(())
    }

    /// Those of them that are not shown, which is as long as nothing is kept of them.
    pub(crate) fn lacking<'a>(&self, wanted: &'a [Wanted]) -> Vec<&'a Wanted> {
        let lanes = self.lock();
        let is_lacking = |wanted: &&Wanted| !lanes.by_key.contains_key(&wanted.key);
        wanted.iter().filter(is_lacking).collect()
    }

    /// Shows lanes that have just begun, at these positions.
    fn have_begun(&self, engine: &dyn Engine, lanes: &[(&Wanted, Position)]) {
        for (wanted, position) in lanes {
            let state = self.shown(wanted.key, Some(wanted.log));
            state.stands_at(*position, Counts::default(), Vec::new());
            if wanted.is_done_at(engine, *position) {
                self.is_done(wanted.key);
            }
        }
    }
}

impl Wanted {
    /// Whether nothing is left to do for a lane that stands there.
    fn is_done_at(&self, engine: &dyn Engine, position: Position) -> bool {
        self.is_closed && is_at_end(engine, self.log, position)
    }
}

/// Keeps where lanes begin, all in one transaction.
async fn keep_beginnings(
    engine: &dyn Engine,
    lanes: impl Iterator<Item = (LaneKey, Position)>,
) -> Result<(), StoreError> {
    let mut writes = Vec::new();
    for (key, position) in lanes {
        writes.push(row::beginning(&key.pump_name(), position)?);
        writes.push(rows::lane_write(key, &rows::Lane::default())?);
    }
    if !writes.is_empty() {
        let transaction = Transaction {
            writes,
            ..Transaction::default()
        };
        engine.commit(transaction).await?;
    }
    Ok(())
}

/// Whether nothing of a sealed log lies beyond a position. One that is gone is counted without a
/// lane at work.
fn is_at_end(engine: &dyn Engine, sealed: LogId, position: Position) -> bool {
    match engine.tip(sealed) {
        Ok(tip) => position >= tip,
        Err(error) => matches!(error, StoreError::NoLog(_)),
    }
}

/// What became of lanes that were to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// All of them are there.
    All,
    /// The account would have more lanes than it may.
    NoneNew,
}

/// Where a lane begins that has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begins {
    /// The delivery stream becomes ACTIVE: what a stream held before is not delivered.
    Now,
    /// The shard is younger than the delivery stream, which delivers all of it.
    First,
}

impl Begins {
    async fn position(
        self,
        engine: &dyn Engine,
        stream: &DeliveryStream,
        log: LogId,
    ) -> Result<Option<Position>, StoreError> {
        match (self, &stream.origin) {
            (Self::Now, Origin::Stream { .. }) => {
                match engine.seek_time(log, stream.created_at).await {
                    Ok(position) => Ok(Some(position)),
                    Err(StoreError::NoLog(_)) => Ok(None),
                    Err(error) => Err(error),
                }
            }
            (Self::Now, Origin::DirectPut { .. }) | (Self::First, _) => Ok(Some(Position::FIRST)),
        }
    }
}

fn key_of(stream: &DeliveryStream, source: StreamId, shard: ShardId) -> LaneKey {
    LaneKey {
        delivery_stream: stream.id,
        stream: source.0,
        shard: shard.0,
    }
}
