//! What a lane keeps of itself: its open cut, what is settled of that, and what is known to be put.

use std::sync::Arc;

use store::{CommitError, Position, Purpose, TableWrite, Transaction};
use streams::pump::{Retry, StepError};

use super::deliver::Puts;
use super::{LaneStep, Phase, Undone, failed};
use crate::answers::{self, Answers};
use crate::open_cut::{OpenCut, Put};
use crate::piece::PieceKind;
use crate::rows::{self, Lane};
use crate::settled::Settled;

impl LaneStep {
    /// Keeps the open cut, and what is settled of it, before so many objects of it have been handed
    /// over to be put.
    pub(super) async fn leave(
        &mut self,
        open: &OpenCut,
        objects: u32,
        settled: Option<&Settled>,
    ) -> Result<(), Undone> {
        let kept = self.lane.open.as_ref();
        // A cut that is skipped is kept from when it is.
        let is_first = kept.is_none_or(|kept| kept.objects == 0);
        if is_first && open.cut.version_id != self.signals.stream.borrow().version_id {
            return Err(Undone::Changed);
        }
        let objects = kept.map_or(objects, |kept| objects.max(kept.objects));
        let put = self.known_to_be_there();
        let settled = settled.filter(|settled| **settled != self.lane.settled);
        if settled.is_none() && kept.is_some_and(|kept| kept.objects == objects) {
            return Ok(());
        }
        let mut lane = self.lane.clone();
        lane.open = Some(OpenCut {
            objects,
            put,
            ..open.clone()
        });
        if let Some(settled) = settled {
            lane.settled = settled.clone();
        }
        self.write(lane).await?;
        if is_first {
            (self.puts.untouched, self.puts.begun_here) = (true, true);
        }
        Ok(())
    }

    /// The store refused all that was put of the open cut: nothing of it is anywhere, so that what
    /// it was about is decided anew. One that is skipped stays so.
    pub(super) async fn take_back(&mut self) {
        let open = self.lane.open.clone().filter(OpenCut::is_skipped);
        let nothing_of = |open| OpenCut {
            objects: 0,
            put: Put::default(),
            ..open
        };
        let lane = Lane {
            open: open.map(nothing_of),
            settled: Settled::default(),
            ..self.lane.clone()
        };
        if let Err(error) = self.write(lane).await {
            // Then it is tried again as it is.
            tracing::debug!(%error, "take back a cut that was refused");
        }
    }

    /// What is known to be there of the open cut, by this try and those before.
    pub(super) fn known_to_be_there(&self) -> Put {
        match &self.lane.open {
            Some(kept) => kept.put.or(self.puts.there),
            None => Put::default(),
        }
    }

    /// Keeps what is known to be there of the open cut, once an object of it was not put: it counts
    /// if the rest is given up, whichever process does that.
    pub(super) async fn keep_what_is_there(&mut self) {
        let put = self.known_to_be_there();
        let mut lane = self.lane.clone();
        let Some(open) = lane.open.as_mut().filter(|open| open.put != put) else {
            return;
        };
        open.put = put;
        if let Err(error) = self.write(lane).await {
            // Then it is kept with the next object, or after the next try.
            tracing::debug!(%error, "keep what is there of a cut");
        }
    }

    /// Keeps what the destination has said of a piece of the open cut, before anything is done
    /// about it. A piece that it has taken, as far as it ever will, is not handed over again.
    pub(super) async fn keep_answers(
        &mut self,
        answers: Answers,
        taken: Option<u16>,
    ) -> Result<(), StepError> {
        let put = self.known_to_be_there();
        let put = taken.map_or(put, |part| put.with_request(part));
        let mut lane = self.lane.clone();
        let Some(open) = lane.open.as_mut() else {
            let why = "a piece was handed over of a cut that is not kept";
            return Err(StepError::Failed(why.to_owned()));
        };
        (open.put, open.answers) = (put, answers);
        self.write(lane).await
    }

    /// How long is waited before the open cut is tried again, which has failed so often in the life
    /// of this process.
    pub(super) fn pause_before(&self, open: &OpenCut, attempt: u32) -> Retry {
        match open.answers.trying {
            Some(trying) if self.puts.is_timed => {
                let place = self
                    .work
                    .place(&open.cut, trying.part, PieceKind::Delivered);
                let seed = self.work.tools.naming.seed(place);
                Retry::After(answers::pause_after(trying.attempts, seed))
            }
            _ => Retry::backoff(attempt),
        }
    }

    pub(super) fn write_of(&self, lane: &Lane) -> Result<TableWrite, StepError> {
        rows::lane_write(self.work.key, lane).map_err(|error| failed(&error))
    }

    pub(super) async fn write(&mut self, lane: Lane) -> Result<(), StepError> {
        let write = self.write_of(&lane)?;
        let transaction = Transaction {
            writes: vec![write],
            ..Transaction::default()
        };
        // What waits takes room until it is delivered, also on a disk that is short of it.
        let engine = Arc::clone(&self.work.tools.engine);
        match engine.commit_for(Purpose::MakeRoom, transaction).await {
            Ok(_) => self.lane = lane,
            // Nothing that hangs on it has left yet, so that it does not matter which of two is the
            // one that was kept.
            Err(error @ CommitError::Unknown(_)) => {
                let place = (self.work.key, self.stands_at);
                let kept = rows::load_lane(&*self.work.tools.engine, place).await;
                self.lane = kept.map_err(|error| failed(&error))?;
                if self.lane != lane {
                    return Err(StepError::Refused(error));
                }
            }
            Err(error) => return Err(StepError::Refused(error)),
        }
        Ok(())
    }

    /// Reads the lane anew. The pump stands at `from`, and the lane in memory does not: a commit
    /// went through whose answer was lost.
    pub(super) async fn catch_up(&mut self, from: Position) -> Result<(), StepError> {
        let place = (self.work.key, from);
        let kept = rows::load_lane(&*self.work.tools.engine, place).await;
        self.lane = kept.map_err(|error| failed(&error))?;
        self.puts = Puts::default();
        self.lacks = None;
        // Whatever was said of what it was about is done, or is asked for anew.
        (self.phase, self.promised) = (Phase::GetsOn, None);
        self.shows(from);
        match &self.lane.open {
            Some(open) if open.cut.to <= from => Err(StepError::Failed(format!(
                "the open cut ends at {}, and the lane stands at {from}",
                open.cut.to
            ))),
            _ => Ok(()),
        }
    }
}
