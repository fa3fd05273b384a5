//! The task of one lane: it waits until there is something in the lane's log, and works on it.

use std::sync::Arc;
use std::time::Duration;

use store::{Position, Purpose, StoreError};
use streams::pump::{Ended, Pump, PumpError};

use crate::lane::{LaneLog, LaneStep, Tools};
use crate::lane_state::LaneState;
use crate::rows;
use crate::running::Running;

/// How long a lane to which nothing comes keeps what it works with. Then it rests, and takes a
/// small part of that memory.
const REST_AFTER: Duration = Duration::from_secs(10);

/// Why the task of a lane ended though nothing went wrong.
pub(super) enum Over {
    /// It was told to stop.
    Stopped,
    /// The log is sealed and all of it is done.
    LogEnd,
}

/// Works on one lane whenever there is something in its log, until it is told to stop or its log
/// ends.
pub(super) async fn keep_going(
    tools: Arc<Tools>,
    running: Arc<Running>,
    lane: LaneLog,
    state: Arc<LaneState>,
) -> Result<Over, PumpError> {
    let LaneLog { key, log, .. } = lane;
    let mut stop = running.stop.subscribe();
    loop {
        let Some(at) = state.position() else {
            let what = format!("it is not known where its lane {} stands", key.lane_name());
            return Err(PumpError::Store(rows::damaged(&what)));
        };
        tokio::select! {
            waited = tools.engine.wait_beyond(log, at) => waited?,
            _ = stop.wait_for(|stop| *stop) => return Ok(Over::Stopped),
        }
        // A log that is gone has nothing to work on.
        tools.engine.tip(log)?;
        // What a lane works with is there while it does.
        let ended = Box::pin(work(&tools, &running, lane, &state)).await?;
        running.rests(key);
        match ended {
            Ended::Idle => {}
            Ended::LogEnd => return Ok(Over::LogEnd),
            Ended::Stopped => return Ok(Over::Stopped),
        }
    }
}

/// Works on one lane until nothing has come for a while, it is told to stop, or its log ends.
async fn work(
    tools: &Arc<Tools>,
    running: &Running,
    lane: LaneLog,
    state: &Arc<LaneState>,
) -> Result<Ended, PumpError> {
    let LaneLog { key, log, .. } = lane;
    let engine = Arc::clone(&tools.engine);
    let signals = running.wake(key, tools);
    // Every lane has begun where it should: see `begin`.
    let start = Position::FIRST;
    let mut pump = Pump::claim(Arc::clone(&engine), log, &key.pump_name(), start).await?;
    // The step reads on by itself; all it needs is a place to begin.
    pump.set_batch_bytes(1);
    pump.set_rest_after(REST_AFTER);
    // Nothing else gives room back on a disk that is short of it.
    pump.set_purpose(Purpose::MakeRoom);
    let mut stop = signals.stop.clone();
    let at = pump.position();
    let opened = LaneStep::open(Arc::clone(tools), lane, (signals, at), Arc::clone(state));
    let mut step = opened.await?;
    let ended = pump.run(&mut step, &mut stop).await;
    match engine.tip(log) {
        Err(error @ StoreError::NoLog(_)) => Err(PumpError::Store(error)),
        Ok(_) | Err(_) => ended,
    }
}
