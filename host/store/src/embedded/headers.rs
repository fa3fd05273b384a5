//! Headers of a segment's frames, and where frames go on behind one whose header is damaged.

use bytes::Bytes;

use crate::disk::at_most;
use crate::embedded::format::{FRAME_HEADER_BYTES, FRAME_START, FrameHeader};
use crate::embedded::frame_file::FrameFile;
use crate::embedded::logs::Segment;
use crate::embedded::options::CHUNK_BYTES;
use crate::engine::{LogId, Position, StoreError};

/// What follows is read at once of this much.
const FOLLOW_BYTES: usize = 64 * 1024;
/// What looks like a header is followed to a place that is known, this many times at most for one
/// damage. Past it the frames before that place count as damaged: records may be full of what
/// looks like headers.
const FOLLOWED_MAX: usize = 64;

/// Reads headers of frames one after the other, a stretch of the file at a time.
pub struct Headers<'a> {
    file: &'a FrameFile,
    /// Bytes that are read at once.
    stretch_bytes: usize,
    /// From the start of the first frame.
    start: u64,
    stretch: Bytes,
}

impl<'a> Headers<'a> {
    /// Nothing read yet.
    pub fn new(file: &'a FrameFile, stretch_bytes: usize) -> Self {
        Self {
            file,
            stretch_bytes,
            start: 0,
            stretch: Bytes::new(),
        }
    }

    /// The header at `offset`, which never lies before the last one, and its checksum; `None` if
    /// there is none of this log.
    pub fn at(&mut self, offset: u64) -> Result<Option<(FrameHeader, u32)>, StoreError> {
        if self.known(offset).is_none() {
            self.stretch = self.file.read_at(offset, self.stretch_bytes)?;
            self.start = offset;
        }
        let header = self.known(offset).and_then(FrameHeader::decode);
        Ok(header.filter(|(header, _)| header.log == self.file.log))
    }

    fn known(&self, offset: u64) -> Option<&[u8]> {
        let within = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.stretch
            .get(within..within.checked_add(FRAME_HEADER_BYTES)?)
    }
}

/// The offset of the first frame behind the damaged header at `bad`; `until` if none is found
/// before it. `until` is where a frame is known to begin, or the end of the segment.
///
/// A record may hold the bytes of a frame, so a header alone proves nothing. One is believed that
/// names the damaged header as the one before it, or from which frames follow each other up to
/// `until`.
pub fn sound_after(
    file: &FrameFile,
    segment: &Segment,
    bad: u64,
    until: u64,
) -> Result<u64, StoreError> {
    let links = links(file, bad)?;
    let mut followed = 0;
    let mut start = bad + 1;
    while start < until {
        let bytes = file.read_at(start, at_most(CHUNK_BYTES, until - start))?;
        let windows = bytes.windows(FRAME_START.len()).enumerate();
        for (at, _) in windows.filter(|(_, window)| *window == FRAME_START) {
            let found = bytes.get(at..at + FRAME_HEADER_BYTES);
            let found = found.and_then(FrameHeader::decode);
            let Some((header, _)) = found.filter(|(header, _)| header.log == file.log) else {
                continue;
            };
            let offset = start + at as u64;
            if links.contains(&header.previous) {
                return Ok(offset);
            }
            followed += 1;
            if followed <= FOLLOWED_MAX && leads_to(file, segment, offset, until)? {
                return Ok(offset);
            }
        }
        // A header may lie across the end of what was read.
        let passed = bytes.len().saturating_sub(FRAME_HEADER_BYTES - 1);
        if passed == 0 || until <= start + bytes.len() as u64 {
            break;
        }
        start += passed as u64;
    }
    Ok(until)
}

/// What the frame behind the damaged header may call the checksum of the one before it: the one
/// that stands there, or the one that the rest of it has. One byte that flipped is in one of the
/// two. A header that names another log, as zeros do, says nothing.
fn links(file: &FrameFile, bad: u64) -> Result<Vec<u32>, StoreError> {
    let bytes = file.read_at(bad, FRAME_HEADER_BYTES)?;
    Ok(checksums_of_damaged(&bytes, file.log).unwrap_or_default())
}

fn checksums_of_damaged(header: &[u8], log: LogId) -> Option<Vec<u32>> {
    let header = header.first_chunk::<FRAME_HEADER_BYTES>()?;
    let stored = u32::from_le_bytes(*header.get(4..)?.first_chunk()?);
    let names = u64::from_le_bytes(*header.get(24..)?.first_chunk()?);
    let computed = crc32c::crc32c(header.get(8..)?);
    // 0 is what the first frame of a log says, which follows none.
    let links = [stored, computed].into_iter().filter(|link| *link != 0);
    (names == log.0).then(|| links.collect())
}

/// Whether frames follow each other without a gap from `offset` to `until`.
fn leads_to(
    file: &FrameFile,
    segment: &Segment,
    offset: u64,
    until: u64,
) -> Result<bool, StoreError> {
    let mut headers = Headers::new(file, FOLLOW_BYTES);
    let (mut at, mut before) = (offset, None);
    while at < until {
        let Some((header, crc)) = headers.at(at)? else {
            return Ok(false);
        };
        if !follows(file, before, &header) {
            return Ok(false);
        }
        at += header.frame_bytes() as u64;
        before = Some((header.end(), crc));
    }
    if at != until {
        return Ok(false);
    }
    if until == segment.bytes {
        return Ok(before.is_some_and(|(end, _)| end == segment.end));
    }
    let known = headers.at(until)?;
    Ok(known.is_some_and(|(header, _)| follows(file, before, &header)))
}

fn follows(file: &FrameFile, before: Option<(Position, u32)>, header: &FrameHeader) -> bool {
    header.log == file.log
        && before.is_none_or(|(end, crc)| header.position == end && header.previous == crc)
}
