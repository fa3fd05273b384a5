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
use types::{SequenceNumber, Timestamp};
use wire::{Codec, Room, Writer};

use crate::Streams;
use crate::encryption::KMS;
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
/// Bytes of text for which room is taken at once, if no record is longer: taking it takes a lock.
const ROOM_BYTES: usize = 16 * 1024;
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

/// What a reader asks for.
#[derive(Clone, Copy)]
pub struct Wanted<'r> {
    /// From where on.
    pub start: Start,
    /// How many records at most.
    pub limit: usize,
    /// Bytes of their data and partition keys at most, unless the first alone has more.
    pub bytes_max: usize,
    /// How they are written.
    pub codec: Codec,
    /// What is asked before text is written, if the answer is not charged afterwards.
    pub room: Option<&'r dyn Room>,
}

/// Records that one answer gives out, as text: in JSON or what the codec writes.
pub struct Selection<'r> {
    text: RecordText,
    room: Option<&'r dyn Room>,
    /// Bytes of text for which there is room.
    room_bytes: usize,
    /// It ended because there was no room for more.
    pub is_short_of_room: bool,
    /// The text so far in pieces of some [`CHUNK_BYTES`], with separators between the records.
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
    /// Bytes that they may have.
    bytes_max: usize,
    /// How many records there are.
    pub count: usize,
    /// Bytes of their data and partition keys.
    pub bytes: usize,
    /// The place of the record that the next answer begins with.
    pub next: Position,
    /// When the first record that was left behind arrived; `None` at the tip.
    pub next_arrival: Option<Timestamp>,
    /// When the last record that was taken arrived.
    pub last_arrival: Option<Timestamp>,
    /// The number of that record.
    pub last: Option<SequenceNumber>,
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
        StoreError::Corrupt { .. }
        | StoreError::Io { .. }
        | StoreError::Unreadable { .. }
        | StoreError::Key { .. } => true,
        StoreError::NoLog(_) | StoreError::Locked(_) | StoreError::Commit(_) => false,
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

    /// Selects the records that are wanted, but one at least if there is any and room for it.
    /// What retention no longer keeps is skipped, whether or not it was trimmed.
    pub(crate) async fn select<'r>(
        &self,
        stream: &Stream,
        shard: &Shard,
        wanted: &Wanted<'r>,
    ) -> Result<Selection<'r>, StoreError> {
        let &Wanted {
            start,
            limit,
            bytes_max,
            ..
        } = wanted;
        let log = shard.facts().log;
        let cutoff = stream.cutoff(self.retention_time());
        let mut from = match start {
            Start::Record(position) => position,
            Start::Time(at) => self.engine.seek_time(log, at.max(cutoff)).await?,
        };
        let mut selection = Selection::new(shard.numbering(), from, wanted);
        let guess = bytes_max.min(limit * RECORD_BYTES_GUESS);
        let step = guess.clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        let mut reading = Reading {
            engine: &*self.engine,
            log,
            turns: &self.disk_turns,
            turn: None,
        };
        loop {
            let read = reading.read(from, step).await;
            // What has expired and is not trimmed yet is passed over, and needs no key for that.
            let may_have_expired = match &read {
                Ok(read) => read.frames.first().is_some_and(|f| f.arrival < cutoff),
                Err(StoreError::Key { .. }) => true,
                Err(_) => false,
            };
            if may_have_expired {
                let kept = self.engine.seek_time(log, cutoff).await?;
                // Frames are in order of arrival: after this, all that follow are kept.
                if from < kept {
                    from = kept;
                    selection.skip_to(kept);
                    continue;
                }
            }
            let read = match read {
                Err(error) if selection.count > 0 && is_unreadable(&error) => {
                    selection.ends_before_unreadable();
                    return Ok(selection);
                }
                read => read?,
            };
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

impl<'r> Selection<'r> {
    /// Nothing yet, of a log that is read from `from` on.
    fn new(numbering: Numbering, from: Position, wanted: &Wanted<'r>) -> Self {
        Self {
            text: RecordText::new(wanted.codec),
            room: wanted.room,
            room_bytes: 0,
            is_short_of_room: false,
            chunks: Vec::new(),
            chunk: Vec::new(),
            chunks_bytes: 0,
            gives_way_at: GIVE_WAY_BYTES,
            numbering,
            limit: wanted.limit,
            bytes_max: wanted.bytes_max,
            count: 0,
            bytes: 0,
            next: from,
            next_arrival: None,
            last_arrival: None,
            last: None,
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
        self.text.begin_frame(frame.arrival, frame.key.is_some());
        for record in records {
            let bytes = record.data.len() + record.partition_key.len();
            if self.is_full()
                || (self.count > 0 && self.bytes + bytes > self.bytes_max)
                || !self.finds_room(&record)
            {
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
            self.write(number, &record);
            (self.last, self.last_arrival) = (Some(number), Some(frame.arrival));
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

    /// Whether there is room for the text of one more record.
    fn finds_room(&mut self, record: &StoredRecord<'_>) -> bool {
        let Some(room) = self.room else {
            return true;
        };
        let separator = self.text.codec.separator().len();
        let needed = self.text_bytes() + separator + self.text.length(record);
        if needed > self.room_bytes {
            let more = (needed - self.room_bytes).max(ROOM_BYTES);
            if !room.take(more) {
                self.is_short_of_room = true;
                return false;
            }
            self.room_bytes += more;
        }
        true
    }

    /// Bytes for which room was taken: those of the text, and some more.
    pub fn room_bytes(&self) -> usize {
        self.room_bytes
    }

    fn write(&mut self, number: SequenceNumber, record: &StoredRecord<'_>) {
        let separator = match self.count {
            0 => &[],
            _ => self.text.codec.separator(),
        };
        let bytes = self.text.length(record) + separator.len();
        if self.chunk.len() + bytes > CHUNK_BYTES && !self.chunk.is_empty() {
            self.close_chunk();
            // After a full piece the next one is mostly filled as well.
            self.chunk.reserve_exact(bytes.max(CHUNK_BYTES));
        }
        self.chunk.reserve(bytes);
        self.chunk.extend_from_slice(separator);
        self.text.write(&mut self.chunk, number, record);
    }

    fn close_chunk(&mut self) {
        let chunk = exact(std::mem::take(&mut self.chunk));
        self.chunks_bytes += chunk.len();
        self.chunks.push(chunk);
    }

    /// How the text is written.
    pub fn codec(&self) -> Codec {
        self.text.codec
    }

    /// Bytes of the records' text with the separators between them.
    pub fn text_bytes(&self) -> usize {
        self.chunks_bytes + self.chunk.len()
    }

    /// The records' text, as members of a list. Each piece is given back once it was taken.
    pub fn into_text(mut self) -> impl Iterator<Item = Bytes> + Send + use<> {
        self.close_chunk();
        self.chunks.into_iter().filter(|chunk| !chunk.is_empty())
    }
}

/// How records are written; what is the same for all of them is made once.
#[derive(Debug)]
struct RecordText {
    codec: Codec,
    before_number: Vec<u8>,
    /// The same of records that are sealed, which say so first.
    before_number_sealed: Vec<u8>,
    before_time: Vec<u8>,
    before_data: Vec<u8>,
    before_key: Vec<u8>,
    end: Vec<u8>,
    /// Whether the records of the frame are sealed.
    is_sealed: bool,
    /// From after the sequence number to before the data, of the records of one frame.
    middle: Vec<u8>,
}

impl RecordText {
    fn new(codec: Codec) -> Self {
        let mut out = Writer::with_capacity(codec, 0);
        out.structure(5);
        out.member("EncryptionType");
        out.word(KMS.as_bytes());
        out.member("SequenceNumber");
        let before_number_sealed = out.take();
        let mut out = Writer::with_capacity(codec, 0);
        out.structure(4);
        out.member("SequenceNumber");
        let before_number = out.take();
        out.member("ApproximateArrivalTimestamp");
        let before_time = out.take();
        out.member("Data");
        let before_data = out.take();
        out.member("PartitionKey");
        let before_key = out.take();
        out.end_structure();
        Self {
            codec,
            before_number,
            before_number_sealed,
            before_time,
            before_data,
            before_key,
            end: out.take(),
            is_sealed: false,
            middle: Vec::new(),
        }
    }

    /// What follows is of a frame that arrived at this time.
    fn begin_frame(&mut self, arrival: Timestamp, is_sealed: bool) {
        self.is_sealed = is_sealed;
        self.middle.clear();
        self.middle.extend_from_slice(&self.before_time);
        self.codec.write_time(&mut self.middle, arrival);
        self.middle.extend_from_slice(&self.before_data);
    }

    fn begin(&self) -> &[u8] {
        if self.is_sealed {
            &self.before_number_sealed
        } else {
            &self.before_number
        }
    }

    fn write(&self, out: &mut Vec<u8>, number: SequenceNumber, record: &StoredRecord<'_>) {
        out.extend_from_slice(self.begin());
        self.codec.write_word(out, &number.digits());
        out.extend_from_slice(&self.middle);
        self.codec.write_blob(out, record.data);
        out.extend_from_slice(&self.before_key);
        self.codec.write_text(out, record.partition_key);
        out.extend_from_slice(&self.end);
    }

    /// Bytes that [`RecordText::write`] appends.
    fn length(&self, record: &StoredRecord<'_>) -> usize {
        self.begin().len()
            + self.codec.word_len(SequenceNumber::DIGITS)
            + self.middle.len()
            + self.codec.blob_len(record.data.len())
            + self.before_key.len()
            + self.codec.text_len(record.partition_key)
            + self.end.len()
    }
}

#[cfg(test)]
mod tests;
