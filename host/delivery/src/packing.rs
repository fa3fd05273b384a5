//! What records become is packed into objects, within the memory of a room. Pure.
//!
//! Where an object ends does not depend on the room. If there is no room for more, everything is
//! let go, to be made again with more.

mod apart;
mod lines;
mod rows;

use std::sync::Arc;

use types::Timestamp;

use crate::content::{BACKUP_OBJECT_BYTES_MAX, CHUNK_BYTES, Chunks};
use crate::counts::Counts;
use crate::deaggregation::Deaggregation;
use crate::decompression::Decompression;
use crate::encoder::Encoder;
use crate::failed_record::Failure;
use crate::metadata::Provenance;
use crate::output::Output;
use crate::piece::{Piece, PieceKind};
use crate::shares::Room;
use crate::sink::requests::{self, Record, TooLarge};
use crate::sink::{Form, Forms};
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
    /// How each is unpacked before it goes through anything.
    pub decompression: Option<Decompression>,
    /// How each is taken apart before it goes through anything.
    pub deaggregation: Option<Deaggregation>,
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
    /// Bytes besides what is held here that records are made in.
    beside_bytes: usize,
    /// The room was too small, so that nothing is kept any more.
    has_no_room: bool,
    delivered: Form,
    failed: Chunks,
    /// Lines of records that no row can be made of.
    unconverted: Chunks,
    /// All records as they came in, where they are wanted.
    backup: Option<Encoder>,
    /// The line of a failed record.
    line: Vec<u8>,
    parts: u16,
    failed_parts: u16,
    unconverted_parts: u16,
    backup_parts: u16,
    /// The last record of the batch that was counted as delivered.
    last_source: Option<usize>,
    counts: Counts,
    /// What the object of delivered records holds that is begun.
    in_delivered: Counts,
    /// The same of failed records, and of those that no row can be made of.
    in_failed: Counts,
    in_unconverted: Counts,
    ready: Vec<Piece>,
    /// An object has become ready since that was noted.
    has_ended: bool,
    /// Why what came out is not what is in the objects, if it is not.
    broken: Option<String>,
}

impl Packing {
    pub fn new(task: Task, allowance: Allowance, forms: Forms) -> Self {
        Self {
            task,
            allowance,
            fits_bytes: 0,
            beside_bytes: 0,
            has_no_room: false,
            delivered: forms.delivered,
            failed: Chunks::default(),
            unconverted: Chunks::default(),
            backup: forms.backup,
            line: Vec::new(),
            parts: 0,
            failed_parts: 0,
            unconverted_parts: 0,
            backup_parts: 0,
            last_source: None,
            counts: Counts::default(),
            in_delivered: Counts::default(),
            in_failed: Counts::default(),
            in_unconverted: Counts::default(),
            ready: Vec::new(),
            has_ended: false,
            broken: None,
        }
    }

    /// Takes in a record.
    pub fn takes_in(&mut self, data: &[u8]) {
        self.counts_in(data);
        self.backs_up(data);
    }

    /// Counts a record that comes in, or is a part of one.
    pub fn counts_in(&mut self, data: &[u8]) {
        self.counts.records_in += 1;
        self.counts.bytes_in += data.len() as u64;
    }

    /// Writes a record as it came in where it is wanted so.
    pub fn backs_up(&mut self, data: &[u8]) {
        if self.has_no_room {
            return;
        }
        let Some(backup) = &mut self.backup else {
            return;
        };
        backup.write(data);
        if backup.packed_bytes() >= BACKUP_OBJECT_BYTES_MAX {
            self.end_backup();
        }
        self.grow();
    }

    /// Begins with another batch: its records have other numbers.
    pub fn begin_batch(&mut self) {
        self.last_source = None;
        if let Form::Partitions(partitions) = &mut self.delivered {
            partitions.begin_batch();
        }
    }

    /// The `source`-th record of the batch becomes this, and maybe more.
    pub fn deliver(&mut self, source: usize, record: Record<'_>, data: &[u8]) {
        let is_next = self.last_source != Some(source);
        self.last_source = Some(source);
        match self.delivered {
            Form::Requests(_) => self.request(is_next, record, data),
            Form::Object(_) if is_next => {
                self.count_delivered(record.data.len());
                self.deliver_data(data);
            }
            Form::Object(_) => {
                self.goes_on_with(record.data.len());
                self.deliver_data(data);
            }
            Form::Partitions(_) | Form::Rows(_) => {
                self.deliver_together(record, &[Output::plain(data)]);
            }
        }
    }

    /// A record becomes this and nothing more.
    pub fn deliver_whole(&mut self, record: Record<'_>, data: &[u8]) {
        match self.delivered {
            Form::Requests(_) => {
                self.request(true, record, data);
                self.end_source();
            }
            Form::Object(_) => {
                self.count_delivered(record.data.len());
                self.deliver_data(data);
            }
            Form::Partitions(_) | Form::Rows(_) => {
                self.deliver_together(record, &[Output::plain(data)]);
            }
        }
    }

    /// Whether there is room for so many bytes besides what is held here, in which a record is
    /// made. It is kept for those that come after it.
    pub fn holds_beside(&mut self, bytes: usize) -> bool {
        self.beside_bytes = self.beside_bytes.max(bytes);
        self.grow();
        !self.has_no_room
    }

    /// Something of a record, or of the next one, goes into a request.
    fn request(&mut self, is_next: bool, record: Record<'_>, data: &[u8]) {
        if is_next {
            self.end_source();
        }
        let Form::Requests(requests) = &mut self.delivered else {
            return;
        };
        if self.has_no_room {
            return;
        }
        if is_next {
            requests.begin_source(record);
        }
        requests.add(data, &self.task.delimiter);
        self.grow();
    }

    /// No more comes of the record that was delivered last: it can be put into a request.
    pub fn end_source(&mut self) {
        let Form::Requests(requests) = &mut self.delivered else {
            return;
        };
        let too_large = requests.end_source();
        self.take_requests();
        if let Some(TooLarge { data, history }) = too_large {
            let failure = Failure {
                code: requests::TOO_LARGE,
                message: requests::TOO_LARGE_MESSAGE,
                reason: None,
                attempts: history.attempts.saturating_add(1),
            };
            self.fail((&data[..], history.arrival), failure);
        }
        self.grow();
    }

    /// Requests that have ended are ready.
    fn take_requests(&mut self) {
        if let Form::Requests(requests) = &mut self.delivered {
            let ended = requests.take_ready();
            self.has_ended |= !ended.is_empty();
            self.ready.extend(ended);
        }
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
        match &self.delivered {
            Form::Object(_) | Form::Partitions(_) | Form::Rows(_) => self.counts,
            Form::Requests(requests) => self.counts.and(requests.counts()),
        }
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
        let Form::Object(object) = &mut self.delivered else {
            return;
        };
        object.write(data);
        // A record that brings the delimiter along does not get it twice.
        if !data.ends_with(&self.task.delimiter) || self.task.delimiter.is_empty() {
            object.write(&self.task.delimiter);
        }
        let is_full = object.packed_bytes() >= self.task.object_bytes_max;
        self.counts.bytes_delivered += data.len() as u64;
        self.in_delivered.bytes_delivered += data.len() as u64;
        if is_full {
            self.end_delivered();
        }
        self.grow();
    }

    /// Ends the object or the request of delivered records that is begun.
    pub fn end_delivered(&mut self) {
        self.end_source();
        let ended = match &mut self.delivered {
            Form::Object(object) => object.finish(),
            Form::Rows(rows) => rows.finish(),
            Form::Requests(requests) => {
                requests.end_request();
                self.take_requests();
                None
            }
            Form::Partitions(partitions) => {
                match partitions.end_all() {
                    Ok(has_ended) => self.has_ended |= has_ended,
                    Err(why) => self.broken = Some(why),
                }
                None
            }
        };
        if let Some(content) = ended {
            self.counts.objects += 1;
            let holds = Counts {
                objects: 1,
                ..std::mem::take(&mut self.in_delivered)
            };
            let part = self.parts;
            self.parts = self.after(part);
            self.end(Piece::new(part, PieceKind::Delivered, content, holds));
        }
    }

    /// Ends the object of records as they came in that is begun. It is no end of what came of them.
    pub fn end_backup(&mut self) {
        let content = self.backup.as_mut().and_then(Encoder::finish);
        if let Some(content) = content {
            let part = self.backup_parts;
            self.backup_parts = self.after(part);
            let holds = Counts::default();
            self.ready
                .push(Piece::new(part, PieceKind::Backup, content, holds));
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
        let backup = self.backup.as_ref().map_or(0, Encoder::held_bytes);
        let lines = self.failed.held_bytes() + self.unconverted.held_bytes();
        ready + backup + self.delivered.held_bytes() + lines
    }

    /// Makes the room as large as what is held. If it cannot be, all of that is let go: it will be
    /// made again.
    fn grow(&mut self) {
        let held = self.held_bytes() + self.beside_bytes;
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
            self.unconverted = Chunks::default();
            self.delivered.forget();
            if let Some(backup) = &mut self.backup {
                backup.forget();
            }
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
        if let Some(Err(error)) = self.backup.as_ref().map(Encoder::check) {
            return Err(Stopped::ForNow(format!("pack records: {error}")).into());
        }
        let packed = self.delivered.check();
        packed.map_err(|why| Stopped::ForNow(why).into())
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
