//! Files of one log's frames. A segment can always be read from its frames alone; its index is
//! made from them, or taken from the file's footer.

use std::collections::HashMap;
use std::io::IoSlice;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, BufMut, Bytes};
use types::Timestamp;

use crate::disk::{Disk, DiskFile};
use crate::embedded::format::{FRAME_HEADER_BYTES, FrameHeader};
use crate::embedded::logs::{Segment, WalFrame};
use crate::embedded::options::{CHUNK_BYTES, INDEX_EVERY_BYTES, SEGMENTS_OPEN_MAX};
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
    /// Reads frames from the one that holds the record at `from` on, until their bodies reach `bytes_max`
    /// or the segment ends. What was read before a damaged place is returned; a read that begins
    /// there says what is wrong.
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
            let mut at = 0;
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
                    Err(_) if !frames.is_empty() => return Ok(total),
                    Err(error) => return Err(error),
                }
            }
            if at == 0 {
                return match frames.is_empty() {
                    true => Err(self.corrupt(offset, "a frame is longer than its segment")),
                    false => Ok(total),
                };
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
        let left = usize::try_from(segment.bytes - offset).unwrap_or(usize::MAX);
        let mut bytes = self.read_at(offset, bytes.min(left))?;
        let whole = FrameHeader::decode(&bytes).map_or(0, |(header, _)| header.frame_bytes());
        if bytes.len() < whole {
            bytes = self.read_at(offset, whole.min(left))?;
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

    /// The position of the first frame that arrived at or after `at`.
    pub fn seek_time(&self, segment: &Segment, at: Timestamp) -> Result<Position, StoreError> {
        let mut offset = {
            let index = self.index(segment)?;
            let after = index.entries.partition_point(|entry| entry.arrival < at);
            index
                .entries
                .get(after.saturating_sub(1))
                .map_or(0, |entry| entry.offset)
        };
        while offset < segment.bytes {
            let chunk = self.read_at(offset, FRAME_HEADER_BYTES)?;
            let Some((header, _)) = FrameHeader::decode(&chunk) else {
                return Err(self.corrupt(offset, "this is not the header of a frame"));
            };
            if at <= header.arrival {
                return Ok(header.position);
            }
            offset += header.frame_bytes() as u64;
        }
        Ok(segment.end)
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
            *index = self.footer(segment).unwrap_or_default();
        }
        let mut chunk = (0, Bytes::new());
        while index.covered < segment.bytes {
            let offset = index.covered;
            let within = usize::try_from(offset - chunk.0).unwrap_or(usize::MAX);
            let header = match chunk
                .1
                .get(within..within.saturating_add(FRAME_HEADER_BYTES))
            {
                Some(bytes) => FrameHeader::decode(bytes),
                None => {
                    chunk = (offset, self.read_at(offset, CHUNK_BYTES)?);
                    FrameHeader::decode(&chunk.1)
                }
            };
            let Some((header, _)) = header else { break };
            let bytes = header.frame_bytes() as u64;
            index.add(header.position, header.arrival, bytes);
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
        let mut out = Vec::with_capacity(index.entries.len() * INDEX_ENTRY_BYTES + 16);
        for entry in &index.entries {
            out.put_u64_le(entry.position.0);
            out.put_u64_le(entry.arrival.0);
            out.put_u64_le(entry.offset);
        }
        let crc = crc32c::crc32c(&out);
        out.put_u32_le(u32::try_from(index.entries.len()).unwrap_or(u32::MAX));
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

/// The segments that are open, the one used longest ago closed first.
pub struct Segments {
    disk: Arc<dyn Disk>,
    open: Mutex<OpenSegments>,
}

#[derive(Default)]
struct OpenSegments {
    files: HashMap<(LogId, Position), (Arc<SegmentFile>, u64)>,
    uses: u64,
}

impl Segments {
    /// Nothing open yet.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            open: Mutex::default(),
        }
    }

    /// The segment of `log` that begins at `base`. Blocks while the file is opened.
    pub fn open(&self, log: LogId, base: Position) -> Result<Arc<SegmentFile>, StoreError> {
        if let Some(found) = self.find(log, base) {
            return Ok(found);
        }
        let path = segment_path(log, base);
        let opening = |source| StoreError::io(format!("open {path}"), source);
        let file = self.disk.open(path.as_ref()).map_err(opening)?;
        let mut header = [0; SEGMENT_HEADER_BYTES];
        read_full(file.as_ref(), &mut header, 0).map_err(opening)?;
        if header != encode_header(log, base) {
            return Err(StoreError::corrupt(
                path,
                0,
                "this is not the header of the segment",
            ));
        }
        Ok(self.keep(
            log,
            base,
            SegmentFile {
                log,
                path,
                file,
                index: Mutex::default(),
            },
        ))
    }

    /// Makes an empty segment, or empties what an unfinished flush has left.
    pub fn create(&self, log: LogId, base: Position) -> Result<Arc<SegmentFile>, StoreError> {
        self.forget(log, base);
        let path = segment_path(log, base);
        let making = |source| StoreError::io(format!("make {path}"), source);
        self.disk
            .create_dir(log_dir(log).as_ref())
            .map_err(making)?;
        let file = self.disk.create(path.as_ref()).map_err(making)?;
        let header = encode_header(log, base);
        write_all(file.as_ref(), &mut [IoSlice::new(&header)], 0).map_err(making)?;
        Ok(self.keep(
            log,
            base,
            SegmentFile {
                log,
                path,
                file,
                index: Mutex::default(),
            },
        ))
    }

    /// Closes a segment if it is open.
    pub fn forget(&self, log: LogId, base: Position) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.files.remove(&(log, base));
    }

    fn find(&self, log: LogId, base: Position) -> Option<Arc<SegmentFile>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.uses += 1;
        let now = open.uses;
        let (file, used) = open.files.get_mut(&(log, base))?;
        *used = now;
        Some(file.clone())
    }

    fn keep(&self, log: LogId, base: Position, segment: SegmentFile) -> Arc<SegmentFile> {
        let segment = Arc::new(segment);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if SEGMENTS_OPEN_MAX <= open.files.len() {
            let oldest = open.files.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                open.files.remove(&oldest);
            }
        }
        open.uses += 1;
        let now = open.uses;
        open.files.insert((log, base), (segment.clone(), now));
        segment
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
        let segments = Segments::new(Arc::new(disk));
        let (log, base) = (LogId(7), Position(3));
        let written = segments.create(log, base).unwrap();
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
        segments.forget(log, base);
        let read = segments.open(log, base).unwrap();
        let (noted, found) = (written.index(&segment), read.index(&segment));
        let (noted, found) = (noted.unwrap(), found.unwrap());
        assert_eq!(noted.entries, found.entries);
        assert_eq!(noted.covered, segment.bytes);
        assert!(noted.entries.len() > 4);
    }
}
