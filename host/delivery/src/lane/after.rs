//! What a lane becomes once a cut is done.

use store::{Position, StoreError, Transaction};
use streams::pump::StepError;

use super::{LaneStep, failed};
use crate::counts::{self, Became};
use crate::open_cut::OpenCut;
use crate::rows::Lane;
use crate::settled::Settled;

pub(super) const RETENTION_TOOK_THEM: &str = "retention took them before they were delivered";
pub(super) const UNREADABLE_LEFT_OUT: &str =
    "they cannot be read, and an operator had them left out";

/// What a lane becomes with the commit that comes next.
pub(super) struct After {
    pub(super) lane: Lane,
    /// Where it stands then.
    pub(super) position: Position,
    /// Why records come to nothing with it, if any do.
    pub(super) loss: &'static str,
}

impl LaneStep {
    /// Puts what a lane becomes with the end of a cut into `effects`. Where it stands then.
    pub(super) fn is_done_with(
        &mut self,
        (from, open): (Position, &OpenCut),
        done: Became,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        let after = self.after(from, open, done)?;
        effects.writes.push(self.write_of(&after.lane)?);
        self.after = Some(after);
        Ok(open.cut.to)
    }

    /// The lane once a cut is done. Records of it that were not there to be worked on any more have
    /// been taken by retention meanwhile.
    fn after(&self, from: Position, open: &OpenCut, done: Became) -> Result<After, StepError> {
        let cut = &open.cut;
        let passed = cut.to.0.checked_sub(from.0);
        let missing = passed.and_then(|all| all.checked_sub(done.places));
        let gone = self.gone_of(from, cut.to)?;
        let (mut done, places) = (done.counts, done.places);
        done.lost += missing.filter(|missing| *missing <= gone).ok_or_else(|| {
            StepError::Failed(format!(
                "{places} records came of a cut from {from} to {}, of which retention took {gone}",
                cut.to
            ))
        })?;
        let mut lane = self.lane.clone();
        lane.open = None;
        lane.settled = Settled::default();
        // Of those that were moved and are behind it, nobody knows what was put.
        lane.moved = None;
        lane.let_go.pass(cut.to);
        lane.next_cut = cut.number + 1;
        lane.counts = lane.counts.and(done);
        let by_version = open.by_version(done, self.label.clone());
        counts::add_by_version(&mut lane.by_version, by_version);
        let loss = if done.left_out > 0 {
            "an operator had them left out"
        } else {
            RETENTION_TOOK_THEM
        };
        Ok(After {
            lane,
            position: cut.to,
            loss,
        })
    }

    /// How many of the records between two positions are not in the log any more.
    fn gone_of(&self, from: Position, to: Position) -> Result<u64, StepError> {
        match self.work.horizon() {
            Ok(horizon) => Ok(horizon.min(to).0.saturating_sub(from.0)),
            Err(StoreError::NoLog(_)) => Ok(to.0.saturating_sub(from.0)),
            Err(error) => Err(failed(&error)),
        }
    }
}
