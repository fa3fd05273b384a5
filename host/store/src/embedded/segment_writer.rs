//! Copies one log's frames from the write-ahead log into its segments.

use std::io;
use std::sync::Arc;

use crate::embedded::flush::Touched;
use crate::embedded::format::FrameHeader;
use crate::embedded::health::Topic;
use crate::embedded::logs::{Segment, WalFrame};
use crate::embedded::options::CHUNK_BYTES;
use crate::embedded::segment::SegmentFile;
use crate::embedded::shared::Shared;
use crate::embedded::wal::{read_onto, slot_path};
use crate::engine::{LogId, StoreError};

/// Appends frames, beginning and closing segments as they fill.
pub struct SegmentWriter<'a> {
    shared: &'a Shared,
    log: LogId,
    /// The segment that takes the next frame; `None` before the first.
    open: Option<(Segment, Arc<SegmentFile>)>,
    /// An open segment that was there before.
    resume: Option<Segment>,
    changed: Vec<Segment>,
    touched: &'a mut Vec<Touched>,
    /// Bytes that are part of `open` but not written yet.
    buffer: Vec<u8>,
}

impl<'a> SegmentWriter<'a> {
    /// A writer that goes on in `resume` if it has room.
    pub fn new(
        shared: &'a Shared,
        log: LogId,
        resume: Option<Segment>,
        touched: &'a mut Vec<Touched>,
    ) -> Self {
        let (open, changed) = (None, Vec::new());
        Self {
            shared,
            log,
            open,
            resume,
            changed,
            touched,
            buffer: Vec::new(),
        }
    }

    /// Copies frames as they are. One whose checksum is wrong is copied too: reading it says so,
    /// and its neighbours stay readable.
    pub fn append(&mut self, frames: &[WalFrame]) -> Result<(), StoreError> {
        let mut rest = frames;
        while let Some(first) = rest.first() {
            self.begin_segment_for(first)?;
            let (run, others) = rest.split_at(self.run_length(rest));
            self.copy(run)?;
            rest = others;
        }
        Ok(())
    }

    /// How many of `frames`, one at least, lie back to back and fit the open segment.
    fn run_length(&self, frames: &[WalFrame]) -> usize {
        let mut segment = self.open.as_ref().map(|(segment, _)| *segment);
        let mut bytes = 0;
        let follows = |pair: &&[WalFrame]| {
            let (before, next) = (&pair[0], &pair[1]);
            if let Some(segment) = &mut segment {
                segment.bytes += u64::from(before.length);
            }
            bytes += before.length as usize;
            before.slot == next.slot
                && before.offset + u64::from(before.length) == next.offset
                && bytes + (next.length as usize) <= CHUNK_BYTES
                && segment.is_some_and(|segment| self.has_room(&segment, next))
        };
        1 + frames.windows(2).take_while(follows).count()
    }

    /// Copies frames that lie back to back in one slot into the open segment.
    fn copy(&mut self, run: &[WalFrame]) -> Result<(), StoreError> {
        let [first, ..] = run else { return Ok(()) };
        let slot = || slot_path(first.slot).display().to_string();
        let corrupt = |offset, what: &str| StoreError::corrupt(slot(), offset, what);
        let file = self.shared.wal.file(first.slot);
        let file = file.ok_or_else(|| corrupt(first.offset, "the file is not there"))?;
        let mut at = self.buffer.len();
        let bytes = run.iter().map(|frame| frame.length as usize).sum();
        read_onto(file.as_ref(), &mut self.buffer, bytes, first.offset)
            .map_err(|source| StoreError::io(format!("read {}", slot()), source))?;
        for frame in run {
            let header = self.buffer.get(at..).and_then(FrameHeader::decode);
            let is_it = |(header, _): &(FrameHeader, u32)| {
                header.log == self.log && header.position == frame.position
            };
            if !header.as_ref().is_some_and(is_it) {
                let error = corrupt(frame.offset, "the frame is not there any more");
                self.shared.health.set(Topic::Damage, error.to_string());
                return Err(error);
            }
            at += frame.length as usize;
        }
        if let Some((segment, file)) = &mut self.open {
            file.note_written(segment.bytes, run);
            for frame in run {
                segment.end = frame.position.next();
                segment.last_arrival = frame.arrival;
                segment.bytes += u64::from(frame.length);
            }
        }
        match self.buffer.len() < CHUNK_BYTES {
            true => Ok(()),
            false => self.write_out(),
        }
    }

    fn has_room(&self, segment: &Segment, frame: &WalFrame) -> bool {
        let options = &self.shared.options;
        segment.bytes + u64::from(frame.length) <= options.segment_bytes_max
            && frame.arrival.since(segment.first_arrival) < options.segment_age_max
    }

    fn begin_segment_for(&mut self, frame: &WalFrame) -> Result<(), StoreError> {
        self.resume()?;
        let open = self.open.as_ref();
        if open.is_some_and(|(segment, _)| self.has_room(segment, frame)) {
            return Ok(());
        }
        self.close_segment()?;
        let file = self.shared.segments.create(self.log, frame.position)?;
        self.touched.push(Touched {
            file: file.clone(),
            log: self.log,
            base: frame.position,
            is_new: true,
        });
        let segment = Segment {
            base: frame.position,
            end: frame.position,
            bytes: 0,
            first_arrival: frame.arrival,
            last_arrival: frame.arrival,
            closed: false,
        };
        self.open = Some((segment, file));
        Ok(())
    }

    /// Opens the segment that was there before. One that is gone or damaged is left as it is:
    /// reading it says so, and the frames of this log and of all others still find their place.
    fn resume(&mut self) -> Result<(), StoreError> {
        let Some(segment) = self.resume.take() else {
            return Ok(());
        };
        let file = match self.shared.segments.open(self.log, segment.base) {
            Ok(file) => file,
            Err(error) if is_lost(&error) => {
                self.shared.health.set(Topic::Damage, error.to_string());
                let closed = true;
                self.changed.push(Segment { closed, ..segment });
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.touched.push(Touched {
            file: file.clone(),
            log: self.log,
            base: segment.base,
            is_new: false,
        });
        self.open = Some((segment, file));
        Ok(())
    }

    fn close_segment(&mut self) -> Result<(), StoreError> {
        self.write_out()?;
        if let Some((mut segment, file)) = self.open.take() {
            file.write_footer(&segment)?;
            segment.closed = true;
            self.changed.push(segment);
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<(), StoreError> {
        if let Some((segment, file)) = &self.open
            && !self.buffer.is_empty()
        {
            file.write(&self.buffer, segment.bytes - self.buffer.len() as u64)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes what is left; returns every segment that is new or changed, in order.
    pub fn finish(mut self) -> Result<Vec<Segment>, StoreError> {
        self.write_out()?;
        self.changed
            .extend(self.open.take().map(|(segment, _)| segment));
        Ok(self.changed)
    }
}

/// Whether trying again would meet the same.
fn is_lost(error: &StoreError) -> bool {
    match error {
        StoreError::Corrupt { .. } => true,
        StoreError::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}
