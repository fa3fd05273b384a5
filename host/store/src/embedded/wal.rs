//! The files of the write-ahead log: a ring of slots that are written, flushed and written again.
//!
//! A slot's name says nothing about its content: each block carries the number of the use of the
//! slot that it was written in, so a recycled slot needs neither a new name nor zeros.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::disk::{Disk, DiskFile};
use crate::embedded::options::CHUNK_BYTES;
use crate::engine::StoreError;

/// The directory of the write-ahead files.
pub const WAL_DIR: &str = "wal";
/// How long the writer waits for a slot to be flushed before it refuses what it has as busy.
const SLOT_WAIT: Duration = Duration::from_secs(2);

/// The path of a slot.
pub fn slot_path(slot: u32) -> PathBuf {
    PathBuf::from(format!("{WAL_DIR}/{slot:04}.wal"))
}

/// The slots, shared by the writer, the flusher and readers.
pub struct Wal {
    disk: Arc<dyn Disk>,
    file_bytes: u64,
    files_max: usize,
    slots: Mutex<Slots>,
    freed: Condvar,
}

#[derive(Default)]
struct Slots {
    files: BTreeMap<u32, Arc<dyn DiskFile>>,
    /// May be written from their start. Those prewritten or used before come first.
    free: VecDeque<u32>,
    /// Are being made.
    making: BTreeSet<u32>,
    /// Hold blocks that are not flushed; the last is being written.
    live: VecDeque<LiveSlot>,
}

#[derive(Clone, Copy, Debug)]
struct LiveSlot {
    slot: u32,
    last_block: u64,
    bytes: u64,
    since: Instant,
    /// The disk failed to keep what was written last: never to be written again.
    abandoned: bool,
}

impl LiveSlot {
    fn new(slot: u32, last_block: u64, bytes: u64) -> Self {
        Self {
            slot,
            last_block,
            bytes,
            since: Instant::now(),
            abandoned: false,
        }
    }
}

/// A slot that is to be written, and its file.
pub type BegunSlot = (u32, Arc<dyn DiskFile>);

/// How much waits to be flushed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog {
    /// Bytes of blocks.
    pub bytes: u64,
    /// How long ago the oldest of them was begun.
    pub age: Duration,
    /// Hardly any slot is left to write to.
    pub pressing: bool,
}

impl Wal {
    /// A log over the slots that were found on the disk; `live` ones hold blocks to be flushed up
    /// to the numbers given, in the order of their blocks.
    pub fn new(
        disk: Arc<dyn Disk>,
        (file_bytes, files_max): (u64, usize),
        files: BTreeMap<u32, Arc<dyn DiskFile>>,
        live: Vec<(u32, u64, u64)>,
    ) -> Self {
        let is_live = |slot: &u32| live.iter().any(|(used, ..)| used == slot);
        let free = files
            .keys()
            .copied()
            .filter(|slot| !is_live(slot))
            .collect();
        let live = live
            .into_iter()
            .map(|(slot, last, bytes)| LiveSlot::new(slot, last, bytes));
        let slots = Slots {
            files,
            free,
            live: live.collect(),
            making: BTreeSet::new(),
        };
        let slots = Mutex::new(slots);
        Self {
            disk,
            file_bytes,
            files_max,
            slots,
            freed: Condvar::new(),
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a slot that holds or held blocks.
    pub fn file(&self, slot: u32) -> Option<Arc<dyn DiskFile>> {
        self.slots().files.get(&slot).cloned()
    }

    /// A slot to write from its start. Waits a while if none is free and no more may be made;
    /// `None` if that did not help.
    pub fn begin_slot(&self) -> Result<Option<BegunSlot>, StoreError> {
        let deadline = Instant::now() + SLOT_WAIT;
        let mut slots = self.slots();
        loop {
            if let Some(slot) = slots.free.pop_front()
                && let Some(file) = slots.files.get(&slot).cloned()
            {
                slots.live.push_back(LiveSlot::new(slot, 0, 0));
                return Ok(Some((slot, file)));
            }
            if slots.files.len() + slots.making.len() < self.files_max {
                drop(slots);
                self.make_slot(false)?;
                slots = self.slots();
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            slots = self
                .freed
                .wait_timeout(slots, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Makes one more slot, free to be used, unless there are as many as may be. A prewritten
    /// one is faster to sync later (the file system has nothing left to note but the data), a
    /// reserved one is there at once.
    pub fn make_slot(&self, prewritten: bool) -> Result<(), StoreError> {
        let slot = {
            let mut slots = self.slots();
            if self.files_max <= slots.files.len() + slots.making.len() {
                return Ok(());
            }
            let taken = |slot: &u32| slots.files.contains_key(slot) || slots.making.contains(slot);
            let slot = (0..).find(|slot| !taken(slot)).unwrap_or(u32::MAX);
            slots.making.insert(slot);
            slot
        };
        let made = self.make_file(slot, prewritten);
        let mut slots = self.slots();
        slots.making.remove(&slot);
        let path = slot_path(slot);
        let file = made.map_err(|e| StoreError::io(format!("make {}", path.display()), e))?;
        slots.files.insert(slot, file);
        slots.free.push_back(slot);
        Ok(())
    }

    fn make_file(&self, slot: u32, prewritten: bool) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.create(&slot_path(slot))?;
        file.reserve(self.file_bytes)?;
        if prewritten {
            let zeros = vec![0; CHUNK_BYTES];
            let mut at = 0;
            while at < self.file_bytes {
                let left = usize::try_from(self.file_bytes - at).unwrap_or(usize::MAX);
                let zeros = &zeros[..left.min(CHUNK_BYTES)];
                write_all(file.as_ref(), &mut [IoSlice::new(zeros)], at)?;
                at += zeros.len() as u64;
            }
        }
        file.sync()?;
        self.disk.sync_dir(WAL_DIR.as_ref())?;
        Ok(file)
    }

    /// Whether the writer will need a slot soon and there is none.
    pub fn wants_slot(&self) -> bool {
        let slots = self.slots();
        let written = slots.live.back().map_or(0, |live| live.bytes);
        slots.free.is_empty()
            && slots.files.len() < self.files_max
            && self.file_bytes / 4 <= written
    }

    /// Notes that the slot being written now ends with `block` and has `bytes`.
    pub fn wrote(&self, block: u64, bytes: u64) {
        if let Some(live) = self.slots().live.back_mut() {
            live.last_block = block;
            live.bytes = bytes;
        }
    }

    /// Never writes to the slot being written again: the disk failed to keep its last block.
    pub fn abandon(&self) {
        if let Some(live) = self.slots().live.back_mut() {
            live.abandoned = true;
        }
    }

    /// Frees the slots whose blocks are all flushed, except the one being written.
    pub fn flushed(&self, block: u64) {
        let mut abandoned = Vec::new();
        let mut slots = self.slots();
        let Slots {
            files, free, live, ..
        } = &mut *slots;
        let writing = live.back().map(|live| live.slot);
        live.retain(|live| {
            if Some(live.slot) == writing || block < live.last_block {
                return true;
            }
            match live.abandoned {
                true => abandoned.push(live.slot),
                false => free.push_front(live.slot),
            }
            false
        });
        if let Some(live) = live.back_mut()
            && live.last_block <= block
        {
            live.since = Instant::now();
        }
        for slot in abandoned {
            files.remove(&slot);
            // A file that stays is found by the next start, and its blocks are then old.
            if let Err(error) = self.disk.remove(&slot_path(slot)) {
                tracing::warn!(slot, %error, "an abandoned write-ahead file stays");
            }
        }
        self.freed.notify_all();
    }

    /// How much waits to be flushed, when all blocks up to `flushed` are.
    pub fn backlog(&self, flushed: u64) -> Backlog {
        let slots = self.slots();
        let waiting = slots.live.iter().filter(|live| flushed < live.last_block);
        let bytes = waiting.clone().map(|live| live.bytes).sum();
        let age = waiting
            .map(|live| live.since.elapsed())
            .max()
            .unwrap_or_default();
        let unused = self.files_max - slots.files.len() + slots.free.len();
        Backlog {
            bytes,
            age,
            pressing: unused <= self.files_max / 4,
        }
    }
}

/// Writes all of `slices` at `offset`, however few bytes the disk takes at once.
pub fn write_all(
    file: &dyn DiskFile,
    mut slices: &mut [IoSlice<'_>],
    mut offset: u64,
) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_at(slices, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills `into` from `offset`, or as much of it as the file has; returns how much.
pub fn read_full(file: &dyn DiskFile, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match file.read_at(&mut into[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
