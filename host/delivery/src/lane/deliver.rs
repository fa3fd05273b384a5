//! Delivering the open cut: room is waited for, its records are worked on, and its pieces are
//! handed over.

use std::sync::Arc;

use streams::pump::StepError;

use super::hand_over::HandOver;
use super::{BYTES_PER_MIB, Halt, LaneStep, Phase, Undone};
use crate::answers::Answers;
use crate::counts::{Became, Counts};
use crate::cut::Cut;
use crate::open_cut::{OpenCut, Put, Way};
use crate::settled::Settled;
use crate::shares::Room;

/// What became of the puts of the open cut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Puts {
    /// Nothing of the cut can be anywhere: it was kept here, and all that was put of it was
    /// refused.
    pub(super) untouched: bool,
    /// The store refused the object that was put last.
    pub(super) refused: bool,
    /// The first piece of the cut was handed over by this process.
    pub(super) begun_here: bool,
    /// A try of the piece that was handed over last may have left it there.
    pub(super) may_be_there: bool,
    /// The piece that was handed over last is tried for the time that is configured.
    pub(super) is_timed: bool,
    /// What is there of the cut, by the try that got furthest.
    pub(super) there: Put,
    /// What is there of the piece that comes after these, of which some records were not taken so
    /// far.
    pub(super) in_part: Counts,
}

/// What earlier tries of a cut have come to, and no later one may change.
#[derive(Default)]
pub(super) struct Past {
    /// What became of its records.
    pub(super) settled: Settled,
    /// What became of its pieces.
    pub(super) answers: Answers,
}

impl LaneStep {
    /// Delivers the open cut, and returns what became of its records.
    pub(super) async fn deliver(&mut self, open: &OpenCut) -> Result<Became, Undone> {
        (self.puts.refused, self.puts.is_timed) = (false, false);
        if let Way::Skip(skip) = &open.way {
            return self.skip(open, skip).await;
        }
        let delivered = self.deliver_as_configured(open).await;
        if delivered.is_err() {
            self.ahead = None;
        }
        delivered
    }

    async fn deliver_as_configured(&mut self, open: &OpenCut) -> Result<Became, Undone> {
        let work = self.work.clone();
        let (mut made, mut room) = match self.take_made(&open.cut) {
            Some((done, room)) => (Some(done), room),
            None => (None, self.room(open, None).await?),
        };
        // What is worked on ahead takes no room before this has its own.
        let mut begin = self.begin_ahead(&open.cut);
        let (mut asked, mut is_slow) = (None, false);
        loop {
            let open = &self.lane.open.clone().unwrap_or_else(|| open.clone());
            let past = Past {
                settled: self.lane.settled.clone(),
                answers: open.answers.clone(),
            };
            let mut handing = HandOver::begin(self, open, Arc::clone(&room))?;
            handing.is_slow = is_slow;
            let worked = match made.take() {
                Some(done) => Ok(done),
                None => work.run(open, past, &room, &mut handing).await,
            };
            let put = match worked {
                Ok(done) => {
                    if let Some(begin) = begin.take() {
                        // Where not enough records wait for another cut, the task has ended.
                        let _ = begin.send(());
                    }
                    let put = handing.hand_all(done.pieces, done.settled.as_ref()).await;
                    put.map(|()| (done.label, done.became))
                }
                Err(halt) => Err(halt),
            };
            let was_slow = handing.was_slow;
            drop(handing);
            match put {
                Ok((label, became)) => {
                    (self.label, self.puts_slowly) = (label, was_slow);
                    return whole(&open.cut, became);
                }
                Err(Halt::Undone(undone)) => return Err(undone),
                Err(Halt::NoRoom(most)) if asked == Some(most) => {
                    return Err(too_small(most).into());
                }
                Err(Halt::NoRoom(most)) => asked = Some(most),
                Err(Halt::Slow) => is_slow = true,
                Err(Halt::SlowPut | Halt::Anew | Halt::Refused) => {}
            }
            // No cut waits for room while it holds some.
            (self.ahead, begin) = (None, None);
            drop(room);
            room = self.room(open, asked).await?;
        }
    }

    /// Waits for room for the open cut, if there is none at once: so many bytes, or those that it
    /// is likely to need.
    pub(super) async fn room(
        &mut self,
        open: &OpenCut,
        bytes: Option<u64>,
    ) -> Result<Arc<Room>, StepError> {
        // No cut waits for room while it holds some.
        self.held = None;
        // What is skipped could not be delivered before.
        let is_stuck = matches!(self.phase, Phase::Stuck(_)) || open.is_skipped();
        let is_stuck = is_stuck || self.puts_slowly;
        let cut = (&open.cut, &open.destination);
        self.work.room(cut, bytes, is_stuck).await
    }
}

/// What became of all records of a cut.
///
/// # Errors
/// When it is not of as many as were gathered: then some are in no object, or in two.
fn whole(cut: &Cut, became: Became) -> Result<Became, Undone> {
    let (found, gathered) = (became.counts.records_in, cut.records);
    if found != gathered {
        let why = format!("{found} records were worked on of a cut of {gathered}");
        return Err(StepError::Failed(why).into());
    }
    Ok(became)
}

/// A cut does not fit into all the room that its delivery stream may have.
fn too_small(needed: u64) -> StepError {
    let mebibytes = needed.div_ceil(BYTES_PER_MIB);
    StepError::Failed(format!(
        "what becomes of the records does not fit into the memory for one delivery \
         stream; with stream_memory_mib = {mebibytes} in [delivery_limits] it does"
    ))
}
