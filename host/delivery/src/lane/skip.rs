//! A cut that an operator skips: its records become failed records, whatever they are.

use object_store::PutPayload;
use store::{Frame, Records};
use streams::pump::StepError;
use types::{Invalid, Timestamp};

use super::deliver::Putting;
use super::{LaneStep, Undone};
use crate::counts::Counts;
use crate::failed_record::{self, Failure};
use crate::need::Need;
use crate::open_cut::OpenCut;
use crate::worker::{FAILED_OBJECT_BYTES_MAX, Object};

/// The error code of a skipped record.
const CODE: &str = "Millrace.Skipped";

/// Records of a skipped cut as they become objects. Pure: the same whenever it is done again.
struct Skipping {
    /// Why they were not delivered.
    message: String,
    skipped_at: Timestamp,
    lines: Vec<u8>,
    counts: Counts,
    parts: u16,
}

impl Skipping {
    fn add(&mut self, frame: &Frame) {
        for record in Records::new(&frame.body) {
            let failure = Failure {
                code: CODE,
                message: &self.message,
                reason: None,
                attempts: 1,
            };
            let record = (record.data, frame.arrival);
            failed_record::write_line(&mut self.lines, record, failure, self.skipped_at, "");
            self.counts.records_in += 1;
            self.counts.failed += 1;
        }
    }

    fn end_object(&mut self) -> Object {
        let object = Object {
            part: self.parts,
            is_failed: true,
            content: PutPayload::from(std::mem::take(&mut self.lines)),
        };
        self.parts = self.parts.saturating_add(1);
        self.counts.failed_objects += 1;
        object
    }
}

impl LaneStep {
    /// Puts the records of a cut below the error prefix. Where that is impossible they are left
    /// out.
    pub(super) async fn skip(&mut self, open: &OpenCut, why: &str) -> Result<Counts, Undone> {
        let plan = open
            .destination
            .plan()
            .map_err(|Invalid(why)| StepError::Failed(why))?;
        let work = self.work.clone();
        let _room = self.room(open, Some(Need::skipped(&open.cut))).await?;
        let mut skipping = Skipping {
            message: format!("An operator skipped the delivery of this record: {why}"),
            skipped_at: open.cut.decided_at,
            lines: Vec::new(),
            counts: Counts::default(),
            parts: 0,
        };
        let mut putting = Putting::new(self, open, &plan);
        // What became of the records whose objects are put.
        let mut put = Counts::default();
        let (mut at, to) = (open.cut.from, open.cut.to);
        while at < to {
            let mut read = work.read(at).await?;
            read.frames.retain(|frame| frame.position < to);
            at = if read.frames.is_empty() {
                to
            } else {
                read.next
            };
            skipping = add_all(skipping, read.frames).await?;
            let is_due = at >= to || skipping.lines.len() >= FAILED_OBJECT_BYTES_MAX;
            if is_due && !skipping.lines.is_empty() {
                let object = skipping.end_object();
                match putting.put_all(vec![object], None).await {
                    Ok(()) => put = skipping.counts,
                    Err(Undone::Failed(error)) if putting.is_impossible() => {
                        tracing::error!(%error, "what is skipped cannot be put either");
                        return Ok(left_out(open, put));
                    }
                    Err(undone) => return Err(undone),
                }
            }
        }
        Ok(put)
    }
}

/// All that was not put of a cut is left out.
fn left_out(open: &OpenCut, mut put: Counts) -> Counts {
    let rest = open.cut.records.saturating_sub(put.records_in);
    put.lost += rest;
    put.left_out += rest;
    put
}

/// Adds frames on a thread that may be blocked.
async fn add_all(mut skipping: Skipping, frames: Vec<Frame>) -> Result<Skipping, StepError> {
    let adding = tokio::task::spawn_blocking(move || {
        for frame in &frames {
            skipping.add(frame);
        }
        skipping
    });
    adding
        .await
        .map_err(|error| StepError::Failed(format!("skip records: {error}")))
}
