//! What records become is packed into objects, within the memory of a room. Pure.
//!
//! Where an object ends does not depend on the room. If there is no room for more, everything is
//! let go, to be made again with more.

use std::sync::Arc;

use types::Timestamp;

use crate::content::{CHUNK_BYTES, Chunks, FAILED_OBJECT_BYTES_MAX};
use crate::counts::Counts;
use crate::encoder::Encoder;
use crate::failed_record::{self, Failure};
use crate::metadata::Provenance;
use crate::piece::{Piece, PieceKind};
use crate::shares::Room;
use crate::transform::Stopped;

/// What a worker is told about its cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What every delivered record ends with.
    pub delimiter: Vec<u8>,
    /// The function's ARN for failed records.
    pub function_arn: String,
    /// When the cut was decided.
    pub decided_at: Timestamp,
    /// Packed bytes after which an object of delivered records ends.
    pub object_bytes_max: usize,
    /// Whether records that a producer aggregated become each something for itself.
    pub unpacks: bool,
    /// Where the records come from.
    pub provenance: Arc<Provenance>,
}

/// The memory for what records become.
pub struct Allowance {
    /// What holds it.
    pub room: Arc<Room>,
    /// Bytes of the room that are for other things: the frames.
    pub besides: u64,
}

/// Why a cut cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halted {
    /// For no fault of its records.
    Stopped(Stopped),
    /// What its records become needs more room than it could have at once.
    NoRoom,
}

impl From<Stopped> for Halted {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// Where records go once it is known what becomes of them.
pub struct Packing {
    task: Task,
    allowance: Allowance,
    /// Bytes that are known to fit into the room.
    fits_bytes: usize,
    /// The room was too small, so that nothing is kept any more.
    has_no_room: bool,
    delivered: Encoder,
    failed: Chunks,
    /// The line of a failed record.
    line: Vec<u8>,
    parts: u16,
    failed_parts: u16,
    /// The last record of the batch that was counted as delivered.
    last_source: Option<usize>,
    counts: Counts,
    /// What the object of delivered records holds that is begun.
    in_delivered: Counts,
    /// The same of failed records.
    in_failed: Counts,
    ready: Vec<Piece>,
    /// An object has become ready since that was noted.
    has_ended: bool,
    /// Why what came out is not what is in the objects, if it is not.
    broken: Option<String>,
}

impl Packing {
    pub fn new(task: Task, allowance: Allowance, encoder: Encoder) -> Self {
        Self {
            task,
            allowance,
            fits_bytes: 0,
            has_no_room: false,
            delivered: encoder,
            failed: Chunks::default(),
            line: Vec::new(),
            parts: 0,
            failed_parts: 0,
            last_source: None,
            counts: Counts::default(),
            in_delivered: Counts::default(),
            in_failed: Counts::default(),
            ready: Vec::new(),
            has_ended: false,
            broken: None,
        }
    }

    /// Takes in a record of so many bytes.
    pub fn takes_in(&mut self, record_bytes: usize) {
        self.counts.records_in += 1;
        self.counts.bytes_in += record_bytes as u64;
    }

    /// Begins with another batch: its records have other numbers.
    pub fn begin_batch(&mut self) {
        self.last_source = None;
    }

    /// The `source`-th record of the batch, of so many bytes, becomes this, and maybe more.
    pub fn deliver(&mut self, (source, record_bytes): (usize, usize), data: &[u8]) {
        if self.last_source == Some(source) {
            self.goes_on_with(record_bytes);
        } else {
            self.last_source = Some(source);
            self.count_delivered(record_bytes);
        }
        self.deliver_data(data);
    }

    /// A record becomes itself.
    pub fn deliver_as_it_is(&mut self, data: &[u8]) {
        self.count_delivered(data.len());
        self.deliver_data(data);
    }

    /// A record is left out.
    pub fn drop_record(&mut self) {
        self.counts.dropped += 1;
    }

    /// Nothing of the cut may leave, for this reason.
    pub fn breaks(&mut self, why: String) {
        self.broken = Some(why);
    }

    /// What became of the records so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The objects that became ready since they were taken last.
    pub fn ready(&self) -> &[Piece] {
        &self.ready
    }

    /// Takes the objects that are ready.
    pub fn take_ready(&mut self) -> Vec<Piece> {
        std::mem::take(&mut self.ready)
    }

    /// Whether an object has become ready since that was noted.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// It is noted that an object has become ready.
    pub fn note_end(&mut self) {
        self.has_ended = false;
    }

    /// A record of so many bytes is delivered: the object that is begun gets the first of it.
    fn count_delivered(&mut self, record_bytes: usize) {
        self.counts.delivered += 1;
        self.in_delivered = self.in_delivered.and(one_delivered(record_bytes));
    }

    /// The record that was counted last becomes more. Where the object with the first of it has
    /// ended, the next one holds the record: it is not whole without that.
    fn goes_on_with(&mut self, record_bytes: usize) {
        if self.in_delivered.delivered > 0 || self.has_no_room {
            return;
        }
        let one = one_delivered(record_bytes);
        let mut ended = self.ready.iter_mut().rev();
        match ended.find(|piece| piece.kind == PieceKind::Delivered) {
            Some(object) => {
                object.holds = object.holds.without_records(one);
                self.in_delivered = self.in_delivered.and(one);
            }
            None => self.broken = Some("a record is in no object that was begun".to_owned()),
        }
    }

    fn deliver_data(&mut self, data: &[u8]) {
        if self.has_no_room {
            return;
        }
        self.delivered.write(data);
        // A record that brings the delimiter along does not get it twice.
        if !data.ends_with(&self.task.delimiter) || self.task.delimiter.is_empty() {
            self.delivered.write(&self.task.delimiter);
        }
        self.counts.bytes_delivered += data.len() as u64;
        self.in_delivered.bytes_delivered += data.len() as u64;
        if self.delivered.packed_bytes() >= self.task.object_bytes_max {
            self.end_delivered();
        }
        self.grow();
    }

    /// A record could not be worked on.
    pub fn fail(&mut self, record: (&[u8], Timestamp), failure: Failure<'_>) {
        if self.has_no_room {
            return;
        }
        let Task {
            function_arn,
            decided_at,
            ..
        } = &self.task;
        self.line.clear();
        failed_record::write_line(&mut self.line, record, failure, *decided_at, function_arn);
        self.failed.write(&self.line);
        self.counts.failed += 1;
        self.in_failed.records_in += 1;
        self.in_failed.bytes_in += record.0.len() as u64;
        self.in_failed.failed += 1;
        if self.failed.len() >= FAILED_OBJECT_BYTES_MAX {
            self.end_failed();
        }
        self.grow();
    }

    /// Ends the object of delivered records that is begun.
    pub fn end_delivered(&mut self) {
        if let Some(content) = self.delivered.finish() {
            self.counts.objects += 1;
            let holds = Counts {
                objects: 1,
                ..std::mem::take(&mut self.in_delivered)
            };
            let part = self.parts;
            self.parts = self.after(part);
            self.end(Piece {
                part,
                kind: PieceKind::Delivered,
                content,
                holds,
            });
        }
    }

    /// Ends the object of failed records that is begun.
    pub fn end_failed(&mut self) {
        if !self.failed.is_empty() {
            self.counts.failed_objects += 1;
            let holds = Counts {
                failed_objects: 1,
                ..std::mem::take(&mut self.in_failed)
            };
            let part = self.failed_parts;
            self.failed_parts = self.after(part);
            let content = std::mem::take(&mut self.failed).finish();
            self.end(Piece {
                part,
                kind: PieceKind::Failed,
                content,
                holds,
            });
        }
    }

    fn end(&mut self, piece: Piece) {
        self.ready.push(piece);
        self.has_ended = true;
    }

    /// The number of the object that comes after this one. Two of one number would be one object.
    fn after(&mut self, part: u16) -> u16 {
        part.checked_add(1).unwrap_or_else(|| {
            self.broken = Some(format!("a cut became more than {part} objects"));
            part
        })
    }

    /// Bytes of objects that are ready or begun.
    fn held_bytes(&self) -> usize {
        let ready = self.ready.iter();
        let ready: usize = ready.map(|object| object.content.content_length()).sum();
        ready + self.delivered.held_bytes() + self.failed.held_bytes()
    }

    /// Makes the room as large as what is held. If it cannot be, all of that is let go: it will be
    /// made again.
    fn grow(&mut self) {
        let held = self.held_bytes();
        if held <= self.fits_bytes {
            return;
        }
        let fits = held + CHUNK_BYTES;
        if self
            .allowance
            .room
            .grow(self.allowance.besides + fits as u64)
        {
            self.fits_bytes = fits;
        } else {
            self.has_no_room = true;
            self.ready.clear();
            self.failed = Chunks::default();
            self.delivered.forget();
        }
    }

    /// Whether all that came out so far is in the objects.
    pub fn check(&self) -> Result<(), Halted> {
        if self.has_no_room {
            return Err(Halted::NoRoom);
        }
        if let Some(why) = &self.broken {
            return Err(Stopped::ForNow(why.clone()).into());
        }
        let packed = self.delivered.check();
        packed.map_err(|error| Stopped::ForNow(format!("pack records: {error}")).into())
    }
}

fn one_delivered(record_bytes: usize) -> Counts {
    Counts {
        records_in: 1,
        bytes_in: record_bytes as u64,
        delivered: 1,
        ..Counts::default()
    }
}
