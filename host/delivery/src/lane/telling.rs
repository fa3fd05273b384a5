//! What goes wrong with a lane is told in the server's log and in that of its delivery stream, and
//! what is delivered in another one of that.

use super::{After, LaneStep};
use crate::answers::Fault;
use crate::answers::records::RecordFault;
use crate::counts::Counts;
use crate::error_log::Wrong;

impl LaneStep {
    /// A delivery failed and is tried again. Of tries that fail one after the other fewer and fewer
    /// are told.
    pub(super) fn tell_failure(&mut self, why: &str, attempt: u32) {
        let code = self.code.take();
        if attempt.is_power_of_two() {
            let stream = self.signals.stream.borrow().arn.to_string();
            let shard = self.work.key.shard;
            tracing::warn!(stream, shard, attempt, why, "a delivery failed");
            self.note(Wrong::Trouble, code, why);
        }
    }

    /// What a cut came to is durable.
    pub(super) fn tell_outcome(&self, after: &After) {
        let (before, now) = (self.lane.counts, after.lane.counts);
        let failed = now.failed - before.failed;
        if failed > 0 {
            let all = now.records_in - before.records_in;
            let what = format!("{failed} of {all} records failed and are in the error output");
            self.note(Wrong::Failed, None, &what);
        }
        let lost = now.lost - before.lost;
        if lost > 0 {
            let stream = self.signals.stream.borrow().arn.to_string();
            let (shard, why) = (self.work.key.shard, after.loss);
            tracing::warn!(stream, shard, lost, why, "records are lost");
            self.note(
                Wrong::Lost,
                None,
                &format!("{lost} records are lost: {why}"),
            );
        }
    }

    /// Something is there that holds these records.
    pub(super) fn tell_delivery(&self, name: &str, holds: Counts) {
        let lane = self.work.key.lane_name();
        self.signals.delivered.note(lane, name, holds);
    }

    /// The destination refuses all records of a piece for good.
    pub(super) fn tell_refusal(&self, fault: &Fault) {
        self.note(Wrong::Refusal, Some(fault.code), &fault.message);
    }

    /// The destination refuses some records of a piece for good.
    pub(super) fn tell_refusal_of(&self, faults: &[RecordFault]) {
        if let Some(first) = faults.first() {
            let what = format!("{} records are refused: {}", faults.len(), first.message);
            self.note(Wrong::Refusal, Some(&first.code), &what);
        }
    }

    /// Notes what went wrong, with AWS's word for it, if it has one.
    pub(super) fn note(&self, wrong: Wrong, code: Option<&str>, message: &str) {
        let lane = self.work.key.lane_name();
        let (stream, errors) = (self.signals.stream.borrow(), &self.signals.errors);
        errors.note(&stream, Some(lane), (wrong, code, message));
    }
}
