//! Writes one log's frames into its segments.

use std::sync::Arc;

use crate::embedded::logs::{Segment, WalFrame};
use crate::embedded::segment::SegmentFile;
use crate::embedded::shared::Shared;
use crate::embedded::touched::TouchedSegment;
use crate::engine::{LogId, StoreError};

/// Appends frames, beginning and closing segments as they fill.
pub struct SegmentWriter<'a> {
    shared: &'a Shared,
    pub log: LogId,
    /// The segment that takes the next frame; `None` before the first.
    open: Option<(Segment, Arc<SegmentFile>)>,
    /// An open segment that was there before.
    resume: Option<Segment>,
    /// Every segment that is new or changed, in order, once all is finished.
    pub changed: Vec<Segment>,
    /// Every segment that was written to.
    pub touched: Vec<TouchedSegment>,
    /// Bytes that are part of `open` but not written yet.
    buffer: Vec<u8>,
    buffer_max: usize,
}

impl<'a> SegmentWriter<'a> {
    /// A writer that goes on in `resume` if it has room, and gathers so many bytes before it
    /// writes.
    pub fn new(shared: &'a Shared, log: LogId, resume: Option<Segment>, buffer_max: usize) -> Self {
        Self {
            shared,
            log,
            open: None,
            resume,
            changed: Vec::new(),
            touched: Vec::new(),
            buffer: Vec::new(),
            buffer_max,
        }
    }

    /// Appends a frame as it is.
    pub fn append(&mut self, frame: &WalFrame, bytes: &[u8]) -> Result<(), StoreError> {
        self.begin_segment_for(frame)?;
        // A large frame need not be gathered, and would keep its room in the buffer.
        let is_large = bytes.len() >= self.buffer_max;
        match &self.open {
            Some((segment, file)) if is_large => {
                let at = segment.bytes;
                let file = Arc::clone(file);
                self.write_out()?;
                file.write(bytes, at)?;
            }
            _ => self.buffer.extend_from_slice(bytes),
        }
        if let Some((segment, file)) = &mut self.open {
            file.note_written(segment.bytes, frame);
            segment.end = frame.end;
            segment.last_arrival = frame.arrival;
            segment.bytes += u64::from(frame.length);
        }
        if self.buffer.len() >= self.buffer_max {
            self.write_out()?;
        }
        Ok(())
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
        self.touched.push(TouchedSegment {
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

    /// Opens the segment that was there before. One that the disk does not give back, or of which
    /// the header is damaged, is left as it is and told: what can be read of it is read, and the
    /// frames of this log and of all others still find their place.
    fn resume(&mut self) -> Result<(), StoreError> {
        let Some(segment) = self.resume.take() else {
            return Ok(());
        };
        let file = match self.shared.segment(self.log, segment.base) {
            Ok(file) => Some(file).filter(|file| file.header_damage().is_none()),
            Err(error @ StoreError::Corrupt { .. }) => {
                self.shared.health.note_unreadable(&error);
                None
            }
            Err(error) => return Err(error),
        };
        let Some(file) = file else {
            let closed = true;
            self.changed.push(Segment { closed, ..segment });
            return Ok(());
        };
        self.touched.push(TouchedSegment {
            file: file.clone(),
            log: self.log,
            base: segment.base,
            is_new: false,
        });
        self.open = Some((segment, file));
        Ok(())
    }

    /// Closes the segment that was there before, without adding to it: its index is then in its
    /// footer, and a time is found in it without reading all of it.
    pub fn close_idle(&mut self) -> Result<(), StoreError> {
        self.resume()?;
        self.close_segment()
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

    /// Writes what is left.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        self.write_out()?;
        let open = self.open.take();
        self.changed.extend(open.map(|(segment, _)| segment));
        Ok(())
    }
}
