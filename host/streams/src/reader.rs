//! Reading records out of a shard's log: which ones, and how they are written for a client.
//!
//! A record is written as text as soon as it is read, and nothing but the text is kept until the
//! client has taken the answer: a frame, or what a file was read in, may be ten thousand times as
//! large as the record that is wanted of it, and the server counts the bytes of answers.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use store::{Engine, Frame, LogId, Position, ReadBatch, Records, StoreError, StoredRecord, exact};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::yield_now;
use types::limits::GET_RECORDS_BYTES_MAX;
use types::{SequenceNumber, Timestamp};
use wire::json::{base64_len, escaped_len, write_base64, write_epoch_seconds, write_string};

use crate::Streams;
use crate::iterator::Start;
use crate::shard::{Numbering, Shard};
use crate::stream::Stream;

/// Bytes of text that are sent, and given back, at once. A single record may take more.
const CHUNK_BYTES: usize = 128 * 1024;
/// Bytes of text that are written before others have their turn on the runtime's thread, if no
/// record is longer. 10 MiB at once kept it from everybody for some ten milliseconds, and as many
/// answers as are made at a time did so one after the other.
const GIVE_WAY_BYTES: usize = 128 * 1024;
/// Bytes that are read from a log at once, at most and at least. Between the two as many are read
/// as the records that are wanted have, if each has what is guessed.
const READ_BYTES_MAX: usize = 1024 * 1024;
const READ_BYTES_MIN: usize = 64 * 1024;
const RECORD_BYTES_GUESS: usize = 1024;
/// Selections that read from the disk at the same time. Until its answer is counted each holds
/// the text so far and what it reads, some 25 MiB if frames are as large as they may be. One more
/// waits for its turn; what is in memory is read without one.
const DISK_TURNS: usize = 4;

/// Who may read from the disk.
pub struct DiskTurns(Semaphore);

impl Default for DiskTurns {
    fn default() -> Self {
        Self(Semaphore::new(DISK_TURNS))
    }
}

/// A log as one selection reads it.
struct Reading<'a> {
    engine: &'a dyn Engine,
    log: LogId,
    turns: &'a DiskTurns,
    /// Taken with the first read from the disk, and kept until the selection is made.
    turn: Option<SemaphorePermit<'a>>,
}

impl Reading<'_> {
    async fn read(&mut self, from: Position, bytes_max: usize) -> Result<ReadBatch, StoreError> {
        let (engine, log) = (self.engine, self.log);
        if let Some(batch) = engine.read_from_memory(log, from, bytes_max)? {
            return Ok(batch);
        }
        if self.turn.is_none() {
            let turn = self.turns.0.acquire().await;
            self.turn = Some(turn.map_err(|closed| StoreError::Io {
                doing: format!("wait to read log {}", log.0),
                source: Arc::new(io::Error::other(closed)),
            })?);
        }
        engine.read(log, from, bytes_max).await
    }

    /// When the first frame at or after `position` arrived, if there is one.
    async fn arrival_at(&mut self, position: Position) -> Result<Option<Timestamp>, StoreError> {
        let read = self.read(position, 1).await?;
        Ok(read.frames.first().map(|frame| frame.arrival))
    }
}

/// Records that one answer gives out, as text.
#[derive(Debug)]
pub struct Selection {
    /// The text so far in pieces of some [`CHUNK_BYTES`], with commas between the records.
    chunks: Vec<Bytes>,
    /// The piece that is being written.
    chunk: Vec<u8>,
    /// Bytes of the pieces that are written.
    chunks_bytes: usize,
    /// Bytes of text with which others have their turn before more is written.
    gives_way_at: usize,
    numbering: Numbering,
    /// How many records there may be.
    limit: usize,
    /// How many records there are.
    pub count: usize,
    /// Bytes of their data and partition keys.
    pub bytes: usize,
    /// The place of the record that the next answer begins with.
    pub next: Position,
    /// When the first record that was left behind arrived; `None` at the tip.
    pub next_arrival: Option<Timestamp>,
    /// When the last record that was taken arrived.
    last_arrival: Option<Timestamp>,
    /// The log will never have more than was read.
    pub at_end: bool,
}

/// What became of a frame.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// All of its records that are wanted were taken.
    Frame,
    /// Some were; others have their turn before the rest is.
    Part,
    /// No more fits.
    Full,
}

/// Whether the records that were to be read are there and cannot be read. What was read before
/// them is given out; the reader that comes back for them hears of it.
fn is_unreadable(error: &StoreError) -> bool {
    match error {
        StoreError::Corrupt { .. } | StoreError::Io { .. } => true,
        StoreError::NoLog(_)
        | StoreError::Locked(_)
        | StoreError::Commit(_)
        | StoreError::Unreadable { .. } => false,
    }
}

impl Streams {
    /// The number of the first record from `start` on that can be read, for a reader who cannot go
    /// on there; `None` if there is none.
    pub(crate) async fn readable_from(
        &self,
        shard: &Shard,
        start: Start,
    ) -> Result<Option<SequenceNumber>, StoreError> {
        let log = shard.facts().log;
        let from = match start {
            Start::Record(position) => position,
            Start::Time(at) => self.engine.seek_time(log, at).await?,
        };
        let position = self.engine.readable_from(log, from).await?;
        let read = self.engine.read(log, position, 1).await?;
        let frame = read.frames.first();
        Ok(frame.map(|frame| shard.numbering().record(position, frame.arrival)))
    }

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
        let mut reading = Reading {
            engine: &*self.engine,
            log,
            turns: &self.disk_turns,
            turn: None,
        };
        loop {
            let read = match reading.read(from, step).await {
                Err(error) if selection.count > 0 && is_unreadable(&error) => {
                    selection.ends_before_unreadable();
                    return Ok(selection);
                }
                read => read?,
            };
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
            if selection.take_all(&mut frames).await {
                if selection.next_arrival.is_none() {
                    selection.next_arrival = match frames.next() {
                        Some(frame) => Some(frame.arrival),
                        None => match reading.arrival_at(read.next).await {
                            Err(error) if is_unreadable(&error) => selection.last_arrival,
                            arrival => arrival?,
                        },
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
}

impl Selection {
    /// Nothing yet, of a log that is read from `from` on.
    fn new(numbering: Numbering, from: Position, limit: usize) -> Self {
        Self {
            chunks: Vec::new(),
            chunk: Vec::new(),
            chunks_bytes: 0,
            gives_way_at: GIVE_WAY_BYTES,
            numbering,
            limit,
            count: 0,
            bytes: 0,
            next: from,
            next_arrival: None,
            last_arrival: None,
            at_end: false,
        }
    }

    /// Goes on at `position` unless it stands there or later already.
    fn skip_to(&mut self, position: Position) {
        self.next = self.next.max(position);
    }

    /// Takes records of `frames` until it is full, and gives way to others meanwhile. Returns
    /// whether it is full.
    async fn take_all(&mut self, frames: &mut impl Iterator<Item = Frame>) -> bool {
        for frame in frames {
            loop {
                match self.take(&frame) {
                    Taken::Full => return true,
                    Taken::Frame => break,
                    Taken::Part => yield_now().await,
                }
            }
        }
        false
    }

    /// Takes the records of `frame` from where the selection stands, as many as fit.
    fn take(&mut self, frame: &Frame) -> Taken {
        let mut at = frame.position;
        let mut records = Records::new(&frame.body);
        // Records of the frame before the place that is asked for, or that an earlier read took.
        while at < self.next && records.next().is_some() {
            at = at.after(1);
        }
        let text = RecordText::new(frame.arrival);
        for record in records {
            let bytes = record.data.len() + record.partition_key.len();
            if self.is_full() || (self.count > 0 && self.bytes + bytes > GET_RECORDS_BYTES_MAX) {
                self.next = at;
                self.next_arrival = Some(frame.arrival);
                return Taken::Full;
            }
            if self.text_bytes() >= self.gives_way_at {
                self.gives_way_at = self.text_bytes() + GIVE_WAY_BYTES;
                self.next = at;
                return Taken::Part;
            }
            let number = self.numbering.record(at, frame.arrival);
            self.write(&text, number, &record);
            self.last_arrival = Some(frame.arrival);
            self.count += 1;
            self.bytes += bytes;
            at = at.after(1);
        }
        self.skip_to(frame.end());
        if self.is_full() {
            Taken::Full
        } else {
            Taken::Frame
        }
    }

    /// Nobody knows when the next record arrived: not before the last one that was taken.
    fn ends_before_unreadable(&mut self) {
        self.next_arrival = self.last_arrival;
    }

    fn is_full(&self) -> bool {
        self.count >= self.limit
    }

    fn write(&mut self, text: &RecordText, number: SequenceNumber, record: &StoredRecord<'_>) {
        let is_first = self.count == 0;
        let bytes = text.length(record) + usize::from(!is_first);
        if self.chunk.len() + bytes > CHUNK_BYTES && !self.chunk.is_empty() {
            self.close_chunk();
            // After a full piece the next one is mostly filled as well.
            self.chunk.reserve_exact(bytes.max(CHUNK_BYTES));
        }
        self.chunk.reserve(bytes);
        if !is_first {
            self.chunk.push(b',');
        }
        text.write(&mut self.chunk, number, record);
    }

    fn close_chunk(&mut self) {
        let chunk = exact(std::mem::take(&mut self.chunk));
        self.chunks_bytes += chunk.len();
        self.chunks.push(chunk);
    }

    /// Bytes of the records' text with the commas between them.
    pub fn text_bytes(&self) -> usize {
        self.chunks_bytes + self.chunk.len()
    }

    /// The records' text, separated by commas. Each piece is given back once it was taken.
    pub fn into_text(mut self) -> impl Iterator<Item = Bytes> + Send {
        self.close_chunk();
        self.chunks.into_iter().filter(|chunk| !chunk.is_empty())
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
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use store::disk::simulated::SimulatedDisk;
    use store::embedded::{Embedded, Options};
    use store::{Append, BodyBuilder, NewFrame, Transaction};
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

    /// Takes all that fits of `frame`, however often that gives way. Returns whether it is full.
    fn take_all(selection: &mut Selection, frame: &Frame) -> bool {
        loop {
            match selection.take(frame) {
                Taken::Part => {}
                taken => return taken == Taken::Full,
            }
        }
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
        assert!(!take_all(
            &mut selection,
            &frame(4, &[(odd, 0), ("b", 1), ("c", 2)])
        ));
        assert!(!take_all(
            &mut selection,
            &frame(7, &[("d", 3), ("e", 1_000_000)])
        ));
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
            assert!(!take_all(&mut selection, &frame));
        }
        let (chunks, records, largest) = text(selection);
        assert_eq!(records.len(), 5_000);
        assert!(chunks > 20, "{chunks}");
        assert!(largest < 3 * CHUNK_BYTES, "{largest}");
    }

    /// It was written at once, with the runtime's thread kept from everybody else.
    #[test]
    fn text_is_written_in_turns_and_is_the_same_as_if_it_were_written_at_once() {
        let record = 1_000;
        let frames = (0..20).map(|number| frame(500 * number, &[("key", record); 500]));
        let mut selection = selection(10_000, 3);
        let mut turns = 1;
        let mut frames = frames.into_iter();
        let full = {
            let mut taking = pin!(selection.take_all(&mut frames));
            let mut context = Context::from_waker(Waker::noop());
            loop {
                match taking.as_mut().poll(&mut context) {
                    Poll::Ready(full) => break full,
                    Poll::Pending => turns += 1,
                }
            }
        };
        assert!(!full);
        assert_eq!(selection.count, 9_997);
        let least = selection.text_bytes() / (GIVE_WAY_BYTES + 2 * record);
        assert!(turns >= least, "{turns} turns, not {least}");
        let (_, records, _) = text(selection);
        for (at, record) in (3..).zip(&records) {
            let number = shard()
                .numbering()
                .record(Position(at), frame(0, &[]).arrival);
            assert_eq!(record["SequenceNumber"], number.to_string());
        }
    }

    /// It once kept its frame: 180 answers of one record each, which no client took, kept 180
    /// frames of 5 MB in memory.
    #[test]
    fn an_answer_that_waits_to_be_sent_keeps_no_frame_and_no_more_than_its_text() {
        let frame = frame(4, &[("a", 1), ("b", 1_000_000), ("c", 1_000)]);
        let mut selection = selection(1, 4);
        assert!(take_all(&mut selection, &frame));
        assert!(frame.body.is_unique());
        let promised = selection.text_bytes();
        let held: usize = selection.into_text().map(|c| Vec::from(c).capacity()).sum();
        assert_eq!(held, promised);
    }

    #[test]
    fn a_limit_within_a_frame_goes_on_at_the_next_record() {
        let frame = frame(4, &[("a", 1), ("b", 1), ("c", 1), ("d", 1)]);
        let mut first = selection(2, 5);
        assert!(take_all(&mut first, &frame));
        assert_eq!(
            (first.next, first.next_arrival),
            (Position(7), Some(frame.arrival))
        );
        let (_, records, _) = text(first);
        assert_eq!(records[0]["PartitionKey"], "b");
        assert_eq!(records[1]["PartitionKey"], "c");

        let mut all = selection(3, 5);
        assert!(take_all(&mut all, &frame));
        assert_eq!((all.next, all.next_arrival), (Position(8), None));
    }

    #[test]
    fn a_place_behind_a_frames_last_record_is_the_next_frame() {
        let mut selection = selection(10, 6);
        assert!(!take_all(&mut selection, &frame(4, &[("a", 1), ("b", 1)])));
        assert_eq!(selection.next, Position(6));
        assert_eq!(text(selection).1.len(), 0);
    }

    #[test]
    fn ten_mebibytes_are_the_most_and_one_larger_record_goes_alone() {
        let mut selection = selection(10_000, 4);
        let mebibyte = 1024 * 1024 - 1;
        assert!(!take_all(&mut selection, &frame(4, &[("k", mebibyte); 10])));
        assert!(take_all(&mut selection, &frame(14, &[("k", 0)])));
        assert_eq!(selection.count, 10);

        let mut alone = Selection::new(shard().numbering(), Position(4), 9);
        assert!(take_all(
            &mut alone,
            &frame(4, &[("k", GET_RECORDS_BYTES_MAX), ("l", 0)])
        ));
        assert_eq!(alone.count, 1);
    }

    /// What is read before the answer is counted was once bounded by nothing.
    #[tokio::test]
    async fn a_read_from_the_disk_waits_for_its_turn_and_one_from_memory_does_not() {
        for (tail_cache_bytes, is_in_memory) in [(0, false), (1 << 20, true)] {
            let options = Options {
                tail_cache_bytes,
                free_bytes_min: 0,
                ballast_bytes: 0,
                ..Options::default()
            };
            let disk = Arc::new(SimulatedDisk::new(1));
            let mut engine = Embedded::open(disk.clone(), options.clone()).unwrap();
            engine.create_logs(&[LogId(1)]).await.unwrap();
            let Frame {
                arrival,
                count,
                body,
                ..
            } = frame(0, &[("a", 1)]);
            let frame = NewFrame {
                count,
                arrival,
                body,
            };
            let append = Append {
                log: LogId(1),
                frame,
            };
            let transaction = Transaction {
                appends: vec![append],
                writes: Vec::new(),
            };
            engine.commit(transaction).await.unwrap();
            if !is_in_memory {
                // What was written a moment ago may not have left the memory yet.
                engine.close().await.unwrap();
                engine = Embedded::open(disk, options).unwrap();
            }

            let turns = DiskTurns::default();
            let mut others = Vec::new();
            while let Ok(turn) = turns.0.try_acquire() {
                others.push(turn);
            }
            assert_eq!(others.len(), DISK_TURNS);
            let mut reading = Reading {
                engine: &*engine,
                log: LogId(1),
                turns: &turns,
                turn: None,
            };
            {
                let mut read = pin!(reading.read(Position(0), 1));
                let polled = read.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert_eq!(polled.is_ready(), is_in_memory);
            }
            others.pop();
            let read = reading.read(Position(0), 1).await.unwrap();
            assert_eq!(read.frames.len(), 1);
            assert_eq!(reading.turn.is_some(), !is_in_memory);
            engine.close().await.unwrap();
        }
    }
}
