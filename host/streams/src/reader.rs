//! Reading records out of a shard's log: which ones, and how they are written for a client.
//!
//! A record is written as text as soon as it is read, and nothing but the text is kept until the
//! client has taken the answer: a frame, or what a file was read in, may be ten thousand times as
//! large as the record that is wanted of it, and the server counts the bytes of answers.

mod text;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use store::{Engine, Frame, LogId, Position, ReadBatch, Records, StoreError, StoredRecord, exact};
use tokio::task::yield_now;
use types::{AccountId, SequenceNumber, Timestamp};
use wire::{Codec, Room};

use crate::Streams;
use crate::iterator::Start;
use crate::shard::{Numbering, Shard};
use crate::stream::Stream;
use crate::turns::{AccountTurn, AccountTurns};
use text::RecordText;

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
pub const DISK_TURNS: usize = 4;

/// A log as one selection reads it.
struct Reading<'a> {
    engine: &'a dyn Engine,
    log: LogId,
    turns: &'a AccountTurns,
    /// Whose turn it is.
    reader: AccountId,
    /// Taken with the first read from the disk, and kept until the selection is made.
    turn: Option<AccountTurn>,
}

impl Reading<'_> {
    /// What is read for `selection`; `None`: there is no room for what would come of it. Room is
    /// taken in turn, so that nobody holds some who waits for a turn.
    async fn read(
        &mut self,
        from: Position,
        bytes_max: usize,
        selection: &mut Selection<'_>,
    ) -> Result<Option<ReadBatch>, StoreError> {
        let (engine, log) = (self.engine, self.log);
        if let Some(batch) = engine.read_from_memory(log, from, bytes_max)? {
            return Ok(Some(batch));
        }
        if self.turn.is_none() {
            let turn = self.turns.take(self.reader).await;
            self.turn = Some(turn.map_err(|lost| StoreError::Io {
                doing: format!("wait to read log {}", log.0),
                source: Arc::new(io::Error::other(lost)),
            })?);
        }
        if !selection.finds_room_to_read() {
            return Ok(None);
        }
        engine.read(log, from, bytes_max).await.map(Some)
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
    /// Bytes of their text at most, unless the first alone has more.
    pub text_bytes_max: usize,
    /// How they are written.
    pub codec: Codec,
    /// Who reads, and so whose turn it is to read from the disk.
    pub reader: AccountId,
    /// What is asked before text is written, if the answer is not charged afterwards.
    pub room: Option<RoomWanted<'r>>,
}

/// The room for the text of an answer.
#[derive(Clone, Copy)]
pub struct RoomWanted<'r> {
    /// What is asked for it.
    pub room: &'r dyn Room,
    /// Bytes for which it is asked before anything is read from the disk: what the first record is
    /// known to need, or a little.
    pub bytes: usize,
}

/// Records that one answer gives out, as text: in JSON or what the codec writes.
pub struct Selection<'r> {
    text: RecordText,
    room: Option<RoomWanted<'r>>,
    /// Bytes of text for which there is room.
    room_bytes: usize,
    /// Bytes of text for which there was no room, which is why it ended.
    pub lacks_room_for: Option<usize>,
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
    /// Bytes that their text may have.
    text_bytes_max: usize,
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
        let log = shard.facts().log;
        let cutoff = stream.cutoff(self.retention_time());
        let from = match wanted.start {
            Start::Record(position) => position,
            Start::Time(at) => self.engine.seek_time(log, at.max(cutoff)).await?,
        };
        let mut selection = Selection::new(shard.numbering(), from, wanted);
        let reading = Reading {
            engine: &*self.engine,
            log,
            turns: &self.disk_turns,
            reader: wanted.reader,
            turn: None,
        };
        match self.fill(&mut selection, reading, cutoff).await {
            Ok(()) => Ok(selection),
            Err(error) => {
                selection.gives_room_back();
                Err(error)
            }
        }
    }

    /// Takes records from where the selection begins, until it is full or at the end of the log.
    async fn fill(
        &self,
        selection: &mut Selection<'_>,
        mut reading: Reading<'_>,
        cutoff: Timestamp,
    ) -> Result<(), StoreError> {
        let (log, mut from) = (reading.log, selection.next);
        let guess = selection
            .bytes_max
            .min(selection.limit * RECORD_BYTES_GUESS);
        let step = guess.clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        loop {
            let read = match reading.read(from, step, selection).await {
                Ok(Some(read)) => Ok(read),
                Ok(None) => return Ok(()),
                Err(error) => Err(error),
            };
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
                    return Ok(());
                }
                read => read?,
            };
            let mut frames = read.frames.into_iter();
            if selection.take_all(&mut frames).await {
                if selection.next_arrival.is_none() {
                    match frames.next() {
                        Some(frame) => selection.next_arrival = Some(frame.arrival),
                        None => selection.look_ahead(&mut reading, read.next).await?,
                    }
                }
                return Ok(());
            }
            selection.skip_to(read.next);
            if read.next >= read.tip {
                selection.at_end = read.sealed;
                return Ok(());
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
            lacks_room_for: None,
            chunks: Vec::new(),
            chunk: Vec::new(),
            chunks_bytes: 0,
            gives_way_at: GIVE_WAY_BYTES,
            numbering,
            limit: wanted.limit,
            bytes_max: wanted.bytes_max,
            text_bytes_max: wanted.text_bytes_max,
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

    /// Finds out when the first frame at or after `position` arrived, if there is one.
    async fn look_ahead(
        &mut self,
        reading: &mut Reading<'_>,
        position: Position,
    ) -> Result<(), StoreError> {
        match reading.read(position, 1, self).await {
            Ok(Some(read)) => {
                self.next_arrival = read.frames.first().map(|frame| frame.arrival);
                Ok(())
            }
            Err(error) if !is_unreadable(&error) => Err(error),
            Ok(None) | Err(_) => {
                self.ends_before_unreadable();
                Ok(())
            }
        }
    }

    /// Nobody knows when the next record arrived: not before the last one that was taken.
    fn ends_before_unreadable(&mut self) {
        self.next_arrival = self.last_arrival;
    }

    fn is_full(&self) -> bool {
        self.count >= self.limit
    }

    /// Whether there is room for what is about to be read from the disk.
    fn finds_room_to_read(&mut self) -> bool {
        match self.room {
            Some(RoomWanted { bytes, .. }) if self.room_bytes == 0 => self.takes_room(bytes, bytes),
            _ => true,
        }
    }

    /// Whether there is room for the text of one more record.
    fn finds_room(&mut self, record: &StoredRecord<'_>) -> bool {
        let separator = self.text.codec.separator().len();
        let needed = self.text_bytes() + separator + self.text.length(record);
        if self.count > 0 && needed > self.text_bytes_max {
            return false;
        }
        let more = needed.saturating_sub(self.room_bytes);
        more == 0 || self.takes_room(more.max(ROOM_BYTES), needed)
    }

    /// Takes room for `more` bytes of text, so that there is room for all that are `needed`.
    fn takes_room(&mut self, more: usize, needed: usize) -> bool {
        let Some(RoomWanted { room, .. }) = self.room else {
            return true;
        };
        if room.take(more) {
            self.room_bytes += more;
            true
        } else {
            self.lacks_room_for = Some(needed);
            false
        }
    }

    fn gives_room_back(&mut self) {
        if let Some(RoomWanted { room, .. }) = self.room {
            room.give_back(std::mem::take(&mut self.room_bytes));
        }
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

#[cfg(test)]
mod tests;
