//! Reading on behind frames that cannot be read.

use super::{Damage, SegmentFile, Unreadable, Walk, is_within, longer_than};
use crate::embedded::format::{FRAME_HEADER_BYTES, FrameHeader};
use crate::embedded::headers::{Headers, sound_after};
use crate::embedded::logs::Segment;
use crate::embedded::options::CHUNK_BYTES;
use crate::engine::{Position, StoreError};

impl SegmentFile {
    /// The offset of a frame behind the damaged header at `bad` from which `from` is come to. If
    /// `from` is among what is damaged, `error` is what there is to say.
    pub(super) fn pass_damage(
        &self,
        segment: &Segment,
        bad: u64,
        from: Position,
        error: StoreError,
    ) -> Result<u64, Unreadable> {
        let next = self.frame_behind(segment, bad)?;
        match next {
            Some((offset, header)) if header.position <= from => Ok(offset),
            Some((_, header)) => Err(Unreadable {
                error,
                resume: Some(header.position),
            }),
            None => Err(Unreadable {
                error,
                resume: Some(segment.end),
            }),
        }
    }

    /// The first frame that is found behind the damaged header at `bad`.
    pub(super) fn frame_behind(
        &self,
        segment: &Segment,
        mut bad: u64,
    ) -> Result<Option<(u64, FrameHeader)>, StoreError> {
        while bad < segment.bytes {
            let known = {
                let index = self.index(segment)?;
                let after = index.entries.partition_point(|entry| entry.offset <= bad);
                index.entries.get(after).map(|entry| entry.offset)
            };
            let next = sound_after(&self.frames, segment, bad, known.unwrap_or(segment.bytes))?;
            let header = Headers::new(&self.frames, FRAME_HEADER_BYTES).at(next)?;
            match header.filter(|(header, _)| next < segment.bytes && is_within(segment, header)) {
                Some((header, _)) => return Ok(Some((next, header))),
                None => bad = next,
            }
        }
        Ok(None)
    }

    /// The first position at or after `from` at which a frame can be read; the segment's end if
    /// there is none.
    pub fn readable_from(
        &self,
        segment: &Segment,
        mut from: Position,
    ) -> Result<Position, StoreError> {
        while from < segment.end {
            match self.first_readable(segment, from) {
                Ok(found) => return Ok(found.unwrap_or(segment.end)),
                Err(Unreadable { error, resume }) => {
                    from = resume.filter(|resume| *resume > from).ok_or(error)?;
                }
            }
        }
        Ok(from)
    }

    /// The same where no header is damaged: all that was sealed with a lost key is passed over in
    /// one go.
    fn first_readable(
        &self,
        segment: &Segment,
        from: Position,
    ) -> Result<Option<Position>, Unreadable> {
        let mut offset = self.offset_before(segment, from)?;
        let mut walk = Walk {
            segment,
            from,
            chain: None,
        };
        while offset < segment.bytes {
            let chunk = self.chunk(segment, offset, CHUNK_BYTES)?;
            let mut at = 0;
            let bad = loop {
                match self.parse(&chunk, at, &mut walk) {
                    Ok(Some((_, Some(frame)))) => return Ok(Some(frame.position.max(from))),
                    Ok(Some((length, None))) | Err(Damage::Body { length, .. }) => at += length,
                    Ok(None) => break None,
                    Err(Damage::Closed(error)) => return Err(error.into()),
                    Err(Damage::Header(error)) => break Some(error),
                }
            };
            offset += at as u64;
            if let Some(error) = bad {
                offset = self.pass_damage(segment, offset, from, error)?;
                walk.chain = None;
            } else if at == 0 {
                return Err(longer_than(segment, &self.frames, offset));
            }
        }
        Ok(None)
    }
}
