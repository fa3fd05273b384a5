//! A cut that an operator skips: its records become failed records, whatever they are.

use std::collections::VecDeque;
use std::sync::Arc;

use store::Frame;
use streams::pump::StepError;
use types::Timestamp;

use super::hand_over::HandOver;
use super::{Halt, LaneStep, Undone};
use crate::content::Chunks;
use crate::counts::{Became, Counts};
use crate::deaggregation::Deaggregation;
use crate::failed_record::{self, Failure, Origin};
use crate::metadata::Provenance;
use crate::need::{self, Need};
use crate::open_cut::{OpenCut, Skip};
use crate::piece::{Piece, PieceKind};
use crate::replayed::History;
use crate::user_records::{self, Offered, Place};

/// The error code of a skipped record.
const CODE: &str = "Millrace.Skipped";

/// Records of a skipped cut as they become objects, of which one is held at a time. Pure: what an
/// object holds and where it ends follows from the cut, and never from how the log was read.
struct Skipping {
    /// Why they were not delivered.
    message: String,
    object_bytes_max: u64,
    skipped_at: Timestamp,
    /// What was read and is not in an object.
    frames: VecDeque<Frame>,
    /// Where the first of them has the next record.
    place: Place,
    /// Whether aggregates are taken apart.
    unpacks: bool,
    /// How the records in one are told apart, which count each for itself.
    division: Option<Deaggregation>,
    /// Where the records come from.
    provenance: Arc<Provenance>,
    /// Places of the log that are done.
    places: u64,
    /// The object that was begun.
    lines: Chunks,
    /// The line of a record.
    line: Vec<u8>,
    counts: Counts,
    /// What the object holds that was begun.
    in_object: Counts,
    /// The number of the next object.
    part: u16,
}

impl Skipping {
    fn new(open: &OpenCut, skip: &Skip, provenance: Arc<Provenance>) -> Self {
        Self {
            message: format!(
                "An operator skipped the delivery of this record: {}",
                skip.why()
            ),
            object_bytes_max: skip.object_bytes_max,
            skipped_at: open.cut.decided_at,
            frames: VecDeque::new(),
            place: Place::default(),
            unpacks: open.cut.unpacked.is_some(),
            division: open.destination.deaggregation.clone(),
            provenance,
            places: 0,
            lines: Chunks::default(),
            line: Vec::new(),
            counts: Counts::default(),
            in_object: Counts::default(),
            part: 0,
        }
    }

    /// Adds frames that come next.
    fn add(&mut self, frames: Vec<Frame>) {
        self.frames.extend(frames);
    }

    /// Works on what was added until an object is full; `None` if all of it is in one that is not.
    fn next_full(&mut self) -> Result<Option<Piece>, StepError> {
        while let Some(frame) = self.frames.front().cloned() {
            let mut place = self.place;
            let provenance = Arc::clone(&self.provenance);
            let is_over = user_records::offer(&frame, (self.unpacks, &mut place), |key, data| {
                let history = provenance.history(key, frame.arrival);
                self.write(data, history.map_err(StepError::Failed)?)?;
                Ok::<_, StepError>(if self.is_full() {
                    Offered::TakenLast
                } else {
                    Offered::Taken
                })
            })?;
            self.place = place;
            if is_over {
                self.frames.pop_front();
                self.places += self.place.records();
                self.place = Place::default();
            } else {
                return self.end_object();
            }
        }
        Ok(None)
    }

    fn is_full(&self) -> bool {
        self.lines.len() as u64 >= self.object_bytes_max
    }

    fn write(&mut self, data: &[u8], history: History) -> Result<(), StepError> {
        let failure = Failure {
            code: CODE,
            message: &self.message,
            reason: None,
            attempts: history.attempts.saturating_add(1),
        };
        let record = (data, history.arrival);
        let data_bytes = data.len() as u64;
        let line_bytes = usize::try_from(need::skipped_line_bytes_max(data_bytes));
        self.line.clear();
        self.line
            .reserve_exact(line_bytes.map_err(|error| StepError::Failed(error.to_string()))?);
        let origin = Origin::Function("");
        failed_record::write_line(&mut self.line, record, failure, self.skipped_at, origin);
        self.lines.write(&self.line);
        let division = self.division.as_ref();
        let count = division.map_or(1, |division| division.count(data));
        self.in_object.records_in += count;
        self.in_object.bytes_in += data_bytes;
        self.in_object.failed += count;
        Ok(())
    }

    /// Ends the object that was begun, if one was.
    fn end_object(&mut self) -> Result<Option<Piece>, StepError> {
        if self.lines.is_empty() {
            return Ok(None);
        }
        let part = self.part;
        let next = part.checked_add(1);
        self.part = next.ok_or_else(|| {
            StepError::Failed(format!("a skipped cut became more than {part} objects"))
        })?;
        let holds = Counts {
            failed_objects: 1,
            ..std::mem::take(&mut self.in_object)
        };
        self.counts = self.counts.and(holds);
        let content = std::mem::take(&mut self.lines).finish();
        Ok(Some(Piece::new(part, PieceKind::Failed, content, holds)))
    }
}

impl LaneStep {
    /// Puts the records of a cut below the error prefix. Where that cannot be, it is tried for as
    /// long as it takes, as any other delivery: only an operator leaves records out.
    pub(super) async fn skip(&mut self, open: &OpenCut, skip: &Skip) -> Result<Became, Undone> {
        let work = self.work.clone();
        let needed = Need::skipped(&open.cut, skip.object_bytes_max);
        let room = self.room(open, Some(needed)).await?;
        let mut skipping = Skipping::new(open, skip, Arc::clone(&work.provenance));
        let mut handing = HandOver::begin(self, open, Arc::clone(&room))?;
        let (mut at, to) = (open.cut.from, open.cut.to);
        while at < to {
            let mut read = work.read_on(at).await?;
            read.frames.retain(|frame| frame.position < to);
            at = if read.frames.is_empty() {
                to
            } else {
                read.next
            };
            skipping.add(read.frames);
            let mut is_worked_on = false;
            while !is_worked_on {
                let object;
                (skipping, object) = next_object(skipping, to <= at).await?;
                is_worked_on = skipping.frames.is_empty();
                let ready: Vec<_> = object.into_iter().collect();
                if !ready.is_empty() {
                    // An error output that does not take it holds up no cut of others.
                    room.rest();
                    hand(&mut handing, ready).await?;
                    room.go_on().await;
                }
            }
        }
        Ok(Became {
            counts: skipping.counts,
            places: skipping.places,
        })
    }

    /// The open cut with the configuration that it is tried by next: one that is skipped goes to
    /// the error output in force for as long as nothing of it can be anywhere.
    pub(super) fn to_error_output_in_force(&self, open: OpenCut) -> OpenCut {
        if open.objects > 0 || !open.is_skipped() {
            return open;
        }
        let stream = self.signals.stream.borrow();
        let mut open = open;
        open.cut.version_id = stream.version_id;
        // It counts as it was gathered.
        let deaggregation = open.destination.deaggregation.take();
        open.destination = stream.destination.clone();
        open.destination.deaggregation = deaggregation;
        open.clocks = stream.plan.zone.clocks_at(open.cut.oldest);
        open
    }
}

/// Hands over what is ready. A skip counts as slow from its beginning, so that its puts are never
/// given up for others.
async fn hand(handing: &mut HandOver<'_>, ready: Vec<Piece>) -> Result<(), Undone> {
    match handing.hand_all(ready, None).await {
        Ok(()) => Ok(()),
        Err(Halt::Undone(undone)) => Err(undone),
        Err(Halt::Anew) => {
            let why = "an operator had it tried again";
            Err(StepError::Failed(why.to_owned()).into())
        }
        Err(Halt::NoRoom(_) | Halt::Slow | Halt::SlowPut | Halt::Refused) => {
            let why = "a skip was given up as one that is not slow";
            Err(StepError::Failed(why.to_owned()).into())
        }
    }
}

/// The next object, on a thread that may be blocked; with the last frames also one that is not
/// full.
async fn next_object(
    mut skipping: Skipping,
    is_last: bool,
) -> Result<(Skipping, Option<Piece>), StepError> {
    let working = tokio::task::spawn_blocking(move || {
        let object = match skipping.next_full()? {
            None if is_last => skipping.end_object()?,
            object => object,
        };
        Ok((skipping, object))
    });
    let worked = working.await;
    worked.map_err(|error| StepError::Failed(format!("skip records: {error}")))?
}

#[cfg(test)]
mod tests;
