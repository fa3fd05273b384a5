//! Files of one log's frames. A segment can always be read from its frames alone; its index is
//! made from them, or taken from the file's footer.

use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, BufMut, Bytes};
use types::Timestamp;

use crate::disk::{Disk, DiskFile, at_most};
use crate::embedded::format::{FRAME_HEADER_BYTES, FrameHeader};
use crate::embedded::logs::{Segment, Sought, WalFrame};
use crate::embedded::options::{CHUNK_BYTES, INDEX_EVERY_BYTES};
use crate::embedded::wal::{read_full, read_onto, write_all, write_past_cache};
use crate::engine::{Frame, LogId, Position, StoreError};

/// The directory of all logs' directories.
pub const LOGS_DIR: &str = "logs";
/// Bytes before the first frame.
pub const SEGMENT_HEADER_BYTES: usize = 64;
const SEGMENT_MAGIC: &[u8; 8] = b"MRSEG\0\0\x01";
const FOOTER_MAGIC: &[u8; 8] = b"MRIDX\0\0\x01";
const FOOTER_TAIL_BYTES: usize = 16;
const INDEX_ENTRY_BYTES: usize = 24;
/// A read begins with this much and goes on with `CHUNK_BYTES`: most readers want little.
const FIRST_CHUNK_BYTES: usize = 256 * 1024;
/// What looking for a time reads at once: as much as lies between two entries of the index.
const SEEK_BYTES: usize = 64 * 1024;

/// The directory of a log's segments.
pub fn log_dir(log: LogId) -> String {
    format!("{LOGS_DIR}/{:016x}", log.0)
}

/// The file of the log's segment that begins at `base`.
pub fn segment_path(log: LogId, base: Position) -> String {
    format!("{}/{:020}.seg", log_dir(log), base.0)
}

/// The first bytes of a segment's file.
pub fn encode_header(log: LogId, base: Position) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut out = [0; SEGMENT_HEADER_BYTES];
    out[0..8].copy_from_slice(SEGMENT_MAGIC);
    out[8..16].copy_from_slice(&log.0.to_le_bytes());
    out[16..24].copy_from_slice(&base.0.to_le_bytes());
    let crc = crc32c::crc32c(&out[..60]);
    out[60..].copy_from_slice(&crc.to_le_bytes());
    out
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct IndexEntry {
    position: Position,
    arrival: Timestamp,
    /// From the start of the first frame.
    offset: u64,
}

#[derive(Debug, Default)]
struct Index {
    entries: Vec<IndexEntry>,
    /// Bytes of frames that the entries speak of.
    covered: u64,
}

impl Index {
    /// Goes on with the frame that follows what is covered.
    fn add(&mut self, position: Position, arrival: Timestamp, bytes: u64) {
        let offset = self.covered;
        let last = self.entries.last();
        if last.is_none_or(|last| last.offset + INDEX_EVERY_BYTES <= offset) {
            self.entries.push(IndexEntry {
                position,
                arrival,
                offset,
            });
        }
        self.covered += bytes;
    }
}

/// A stretch of a segment in memory.
struct Chunk {
    /// From the start of the first frame.
    offset: u64,
    bytes: Bytes,
}

/// An open segment.
pub struct SegmentFile {
    log: LogId,
    path: String,
    file: Arc<dyn DiskFile>,
    index: Mutex<Index>,
}

impl SegmentFile {
    /// Opens the segment of `log` that begins at `base`.
    pub fn open(disk: &dyn Disk, log: LogId, base: Position) -> Result<Self, StoreError> {
        let path = segment_path(log, base);
        let opening = |source| StoreError::io(format!("open {path}"), source);
        let file = disk.open(path.as_ref()).map_err(opening)?;
        let mut header = [0; SEGMENT_HEADER_BYTES];
        read_full(file.as_ref(), &mut header, 0).map_err(opening)?;
        if header != encode_header(log, base) {
            let what = "this is not the header of the segment";
            return Err(StoreError::corrupt(path, 0, what));
        }
        Ok(Self::new(log, path, file))
    }

    /// Makes an empty segment, or empties what an unfinished flush has left.
    pub fn create(disk: &dyn Disk, log: LogId, base: Position) -> Result<Self, StoreError> {
        let path = segment_path(log, base);
        let making = |source| StoreError::io(format!("make {path}"), source);
        disk.create_dir(log_dir(log).as_ref()).map_err(making)?;
        let file = disk.create(path.as_ref()).map_err(making)?;
        let header = encode_header(log, base);
        write_all(file.as_ref(), &mut [IoSlice::new(&header)], 0).map_err(making)?;
        Ok(Self::new(log, path, file))
    }

    fn new(log: LogId, path: String, file: Arc<dyn DiskFile>) -> Self {
        Self {
            log,
            path,
            file,
            index: Mutex::default(),
        }
    }

    /// Reads frames from the one that holds the record at `from` on, until their bodies reach
    /// `bytes_max` or the segment ends. What was read before a damaged place is returned; a read
    /// that begins there says what is wrong.
    pub fn read(
        &self,
        segment: &Segment,
        from: Position,
        bytes_max: usize,
        frames: &mut Vec<Frame>,
    ) -> Result<usize, StoreError> {
        let mut offset = self.offset_before(segment, from)?;
        let (mut total, mut chunk_bytes) = (0, FIRST_CHUNK_BYTES);
        let mut chain = None;
        while total < bytes_max && offset < segment.bytes {
            let chunk = self.chunk(segment, offset, chunk_bytes)?;
            chunk_bytes = CHUNK_BYTES;
            let (mut at, first, mut damage) = (0, frames.len(), None);
            while total < bytes_max {
                match self.parse(&chunk, at, &mut chain, from) {
                    Ok(Some((length, frame))) => {
                        at += length;
                        if let Some(frame) = frame {
                            total += frame.body.len();
                            frames.push(frame);
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        damage = Some(error);
                        break;
                    }
                }
            }
            let_go(&mut frames[first..], &chunk);
            match damage {
                Some(error) if frames.is_empty() => return Err(error),
                Some(_) => return Ok(total),
                None => {}
            }
            if at == 0 {
                if frames.is_empty() {
                    return Err(self.corrupt(offset, "a frame is longer than its segment"));
                }
                return Ok(total);
            }
            offset += at as u64;
        }
        Ok(total)
    }

    /// The frame at `at` in `chunk`, and its length; `None` if the chunk ends within it. A frame
    /// that ends before `from` is passed over unread.
    fn parse(
        &self,
        chunk: &Chunk,
        at: usize,
        chain: &mut Option<u32>,
        from: Position,
    ) -> Result<Option<(usize, Option<Frame>)>, StoreError> {
        let (place, chunk) = (chunk.offset + at as u64, &chunk.bytes);
        let Some(bytes) = chunk.get(at..at + FRAME_HEADER_BYTES) else {
            return Ok(None);
        };
        let Some((header, crc)) = FrameHeader::decode(bytes) else {
            return Err(self.corrupt(place, "this is not the header of a frame"));
        };
        if header.log != self.log {
            return Err(self.corrupt(place, "the frame belongs to another log"));
        }
        if chunk.len() < at + header.frame_bytes() {
            return Ok(None);
        }
        if chain.is_some_and(|chain| chain != header.previous) {
            return Err(self.corrupt(place, "the frame does not follow the one before it"));
        }
        *chain = Some(crc);
        if header.end() <= from {
            return Ok(Some((header.frame_bytes(), None)));
        }
        let body = chunk.slice(at + FRAME_HEADER_BYTES..at + header.frame_bytes());
        if crc32c::crc32c(&body) != header.body_crc {
            return Err(self.corrupt(place, "the frame's body has a wrong checksum"));
        }
        let (position, arrival, count) = (header.position, header.arrival, header.count);
        Ok(Some((
            header.frame_bytes(),
            Some(Frame {
                position,
                arrival,
                count,
                body,
            }),
        )))
    }

    /// At least one whole frame from `offset` on, if the segment has one.
    fn chunk(&self, segment: &Segment, offset: u64, bytes: usize) -> Result<Chunk, StoreError> {
        let left = segment.bytes - offset;
        let mut bytes = self.read_at(offset, at_most(bytes, left))?;
        // What has no header is found out by whoever parses it.
        if let Some((header, _)) = FrameHeader::decode(&bytes)
            && bytes.len() < header.frame_bytes()
        {
            bytes = self.read_at(offset, at_most(header.frame_bytes(), left))?;
        }
        Ok(Chunk { offset, bytes })
    }

    fn read_at(&self, offset: u64, bytes: usize) -> Result<Bytes, StoreError> {
        let mut chunk = Vec::new();
        let at = SEGMENT_HEADER_BYTES as u64 + offset;
        read_onto(self.file.as_ref(), &mut chunk, bytes, at)
            .map_err(|source| StoreError::io(format!("read {}", self.path), source))?;
        Ok(Bytes::from(chunk))
    }

    /// The first frame that arrived at or after `at` and ends after `from`.
    pub fn seek_time(
        &self,
        segment: &Segment,
        at: Timestamp,
        from: Position,
    ) -> Result<Option<Sought>, StoreError> {
        let mut offset = {
            let index = self.index(segment)?;
            let is_before = |entry: &IndexEntry| entry.arrival < at || entry.position <= from;
            let after = index.entries.partition_point(is_before);
            let last = after.checked_sub(1).and_then(|n| index.entries.get(n));
            last.map_or(0, |entry| entry.offset)
        };
        let mut headers = Headers::new(self, SEEK_BYTES);
        while offset < segment.bytes {
            let Some(header) = headers.at(offset)? else {
                return Err(self.corrupt(offset, "this is not the header of a frame"));
            };
            if header.arrival >= at && header.end() > from {
                return Ok(Some(Sought {
                    position: header.position,
                    end: header.end(),
                    arrival: header.arrival,
                }));
            }
            offset += header.frame_bytes() as u64;
        }
        Ok(None)
    }

    fn offset_before(&self, segment: &Segment, position: Position) -> Result<u64, StoreError> {
        let index = self.index(segment)?;
        let after = index
            .entries
            .partition_point(|entry| entry.position <= position);
        let Some(entry) = after.checked_sub(1).and_then(|n| index.entries.get(n)) else {
            return Ok(0);
        };
        Ok(entry.offset)
    }

    /// The index, made to cover the whole segment, or all of it before its first damage.
    fn index(&self, segment: &Segment) -> Result<std::sync::MutexGuard<'_, Index>, StoreError> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if index.covered == 0 && segment.closed {
            // Without a footer to rely on, the index is made from the frames below.
            *index = self.footer(segment).unwrap_or_default();
        }
        let mut headers = Headers::new(self, CHUNK_BYTES);
        while index.covered < segment.bytes {
            let Some(header) = headers.at(index.covered)? else {
                break;
            };
            index.add(header.position, header.arrival, header.frame_bytes() as u64);
        }
        Ok(index)
    }

    /// Goes on in the index with a frame that is being written at `offset`, so that it need not be
    /// read again when the segment is closed. Leaves an index that does not reach there.
    pub fn note_written(&self, offset: u64, frame: &WalFrame) {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if index.covered == offset {
            index.add(frame.position, frame.arrival, u64::from(frame.length));
        }
    }

    /// The index as the file's footer has it; `None` if there is none to be relied on.
    fn footer(&self, segment: &Segment) -> Option<Index> {
        let end = self
            .file
            .length()
            .ok()?
            .checked_sub(SEGMENT_HEADER_BYTES as u64)?;
        let bytes = usize::try_from(end.checked_sub(segment.bytes)?).ok()?;
        let footer = self.read_at(segment.bytes, bytes).ok()?;
        let (entries, mut tail) =
            footer.split_at_checked(footer.len().checked_sub(FOOTER_TAIL_BYTES)?)?;
        let (count, crc) = (tail.get_u32_le() as usize, tail.get_u32_le());
        let whole = entries.len() == count * INDEX_ENTRY_BYTES && tail == FOOTER_MAGIC;
        if !whole || crc32c::crc32c(entries) != crc {
            return None;
        }
        let entries = entries
            .chunks_exact(INDEX_ENTRY_BYTES)
            .map(|mut entry| IndexEntry {
                position: Position(entry.get_u64_le()),
                arrival: Timestamp(entry.get_u64_le()),
                offset: entry.get_u64_le(),
            });
        Some(Index {
            entries: entries.collect(),
            covered: segment.bytes,
        })
    }

    /// Writes the index behind the frames: the segment is complete.
    pub fn write_footer(&self, segment: &Segment) -> Result<(), StoreError> {
        let index = self.index(segment)?;
        let count = u32::try_from(index.entries.len()).map_err(|error| {
            let doing = format!("write the index of {}", self.path);
            StoreError::io(doing, io::Error::other(error))
        })?;
        let mut out = Vec::with_capacity(index.entries.len() * INDEX_ENTRY_BYTES + 16);
        for entry in &index.entries {
            out.put_u64_le(entry.position.0);
            out.put_u64_le(entry.arrival.0);
            out.put_u64_le(entry.offset);
        }
        let crc = crc32c::crc32c(&out);
        out.put_u32_le(count);
        out.put_u32_le(crc);
        out.put_slice(FOOTER_MAGIC);
        self.write(&out, segment.bytes)
    }

    /// Writes at `offset` from the start of the first frame.
    pub fn write(&self, bytes: &[u8], offset: u64) -> Result<(), StoreError> {
        let at = SEGMENT_HEADER_BYTES as u64 + offset;
        write_past_cache(self.file.as_ref(), bytes, at)
            .map_err(|source| StoreError::io(format!("write {}", self.path), source))
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> Result<(), StoreError> {
        let failed = |source| StoreError::io(format!("sync {}", self.path), source);
        self.file.sync().map_err(failed)
    }

    fn corrupt(&self, offset: u64, what: &str) -> StoreError {
        StoreError::corrupt(
            self.path.clone(),
            SEGMENT_HEADER_BYTES as u64 + offset,
            what,
        )
    }
}

/// Copies the bodies of all frames that were found in a chunk if they are less than half of it:
/// they are slices, and one of a few bytes would keep all of the chunk in memory.
fn let_go(found: &mut [Frame], chunk: &Chunk) {
    let bytes: usize = found.iter().map(|frame| frame.body.len()).sum();
    if bytes < chunk.bytes.len() / 2 {
        for frame in found {
            frame.body = Bytes::copy_from_slice(&frame.body);
        }
    }
}

/// Reads headers of frames one after the other, a stretch of the file at a time.
struct Headers<'a> {
    segment: &'a SegmentFile,
    /// Bytes that are read at once.
    stretch_bytes: usize,
    /// From the start of the first frame.
    start: u64,
    stretch: Bytes,
}

impl<'a> Headers<'a> {
    fn new(segment: &'a SegmentFile, stretch_bytes: usize) -> Self {
        Self {
            segment,
            stretch_bytes,
            start: 0,
            stretch: Bytes::new(),
        }
    }

    /// The header at `offset`, which never lies before the last one; `None` if there is none.
    fn at(&mut self, offset: u64) -> Result<Option<FrameHeader>, StoreError> {
        if let Some(bytes) = self.known(offset) {
            return Ok(FrameHeader::decode(bytes).map(|(header, _)| header));
        }
        self.stretch = self.segment.read_at(offset, self.stretch_bytes)?;
        self.start = offset;
        Ok(FrameHeader::decode(&self.stretch).map(|(header, _)| header))
    }

    fn known(&self, offset: u64) -> Option<&[u8]> {
        let within = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.stretch
            .get(within..within.checked_add(FRAME_HEADER_BYTES)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::SimulatedDisk;

    #[test]
    fn an_index_noted_while_writing_is_the_one_that_reading_finds() {
        let disk = SimulatedDisk::new(1);
        disk.create_dir(LOGS_DIR.as_ref()).unwrap();
        let (log, base) = (LogId(7), Position(3));
        let written = SegmentFile::create(&disk, log, base).unwrap();
        let (mut bytes, mut frames) = (Vec::new(), Vec::new());
        for n in 0..40 {
            let header = FrameHeader {
                log,
                position: Position(base.0 + n),
                epoch: 1,
                arrival: Timestamp(1_000 + n),
                count: 1,
                length: 9_000,
                body_crc: crc32c::crc32c(&[1; 9_000]),
                previous: 0,
            };
            frames.push(WalFrame {
                position: header.position,
                end: header.end(),
                arrival: header.arrival,
                slot: 0,
                offset: bytes.len() as u64,
                length: u32::try_from(header.frame_bytes()).unwrap(),
            });
            bytes.extend_from_slice(&header.encode().0);
            bytes.extend_from_slice(&[1; 9_000]);
        }
        let segment = Segment {
            base,
            end: Position(base.0 + 40),
            bytes: bytes.len() as u64,
            first_arrival: Timestamp(1_000),
            last_arrival: Timestamp(1_039),
            closed: false,
        };
        for frame in frames.iter().chain(&frames[20..]) {
            written.note_written(frame.offset, frame);
        }
        written.write(&bytes, 0).unwrap();
        let read = SegmentFile::open(&disk, log, base).unwrap();
        let (noted, found) = (written.index(&segment), read.index(&segment));
        let (noted, found) = (noted.unwrap(), found.unwrap());
        assert_eq!(noted.entries, found.entries);
        assert_eq!(noted.covered, segment.bytes);
        assert!(noted.entries.len() > 4);
    }
}
