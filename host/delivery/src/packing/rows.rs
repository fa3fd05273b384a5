//! Records that become rows.

use formats::Unconverted;

use super::{Packing, one_delivered};
use crate::content::CHUNK_BYTES;
use crate::output::Output;
use crate::sink::Form;
use crate::sink::requests::Record;

impl Packing {
    /// A record becomes rows of all this. It fails as a whole where something of it can be none: no
    /// record is delivered in part.
    pub(super) fn deliver_rows(&mut self, record: Record<'_>, outputs: &[Output<'_>]) {
        let Form::Rows(rows) = &mut self.delivered else {
            return;
        };
        if self.has_no_room {
            return;
        }
        let room = &self.allowance.room;
        let held = self.allowance.besides + (self.fits_bytes + CHUNK_BYTES) as u64;
        let mut may_hold = |bytes: usize| room.grow(held + bytes as u64);
        let data: Vec<&[u8]> = outputs.iter().map(|output| output.data).collect();
        match rows.add(&data, &mut may_hold) {
            Ok(()) => {
                let is_full = rows.packed_bytes() >= self.task.object_bytes_max;
                let bytes = data.iter().map(|data| data.len() as u64);
                let bytes: u64 = bytes.sum();
                self.counts.delivered += 1;
                self.counts.bytes_delivered += bytes;
                self.in_delivered = self.in_delivered.and(one_delivered(record.data.len()));
                self.in_delivered.bytes_delivered += bytes;
                if is_full {
                    self.end_delivered();
                }
            }
            Err(Unconverted::Refused(refusal)) => self.is_unconverted(record, &refusal),
            Err(Unconverted::NoRoom) => self.has_no_room = true,
            Err(Unconverted::Broken(why)) => self.broken = Some(why),
        }
        self.grow();
    }
}
