//! Records that go to partitions.

use super::{Packing, one_delivered};
use crate::content::CHUNK_BYTES;
use crate::failed_record::Failure;
use crate::output::Output;
use crate::partitioning::{Unplaced, Values};
use crate::partitions;
use crate::sink::Form;
use crate::sink::requests::Record;

impl Packing {
    /// Whether all that comes of a record is delivered together: to partitions, or as rows.
    pub fn takes_together(&self) -> bool {
        matches!(self.delivered, Form::Partitions(_) | Form::Rows(_))
    }

    /// A record becomes all this, or fails as a whole.
    pub fn deliver_together(&mut self, record: Record<'_>, outputs: &[Output<'_>]) {
        match self.delivered {
            Form::Partitions(_) => self.deliver_apart(record, outputs),
            Form::Rows(_) => self.deliver_rows(record, outputs),
            Form::Object(_) | Form::Requests(_) => {}
        }
    }

    /// A record becomes all this, each of it in its partition. It fails as a whole where that
    /// cannot be found for all of it: no record is delivered in part.
    fn deliver_apart(&mut self, record: Record<'_>, outputs: &[Output<'_>]) {
        let Form::Partitions(partitions) = &mut self.delivered else {
            return;
        };
        if self.has_no_room {
            return;
        }
        let room = &self.allowance.room;
        let held = self.allowance.besides + (self.fits_bytes + CHUNK_BYTES) as u64;
        let mut may_hold = |bytes: usize| room.grow(held + bytes as u64);
        let placed = outputs.iter().map(|output| {
            let values = partitions.place(output.data, &output.keys, &mut may_hold)?;
            partitions.can_convert(output.data, &mut may_hold)?;
            Ok((output.data, values))
        });
        let placed: Result<Vec<(&[u8], Values)>, Unplaced> = placed.collect();
        match placed {
            Ok(placed) if partitions.has_room_for(&placed) => {
                let delivered = outputs.iter().map(|output| output.data.len() as u64);
                let one = one_delivered(record.data.len());
                partitions.add(one, &placed, &self.task.delimiter);
                self.counts.delivered += 1;
                self.counts.bytes_delivered += delivered.sum::<u64>();
                self.end_partitions();
            }
            Ok(_) => self.fail_apart(record, partitions::TOO_MANY, partitions::TOO_MANY_MESSAGE),
            Err(Unplaced::Failed(code, message)) => self.fail_apart(record, code, &message),
            Err(Unplaced::Unconverted(refusal)) => self.is_unconverted(record, &refusal),
            Err(Unplaced::NoRoom) => self.has_no_room = true,
            Err(Unplaced::Broken(why)) => self.broken = Some(why),
        }
        self.grow();
    }

    fn fail_apart(&mut self, record: Record<'_>, code: &str, message: &str) {
        let failure = Failure {
            code,
            message,
            reason: None,
            attempts: record.history.attempts.saturating_add(1),
        };
        self.fail((record.data, record.history.arrival), failure);
    }

    /// Ends partitions where there is too much of them.
    fn end_partitions(&mut self) {
        if let Form::Partitions(partitions) = &mut self.delivered {
            match partitions.end_some() {
                Ok(has_ended) => self.has_ended |= has_ended,
                Err(why) => self.broken = Some(why),
            }
        }
    }

    /// Whether partitions have ended that are no objects yet: they become some before anything else
    /// is done.
    pub fn is_ending(&self) -> bool {
        match &self.delivered {
            Form::Partitions(partitions) => partitions.is_ending(),
            Form::Object(_) | Form::Requests(_) | Form::Rows(_) => false,
        }
    }

    /// Makes objects of some of the partitions that have ended.
    pub fn take_ended(&mut self) {
        let beside = match &self.delivered {
            Form::Partitions(partitions) => partitions.packing_bytes(),
            Form::Object(_) | Form::Requests(_) | Form::Rows(_) => 0,
        };
        if !self.holds_beside(beside) {
            return;
        }
        if let Form::Partitions(partitions) = &mut self.delivered {
            let ready = partitions.take_ready();
            self.counts.objects += ready.len() as u64;
            self.ready.extend(ready);
        }
        self.grow();
    }

    /// Steps that were taken to find partitions since the last call.
    pub fn take_steps(&mut self) -> u64 {
        match &mut self.delivered {
            Form::Partitions(partitions) => partitions.take_steps(),
            Form::Object(_) | Form::Requests(_) | Form::Rows(_) => 0,
        }
    }
}
