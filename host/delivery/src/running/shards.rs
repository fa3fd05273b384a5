//! Which lanes a delivery stream has: one for each shard of its source, shown as its rows say.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use store::{Engine, LogId, Position, StoreError, Transaction};
use streams::pump::row;
use streams::{SourceMark, StreamId, Streams};
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
        let stream = self.stream();
        match &stream.origin {
            Origin::DirectPut { log } => vec![Wanted {
                key: key_of(&stream, StreamId(LaneKey::NO_STREAM), ShardId(0)),
                log: *log,
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
        let logs = self.logs(streams);
        let pumps = rows::load_pumps(engine, &LaneKey::pumps_of(stream.id)).await?;
        let kept = rows::load_lanes(engine, Some(LaneKey::rows_of(stream.id)));
        let mut kept = kept.await?;
        let is_gone = |key: &&LaneKey| !logs.contains_key(*key);
        let gone = pumps.keys().filter(is_gone).map(|key| key.stream);
        let ends = gone::ends_of(engine, &gone.collect()).await?;
        for (key, (position, _)) in pumps {
            let found = kept.remove(&key);
            let found = found.unwrap_or_else(|| Ok(rows::not_begun((key, position))));
            let state = self.shown(key, logs.get(&key).copied());
            let lane = found.unwrap_or_else(|error| {
                // What it counted is not known; what waits is.
                state.is_unreadable(&error);
                rows::Lane::default()
            });
            state.stands_at(position, lane.counts, lane.by_version);
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
    fn shown(&self, key: LaneKey, log: Option<LogId>) -> Arc<LaneState> {
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
        let new = self.lacking(wanted);
        if new == 0 {
            return Ok(Begun::All);
        }
        let (engine, stream) = (&*tools.engine, self.stream());
        if !tools.lane_quota.take(&stream, self.lane_count() + new) {
            return Ok(Begun::NoneNew);
        }
        let begun = rows::load_pumps(engine, &LaneKey::pumps_of(stream.id)).await?;
        let (known, new): (Vec<_>, Vec<_>) = wanted
            .iter()
            .partition(|wanted| begun.contains_key(&wanted.key));
        for new in new.chunks(LANES_PER_COMMIT) {
            let mut positions = Vec::new();
            for wanted in new {
                let position = begins.position(engine, &stream, wanted.log).await?;
                // One that was deleted before anything waited in it does not begin.
                positions.extend(position.map(|position| (*wanted, position)));
            }
            let mut writes = Vec::new();
            for (wanted, position) in &positions {
                writes.push(row::beginning(&wanted.key.pump_name(), *position)?);
                writes.push(rows::lane_write(wanted.key, &rows::Lane::default())?);
            }
            if !writes.is_empty() {
                let transaction = Transaction {
                    writes,
                    ..Transaction::default()
                };
                engine.commit(transaction).await?;
            }
            self.have_begun(positions);
        }
        let positions = known.into_iter().map(|wanted| {
            let at = begun.get(&wanted.key).map(|(position, _)| *position);
            (wanted, at)
        });
        self.have_begun(positions.filter_map(|(wanted, at)| Some((wanted, at?))));
        Ok(Begun::All)
    }

    /// How many of these are not shown, which is as long as nothing is kept of them.
    fn lacking(&self, wanted: &[Wanted]) -> usize {
        let lanes = self.lock();
        let keys = wanted.iter().map(|wanted| wanted.key);
        keys.filter(|key| !lanes.by_key.contains_key(key)).count()
    }

    /// Shows lanes that have just begun, at these positions.
    fn have_begun<'a>(&self, lanes: impl IntoIterator<Item = (&'a Wanted, Position)>) {
        for (wanted, position) in lanes {
            let is_known = self.lock().by_key.contains_key(&wanted.key);
            if !is_known {
                let state = self.shown(wanted.key, Some(wanted.log));
                state.stands_at(position, Counts::default(), Vec::new());
            }
        }
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
