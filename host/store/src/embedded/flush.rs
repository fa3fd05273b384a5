//! The one thread that moves what is durable in the write-ahead log to where it stays: frames to
//! segments, rows and the state of logs to redb; then the write-ahead files are free again.
//!
//! ```text
//! segments written -> segments synced -> redb committed -> memory updated -> slots freed
//! ```
//!
//! A crash between any two of these leaves the write-ahead log in charge: what the catalog does
//! not know of is written again, to the same places.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::disk::is_full;
use crate::embedded::catalog::{self, LogRow};
use crate::embedded::flush_control::Turn;
use crate::embedded::health::Topic;
use crate::embedded::logs::{Log, NextFrame, Segment, WalFrame};
use crate::embedded::options::{
    CHUNK_BYTES, FLUSH_BUFFER_BYTES, FLUSH_BYTES_MIN, FLUSHED_TOGETHER_MAX, Options,
};
use crate::embedded::segment_names::{log_dir, segment_path};
use crate::embedded::segment_writer::SegmentWriter;
use crate::embedded::shared::Shared;
use crate::embedded::touched::Touched;
use crate::embedded::wal_copy::{self, Copy};
use crate::engine::{Position, StoreError};

/// How often the flusher looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long it waits after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// The file that holds space back.
pub const BALLAST_FILE: &str = "ballast";

/// What was written for one log, to be noted in the catalog and then in memory.
struct Flushed {
    log: Arc<Log>,
    deleted: bool,
    /// Segments that are new, grew or were closed.
    changed: Vec<Segment>,
    /// Segments that hold nothing readable any more: all of a log that was deleted.
    gone: Vec<Position>,
    cursor: NextFrame,
    horizon: Position,
    sealed: bool,
}

impl Flushed {
    /// Where the segments begin that the log has after the flush.
    fn known(&self) -> HashSet<Position> {
        let state = self.log.state();
        let before = state.segments.iter().map(|segment| segment.base);
        let before = before.filter(|base| !self.gone.contains(base));
        let changed = self.changed.iter().map(|segment| segment.base);
        before.chain(changed).collect()
    }
}

/// Flushes until it is stopped.
pub fn run(shared: &Arc<Shared>) {
    let mut retry_at: Option<Instant> = None;
    loop {
        shared.room.look_again(&shared.health);
        match shared.flush.wait(LOOK_EVERY) {
            Turn::Stop => return,
            Turn::Flush => {}
            Turn::Look => {
                // A writer that finds no slot wakes the flusher, however often a flush fails.
                if retry_at.is_some_and(|at| Instant::now() < at) || !is_due(shared) {
                    continue;
                }
            }
        }
        let outcome = flush(shared);
        retry_at = outcome.is_err().then(|| Instant::now() + RETRY_AFTER);
        shared.flush.answer(&outcome);
    }
}

fn is_due(shared: &Shared) -> bool {
    let options = &shared.options;
    let backlog = shared
        .wal
        .backlog(shared.flushed_block.load(Ordering::Acquire));
    backlog.pressing && backlog.bytes != 0
        || enough_bytes(options, shared.flush.dirty()) <= backlog.bytes
        || options.flush_age <= backlog.age
        || options.flush_row_bytes <= shared.tables.fresh_bytes()
}

/// How many bytes are to be flushed though none of them is old, when so many logs have some.
/// With a chunk for each of them, waiting would make no write larger.
fn enough_bytes(options: &Options, logs: usize) -> u64 {
    let chunks = (logs as u64).saturating_mul(CHUNK_BYTES as u64);
    chunks.max(FLUSH_BYTES_MIN).min(options.flush_bytes)
}

/// Moves everything up to the last durable block. After an error nothing is lost or in doubt;
/// the next turn does it again.
pub fn flush(shared: &Shared) -> Result<(), StoreError> {
    if let Some(damage) = &shared.wal_damage {
        return Err(damage.clone());
    }
    let block = shared.durable_block.load(Ordering::Acquire);
    let dirty = shared.flush.take_dirty();
    // From here on a change notes the log again.
    for log in &dirty {
        log.state().dirty = false;
    }
    let mut touched = Touched::none();
    let outcome = move_frames(shared, &dirty, block, &mut touched);
    match &outcome {
        Ok(()) => shared.health.clear(Topic::Flush),
        Err(error) => {
            let is_full = matches!(error, StoreError::Io { source, .. } if is_full(source));
            if is_full && shared.disk.remove(BALLAST_FILE.as_ref()).is_ok() {
                tracing::warn!("the ballast was given up to flush to a full disk");
            }
            // Other frames may be written where these were: what was noted of them is void.
            for (log, base) in touched.into_names() {
                shared.segments.forget(log, base);
            }
            for log in dirty {
                // A log that changed in the meantime is noted already; it must not be twice.
                let noted = std::mem::replace(&mut log.state().dirty, true);
                if !noted {
                    shared.flush.note_dirty(log);
                }
            }
            shared.health.set(Topic::Flush, format!("flush: {error}"));
        }
    }
    outcome
}

fn move_frames(
    shared: &Shared,
    dirty: &[Arc<Log>],
    block: u64,
    touched: &mut Touched,
) -> Result<(), StoreError> {
    let mut flushed = Vec::with_capacity(dirty.len());
    for logs in dirty.chunks(FLUSHED_TOGETHER_MAX) {
        flushed.extend(flush_logs(shared, logs, touched)?);
    }
    if let Err(error) = touched.sync(shared.disk.as_ref()) {
        // What a failed sync leaves in an open segment cannot be relied on: go on in new ones.
        close_open_segments(&flushed);
        return Err(error);
    }
    let rows = shared.catalog.write(|writing| {
        for flushed in &flushed {
            note(writing, flushed)?;
            if shared.catalog.is_in_doubt() {
                catalog::forget_other_segments(writing, flushed.log.id, &flushed.known())?;
            }
        }
        catalog::put_flushed_block(writing, block)?;
        shared.tables.flush_into(writing)
    });
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) => {
            shared.catalog.reopen()?;
            return Err(error);
        }
    };
    shared.catalog.is_sure();
    for flushed in flushed {
        settle(shared, flushed);
    }
    shared.tables.flushed(rows);
    shared.flushed_block.store(block, Ordering::Release);
    shared.wal.flushed(block);
    remove_garbage(shared)
}

fn flush_logs(
    shared: &Shared,
    logs: &[Arc<Log>],
    touched: &mut Touched,
) -> Result<Vec<Flushed>, StoreError> {
    let buffer_max = (FLUSH_BUFFER_BYTES / logs.len().max(1)).min(CHUNK_BYTES);
    let (mut all, mut places, mut copies) = (Vec::new(), Vec::new(), Vec::new());
    for log in logs {
        let (flushed, frames, last) = snapshot(log);
        let open = last.filter(|segment| !segment.closed);
        // Retention has come to a segment that nothing was added to for as long.
        let is_idle = frames.is_empty() && open.is_some_and(|open| flushed.horizon > open.base);
        if !flushed.deleted && (is_idle || !frames.is_empty()) {
            let to = SegmentWriter::new(shared, log.id, open, buffer_max);
            copies.push(Copy { frames, to });
            places.push(all.len());
        }
        all.push(flushed);
    }
    let outcome = wal_copy::copy(shared, &mut copies);
    for (place, copy) in places.into_iter().zip(copies) {
        touched.extend(copy.to.touched);
        if let Some(flushed) = all.get_mut::<usize>(place) {
            flushed.changed = copy.to.changed;
        }
    }
    outcome.map(|()| all)
}

/// What is to be flushed of a log now.
fn snapshot(log: &Arc<Log>) -> (Flushed, Vec<WalFrame>, Option<Segment>) {
    let state = log.state();
    let gone = |segment: &&Segment| state.deleted || segment.end <= state.horizon;
    let gone: Vec<_> = state
        .segments
        .iter()
        .filter(gone)
        .map(|segment| segment.base)
        .collect();
    let last = state
        .segments
        .last()
        .filter(|last| state.horizon < last.end)
        .copied();
    let flushed = Flushed {
        log: log.clone(),
        deleted: state.deleted,
        changed: Vec::new(),
        gone,
        cursor: state.durable,
        horizon: state.horizon,
        sealed: state.durable.sealed,
    };
    (flushed, state.unflushed.iter().copied().collect(), last)
}

fn close_open_segments(flushed: &[Flushed]) {
    for flushed in flushed.iter().filter(|flushed| !flushed.changed.is_empty()) {
        if let Some(last) = flushed.log.state().segments.last_mut() {
            last.closed = true;
        }
    }
}

fn note(writing: &redb::WriteTransaction, flushed: &Flushed) -> Result<(), StoreError> {
    let id = flushed.log.id;
    if flushed.deleted {
        catalog::put_garbage(writing, &log_dir(id))?;
        return catalog::remove_log(writing, id);
    }
    for base in &flushed.gone {
        catalog::put_garbage(writing, &segment_path(id, *base))?;
    }
    let Flushed {
        horizon,
        cursor,
        sealed,
        ..
    } = *flushed;
    let row = LogRow {
        horizon,
        flushed: cursor,
        sealed,
    };
    catalog::put_log(writing, id, &row, &flushed.changed, &flushed.gone)
}

/// Brings memory in line with what is now in segments.
fn settle(shared: &Shared, flushed: Flushed) {
    let Flushed {
        log,
        changed,
        gone,
        cursor,
        ..
    } = flushed;
    let mut state = log.state();
    for segment in changed {
        match state.segments.last_mut() {
            Some(last) if last.base == segment.base => *last = segment,
            _ => state.segments.push(segment),
        }
    }
    state
        .segments
        .retain(|segment| !gone.contains(&segment.base));
    state.flushed = cursor;
    while state
        .unflushed
        .front()
        .is_some_and(|frame| frame.position < cursor.next)
    {
        state.unflushed.pop_front();
    }
    let kept = state.unflushed.len();
    state.unflushed.shrink_to(kept * 2);
    drop(state);
    for base in gone {
        shared.segments.forget(log.id, base);
    }
}

/// Removes files that the catalog no longer refers to, also those an earlier run left.
pub fn remove_garbage(shared: &Shared) -> Result<(), StoreError> {
    let paths = shared.catalog.garbage()?;
    if paths.is_empty() {
        return Ok(());
    }
    for path in &paths {
        let removed = if path.ends_with(".seg") {
            shared.disk.remove(path.as_ref())
        } else {
            shared.disk.remove_dir(path.as_ref())
        };
        shared.health.forget_unreadable(path);
        match removed {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Somebody else put it there.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                tracing::warn!(path, %error, "what has the name of a segment is no file and stays");
            }
            Err(error) => return Err(StoreError::io(format!("remove {path}"), error)),
        }
    }
    // Gone for good before the catalog forgets them.
    let mut dirs: Vec<_> = paths
        .iter()
        .filter_map(|path| Path::new(path).parent())
        .collect();
    dirs.sort_unstable();
    dirs.dedup();
    for dir in dirs {
        match shared.disk.sync_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io(format!("sync {}", dir.display()), error));
            }
            _ => {}
        }
    }
    shared
        .catalog
        .write(|writing| catalog::forget_garbage(writing, &paths))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_logs_are_flushed_sooner_than_many() {
        let options = Options::default();
        let mib = |logs| enough_bytes(&options, logs) >> 20;
        assert_eq!((mib(0), mib(16), mib(200)), (128, 128, 200));
        assert_eq!((mib(512), mib(10_000)), (512, 512));
        let small = Options {
            flush_bytes: 1,
            ..Options::default()
        };
        assert_eq!(enough_bytes(&small, 16), 1);
    }
}
