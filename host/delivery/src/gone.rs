//! What was in logs that are gone: a stream was deleted, and with it what its lanes had not come
//! to.
//!
//! A lane is counted once, in the transaction that takes its pump's row away. Where its log ended
//! was kept with the deletion, so that it makes no difference which process counts, and when.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use store::{Engine, Position, StoreError, Transaction};
use streams::ends::{self, EndedShard};
use streams::pump::row;
use types::Invalid;

use crate::delivery_stream::DeliveryStream;
use crate::lane_state::LaneState;
use crate::rows;
use crate::tables::{LaneKey, PUMPS_OF_LANES};

/// Time between two looks for kept ends that no lane needs any more. An end is removed at the
/// second look that finds it unneeded: a lane that was about to begin when its stream was deleted
/// has begun by then.
const SWEEP_PERIOD: Duration = Duration::from_secs(60);
/// Rows that are removed together; the next ones follow at once.
const ROWS_PER_COMMIT: usize = 1_000;

/// Counts what was in a lane's log that is gone and had not come to its end as lost, durably and
/// once, and shows the lane as it is then.
pub(crate) async fn count(
    engine: &dyn Engine,
    stream: &DeliveryStream,
    key: LaneKey,
    state: &LaneState,
) -> Result<(), StoreError> {
    let Some((position, version)) = row::position_of(engine, &key.pump_name()).await? else {
        // It was counted before, or never began.
        let lane = rows::find_lane(engine, key).await?.unwrap_or_default();
        state.is_over(lane.counts, lane.by_version);
        return Ok(());
    };
    let mut lane = rows::load_lane(engine, (key, position)).await?;
    let end = match kept_end(engine, key).await? {
        Some(end) => end,
        None => last_seen(stream, key, state.tip().max(position)),
    };
    let lost = lane.give_up(position, end);
    let lost = lost.map_err(|Invalid(what)| rows::damaged(&what))?;
    let writes = vec![
        rows::lane_write(key, &lane)?,
        row::removal_of(&key.pump_name(), version),
    ];
    commit(engine, writes).await?;
    if lost > 0 {
        let (stream, shard) = (&stream.arn, key.shard);
        tracing::warn!(%stream, shard, lost, "records are lost with their deleted stream");
    }
    state.is_over(lane.counts, lane.by_version);
    Ok(())
}

/// Shows all that was in a log that is gone, before it is counted.
pub(crate) async fn show(
    engine: &dyn Engine,
    key: LaneKey,
    state: &LaneState,
) -> Result<(), StoreError> {
    if let Some(end) = kept_end(engine, key).await? {
        state.saw_tip(end);
    }
    Ok(())
}

async fn kept_end(engine: &dyn Engine, key: LaneKey) -> Result<Option<Position>, StoreError> {
    match key.source() {
        Some(shard) => ends::end_of(engine, shard).await,
        // A log that is put to directly is deleted with its delivery stream.
        None => Ok(None),
    }
}

/// The end of a log where it was not kept: a version of this program before this one deleted it.
fn last_seen(stream: &DeliveryStream, key: LaneKey, seen: Position) -> Position {
    let (stream, shard) = (&stream.arn, key.shard);
    let why = "it is not known where the log of a deleted stream ended";
    tracing::warn!(%stream, shard, %seen, why, "records are counted as far as they were seen");
    seen
}

async fn commit(engine: &dyn Engine, writes: Vec<store::TableWrite>) -> Result<(), StoreError> {
    let transaction = Transaction {
        appends: Vec::new(),
        writes,
    };
    engine.commit(transaction).await?;
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
    let pumps = row::names_of(engine, PUMPS_OF_LANES).await?.into_iter();
    let lanes = pumps.filter_map(|name| LaneKey::parse_pump_name(&name));
    let needed: BTreeSet<EndedShard> = lanes.filter_map(|key| key.source()).collect();
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
