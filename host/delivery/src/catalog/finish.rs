//! The long part of making and of deleting a delivery stream, which may have very many lanes: done
//! beside the catalog's task, so that no other change waits for it. Doing it again changes nothing.

use std::collections::BTreeSet;

use store::{Purpose, StoreError};
use streams::Streams;
use streams::pump::row;

use super::{ChangeError, STOP_WAIT, commit};
use crate::delivery_stream::{Origin, Status};
use crate::gone::LANES_PER_COMMIT;
use crate::lane::Tools;
use crate::letters::notes;
use crate::redeliveries;
use crate::rows;
use crate::running::{Begins, Begun, Running};
use crate::tables::{self, LaneKey};

/// Rows that are removed together; the next ones follow at once.
const ROWS_PER_COMMIT: usize = 1_000;

/// Prepares a delivery stream that is being made or deleted for the last step of that.
///
/// # Errors
/// When it is to be tried again.
pub(super) async fn prepare(
    running: &Running,
    tools: &Tools,
    streams: &Streams,
) -> Result<(), ChangeError> {
    match running.stream().status {
        Status::Active => Ok(()),
        Status::Creating => begin(running, tools, streams).await,
        Status::Deleting => take_away(running, tools).await,
    }
}

/// Keeps and shows where the lanes begin: before it is ACTIVE, so that what waits is shown from
/// then on.
async fn begin(running: &Running, tools: &Tools, streams: &Streams) -> Result<(), ChangeError> {
    if let Origin::DirectPut { log } = running.stream().origin {
        tools.engine.create_logs(&[log]).await?;
    }
    let wanted = running.wanted(streams);
    if running.begin(tools, &wanted, Begins::Now).await? == Begun::NoneNew {
        // Its stream was made anew meanwhile, or the limit was lowered. Whatever begins later would
        // not begin where this delivery stream was made.
        running.has_trouble(Some(tools.lane_quota.no_room()));
        let (lanes, limit) = (wanted.len(), tools.lane_quota.max());
        return Err(ChangeError::TooManyLanes { lanes, limit });
    }
    running.has_trouble(None);
    running.show_lanes(tools, streams).await?;
    Ok(())
}

/// Ends the lanes, says what is lost with them, and removes all that is kept of them.
async fn take_away(running: &Running, tools: &Tools) -> Result<(), ChangeError> {
    // Others wait for their turn, so that it does not wait for a put that hangs.
    if !running.stop(STOP_WAIT).await {
        return Err(ChangeError::Busy(Status::Deleting));
    }
    let engine = &*tools.engine;
    let stream = running.stream();
    let mut logs = vec![tables::replay_log(stream.id)];
    if let Origin::DirectPut { log } = stream.origin {
        logs.push(log);
    }
    for log in &logs {
        // A put or a replay that is under way goes in before, and is counted, or is refused.
        match engine.seal(*log).await {
            Ok(_) | Err(StoreError::NoLog(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    running.give_up(tools).await?;
    engine.delete_logs(&logs).await?;
    loop {
        let removals = notes::some_removals(engine, stream.id, LANES_PER_COMMIT).await?;
        if removals.is_empty() {
            break;
        }
        commit(engine, removals, Purpose::MakeRoom).await?;
    }
    let ordered = redeliveries::take_away(tools, &stream).await?;
    for writes in ordered.chunks(ROWS_PER_COMMIT) {
        commit(engine, writes.to_vec(), Purpose::MakeRoom).await?;
    }
    let kept = rows::load_lanes(engine, Some(LaneKey::rows_of(stream.id))).await?;
    // A lane that never delivered anything has a pump all the same.
    let begun = rows::load_begun(engine, stream.id).await?;
    // Also those whose rows cannot be read.
    let lanes: BTreeSet<_> = kept.into_keys().chain(begun).collect();
    let lanes: Vec<_> = lanes.into_iter().collect();
    // A crash between two of them leaves it DELETING, and the rest is removed then.
    for lanes in lanes.chunks(LANES_PER_COMMIT) {
        let removals = |key: &LaneKey| {
            let pump = row::removal(&key.pump_name());
            [rows::lane_removal(*key), pump]
        };
        let removals = lanes.iter().flat_map(removals).collect();
        commit(engine, removals, Purpose::MakeRoom).await?;
    }
    Ok(())
}
