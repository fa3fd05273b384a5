//! Letting everything that waits go, and saying what became of it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use store::{Engine, Position};
use streams::Streams;
use tokio::time::{Instant, sleep, timeout_at};

use super::{LookedAt, Running};
use crate::lane_state::LaneState;

/// Time between two looks whether a flush is done.
const FLUSH_LOOK: Duration = Duration::from_millis(20);

/// What became of the records that waited when a flush began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flushed {
    /// Whether all of them are in objects, or were dropped by the transform.
    pub delivered: bool,
    /// Those that came to nothing: retention took them, an operator left them out, or their stream
    /// or the delivery stream was deleted.
    #[serde(skip_serializing_if = "is_none")]
    pub lost: u64,
    /// Those that still wait or are on their way.
    #[serde(skip_serializing_if = "is_none")]
    pub waiting: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_none(records: &u64) -> bool {
    *records == 0
}

/// Where a lane must stand for a flush to be over.
struct Goal {
    from: Position,
    tip: Position,
    state: Arc<LaneState>,
}

impl Goal {
    /// How many of the records still wait.
    fn waiting(&self) -> u64 {
        // One that has not looked where it stands has all of them before it.
        let at = self.state.position().unwrap_or(self.from);
        if self.state.has_ended() {
            0
        } else {
            self.tip.0.saturating_sub(at.max(self.from).0)
        }
    }

    /// How many of them are lost so far.
    fn lost(&self) -> u64 {
        self.state.lost_between(self.from, self.tip)
    }
}

impl Running {
    /// Lets everything that waits go, and returns once that came to something, or after `time`.
    pub async fn flush(
        &self,
        (engine, streams): (&dyn Engine, &Streams),
        time: Duration,
    ) -> Flushed {
        let deadline = Instant::now() + time;
        // A delivery stream that was made just now, or whose source was, or was split or merged,
        // looks for its lanes first.
        let mut looked_at = self.looked_at.subscribe();
        let looking = looked_at.wait_for(|looked_at| match looked_at {
            LookedAt::Nothing => false,
            LookedAt::Source(mark) => *mark == self.source_mark(streams),
            LookedAt::NoMore => true,
        });
        let looking = timeout_at(deadline, looking);
        let is_known = looking.await.is_ok_and(|looked| looked.is_ok());
        let goals = self.goals(engine);
        let waiting = || goals.iter().map(Goal::waiting).sum::<u64>();
        while waiting() > 0 && Instant::now() < deadline {
            sleep(FLUSH_LOOK).await;
        }
        // What stops waiting between the two is in the second.
        let waiting = waiting();
        let lost = goals.iter().map(Goal::lost).sum();
        Flushed {
            delivered: is_known && waiting == 0 && lost == 0 && !self.lacks_lanes(),
            lost,
            waiting,
        }
    }

    /// Lets what waits in each lane go, and says where each must stand so that it has come to
    /// something.
    fn goals(&self, engine: &dyn Engine) -> Vec<Goal> {
        let mut lanes = self.lock();
        let goals = lanes.by_key.values_mut().filter_map(|lane| {
            let state = Arc::clone(&lane.state);
            // A log that is gone has lost what its lane had not come to.
            if let Some(tip) = lane.log.and_then(|log| engine.tip(log).ok()) {
                state.saw_tip(tip);
            }
            // One that has not looked yet where it stands may have all of its log before it.
            let (from, tip) = (state.position().unwrap_or(Position::FIRST), state.tip());
            if from >= tip || state.has_ended() {
                return None;
            }
            lane.flush(tip);
            Some(Goal { from, tip, state })
        });
        goals.collect()
    }
}
