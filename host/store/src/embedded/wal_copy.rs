//! Copies frames of several logs from the write-ahead log into their segments. Frames of all logs
//! lie mixed there: it is read once for all of these, in its own order, and what lies together at
//! once.

use crate::embedded::format::FrameHeader;
use crate::embedded::health::Topic;
use crate::embedded::logs::WalFrame;
use crate::embedded::options::CHUNK_BYTES;
use crate::embedded::segment_writer::SegmentWriter;
use crate::embedded::shared::Shared;
use crate::embedded::wal::{read_onto, slot_path};
use crate::engine::StoreError;

/// Bytes between two frames that are read with them: the header and the padding of a block.
const GAP_BYTES_MAX: u64 = 8 * 1024;

/// Frames of one log, in its order, and where they go. Without any, the segment that is open is
/// closed.
pub struct Copy<'a> {
    pub frames: Vec<WalFrame>,
    pub to: SegmentWriter<'a>,
}

/// A frame of any log.
struct Mixed {
    /// How many files were begun before its.
    age: usize,
    /// The place of its log among the copies.
    copy: usize,
    frame: WalFrame,
}

/// Copies all frames, and writes all that was gathered. One whose checksum is wrong is copied too:
/// reading it says so, and its neighbours stay readable.
pub fn copy(shared: &Shared, copies: &mut [Copy<'_>]) -> Result<(), StoreError> {
    let ages = shared.wal.ages();
    let mut frames = Vec::new();
    for (place, copy) in copies.iter_mut().enumerate() {
        let of_log = std::mem::take(&mut copy.frames);
        if of_log.is_empty() {
            copy.to.close_idle()?;
        }
        for frame in of_log {
            let age = *ages.get(&frame.slot).ok_or_else(|| {
                let what = "a frame is to be flushed from a file that has nothing to flush";
                StoreError::corrupt(slot_name(frame.slot), frame.offset, what)
            })?;
            frames.push(Mixed {
                age,
                copy: place,
                frame,
            });
        }
    }
    frames.sort_unstable_by_key(|mixed| (mixed.age, mixed.frame.offset));
    let mut bytes = Vec::new();
    let mut rest = &frames[..];
    while let Some(first) = rest.first() {
        let (run, others) = rest.split_at(run_length(first, rest));
        copy_run(shared, run, &mut bytes, copies)?;
        rest = others;
    }
    copies.iter_mut().try_for_each(|copy| copy.to.finish())
}

/// How many of `frames`, one at least, lie close enough to the `first` of them and to each other to
/// be read together.
fn run_length(first: &Mixed, frames: &[Mixed]) -> usize {
    let start = first.frame.offset;
    let follows = |pair: &&[Mixed]| {
        let (before, next) = (&pair[0].frame, &pair[1].frame);
        let end = before.offset + u64::from(before.length);
        before.slot == next.slot
            && next.offset <= end + GAP_BYTES_MAX
            && next.offset + u64::from(next.length) <= start + CHUNK_BYTES as u64
    };
    1 + frames.windows(2).take_while(follows).count()
}

fn copy_run(
    shared: &Shared,
    run: &[Mixed],
    bytes: &mut Vec<u8>,
    copies: &mut [Copy<'_>],
) -> Result<(), StoreError> {
    let ([first, ..], [.., last]) = (run, run) else {
        return Ok(());
    };
    let (first, last) = (&first.frame, &last.frame);
    let slot = || slot_name(first.slot);
    let corrupt = |offset, what: &str| StoreError::corrupt(slot(), offset, what);
    // Frames that are read together lie within a chunk.
    let within = |bytes: u64| {
        let what = "frames that are read together lie too far apart";
        usize::try_from(bytes).map_err(|_| corrupt(first.offset, what))
    };
    let file = shared.wal.file(first.slot);
    let file = file.ok_or_else(|| corrupt(first.offset, "the file is not there"))?;
    let span = last.offset + u64::from(last.length) - first.offset;
    bytes.clear();
    read_onto(file.as_ref(), bytes, within(span)?, first.offset)
        .map_err(|source| StoreError::io(format!("read {}", slot()), source))?;
    for Mixed { copy, frame, .. } in run {
        let Some(copy) = copies.get_mut(*copy) else {
            return Err(corrupt(frame.offset, "the frame is of no log"));
        };
        let at = within(frame.offset - first.offset)?;
        let found = bytes.get(at..at.saturating_add(frame.length as usize));
        let is_it = |bytes: &&[u8]| {
            FrameHeader::decode(bytes).is_some_and(|(header, _)| {
                header.log == copy.to.log && header.position == frame.position
            })
        };
        let Some(found) = found.filter(is_it) else {
            let error = corrupt(frame.offset, "the frame is not there any more");
            shared.health.set(Topic::Damage, error.to_string());
            return Err(error);
        };
        copy.to.append(frame, found)?;
    }
    Ok(())
}

fn slot_name(slot: u32) -> String {
    slot_path(slot).display().to_string()
}
