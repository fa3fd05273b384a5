//! From frames to objects: what a cut's records become. Pure but for the plugin, and blocking: it
//! runs on threads that may be blocked, a turn at a time.
//!
//! What came of the records is held in a room, which grows with it. Where an object ends does not
//! depend on that; if there is no room for more, everything is given up and done again with more.

use std::collections::VecDeque;
use std::sync::Arc;

use object_store::PutPayload;
use store::{Frame, Records};
use types::Timestamp;
use wasm::Slab;

use crate::content::{CHUNK_BYTES, Chunks};
use crate::counts::Counts;
use crate::encoder::Encoder;
use crate::failed_record::{self, Failure};
use crate::pins::Pins;
use crate::settled::Settled;
use crate::shares::Room;
use crate::transform::{Sink, Stopped, Transformer};

/// Bytes of an object of failed records at which another begins.
pub const FAILED_OBJECT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// An object that is ready to be put.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its number among the cut's objects of its kind.
    pub part: u16,
    /// Whether it holds failed records.
    pub is_failed: bool,
    /// What it holds.
    pub content: PutPayload,
    /// The records of which it holds all that no object before it does, and their bytes.
    pub holds: Counts,
}

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

/// One cut at work.
pub struct Worker {
    transformer: Option<Transformer>,
    /// What was added and not worked on.
    frames: VecDeque<Frame>,
    /// Nothing more will be added.
    is_last: bool,
    /// Records of the first frame that were taken into the batch, or worked on.
    taken: usize,
    batch: Slab,
    /// When each record of the batch arrived.
    arrivals: Vec<Timestamp>,
    /// The batch has been begun with.
    is_begun: bool,
    /// All is done, and the objects that were open are ended.
    is_over: bool,
    packing: Packing,
}

/// Where records go once it is known what becomes of them.
struct Packing {
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
    ready: Vec<Object>,
    /// An object has become ready since that was noted.
    has_ended: bool,
    /// Why what came out is not what is in the objects, if it is not.
    broken: Option<String>,
}

impl Worker {
    /// A worker for one cut; without a transformer every record is delivered as it is.
    pub fn new(
        task: Task,
        allowance: Allowance,
        encoder: Encoder,
        transformer: Option<Transformer>,
    ) -> Self {
        Self {
            transformer,
            frames: VecDeque::new(),
            is_last: false,
            taken: 0,
            batch: Slab::default(),
            arrivals: Vec::new(),
            is_begun: false,
            is_over: false,
            packing: Packing {
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
            },
        }
    }

    /// Adds frames that come next.
    pub fn add(&mut self, frames: Vec<Frame>) {
        self.frames.extend(frames);
    }

    /// Nothing more is added: what is left goes too, and the objects that are open end.
    pub fn add_no_more(&mut self) {
        self.is_last = true;
    }

    /// Whether there is something to do.
    pub fn has_more(&self) -> bool {
        self.is_begun || !self.frames.is_empty() || (self.is_last && !self.is_over)
    }

    /// Works on what was added: on all of it, or until `pauses`, which is asked after each call.
    /// Blocks.
    pub fn work(&mut self, pauses: impl Fn(&Self) -> bool) -> Result<(), Halted> {
        while self.has_more() {
            self.work_a_little()?;
            self.packing.check()?;
            if pauses(self) {
                break;
            }
        }
        Ok(())
    }

    fn work_a_little(&mut self) -> Result<(), Stopped> {
        if self.is_begun {
            return self.work_on_batch();
        }
        if let Some(frame) = self.frames.front().cloned() {
            if self.take(&frame)? {
                self.frames.pop_front();
                self.taken = 0;
            }
            return Ok(());
        }
        if self.transformer.is_some() && !self.batch.is_empty() {
            return self.begin_batch();
        }
        self.packing.end_delivered();
        self.packing.end_failed();
        self.is_over = true;
        self.mark()
    }

    /// Whether objects became ready since the last call of [`Worker::take_ready`].
    pub fn has_ready(&self) -> bool {
        !self.packing.ready.is_empty()
    }

    /// The objects that became ready since the last call.
    pub fn take_ready(&mut self) -> Vec<Object> {
        std::mem::take(&mut self.packing.ready)
    }

    /// What is settled once the records so far have left, if they went through a plugin.
    pub fn settled(&self) -> Option<&Settled> {
        self.transformer.as_ref().map(Transformer::settled)
    }

    /// What became of the records so far.
    pub fn counts(&self) -> Counts {
        self.packing.counts
    }

    /// Takes records of the first frame until a batch is full. Whether there are no more.
    fn take(&mut self, frame: &Frame) -> Result<bool, Stopped> {
        for record in Records::new(&frame.body).skip(self.taken) {
            let fits = |with: &Transformer| fits(&self.batch, record.data.len(), with.pins());
            if !self.transformer.as_ref().is_none_or(fits) {
                self.begin_batch()?;
                return Ok(false);
            }
            self.taken += 1;
            self.packing.counts.records_in += 1;
            self.packing.counts.bytes_in += record.data.len() as u64;
            if self.transformer.is_none() {
                self.packing.count_delivered(record.data.len());
                self.packing.deliver_data(record.data);
            } else if self.batch.push(record.data) {
                self.arrivals.push(frame.arrival);
            } else {
                // A batch is far below what a slab holds.
                let bytes = record.data.len();
                let why = format!("a record of {bytes} bytes is too large");
                return Err(Stopped::ForNow(why));
            }
        }
        Ok(true)
    }

    fn begin_batch(&mut self) -> Result<(), Stopped> {
        self.packing.last_source = None;
        self.is_begun = true;
        match &mut self.transformer {
            Some(transformer) => transformer.begin(self.batch.len()),
            None => Ok(()),
        }
    }

    /// Makes one call for the batch. It ends with its last record, or where an object does: of a
    /// batch that was divided each record may become as much as a whole batch may, and what is
    /// ready must not wait for the rest.
    fn work_on_batch(&mut self) -> Result<(), Stopped> {
        let Some(transformer) = &mut self.transformer else {
            return Ok(());
        };
        let mut sink = BatchSink {
            batch: &self.batch,
            arrivals: &self.arrivals,
            packing: &mut self.packing,
        };
        let done = transformer.work(&self.batch, &mut sink)?;
        if done < self.batch.len() && !self.packing.has_ended {
            return Ok(());
        }
        transformer.end()?;
        self.is_begun = false;
        if done < self.batch.len() {
            self.batch = self.batch.part(done..self.batch.len());
            self.arrivals.drain(..done);
        } else {
            self.batch.clear();
            self.arrivals.clear();
        }
        self.mark()
    }

    /// Notes that what came out so far leaves, if an object has become ready.
    fn mark(&mut self) -> Result<(), Stopped> {
        match &mut self.transformer {
            Some(transformer) if self.packing.has_ended => {
                self.packing.has_ended = false;
                transformer.mark()
            }
            _ => Ok(()),
        }
    }
}

/// Whether a record of so many bytes goes with those of a batch.
fn fits(batch: &Slab, bytes: usize, pins: &Pins) -> bool {
    batch.is_empty()
        || (batch.len() < pins.batch_records_max && batch.bytes() + bytes <= pins.batch_bytes_max)
}

struct BatchSink<'a> {
    batch: &'a Slab,
    arrivals: &'a [Timestamp],
    packing: &'a mut Packing,
}

impl Sink for BatchSink<'_> {
    fn deliver(&mut self, source: usize, data: &[u8]) {
        let Some(record) = self.batch.get(source) else {
            self.packing.broken = Some(self.not_of_batch(source));
            return;
        };
        if self.packing.last_source == Some(source) {
            self.packing.goes_on_with(record.len());
        } else {
            self.packing.last_source = Some(source);
            self.packing.count_delivered(record.len());
        }
        self.packing.deliver_data(data);
    }

    fn drop_record(&mut self, _source: usize) {
        self.packing.counts.dropped += 1;
    }

    fn fail(&mut self, source: usize, failure: Failure<'_>) {
        match (self.batch.get(source), self.arrivals.get(source)) {
            (Some(data), Some(arrival)) => self.packing.fail((data, *arrival), failure),
            _ => self.packing.broken = Some(self.not_of_batch(source)),
        }
    }
}

impl BatchSink<'_> {
    fn not_of_batch(&self, source: usize) -> String {
        let records = self.batch.len();
        format!("something became of record {source} of a batch of {records}")
    }
}

impl Packing {
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
        match ended.find(|object| !object.is_failed) {
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

    fn fail(&mut self, record: (&[u8], Timestamp), failure: Failure<'_>) {
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

    fn end_delivered(&mut self) {
        if let Some(content) = self.delivered.finish() {
            self.counts.objects += 1;
            let holds = Counts {
                objects: 1,
                ..std::mem::take(&mut self.in_delivered)
            };
            let part = self.parts;
            self.parts = self.after(part);
            self.end(Object {
                part,
                is_failed: false,
                content,
                holds,
            });
        }
    }

    fn end_failed(&mut self) {
        if !self.failed.is_empty() {
            self.counts.failed_objects += 1;
            let holds = Counts {
                failed_objects: 1,
                ..std::mem::take(&mut self.in_failed)
            };
            let part = self.failed_parts;
            self.failed_parts = self.after(part);
            let content = std::mem::take(&mut self.failed).finish();
            self.end(Object {
                part,
                is_failed: true,
                content,
                holds,
            });
        }
    }

    fn end(&mut self, object: Object) {
        self.ready.push(object);
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
    fn check(&self) -> Result<(), Halted> {
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

#[cfg(test)]
mod tests;
