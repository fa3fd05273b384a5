//! Reading records out of a shard's log: which ones, and how they are written for a client.
//!
//! Nothing is copied before it is sent: a [`Selection`] shares the frames' bodies and knows how
//! long its text will be, and the text is made in chunks while the answer goes out.

use bytes::Bytes;
use store::{Frame, Position, Records, StoreError, StoredRecord};
use types::limits::GET_RECORDS_BYTES_MAX;
use types::{SequenceNumber, Timestamp};
use wire::json::{base64_len, escaped_len, write_base64, write_epoch_seconds, write_string};

use crate::Streams;
use crate::iterator::Start;
use crate::shard::{Numbering, Shard};
use crate::stream::Stream;

/// Bytes of text that are made at once: a few system calls' worth. A single record may take more.
const CHUNK_BYTES: usize = 128 * 1024;
/// Bytes that are read from a log at once, at most and at least, and what a record is taken to
/// have when only a few are wanted.
const READ_BYTES_MAX: usize = 1024 * 1024;
const READ_BYTES_MIN: usize = 64 * 1024;
const RECORD_BYTES_GUESS: usize = 1024;

/// Records that one answer gives out.
#[derive(Debug)]
pub struct Selection {
    slices: Vec<Slice>,
    numbering: Numbering,
    /// How many records there may be.
    limit: usize,
    /// How many records there are.
    pub count: usize,
    /// Bytes of their data and partition keys.
    pub bytes: usize,
    /// Bytes of their text without the commas between them.
    encoded_bytes: usize,
    /// The place of the record that the next answer begins with.
    pub next: Position,
    /// When the first record that was left behind arrived; `None` at the tip.
    pub next_arrival: Option<Timestamp>,
    /// The log will never have more than was read.
    pub at_end: bool,
}

/// Neighbouring records of one frame.
#[derive(Debug)]
struct Slice {
    /// The place of the first of them.
    first: Position,
    arrival: Timestamp,
    /// The frame's body from the first of these records on.
    body: Bytes,
    count: u16,
    encoded_bytes: usize,
}

impl Streams {
    /// Selects at most `limit` records of at most 10 MiB, but one at least if there is any, from
    /// `start` on. What retention no longer keeps is skipped, whether or not it was trimmed.
    pub(crate) async fn select(
        &self,
        stream: &Stream,
        shard: &Shard,
        start: Start,
        limit: usize,
    ) -> Result<Selection, StoreError> {
        let log = shard.facts().log;
        let cutoff = stream.cutoff(self.retention_time());
        let mut from = match start {
            Start::Record(position) => position,
            Start::Time(at) => self.engine.seek_time(log, at.max(cutoff)).await?,
        };
        let mut selection = Selection::new(shard.numbering(), from, limit);
        let step = (limit * RECORD_BYTES_GUESS).clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        loop {
            let read = self.engine.read(log, from, step).await?;
            if read.frames.first().is_some_and(|f| f.arrival < cutoff) {
                let kept = self.engine.seek_time(log, cutoff).await?;
                // Frames are in order of arrival: after this, all that follow are kept.
                if from < kept {
                    from = kept;
                    selection.skip_to(kept);
                    continue;
                }
            }
            let mut frames = read.frames.into_iter();
            let full = frames.by_ref().any(|frame| selection.take(&frame));
            if full {
                if selection.next_arrival.is_none() {
                    selection.next_arrival = match frames.next() {
                        Some(frame) => Some(frame.arrival),
                        None => self.arrival_at(shard, read.next).await?,
                    };
                }
                return Ok(selection);
            }
            selection.skip_to(read.next);
            if read.next >= read.tip {
                selection.at_end = read.sealed;
                return Ok(selection);
            }
            from = read.next;
        }
    }

    /// When the first frame at or after `position` arrived, if there is one.
    async fn arrival_at(
        &self,
        shard: &Shard,
        position: Position,
    ) -> Result<Option<Timestamp>, StoreError> {
        let read = self.engine.read(shard.facts().log, position, 1).await?;
        Ok(read.frames.first().map(|frame| frame.arrival))
    }
}

impl Selection {
    /// Nothing yet, of a log that is read from `from` on.
    fn new(numbering: Numbering, from: Position, limit: usize) -> Self {
        Self {
            slices: Vec::new(),
            numbering,
            limit,
            count: 0,
            bytes: 0,
            encoded_bytes: 0,
            next: from,
            next_arrival: None,
            at_end: false,
        }
    }

    /// Goes on at `position` unless it stands there or later already.
    fn skip_to(&mut self, position: Position) {
        self.next = self.next.max(position);
    }

    /// Takes the records of `frame` from where the selection stands. Returns whether it is full.
    fn take(&mut self, frame: &Frame) -> bool {
        let mut at = frame.position;
        let mut records = Records::new(&frame.body);
        // Records that were passed before.
        while at < self.next && records.next().is_some() {
            at = at.after(1);
        }
        let mut slice = Slice::beginning(at, frame.arrival, &frame.body, records.rest());
        let text = RecordText::new(frame.arrival);
        loop {
            let rest = records.rest();
            let Some(record) = records.next() else {
                self.close(slice);
                self.skip_to(frame.end());
                return self.is_full();
            };
            let bytes = record.data.len() + record.partition_key.len();
            if self.is_full() || (self.count > 0 && self.bytes + bytes > GET_RECORDS_BYTES_MAX) {
                self.close(slice);
                self.next = at;
                self.next_arrival = Some(frame.arrival);
                return true;
            }
            if slice.encoded_bytes >= CHUNK_BYTES {
                self.close(slice);
                slice = Slice::beginning(at, frame.arrival, &frame.body, rest);
            }
            let encoded_bytes = text.length(&record);
            slice.count += 1;
            slice.encoded_bytes += encoded_bytes;
            self.count += 1;
            self.bytes += bytes;
            at = at.after(1);
        }
    }

    fn is_full(&self) -> bool {
        self.count >= self.limit
    }

    fn close(&mut self, slice: Slice) {
        if slice.count > 0 {
            self.encoded_bytes += slice.encoded_bytes;
            self.slices.push(slice);
        }
    }

    /// Bytes of the records' text with the commas between them.
    pub fn text_bytes(&self) -> usize {
        self.encoded_bytes + self.count.saturating_sub(1)
    }

    /// The records' text, separated by commas, in chunks that are made when they are asked for.
    pub fn into_text(self) -> impl Iterator<Item = Bytes> + Send {
        let numbering = self.numbering;
        let mut slices = self.slices.into_iter().peekable();
        let mut is_first = true;
        std::iter::from_fn(move || {
            let mut chunk = vec![slices.next()?];
            let mut bytes = chunk.iter().map(Slice::text_bytes_max).sum::<usize>();
            while bytes < CHUNK_BYTES
                && let Some(slice) = slices.next()
            {
                bytes += slice.text_bytes_max();
                chunk.push(slice);
            }
            let mut out = Vec::with_capacity(bytes);
            for slice in &chunk {
                slice.write(&mut out, numbering, &mut is_first);
            }
            Some(Bytes::from(out))
        })
    }
}

impl Slice {
    /// No record yet; the next one of the frame has the place `first` and begins at `rest`.
    fn beginning(first: Position, arrival: Timestamp, body: &Bytes, rest: &[u8]) -> Self {
        Self {
            first,
            arrival,
            body: body.slice_ref(rest),
            count: 0,
            encoded_bytes: 0,
        }
    }

    /// Bytes of the text with a comma before each record.
    fn text_bytes_max(&self) -> usize {
        self.encoded_bytes + usize::from(self.count)
    }

    fn write(&self, out: &mut Vec<u8>, numbering: Numbering, is_first: &mut bool) {
        let text = RecordText::new(self.arrival);
        let records = Records::new(&self.body).take(usize::from(self.count));
        let mut at = self.first;
        for record in records {
            if !std::mem::take(is_first) {
                out.push(b',');
            }
            text.write(out, numbering.record(at, self.arrival), &record);
            at = at.after(1);
        }
    }
}

/// How the records of one frame are written; what is the same for all of them is made once.
struct RecordText {
    /// From after the sequence number to before the data.
    middle: Vec<u8>,
}

impl RecordText {
    const BEFORE: &[u8] = br#"{"SequenceNumber":""#;
    const AFTER_DATA: &[u8] = br#"","PartitionKey":"#;
    const END: &[u8] = b"}";

    fn new(arrival: Timestamp) -> Self {
        let mut middle = br#"","ApproximateArrivalTimestamp":"#.to_vec();
        write_epoch_seconds(&mut middle, arrival);
        middle.extend_from_slice(br#","Data":""#);
        Self { middle }
    }

    fn write(&self, out: &mut Vec<u8>, number: SequenceNumber, record: &StoredRecord<'_>) {
        out.extend_from_slice(Self::BEFORE);
        out.extend_from_slice(&number.digits());
        out.extend_from_slice(&self.middle);
        write_base64(out, record.data);
        out.extend_from_slice(Self::AFTER_DATA);
        write_string(out, record.partition_key);
        out.extend_from_slice(Self::END);
    }

    /// Bytes that [`RecordText::write`] appends.
    fn length(&self, record: &StoredRecord<'_>) -> usize {
        Self::BEFORE.len()
            + SequenceNumber::DIGITS
            + self.middle.len()
            + base64_len(record.data.len())
            + Self::AFTER_DATA.len()
            + escaped_len(record.partition_key)
            + Self::END.len()
    }
}

#[cfg(test)]
mod tests {
    use store::{BodyBuilder, LogId};
    use types::{HashKeyRange, Second, ShardId};

    use super::*;
    use crate::shard::ShardFacts;

    fn frame(position: u64, records: &[(&str, usize)]) -> Frame {
        let mut body = BodyBuilder::default();
        for (key, bytes) in records {
            body.push(key, &vec![7; *bytes]).unwrap();
        }
        let (body, count) = body.finish();
        Frame {
            position: Position(position),
            arrival: Timestamp(1_700_000_000_123),
            count,
            body,
        }
    }

    fn shard() -> Shard {
        Shard::new(ShardFacts {
            id: ShardId(3),
            range: HashKeyRange::split_evenly(1)[0],
            log: LogId(1),
            parent: None,
            adjacent_parent: None,
            created: Second::of(Timestamp(1_600_000_000_000)),
            opened_at: Timestamp(1_600_000_000_000),
            closed_at: None,
        })
    }

    fn selection(limit: usize, from: u64) -> Selection {
        Selection::new(shard().numbering(), Position(from), limit)
    }

    fn text(selection: Selection) -> (usize, Vec<serde_json::Value>, usize) {
        let promised = selection.text_bytes();
        let chunks: Vec<_> = selection.into_text().collect();
        let text = chunks.concat();
        assert_eq!(text.len(), promised);
        let array = [b"[", &text[..], b"]"].concat();
        let records = serde_json::from_slice(&array).unwrap();
        let largest = chunks.iter().map(Bytes::len).max().unwrap_or(0);
        (chunks.len(), records, largest)
    }

    #[test]
    fn the_text_is_as_long_as_promised_whatever_the_records_hold() {
        let mut selection = selection(10_000, 4);
        let odd = "a \"quote\", a \\, a \n and a ключ";
        assert!(!selection.take(&frame(4, &[(odd, 0), ("b", 1), ("c", 2)])));
        assert!(!selection.take(&frame(7, &[("d", 3), ("e", 1_000_000)])));
        assert_eq!(selection.next, Position(9));
        let (_, records, _) = text(selection);
        assert_eq!(records.len(), 5);
        assert_eq!(records[0]["PartitionKey"], odd);
        assert_eq!(records[2]["Data"], "Bwc=");
        assert_eq!(records[3]["ApproximateArrivalTimestamp"], 1_700_000_000.123);
        let number = |at| {
            shard()
                .numbering()
                .record(Position(at), Timestamp(1_700_000_000_123))
        };
        for (record, at) in records.iter().zip(4..) {
            assert_eq!(record["SequenceNumber"], number(at).to_string());
        }
    }

    #[test]
    fn many_records_become_chunks_of_a_bounded_size() {
        let mut selection = selection(10_000, 4);
        for number in 0..10 {
            let frame = frame(4 + 500 * number, &[("key", 1024); 500]);
            assert!(!selection.take(&frame));
        }
        let (chunks, records, largest) = text(selection);
        assert_eq!(records.len(), 5_000);
        assert!(chunks > 20, "{chunks}");
        assert!(largest < 3 * CHUNK_BYTES, "{largest}");
    }

    #[test]
    fn a_limit_within_a_frame_goes_on_at_the_next_record() {
        let frame = frame(4, &[("a", 1), ("b", 1), ("c", 1), ("d", 1)]);
        let mut first = selection(2, 5);
        assert!(first.take(&frame));
        assert_eq!(
            (first.next, first.next_arrival),
            (Position(7), Some(frame.arrival))
        );
        let (_, records, _) = text(first);
        assert_eq!(records[0]["PartitionKey"], "b");
        assert_eq!(records[1]["PartitionKey"], "c");

        let mut all = selection(3, 5);
        assert!(all.take(&frame));
        assert_eq!((all.next, all.next_arrival), (Position(8), None));
    }

    #[test]
    fn a_place_behind_a_frames_last_record_is_the_next_frame() {
        let mut selection = selection(10, 6);
        assert!(!selection.take(&frame(4, &[("a", 1), ("b", 1)])));
        assert_eq!(selection.next, Position(6));
        assert_eq!(text(selection).1.len(), 0);
    }

    #[test]
    fn ten_mebibytes_are_the_most_and_one_larger_record_goes_alone() {
        let mut selection = selection(10_000, 4);
        let mebibyte = 1024 * 1024 - 1;
        assert!(!selection.take(&frame(4, &[("k", mebibyte); 10])));
        assert!(selection.take(&frame(14, &[("k", 0)])));
        assert_eq!(selection.count, 10);

        let mut alone = Selection::new(shard().numbering(), Position(4), 9);
        assert!(alone.take(&frame(4, &[("k", GET_RECORDS_BYTES_MAX), ("l", 0)])));
        assert_eq!(alone.count, 1);
    }
}
