//! Reading a log: from memory if it is recent, else from its segments and the write-ahead log.

use std::sync::Arc;

use bytes::Bytes;
use types::Timestamp;

use crate::embedded::format::{FRAME_HEADER_BYTES, FrameHeader};
use crate::embedded::given_back::unread;
use crate::embedded::logs::{Log, LogState, Segment, WalFrame};
use crate::embedded::seal;
use crate::embedded::segment::Unreadable;
use crate::embedded::shared::Shared;
use crate::embedded::wal::{read_onto, slot_path};
use crate::engine::{Frame, Position, ReadBatch, StoreError};
use crate::keys::KeyRing;

/// How often a read that found its place written anew is planned again: frames move from the
/// write-ahead log to segments at any time, but only once.
const ATTEMPTS_MAX: usize = 3;

/// Where the frames wanted are.
struct Plan {
    from: Position,
    segments: Vec<Segment>,
    wal: Vec<WalFrame>,
}

/// Reads frames as [`crate::Engine::read`] promises.
pub async fn read(
    shared: &Arc<Shared>,
    log: &Arc<Log>,
    from: Position,
    bytes_max: usize,
) -> Result<ReadBatch, StoreError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let (plan, sealed, tip) = {
            let state = log.state();
            if let Some(batch) = in_memory(&shared.keys, &state, from, bytes_max)? {
                return Ok(batch);
            }
            let from = from.max(state.horizon);
            let (sealed, tip) = (state.durable.sealed, state.durable.next);
            (plan(&state, from, bytes_max), sealed, tip)
        };
        let from = plan.from;
        let (reading, of) = (shared.clone(), log.clone());
        let reading = move || execute(&reading, &of, plan, bytes_max);
        match run_blocking(reading).await {
            Err(StoreError::Corrupt { .. } | StoreError::Io { .. }) if attempt < ATTEMPTS_MAX => {}
            // Its files went with it.
            Err(_) if log.state().deleted => return Err(StoreError::NoLog(log.id)),
            Err(error) => {
                shared.health.note_unreadable(&error);
                return Err(error);
            }
            Ok(frames) => return Ok(batch(frames, from, tip, sealed)),
        }
    }
}

/// Runs what may wait for the disk where waiting harms nobody.
pub async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(StoreError::io("read", std::io::Error::other(error))),
    }
}

fn batch(frames: Vec<Frame>, from: Position, tip: Position, sealed: bool) -> ReadBatch {
    let next = frames.last().map_or(from, Frame::end);
    ReadBatch {
        frames,
        next,
        tip,
        sealed,
    }
}

/// What is wanted of a log, if that is in memory and may be read.
pub fn in_memory(
    keys: &KeyRing,
    state: &LogState,
    from: Position,
    bytes_max: usize,
) -> Result<Option<ReadBatch>, StoreError> {
    let from = from.max(state.horizon);
    let Some(mut frames) = cached(state, from, bytes_max) else {
        return Ok(None);
    };
    let refused = frames.iter().enumerate().find_map(|(place, frame)| {
        let key = frame.key?;
        keys.check(key).err().map(|why| (place, key, why))
    });
    match refused {
        None => {}
        Some((0, key, why)) => return Err(StoreError::Key { key, why }),
        Some((place, ..)) => frames.truncate(place),
    }
    let (tip, sealed) = (state.durable.next, state.durable.sealed);
    Ok(Some(batch(frames, from, tip, sealed)))
}

/// The frames wanted, if they are all in memory or there are none.
fn cached(state: &LogState, from: Position, bytes_max: usize) -> Option<Vec<Frame>> {
    if state.durable.next <= from {
        return Some(Vec::new());
    }
    if from < state.cached.front()?.position {
        return None;
    }
    let start = state.cached.partition_point(|frame| frame.end() <= from);
    let mut bytes = 0;
    let mut frames = Vec::new();
    for frame in state.cached.range(start..) {
        frames.push(frame.clone());
        bytes += frame.body.len();
        if bytes_max <= bytes {
            break;
        }
    }
    Some(frames)
}

fn plan(state: &LogState, from: Position, bytes_max: usize) -> Plan {
    let segments = state.segments.iter().filter(|segment| from < segment.end);
    let start = state.unflushed.partition_point(|frame| frame.end <= from);
    let mut bytes = 0;
    let wal = state.unflushed.range(start..).take_while(|frame| {
        let before = bytes;
        bytes += frame.length as usize;
        before < bytes_max
    });
    Plan {
        from,
        segments: segments.copied().collect(),
        wal: wal.copied().collect(),
    }
}

fn execute(
    shared: &Shared,
    log: &Log,
    plan: Plan,
    bytes_max: usize,
) -> Result<Vec<Frame>, StoreError> {
    let mut frames = Vec::new();
    let mut bytes = 0;
    for segment in &plan.segments {
        let file = match shared.segment(log.id, segment.base) {
            Err(_) if !frames.is_empty() => return Ok(frames),
            other => other?,
        };
        match file.read(segment, plan.from, bytes_max - bytes, &mut frames) {
            Ok(read) => bytes += read,
            Err(_) if !frames.is_empty() => return Ok(frames),
            Err(Unreadable { error, .. }) => {
                // The next look opens it anew: another file may have been put in its place.
                shared.segments.forget(log.id, segment.base);
                return Err(error);
            }
        }
        let whole = frames.last().is_some_and(|last| segment.end <= last.end());
        if bytes_max <= bytes || !whole {
            return Ok(frames);
        }
    }
    for in_wal in &plan.wal {
        if bytes_max <= bytes {
            break;
        }
        match read_wal(shared, log, in_wal) {
            Ok(frame) => {
                bytes += frame.body.len();
                frames.push(frame);
            }
            Err(_) if !frames.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(frames)
}

/// Finds where reads can go on, as [`crate::Engine::readable_from`] promises.
pub async fn readable_from(
    shared: &Arc<Shared>,
    log: &Arc<Log>,
    from: Position,
) -> Result<Position, StoreError> {
    let (plan, tip) = {
        let state = log.state();
        let from = from.max(state.horizon);
        if let Some(found) = readable_in_memory(&shared.keys, &state, from) {
            return Ok(found);
        }
        (plan(&state, from, usize::MAX), state.durable.next)
    };
    let (shared, log) = (shared.clone(), log.clone());
    run_blocking(move || look_for_readable(&shared, &log, &plan, tip)).await
}

/// The same, if all from there on is in memory.
fn readable_in_memory(keys: &KeyRing, state: &LogState, from: Position) -> Option<Position> {
    let tip = state.durable.next;
    if tip <= from {
        return Some(from);
    }
    if from < state.cached.front()?.position {
        return None;
    }
    let start = state.cached.partition_point(|frame| frame.end() <= from);
    let opens = |frame: &&Frame| frame.key.is_none_or(|key| keys.check(key).is_ok());
    let found = state.cached.range(start..).find(opens);
    Some(found.map_or(tip, |frame| frame.position.max(from)))
}

fn look_for_readable(
    shared: &Shared,
    log: &Log,
    plan: &Plan,
    tip: Position,
) -> Result<Position, StoreError> {
    let mut from = plan.from;
    for segment in &plan.segments {
        from = match shared.segment(log.id, segment.base) {
            Ok(file) => file.readable_from(segment, from)?,
            Err(StoreError::Corrupt { .. }) => segment.end,
            Err(error) => return Err(error),
        };
        if from < segment.end {
            return Ok(from);
        }
    }
    for in_wal in &plan.wal {
        match read_wal(shared, log, in_wal) {
            Ok(frame) => return Ok(frame.position.max(from)),
            Err(error) if error.hides_records() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(tip)
}

fn read_wal(shared: &Shared, log: &Log, in_wal: &WalFrame) -> Result<Frame, StoreError> {
    let name = || slot_path(in_wal.slot).display().to_string();
    let corrupt = |what: &str| StoreError::corrupt(name(), in_wal.offset, what);
    let file = shared
        .wal
        .file(in_wal.slot)
        .ok_or_else(|| corrupt("the file is not there"))?;
    let mut bytes = Vec::new();
    read_onto(
        file.as_ref(),
        &mut bytes,
        in_wal.length as usize,
        in_wal.offset,
    )
    .map_err(|source| unread(&name(), in_wal.offset, source))?;
    let bytes = Bytes::from(bytes);
    let header = FrameHeader::decode(&bytes).map(|(header, _)| header);
    let header = header.filter(|h| h.log == log.id && h.position == in_wal.position);
    let Some(header) = header.filter(|header| header.frame_bytes() <= bytes.len()) else {
        return Err(corrupt("this is not the header of the frame"));
    };
    let body = bytes.slice(FRAME_HEADER_BYTES..header.frame_bytes());
    if crc32c::crc32c(&body) != header.body_crc {
        return Err(corrupt("the frame's body has a wrong checksum"));
    }
    let opened = seal::open(&header, body, &shared.keys);
    let (body, key) = opened.map_err(|closed| closed.at(&name(), in_wal.offset))?;
    let FrameHeader {
        position,
        arrival,
        count,
        ..
    } = header;
    Ok(Frame {
        position,
        arrival,
        count,
        body,
        key,
    })
}

/// The position of the first frame that arrived at or after `at`. Reads only if that frame lies
/// within a segment: retention asks every log for its oldest time again and again, and mostly
/// nothing has expired.
pub async fn seek_time(
    shared: &Arc<Shared>,
    log: &Arc<Log>,
    at: Timestamp,
) -> Result<Position, StoreError> {
    let (segment, horizon) = {
        let state = log.state();
        let horizon = state.horizon;
        if state.oldest_arrival().is_some_and(|oldest| oldest >= at) {
            return Ok(horizon);
        }
        let live = |segment: &&Segment| horizon < segment.end && at <= segment.last_arrival;
        match state.segments.iter().find(live) {
            Some(segment) if segment.first_arrival >= at => {
                return Ok(segment.base.max(horizon));
            }
            Some(segment) => (*segment, horizon),
            None => {
                let after = state.unflushed.partition_point(|frame| frame.arrival < at);
                let found = state.unflushed.get(after).map(|frame| frame.position);
                return Ok(found.unwrap_or(state.durable.next).max(horizon));
            }
        }
    };
    let (reading, id) = (shared.clone(), log.id);
    let found = run_blocking(move || {
        let file = reading.segment(id, segment.base)?;
        file.seek_time(&segment, at, horizon)
    });
    let found = match found.await {
        // The file is not given back, so that nobody knows which of its frames it is.
        Err(StoreError::Corrupt { .. }) => return Ok(segment.base.max(horizon)),
        found => found?,
    };
    let Some(found) = found else {
        return Ok(segment.end.max(horizon));
    };
    log.state().sought = Some(found);
    Ok(found.position.max(horizon))
}
