//! Files of one log's frames. A segment can always be read from its frames alone; its index is
//! made from them, or taken from the file's footer.

mod behind;

use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use types::Timestamp;

use crate::disk::{Disk, DiskFile, at_most};
use crate::embedded::format::{FRAME_HEADER_BYTES, FrameHeader};
use crate::embedded::frame_file::{FrameFile, SEGMENT_HEADER_BYTES};
use crate::embedded::given_back::{is_not_given_back, not_given_back, unread};
use crate::embedded::headers::{Headers, sound_after};
use crate::embedded::logs::{Segment, Sought, WalFrame};
use crate::embedded::options::CHUNK_BYTES;
use crate::embedded::seal;
use crate::embedded::segment_index::{Index, IndexEntry};
use crate::embedded::segment_names::{encode_header, log_dir, segment_path};
use crate::embedded::wal::{read_full, write_all, write_past_cache};
use crate::engine::{Frame, LogId, Position, StoreError};
use crate::keys::KeyRing;

/// A read begins with this much and goes on with `CHUNK_BYTES`: most readers want little.
const FIRST_CHUNK_BYTES: usize = 256 * 1024;
/// What looking for a time reads at once: as much as lies between two entries of the index.
const SEEK_BYTES: usize = 64 * 1024;

/// Why a segment gave no frame.
pub struct Unreadable {
    pub error: StoreError,
    /// Where frames may be read again, if it is the frames that are damaged.
    pub resume: Option<Position>,
}

impl From<StoreError> for Unreadable {
    fn from(error: StoreError) -> Self {
        Self {
            error,
            resume: None,
        }
    }
}

/// What is wrong with one frame.
enum Damage {
    /// Its body, which is damaged or not to be opened for want of its key.
    Body {
        error: StoreError,
        /// Where the frames after it begin.
        end: Position,
        /// Bytes of the frame.
        length: usize,
    },
    /// Its header, so that nobody knows where the next frame is.
    Header(StoreError),
    /// None: this build does not open it.
    Closed(StoreError),
}

/// How frames are read one after the other.
struct Walk<'a> {
    segment: &'a Segment,
    /// Frames that end before are passed over unread.
    from: Position,
    /// The checksum of the header before, once there was one.
    chain: Option<u32>,
}

/// A stretch of a segment in memory.
struct Chunk {
    /// From the start of the first frame.
    offset: u64,
    bytes: Bytes,
}

/// An open segment.
pub struct SegmentFile {
    frames: FrameFile,
    keys: Arc<KeyRing>,
    index: Mutex<Index>,
    header_damage: Option<StoreError>,
}

impl SegmentFile {
    /// Opens the segment of `log` that begins at `base`. Its own header says nothing that the name
    /// of the file does not say, and each frame names its log and its place, so that frames are
    /// read though the header is damaged.
    pub fn open(disk: &dyn Disk, log: LogId, base: Position) -> Result<Self, StoreError> {
        let path = segment_path(log, base);
        let file = disk.open(path.as_ref());
        let file = file.map_err(|source| unread(&path, 0, source))?;
        let mut header = [0; SEGMENT_HEADER_BYTES];
        let damage = match read_full(file.as_ref(), &mut header, 0) {
            Ok(_) if header == encode_header(log, base) => None,
            Ok(_) => Some("this is not the header of the segment".to_owned()),
            Err(error) if is_not_given_back(&error) => Some(not_given_back(&error)),
            Err(error) => return Err(unread(&path, 0, error)),
        };
        let header_damage = damage.map(|what| {
            let what = format!("{what} (the file's header, which no read needs)");
            StoreError::corrupt(path.clone(), 0, what)
        });
        Ok(Self {
            header_damage,
            ..Self::new(log, path, file)
        })
    }

    /// What is wrong with the file's own header.
    pub fn header_damage(&self) -> Option<&StoreError> {
        self.header_damage.as_ref()
    }

    /// Makes an empty segment, or begins again in what an unfinished flush has left. That is not
    /// emptied: the flush may have failed when the catalog had already noted it, and then the same
    /// frames are written to the same places.
    pub fn create(disk: &dyn Disk, log: LogId, base: Position) -> Result<Self, StoreError> {
        let path = segment_path(log, base);
        let making = |source| StoreError::io(format!("make {path}"), source);
        disk.create_dir(log_dir(log).as_ref()).map_err(making)?;
        let file = match disk.open(path.as_ref()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(path.as_ref()),
            opened => opened,
        };
        let file = file.map_err(making)?;
        let header = encode_header(log, base);
        write_all(file.as_ref(), &mut [IoSlice::new(&header)], 0).map_err(making)?;
        Ok(Self::new(log, path, file))
    }

    fn new(log: LogId, path: String, file: Arc<dyn DiskFile>) -> Self {
        Self {
            frames: FrameFile { log, path, file },
            keys: Arc::default(),
            index: Mutex::default(),
            header_damage: None,
        }
    }

    /// The same with the keys of its frames.
    pub fn with_keys(self, keys: &Arc<KeyRing>) -> Self {
        Self {
            keys: Arc::clone(keys),
            ..self
        }
    }

    /// Reads frames from the one that holds the record at `from` on, until their bodies reach
    /// `bytes_max` or the segment ends. What was read before a damaged place is returned; a read
    /// that begins there says what is wrong, and one that begins behind it passes it.
    pub fn read(
        &self,
        segment: &Segment,
        from: Position,
        bytes_max: usize,
        frames: &mut Vec<Frame>,
    ) -> Result<usize, Unreadable> {
        let mut offset = self.offset_before(segment, from)?;
        let (mut total, mut chunk_bytes) = (0, FIRST_CHUNK_BYTES);
        let mut walk = Walk {
            segment,
            from,
            chain: None,
        };
        while total < bytes_max && offset < segment.bytes {
            let chunk = self.chunk(segment, offset, chunk_bytes)?;
            chunk_bytes = CHUNK_BYTES;
            let (mut at, first, mut damage) = (0, frames.len(), None);
            while total < bytes_max {
                match self.parse(&chunk, at, &mut walk) {
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
                Some(_) if !frames.is_empty() => return Ok(total),
                Some(Damage::Body { error, end, .. }) => {
                    let resume = Some(end);
                    return Err(Unreadable { error, resume });
                }
                Some(Damage::Closed(error)) => return Err(error.into()),
                Some(Damage::Header(error)) => {
                    offset = self.pass_damage(segment, offset + at as u64, from, error)?;
                    walk.chain = None;
                    continue;
                }
                None => {}
            }
            if at == 0 {
                if frames.is_empty() {
                    return Err(longer_than(segment, &self.frames, offset));
                }
                return Ok(total);
            }
            offset += at as u64;
        }
        Ok(total)
    }

    /// The frame at `at` in `chunk`, and its length; `None` if the chunk ends within it. A frame
    /// that ends before the walk begins is passed over unread.
    fn parse(
        &self,
        chunk: &Chunk,
        at: usize,
        walk: &mut Walk<'_>,
    ) -> Result<Option<(usize, Option<Frame>)>, Damage> {
        let (place, chunk) = (chunk.offset + at as u64, &chunk.bytes);
        let Some(bytes) = chunk.get(at..at + FRAME_HEADER_BYTES) else {
            return Ok(None);
        };
        let lost =
            |what: &str| Damage::Header(self.frames.corrupt(place, FRAME_HEADER_BYTES, what));
        let Some((header, crc)) = FrameHeader::decode(bytes) else {
            return Err(lost("this is not the header of a frame"));
        };
        if header.log != self.frames.log {
            return Err(lost("the frame belongs to another log"));
        }
        if !is_within(walk.segment, &header) {
            return Err(lost("the frame belongs to another segment"));
        }
        if chunk.len() < at + header.frame_bytes() {
            return Ok(None);
        }
        if walk.chain.is_some_and(|chain| chain != header.previous) {
            return Err(lost("the frame does not follow the one before it"));
        }
        walk.chain = Some(crc);
        if header.end() <= walk.from {
            return Ok(Some((header.frame_bytes(), None)));
        }
        let body = chunk.slice(at + FRAME_HEADER_BYTES..at + header.frame_bytes());
        if crc32c::crc32c(&body) != header.body_crc {
            let what = "the frame's body has a wrong checksum";
            let error = self.frames.corrupt(place, header.frame_bytes(), what);
            return Err(body_of(error, &header));
        }
        let offset = SEGMENT_HEADER_BYTES as u64 + place;
        let opened = seal::open(&header, body, &self.keys);
        let (body, key) = opened.map_err(|closed| match closed.at(&self.frames.path, offset) {
            error if error.hides_records() => body_of(error, &header),
            closed => Damage::Closed(closed),
        })?;
        let (position, arrival, count) = (header.position, header.arrival, header.count);
        Ok(Some((
            header.frame_bytes(),
            Some(Frame {
                position,
                arrival,
                count,
                body,
                key,
            }),
        )))
    }

    /// At least one whole frame from `offset` on, if the segment has one.
    fn chunk(&self, segment: &Segment, offset: u64, bytes: usize) -> Result<Chunk, StoreError> {
        let left = segment.bytes - offset;
        let mut bytes = self.frames.read_at(offset, at_most(bytes, left))?;
        // What has no header is found out by whoever parses it.
        if let Some((header, _)) = FrameHeader::decode(&bytes)
            && bytes.len() < header.frame_bytes()
        {
            bytes = self
                .frames
                .read_at(offset, at_most(header.frame_bytes(), left))?;
        }
        Ok(Chunk { offset, bytes })
    }

    /// The first frame that arrived at or after `at` and ends after `from`. Where frames before it
    /// are damaged, of which nobody knows when they arrived, it begins with them: they are not
    /// passed over in silence.
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
        let mut headers = Headers::new(&self.frames, SEEK_BYTES);
        // Behind the last frame that was sound, and whether damaged ones follow it.
        let (mut before, mut is_damaged) = (segment.base, false);
        while offset < segment.bytes {
            let header = headers.at(offset)?;
            let Some((header, _)) = header.filter(|(header, _)| is_within(segment, header)) else {
                let next = self.frame_behind(segment, offset)?;
                offset = next.map_or(segment.bytes, |(offset, _)| offset);
                is_damaged = true;
                continue;
            };
            if header.arrival >= at && header.end() > from {
                let position = if is_damaged { before } else { header.position };
                return Ok(Some(Sought {
                    position,
                    end: header.end(),
                    arrival: header.arrival,
                }));
            }
            (before, is_damaged) = (header.end(), false);
            offset += header.frame_bytes() as u64;
        }
        let lost = is_damaged && before.max(from) < segment.end;
        Ok(lost.then_some(Sought {
            position: before,
            end: segment.end,
            arrival: segment.last_arrival,
        }))
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

    /// The index, made to cover the whole segment, as far as its frames can be told.
    fn index(&self, segment: &Segment) -> Result<std::sync::MutexGuard<'_, Index>, StoreError> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if index.covered == 0 && segment.closed {
            // Without a footer to rely on, the index is made from the frames below.
            *index = self.footer(segment).unwrap_or_default();
        }
        let mut headers = Headers::new(&self.frames, CHUNK_BYTES);
        while index.covered < segment.bytes {
            match headers.at(index.covered)? {
                Some((header, _)) => {
                    index.add(header.position, header.arrival, header.frame_bytes() as u64);
                }
                None => {
                    let next = sound_after(&self.frames, segment, index.covered, segment.bytes)?;
                    index.pass_damage(next);
                }
            }
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
            .frames
            .file
            .length()
            .ok()?
            .checked_sub(SEGMENT_HEADER_BYTES as u64)?;
        let bytes = usize::try_from(end.checked_sub(segment.bytes)?).ok()?;
        let footer = self.frames.read_at(segment.bytes, bytes).ok()?;
        Index::of_footer(&footer, segment.bytes)
    }

    /// Writes the index behind the frames: the segment is complete. A footer is at the end of its
    /// file, so what an unfinished flush has left behind it goes.
    pub fn write_footer(&self, segment: &Segment) -> Result<(), StoreError> {
        let doing = || format!("write the index of {}", self.frames.path);
        let index = self.index(segment)?;
        let out = index
            .footer()
            .ok_or_else(|| StoreError::io(doing(), io::Error::other("it has too many entries")))?;
        self.write(&out, segment.bytes)?;
        let end = SEGMENT_HEADER_BYTES as u64 + segment.bytes + out.len() as u64;
        let file = &self.frames.file;
        let failed = |source| StoreError::io(doing(), source);
        if end < file.length().map_err(failed)? {
            file.set_length(end).map_err(failed)?;
        }
        Ok(())
    }

    /// Writes at `offset` from the start of the first frame.
    pub fn write(&self, bytes: &[u8], offset: u64) -> Result<(), StoreError> {
        let at = SEGMENT_HEADER_BYTES as u64 + offset;
        write_past_cache(self.frames.file.as_ref(), bytes, at)
            .map_err(|source| StoreError::io(format!("write {}", self.frames.path), source))
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> Result<(), StoreError> {
        let failed = |source| StoreError::io(format!("sync {}", self.frames.path), source);
        self.frames.file.sync().map_err(failed)
    }
}

/// A frame whose body cannot be read.
fn body_of(error: StoreError, header: &FrameHeader) -> Damage {
    Damage::Body {
        error,
        end: header.end(),
        length: header.frame_bytes(),
    }
}

/// A frame at an offset does not end in its segment, so that none can be read behind it.
fn longer_than(segment: &Segment, frames: &FrameFile, offset: u64) -> Unreadable {
    let what = "a frame is longer than its segment";
    Unreadable {
        error: frames.corrupt(offset, FRAME_HEADER_BYTES, what),
        resume: Some(segment.end),
    }
}

/// Whether a frame with this header has its place in the segment. One that has not is of another
/// file, whatever that file's name says now.
fn is_within(segment: &Segment, header: &FrameHeader) -> bool {
    segment.base <= header.position && header.end() <= segment.end
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::SimulatedDisk;
    use crate::embedded::format::Packing;
    use crate::embedded::segment_names::LOGS_DIR;

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
                packing: Packing::plain(9_000),
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
