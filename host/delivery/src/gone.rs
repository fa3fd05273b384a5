//! What was in logs that are gone: a stream was deleted, and with it what its lanes had not come
//! to.
//!
//! A lane is counted once, in the transaction that takes its rows away and adds what it did to the
//! sum of its delivery stream. Where its log ended was kept with the deletion, so that it makes no
//! difference which process counts, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use store::{Engine, Position, Purpose, StoreError, TableWrite, Transaction, Version};
use streams::StreamId;
use streams::ends::{self, EndedShard};
use streams::pump::row;
use types::Invalid;

use crate::counts::Counts;
use crate::delivery_stream::DeliveryStream;
use crate::rows::{self, Lane, LaneFound};
use crate::sums::{self, Sum};
use crate::tables::LaneKey;

/// Time between two looks for kept ends that no lane needs any more. An end is removed at the
/// second look that finds it unneeded: a lane that was about to begin when its stream was deleted
/// has begun by then.
const SWEEP_PERIOD: Duration = Duration::from_secs(60);
/// Rows that are removed together; the next ones follow at once.
const ROWS_PER_COMMIT: usize = 1_000;
/// Lanes that begin or end in one transaction, with some hundred bytes each; the next ones follow
/// in another.
pub(crate) const LANES_PER_COMMIT: usize = 1_000;

/// What is kept of the lanes that read streams which are gone.
pub(crate) struct Remains {
    pumps: BTreeMap<LaneKey, (Position, Version)>,
    lanes: BTreeMap<LaneKey, LaneFound>,
    ends: BTreeMap<EndedShard, Position>,
}

impl Remains {
    /// Reads what is kept of these lanes.
    pub(crate) async fn load(
        engine: &dyn Engine,
        keys: impl IntoIterator<Item = LaneKey>,
    ) -> Result<Self, StoreError> {
        let mut remains = Self {
            pumps: BTreeMap::new(),
            lanes: BTreeMap::new(),
            ends: BTreeMap::new(),
        };
        for key in keys {
            if let Some(pump) = row::position_of(engine, &key.pump_name()).await? {
                remains.pumps.insert(key, pump);
            }
            match rows::find_lane(engine, key).await {
                Ok(Some(lane)) => {
                    remains.lanes.insert(key, Ok(lane));
                }
                Ok(None) => {}
                Err(error @ StoreError::Unreadable { .. }) => {
                    remains.lanes.insert(key, Err(error));
                }
                Err(error) => return Err(error),
            }
            // A log that is put to directly is deleted with its delivery stream.
            if let Some(shard) = key.source()
                && let Some(end) = ends::end_of(engine, shard).await?
            {
                remains.ends.insert(shard, end);
            }
        }
        Ok(remains)
    }

    /// The lanes whose rows this build does not read, and why.
    pub(crate) fn unreadable(&self) -> impl Iterator<Item = (LaneKey, &StoreError)> {
        let lanes = self.lanes.iter();
        lanes.filter_map(|(key, lane)| Some((*key, lane.as_ref().err()?)))
    }

    /// A lane at the end of its log, and how many of its records are lost by that.
    fn ended(
        &self,
        stream: &DeliveryStream,
        (key, seen): (LaneKey, Position),
    ) -> Result<(Lane, u64), StoreError> {
        let found = self.lanes.get(&key).cloned().transpose()?;
        let Some((position, _)) = self.pumps.get(&key) else {
            // An earlier build counted it and kept its row, or it is in the sum already.
            return Ok((found.unwrap_or_default(), 0));
        };
        let mut lane = found.unwrap_or_else(|| rows::not_begun((key, *position)));
        let end = key.source().and_then(|shard| self.ends.get(&shard));
        let end = match end {
            Some(end) => *end,
            None => last_seen(stream, key, seen.max(*position)),
        };
        let lost = lane.give_up(*position, end);
        let lost = lost.map_err(|Invalid(what)| rows::damaged(&what))?;
        Ok((lane, lost))
    }

    /// What takes away all that is kept of a lane.
    fn removals(&self, key: LaneKey) -> impl Iterator<Item = TableWrite> {
        let pump = self.pumps.get(&key);
        let pump = pump.map(|(_, version)| row::removal_of(&key.pump_name(), *version));
        let lane = self.lanes.contains_key(&key);
        let lane = lane.then(|| rows::lane_removal(key));
        pump.into_iter().chain(lane)
    }
}

/// Lanes that are over, and all of their delivery stream that are.
pub(crate) struct Folded {
    /// What became of the records of each that was added.
    pub(crate) lanes: Vec<(LaneKey, Counts)>,
    /// All together, also those that were added before.
    pub(crate) sum: Sum,
}

/// Adds lanes whose logs are gone to the sum of their delivery stream, durably and once; what they
/// had not come to is lost. With each goes the furthest tip that was seen of its log. There are at
/// most [`LANES_PER_COMMIT`] of them, all readable and none at work.
pub(crate) async fn fold(
    engine: &dyn Engine,
    stream: &DeliveryStream,
    remains: &Remains,
    lanes: &[(LaneKey, Position)],
) -> Result<Folded, StoreError> {
    let (mut sum, expect) = sums::load(engine, stream.id).await?;
    let (mut writes, mut folded) = (Vec::new(), Vec::new());
    let mut lost = 0;
    for &(key, seen) in lanes {
        let (lane, lost_of_it) = remains.ended(stream, (key, seen))?;
        lost += lost_of_it;
        folded.push((key, lane.counts));
        sum.add(lane);
        writes.extend(remains.removals(key));
    }
    if !writes.is_empty() {
        writes.push(sums::write(stream.id, &sum, expect)?);
        commit(engine, writes).await?;
    }
    if lost > 0 {
        let (stream, lanes) = (&stream.arn, lanes.len());
        tracing::warn!(%stream, lanes, lost, "records are lost with their deleted stream");
    }
    Ok(Folded { lanes: folded, sum })
}

/// Where the logs of deleted streams ended, as far as that is kept.
pub(crate) async fn ends_of(
    engine: &dyn Engine,
    sources: &BTreeSet<u64>,
) -> Result<BTreeMap<EndedShard, Position>, StoreError> {
    let mut all = BTreeMap::new();
    // A delivery stream's own logs are deleted with it.
    let is_own = |id: u64| id == LaneKey::NO_STREAM || id == LaneKey::REPLAYS;
    for source in sources.iter().filter(|&&id| !is_own(id)) {
        let stream = StreamId(*source);
        let ends = ends::of_stream(engine, stream).await?.into_iter();
        all.extend(ends.map(|(shard, end)| ((stream, shard), end)));
    }
    Ok(all)
}

/// The end of a log where it was not kept: a version of this program before this one deleted it.
fn last_seen(stream: &DeliveryStream, key: LaneKey, seen: Position) -> Position {
    let (stream, shard) = (&stream.arn, key.shard);
    let why = "it is not known where the log of a deleted stream ended";
    tracing::warn!(%stream, shard, %seen, why, "records are counted as far as they were seen");
    seen
}

async fn commit(engine: &dyn Engine, writes: Vec<TableWrite>) -> Result<(), StoreError> {
    let transaction = Transaction {
        writes,
        ..Transaction::default()
    };
    engine.commit_for(Purpose::MakeRoom, transaction).await?;
    Ok(())
}

/// Forgets where logs ended once all lanes that read them are counted. Ends when its task is ended:
/// nothing is half done then.
pub(crate) async fn sweep(engine: Arc<dyn Engine>) {
    let mut unneeded = BTreeSet::new();
    loop {
        tokio::time::sleep(SWEEP_PERIOD).await;
        match sweep_once(&*engine, &unneeded).await {
            Ok(found) => unneeded = found,
            Err(error) => tracing::warn!(%error, "forget where deleted logs ended"),
        }
    }
}

/// Forgets the ends that no lane asks for now nor did before; those that none asks for only now.
async fn sweep_once(
    engine: &dyn Engine,
    before: &BTreeSet<EndedShard>,
) -> Result<BTreeSet<EndedShard>, StoreError> {
    let kept = ends::kept(engine).await?;
    if kept.is_empty() {
        return Ok(BTreeSet::new());
    }
    // Those of lanes, and those of applications, which are counted in the same way.
    let pumps = row::names_of(engine, "").await?;
    let readers = pumps.iter().filter_map(|name| ends::read_by(name));
    let needed: BTreeSet<EndedShard> = readers.collect();
    let unneeded = kept.into_iter().filter(|end| !needed.contains(end));
    let (forgotten, found): (Vec<_>, BTreeSet<_>) = unneeded.fold(
        (Vec::new(), BTreeSet::new()),
        |(mut forgotten, mut found), end| {
            if before.contains(&end) {
                forgotten.push(end);
            } else {
                found.insert(end);
            }
            (forgotten, found)
        },
    );
    for ends in forgotten.chunks(ROWS_PER_COMMIT) {
        commit(engine, ends.iter().copied().map(ends::removal).collect()).await?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use store::TableId;
    use store::disk::simulated::SimulatedDisk;
    use store::embedded::{Embedded, Options};
    use store::{LogEnd, LogId};
    use streams::StreamId;
    use types::ShardId;

    use super::*;
    use crate::delivery_stream::DeliveryStreamId;

    #[tokio::test]
    async fn the_end_of_a_log_is_kept_until_all_its_lanes_are_counted_and_a_while_longer() {
        let disk = Arc::new(SimulatedDisk::new(1));
        let opening = tokio::task::spawn_blocking(move || Embedded::open(disk, Options::default()));
        let engine = opening.await.unwrap().unwrap();
        let shards = [(StreamId(7), ShardId(0)), (StreamId(7), ShardId(1))];
        let logs = [LogId(1), LogId(2)];
        engine.create_logs(&logs).await.unwrap();
        let ends = [0_u8, 1].map(|shard| LogEnd {
            log: logs[usize::from(shard)],
            table: TableId(5),
            key: vec![0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, shard].into(),
        });
        engine.end_logs(&ends).await.unwrap();
        let lanes = [3, 4].map(|id| LaneKey {
            delivery_stream: DeliveryStreamId(id),
            stream: 7,
            shard: 1,
        });
        let begin = |lane: &LaneKey| row::beginning(&lane.pump_name(), Position::FIRST).unwrap();
        commit(&*engine, lanes.iter().map(begin).collect())
            .await
            .unwrap();

        let first = sweep_once(&*engine, &BTreeSet::new()).await.unwrap();
        assert_eq!(first, BTreeSet::from([shards[0]]));
        assert_eq!(ends::kept(&*engine).await.unwrap(), shards);
        let second = sweep_once(&*engine, &first).await.unwrap();
        assert_eq!(second, BTreeSet::new());
        assert_eq!(ends::kept(&*engine).await.unwrap(), shards[1..]);
        let mut found = second;
        for lane in lanes {
            found = sweep_once(&*engine, &found).await.unwrap();
            assert_eq!(found, BTreeSet::new());
            commit(&*engine, vec![row::removal(&lane.pump_name())])
                .await
                .unwrap();
        }
        found = sweep_once(&*engine, &found).await.unwrap();
        assert_eq!(found, BTreeSet::from([shards[1]]));
        sweep_once(&*engine, &found).await.unwrap();
        assert_eq!(ends::kept(&*engine).await.unwrap(), []);
        engine.close().await.unwrap();
    }
}
