//! From frames to objects: what a cut's records become. Pure but for the plugin, and blocking: it
//! runs on threads that may be blocked.

use bytes::Bytes;
use store::{Frame, Records};
use types::Timestamp;
use wasm::Slab;

use crate::counts::Counts;
use crate::encoder::Encoder;
use crate::failed_record::{self, Failure};
use crate::pins::Pins;
use crate::settled::Settled;
use crate::transform::{Sink, Stopped, Transformer};

/// Packed bytes of an object. A cut that becomes more becomes several objects.
pub const OBJECT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// An object that is ready to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its number among the cut's objects of its kind.
    pub part: u16,
    /// Whether it holds failed records.
    pub is_failed: bool,
    /// What it holds.
    pub content: Bytes,
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
}

/// One cut at work.
pub struct Worker {
    transformer: Option<Transformer>,
    batch: Slab,
    /// When each record of the batch arrived.
    arrivals: Vec<Timestamp>,
    packing: Packing,
}

/// Where records go once it is known what becomes of them.
struct Packing {
    task: Task,
    delivered: Encoder,
    failed: Vec<u8>,
    parts: u16,
    failed_parts: u16,
    /// The last record of the batch that was counted as delivered.
    last_source: Option<usize>,
    counts: Counts,
    ready: Vec<Object>,
    /// An object has become ready since that was noted.
    has_ended: bool,
}

impl Worker {
    /// A worker for one cut; without a transformer every record is delivered as it is.
    pub fn new(task: Task, encoder: Encoder, transformer: Option<Transformer>) -> Self {
        Self {
            transformer,
            batch: Slab::default(),
            arrivals: Vec::new(),
            packing: Packing {
                task,
                delivered: encoder,
                failed: Vec::new(),
                parts: 0,
                failed_parts: 0,
                last_source: None,
                counts: Counts::default(),
                ready: Vec::new(),
                has_ended: false,
            },
        }
    }

    /// Works on frames that come next. Blocks.
    pub fn add(&mut self, frames: &[Frame]) -> Result<(), Stopped> {
        for frame in frames {
            for record in Records::new(&frame.body) {
                self.packing.counts.records_in += 1;
                self.packing.counts.bytes_in +=
                    u64::try_from(record.data.len()).unwrap_or(u64::MAX);
                let Some(transformer) = &self.transformer else {
                    self.packing.deliver_data(record.data);
                    self.packing.counts.delivered += 1;
                    continue;
                };
                if !fits(&self.batch, record.data.len(), transformer.pins()) {
                    self.work()?;
                }
                // A batch is far below what a slab holds.
                if self.batch.push(record.data) {
                    self.arrivals.push(frame.arrival);
                }
            }
        }
        Ok(())
    }

    /// Works on what is left and ends the objects that are open. Blocks.
    pub fn finish(&mut self) -> Result<(), Stopped> {
        self.work()?;
        self.packing.end_delivered();
        self.packing.end_failed();
        self.mark()
    }

    /// The objects that became ready since the last call.
    pub fn take_ready(&mut self) -> Vec<Object> {
        std::mem::take(&mut self.packing.ready)
    }

    /// Bytes of objects that are ready or begun.
    pub fn held_bytes(&self) -> usize {
        let ready = self.packing.ready.iter();
        let ready: usize = ready.map(|object| object.content.len()).sum();
        ready + self.packing.delivered.packed_bytes() + self.packing.failed.len()
    }

    /// What is settled once the records so far have left, if they went through a plugin.
    pub fn settled(&self) -> Option<&Settled> {
        self.transformer.as_ref().map(Transformer::settled)
    }

    /// What became of the records so far.
    pub fn counts(&self) -> Counts {
        self.packing.counts
    }

    fn work(&mut self) -> Result<(), Stopped> {
        let Some(transformer) = self.transformer.as_mut().filter(|_| !self.batch.is_empty()) else {
            return Ok(());
        };
        self.packing.last_source = None;
        let mut sink = BatchSink {
            batch: &self.batch,
            arrivals: &self.arrivals,
            packing: &mut self.packing,
        };
        transformer.work(&self.batch, &mut sink)?;
        self.batch.clear();
        self.arrivals.clear();
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
        self.packing.deliver_data(data);
        if self.packing.last_source != Some(source) {
            self.packing.last_source = Some(source);
            self.packing.counts.delivered += 1;
        }
    }

    fn drop_record(&mut self, _source: usize) {
        self.packing.counts.dropped += 1;
    }

    fn fail(&mut self, source: usize, failure: Failure<'_>) {
        let data = self.batch.get(source).unwrap_or_default();
        let arrival = self.arrivals.get(source).copied().unwrap_or_default();
        self.packing.fail((data, arrival), failure);
    }
}

impl Packing {
    fn deliver_data(&mut self, data: &[u8]) {
        self.delivered.write(data);
        // A record that brings the delimiter along does not get it twice.
        if !data.ends_with(&self.task.delimiter) || self.task.delimiter.is_empty() {
            self.delivered.write(&self.task.delimiter);
        }
        self.counts.bytes_delivered += u64::try_from(data.len()).unwrap_or(u64::MAX);
        if OBJECT_BYTES_MAX <= self.delivered.packed_bytes() {
            self.end_delivered();
        }
    }

    fn fail(&mut self, record: (&[u8], Timestamp), failure: Failure<'_>) {
        let Task {
            function_arn,
            decided_at,
            ..
        } = &self.task;
        failed_record::write_line(&mut self.failed, record, failure, *decided_at, function_arn);
        self.counts.failed += 1;
        if OBJECT_BYTES_MAX <= self.failed.len() {
            self.end_failed();
        }
    }

    fn end_delivered(&mut self) {
        if let Some(content) = self.delivered.finish() {
            self.counts.objects += 1;
            self.ready.push(Object {
                part: self.parts,
                is_failed: false,
                content,
            });
            self.parts = self.parts.saturating_add(1);
            self.has_ended = true;
        }
    }

    fn end_failed(&mut self) {
        if !self.failed.is_empty() {
            self.counts.failed_objects += 1;
            self.ready.push(Object {
                part: self.failed_parts,
                is_failed: true,
                content: Bytes::from(std::mem::take(&mut self.failed)),
            });
            self.failed_parts = self.failed_parts.saturating_add(1);
            self.has_ended = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use store::{BodyBuilder, Position};

    use super::*;
    use crate::delivery_stream::Compression;

    fn frame(records: &[&[u8]]) -> Frame {
        let mut body = BodyBuilder::default();
        for record in records {
            body.push("key", record).unwrap();
        }
        let (body, count) = body.finish();
        Frame {
            position: Position(0),
            arrival: Timestamp(5),
            count,
            body,
        }
    }

    fn content(delimiter: &str, records: &[&[u8]]) -> (Vec<Object>, Counts) {
        let task = Task {
            delimiter: delimiter.as_bytes().to_vec(),
            function_arn: String::new(),
            decided_at: Timestamp(6),
        };
        let mut worker = Worker::new(task, Encoder::new(Compression::Uncompressed), None);
        worker.add(&[frame(records)]).unwrap();
        worker.finish().unwrap();
        (worker.take_ready(), worker.counts())
    }

    #[test]
    fn records_without_a_transform_are_delivered_as_they_are() {
        let (objects, counts) = content("", &[b"a", b"", b"bc"]);
        assert_eq!(objects.len(), 1);
        assert_eq!(objects[0].content, "abc");
        assert_eq!(
            (counts.records_in, counts.delivered, counts.bytes_in),
            (3, 3, 3)
        );
    }

    #[test]
    fn a_delimiter_ends_each_record_once() {
        let (objects, _) = content("\n", &[b"a", b"b\n", b"", b"c"]);
        assert_eq!(objects[0].content, "a\nb\n\nc\n");
    }

    #[test]
    fn records_that_are_all_empty_make_an_empty_object_and_none_make_none() {
        let (objects, counts) = content("", &[b"", b""]);
        assert_eq!((objects[0].content.len(), counts.delivered), (0, 2));
    }
}
