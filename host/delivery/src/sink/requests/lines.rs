//! Records that a destination does not take, as lines of objects of the error output. Pure.

use object_store::PutPayload;
use types::Timestamp;

use super::Source;
use crate::content::{Chunks, FAILED_OBJECT_BYTES_MAX};
use crate::counts::Counts;
use crate::failed_record::{self, Failure, Origin};

/// Records that the destination does not take, as lines.
#[derive(Default)]
pub(super) struct Lines {
    lines: Chunks,
    /// What the lines hold of the object that has begun.
    holds: Counts,
    pub(super) ended: Vec<(PutPayload, Counts)>,
}

impl Lines {
    /// Writes the line of a record that failed for the last time then.
    pub(super) fn write(
        &mut self,
        source: &Source,
        (failure, ended_at): (Failure<'_>, Timestamp),
        line: &mut Vec<u8>,
    ) {
        let record = (&source.data[..], source.history.arrival);
        line.clear();
        let origin = match &source.placed {
            Some(placed) => Origin::Cluster {
                index: &placed.index,
                id: placed.id.as_deref(),
                type_name: &placed.type_name,
            },
            None => Origin::Destination,
        };
        failed_record::write_line(line, record, failure, ended_at, origin);
        self.lines.write(line);
        self.holds = self.holds.and(Counts {
            failed: 1,
            ..source.counted()
        });
        if self.lines.len() >= FAILED_OBJECT_BYTES_MAX {
            self.end();
        }
    }

    /// Ends the object that has begun.
    pub(super) fn end(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let content = std::mem::take(&mut self.lines).finish();
        let holds = Counts {
            failed_objects: 1,
            ..std::mem::take(&mut self.holds)
        };
        self.ended.push((content, holds));
    }

    /// Bytes of memory that they take.
    pub(super) fn held_bytes(&self) -> usize {
        let ended = self.ended.iter();
        let ended: usize = ended.map(|(content, _)| content.content_length()).sum();
        ended + self.lines.held_bytes()
    }
}
