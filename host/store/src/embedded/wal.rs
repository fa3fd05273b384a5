//! The files of the write-ahead log: a ring of slots that are written, flushed and written again.
//!
//! A slot's name says nothing about its content: each block carries the number of the use of the
//! slot that it was written in, so a recycled slot needs neither a new name nor zeros.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::disk::{Disk, DiskFile, at_most};
use crate::embedded::options::{CHUNK_BYTES, Options};
use crate::engine::StoreError;

/// The directory of the write-ahead files.
pub const WAL_DIR: &str = "wal";
/// How long the writer waits for a slot to be flushed before it refuses what it has as busy.
const SLOT_WAIT: Duration = Duration::from_secs(2);

/// Free files that a start keeps beside those made ready anyway, for a burst. Others are removed.
const SPARE_FILES: usize = 4;
/// How long preparing waits after a failure.
const PREPARE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The path of a slot.
pub fn slot_path(slot: u32) -> PathBuf {
    PathBuf::from(format!("{WAL_DIR}/{slot:04}.wal"))
}

/// The slots, shared by the writer, the flusher and readers.
pub struct Wal {
    disk: Arc<dyn Disk>,
    file_bytes: u64,
    files_max: usize,
    files_ahead: usize,
    slots: Mutex<Slots>,
    freed: Condvar,
    /// Rung when the writer has begun a slot.
    wanted: Condvar,
}

#[derive(Default)]
struct Slots {
    files: BTreeMap<u32, Arc<dyn DiskFile>>,
    /// May be written from their start, and have their full length.
    ready: VecDeque<u32>,
    /// May be written from their start, but grow with that.
    growing: VecDeque<u32>,
    /// Are being made.
    making: BTreeSet<u32>,
    /// Hold blocks that are not flushed; the last is being written.
    live: VecDeque<LiveSlot>,
    is_stopping: bool,
}

#[derive(Clone, Copy, Debug)]
struct LiveSlot {
    slot: u32,
    last_block: u64,
    bytes: u64,
    since: Instant,
    /// The disk failed to keep what was written last: never to be written again.
    abandoned: bool,
    /// It had its full length from the start.
    is_ready: bool,
}

impl LiveSlot {
    fn new(slot: u32, last_block: u64, bytes: u64) -> Self {
        let since = Instant::now();
        Self {
            slot,
            last_block,
            bytes,
            since,
            abandoned: false,
            is_ready: false,
        }
    }
}

impl Slots {
    fn free(&mut self, slot: u32, is_ready: bool) {
        if is_ready {
            self.ready.push_back(slot);
        } else {
            self.growing.push_back(slot);
        }
    }

    fn take_free(&mut self) -> Option<(u32, bool)> {
        let ready = self.ready.pop_front().map(|slot| (slot, true));
        ready.or_else(|| self.growing.pop_front().map(|slot| (slot, false)))
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
    /// to the numbers given, in the order of their blocks, and `free` ones are written from their
    /// start in the order given.
    pub fn new(
        disk: Arc<dyn Disk>,
        options: &Options,
        files: BTreeMap<u32, Arc<dyn DiskFile>>,
        live: Vec<(u32, u64, u64)>,
        free: &[u32],
    ) -> Self {
        let mut slots = Slots::default();
        for slot in free {
            // A file whose length cannot be told is written to like a new one.
            let length = files.get(slot).and_then(|file| file.length().ok());
            let is_ready = length.is_some_and(|length| options.wal_file_bytes <= length);
            slots.free(*slot, is_ready);
        }
        slots.files = files;
        let live = live
            .into_iter()
            .map(|(slot, last, bytes)| LiveSlot::new(slot, last, bytes));
        slots.live = live.collect();
        Self {
            disk,
            file_bytes: options.wal_file_bytes,
            files_max: options.wal_files_max,
            files_ahead: options.wal_files_ahead,
            slots: Mutex::new(slots),
            freed: Condvar::new(),
            wanted: Condvar::new(),
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a slot that holds or held blocks.
    pub fn file(&self, slot: u32) -> Option<Arc<dyn DiskFile>> {
        self.slots().files.get(&slot).cloned()
    }

    /// Whether more than a few slots are to be flushed that hold so little that half would do.
    pub fn is_scattered(&self, few: usize) -> bool {
        let slots = self.slots();
        let bytes: u64 = slots.live.iter().map(|live| live.bytes).sum();
        slots.live.len() > few && bytes <= self.file_bytes * (slots.live.len() as u64 / 2)
    }

    /// Removes free slots that are more than a server needs soon. Those go first that would be
    /// written first: the others hold the newest blocks. Nothing is being written yet.
    pub fn remove_surplus(&self) {
        let kept = self.files_ahead + SPARE_FILES;
        let mut slots = self.slots();
        while slots.ready.len() + slots.growing.len() > kept {
            let Some((slot, _)) = slots.take_free() else {
                return;
            };
            slots.files.remove(&slot);
            self.remove(slot);
        }
    }

    /// A file that stays is found by the next start, and its blocks are then old.
    fn remove(&self, slot: u32) {
        if let Err(error) = self.disk.remove(&slot_path(slot)) {
            tracing::warn!(slot, %error, "a write-ahead file without a use stays");
        }
    }

    /// In which order the slots that are not flushed were written, from 0.
    pub fn ages(&self) -> HashMap<u32, usize> {
        let slots = self.slots();
        let live = slots.live.iter().enumerate();
        live.map(|(age, live)| (live.slot, age)).collect()
    }

    /// A slot to write from its start, one that is ready if there is one. Waits a while if none
    /// is free and no more may be made; `None` if that did not help.
    pub fn begin_slot(&self) -> Result<Option<BegunSlot>, StoreError> {
        let deadline = Instant::now() + SLOT_WAIT;
        let mut slots = self.slots();
        loop {
            if let Some((slot, is_ready)) = slots.take_free()
                && let Some(file) = slots.files.get(&slot).cloned()
            {
                slots.live.push_back(LiveSlot {
                    is_ready,
                    ..LiveSlot::new(slot, 0, 0)
                });
                self.wanted.notify_all();
                return Ok(Some((slot, file)));
            }
            if slots.files.len() + slots.making.len() < self.files_max {
                drop(slots);
                self.make_slot()?;
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

    /// Whether it pays to leave the slot being written for another: syncing a file that still
    /// grows takes many times as long, because the file system must note its growth each time.
    pub fn has_better_slot(&self) -> bool {
        let slots = self.slots();
        !slots.ready.is_empty() && slots.live.back().is_some_and(|live| !live.is_ready)
    }

    /// Makes one more slot, empty and free to be used, unless there are as many as may be.
    fn make_slot(&self) -> Result<(), StoreError> {
        let slot = {
            let mut slots = self.slots();
            if self.files_max <= slots.files.len() + slots.making.len() {
                return Ok(());
            }
            let taken = |slot: &u32| slots.files.contains_key(slot) || slots.making.contains(slot);
            // There are far fewer files than numbers.
            let Some(slot) = (0..).find(|slot| !taken(slot)) else {
                return Ok(());
            };
            slots.making.insert(slot);
            slot
        };
        let made = self.disk.create(&slot_path(slot)).and_then(|file| {
            self.disk.sync_dir(WAL_DIR.as_ref())?;
            Ok(file)
        });
        let mut slots = self.slots();
        slots.making.remove(&slot);
        slots
            .files
            .insert(slot, made.map_err(|source| failed("make", slot, source))?);
        slots.free(slot, false);
        Ok(())
    }

    /// Makes slots ready ahead of the writer until [`Wal::stop_preparing`] is called.
    pub fn prepare_until_stopped(&self) {
        let mut has_failed = false;
        loop {
            let mut slots = self.slots();
            while !slots.is_stopping && !self.wants_ready(&slots) {
                slots = self
                    .wanted
                    .wait(slots)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if slots.is_stopping {
                return;
            }
            drop(slots);
            let prepared = self.prepare();
            let failed_before = std::mem::replace(&mut has_failed, prepared.is_err());
            if let Err(error) = prepared {
                if !failed_before {
                    tracing::warn!(%error, "no write-ahead file was made ready");
                }
                let slots = self.slots();
                let pause = |slots: &mut Slots| !slots.is_stopping;
                // Woken or not, it looks again.
                drop(
                    self.wanted
                        .wait_timeout_while(slots, PREPARE_AGAIN_AFTER, pause),
                );
            }
        }
    }

    /// Ends [`Wal::prepare_until_stopped`] after what it is doing.
    pub fn stop_preparing(&self) {
        self.slots().is_stopping = true;
        self.wanted.notify_all();
    }

    fn wants_ready(&self, slots: &Slots) -> bool {
        let can_make = slots.files.len() + slots.making.len() < self.files_max;
        // Until the first slot is full, nobody knows that more than one more is needed.
        let ahead = if slots.live.len() < 2 {
            self.files_ahead.min(1)
        } else {
            self.files_ahead
        };
        slots.ready.len() < ahead
            && !slots.live.is_empty()
            && (can_make || !slots.growing.is_empty())
    }

    fn prepare(&self) -> Result<(), StoreError> {
        if self.slots().growing.is_empty() {
            self.make_slot()?;
        }
        let (slot, file) = {
            let mut slots = self.slots();
            let Some(slot) = slots.growing.pop_front() else {
                return Ok(());
            };
            let Some(file) = slots.files.get(&slot).cloned() else {
                return Ok(());
            };
            (slot, file)
        };
        let filled = self.fill(file.as_ref());
        self.slots().free(slot, *filled.as_ref().unwrap_or(&false));
        self.freed.notify_all();
        filled
            .map(|_| ())
            .map_err(|source| failed("prepare", slot, source))
    }

    /// Fills a file up with zeros behind what it has, so that writing there later only writes
    /// data. Returns whether it came to the end. Past the cache, because what gathers there goes to
    /// the disk at once in the end, and every sync of the writer's waits for it.
    fn fill(&self, file: &dyn DiskFile) -> io::Result<bool> {
        let zeros = vec![0; CHUNK_BYTES];
        let mut at = file.length()?;
        file.reserve(self.file_bytes)?;
        while at < self.file_bytes {
            if self.slots().is_stopping {
                file.set_length(at)?;
                return Ok(false);
            }
            let zeros = &zeros[..at_most(CHUNK_BYTES, self.file_bytes - at)];
            write_past_cache(file, zeros, at)?;
            at += zeros.len() as u64;
        }
        file.sync()?;
        Ok(true)
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
            files,
            ready,
            growing,
            live,
            ..
        } = &mut *slots;
        let writing = live.back().map(|live| live.slot);
        live.retain(|live| {
            if Some(live.slot) == writing || block < live.last_block {
                return true;
            }
            if live.abandoned {
                abandoned.push(live.slot);
            } else if live.is_ready || live.bytes >= self.file_bytes {
                ready.push_back(live.slot);
            } else {
                growing.push_back(live.slot);
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
            self.remove(slot);
        }
        self.freed.notify_all();
    }

    /// How much waits to be flushed, when all blocks up to `flushed` are.
    pub fn backlog(&self, flushed: u64) -> Backlog {
        let slots = self.slots();
        let waiting = slots.live.iter().filter(|live| flushed < live.last_block);
        let bytes = waiting.clone().map(|live| live.bytes).sum();
        // Where nothing waits, nothing is old.
        let age = waiting
            .map(|live| live.since.elapsed())
            .max()
            .unwrap_or_default();
        let free = slots.ready.len() + slots.growing.len();
        // There may be more files than are allowed now, from before a restart.
        let unused = (self.files_max + free).saturating_sub(slots.files.len());
        Backlog {
            bytes,
            age,
            pressing: unused <= self.files_max / 4,
        }
    }
}

fn failed(doing: &str, slot: u32, source: io::Error) -> StoreError {
    StoreError::io(format!("{doing} {}", slot_path(slot).display()), source)
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

/// Writes all of `bytes` at `offset`, which will hardly be read soon.
pub fn write_past_cache(file: &dyn DiskFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_past_cache(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                bytes = bytes.get(written..).ok_or_else(|| {
                    io::Error::other("the disk says that it wrote more than it was given")
                })?;
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

/// Reads `bytes` from `offset`, or as many as the file has, onto the end of `into`; returns how
/// many.
pub fn read_onto(
    file: &dyn DiskFile,
    into: &mut Vec<u8>,
    bytes: usize,
    offset: u64,
) -> io::Result<usize> {
    let mut total = 0;
    while total < bytes {
        match file.read_onto(into, bytes - total, offset + total as u64) {
            Ok(0) => break,
            Ok(read) => total += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}
