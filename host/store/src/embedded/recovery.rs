//! Reading the write-ahead log at the start: what was acknowledged and is in no segment yet.
//!
//! The blocks that matter have numbers after the last flushed one, without a gap, spread over
//! files of which each carries the number of its use. A file begun later takes over from the
//! number of its first block: a block with that number or a greater one in an earlier file was
//! never acknowledged.
//!
//! A bad block with nothing valid after it is the torn tail of a crash: it was never
//! acknowledged, because a block is written only when the one before is durable. A bad block with
//! a valid one after it was acknowledged: that is damage, and is said loudly.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{Disk, DiskFile};
use crate::embedded::file_use::{FileUse, open_files};
use crate::embedded::format::{
    BLOCK_HEADER_BYTES, BlockCheck, BlockHeader, Entry, FrameHeader, check_block,
    padded_block_bytes,
};
use crate::embedded::logs::{Log, LogState, Logs, WalFrame};
use crate::embedded::options::CHUNK_BYTES;
use crate::embedded::tables::Tables;
use crate::embedded::wal::{WAL_DIR, read_full, read_onto, slot_path, write_all};
use crate::embedded::writer;
use crate::engine::StoreError;

/// Frames that cannot be read of which it is told at the start. Whoever reads others hears of them
/// then.
const UNSOUND_TOLD_MAX: usize = 64;

/// What the write-ahead log holds, applied to logs and tables.
pub struct Recovered {
    /// Every write-ahead file.
    pub files: BTreeMap<u32, Arc<dyn DiskFile>>,
    /// Those with blocks to be flushed: slot, last block, bytes; in the order of their blocks.
    pub live: Vec<(u32, u64, u64)>,
    /// The others, in the order in which they may be written again: first what was never used, then
    /// what was used longest ago, so that the blocks that are lost are the oldest.
    pub free: Vec<u32>,
    /// The last of those blocks.
    pub last: Option<LastBlock>,
    /// Where the writer goes on.
    pub cursor: writer::NextBlock,
    /// The last start that wrote one of the blocks.
    pub epoch: u64,
    /// Logs that have something to be flushed.
    pub dirty: Vec<Arc<Log>>,
    /// Acknowledged blocks that cannot be read.
    pub damage: Option<StoreError>,
    /// Frames whose bodies cannot be read, the first [`UNSOUND_TOLD_MAX`] of them.
    pub unsound: Vec<StoreError>,
}

/// What is asked of the write-ahead log.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The number of the data directory.
    pub store: u64,
    /// The last block that is not wanted any more.
    pub flushed_block: u64,
    /// Only to see what there is: nothing is written, and what is wrong is for the caller to tell.
    pub is_trial: bool,
}

/// Reads all files of the write-ahead log and applies the blocks that are wanted.
pub fn recover(
    disk: &Arc<dyn Disk>,
    wanted: Wanted,
    logs: &Logs,
    tables: &Tables,
) -> Result<Recovered, StoreError> {
    let flushed_block = wanted.flushed_block;
    let files = open_files(disk)?;
    let mut uses = Vec::new();
    for (slot, file) in &files {
        uses.extend(FileUse::identify(*slot, file.clone(), wanted.store)?);
    }
    uses.sort_by_key(|file| file.number);
    let recovered = Recovered {
        files,
        live: Vec::new(),
        free: Vec::new(),
        last: None,
        cursor: writer::NextBlock {
            number: flushed_block + 1,
            previous: 0,
            file_use: uses.last().map_or(0, |file| file.number),
        },
        epoch: 0,
        dirty: Vec::new(),
        damage: None,
        unsound: Vec::new(),
    };
    let mut replay = Replay {
        flushed_block,
        is_trial: wanted.is_trial,
        logs,
        tables,
        recovered,
        torn: None,
        seen: None,
    };
    for (n, file) in uses.iter().enumerate() {
        let later = uses[n + 1..].iter().map(|later| later.first_block).min();
        replay.file(file, later)?;
    }
    let mut recovered = replay.finish();
    recovered.free = free_slots(&recovered, &uses);
    if !wanted.is_trial {
        make_durable(disk, &recovered)?;
    }
    Ok(recovered)
}

/// The slots without a block to be flushed, in the order of [`Recovered::free`].
fn free_slots(recovered: &Recovered, uses: &[FileUse]) -> Vec<u32> {
    let is_used = |slot: &u32| uses.iter().any(|file| file.slot == *slot);
    let is_live = |slot: &u32| recovered.live.iter().any(|(live, ..)| live == slot);
    let unused = recovered
        .files
        .keys()
        .copied()
        .filter(|slot| !is_used(slot));
    let by_age = uses.iter().map(|file| file.slot);
    unused.chain(by_age).filter(|slot| !is_live(slot)).collect()
}

/// A write-ahead file that nothing was ever written to but zeros.
pub fn unused_file(disk: &Arc<dyn Disk>) -> Result<Option<PathBuf>, StoreError> {
    for (slot, file) in open_files(disk)? {
        let path = slot_path(slot);
        let is_unused = has_only_zeros(file.as_ref());
        if is_unused.map_err(|e| StoreError::io(format!("read {}", path.display()), e))? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Looks at all of it: where the first block is damaged, others may follow.
fn has_only_zeros(file: &dyn DiskFile) -> io::Result<bool> {
    let (mut chunk, mut at) = (Vec::new(), 0);
    loop {
        chunk.clear();
        let read = read_onto(file, &mut chunk, CHUNK_BYTES, at)?;
        if read == 0 || chunk.iter().any(|byte| *byte != 0) {
            return Ok(read == 0);
        }
        at += read as u64;
    }
}

/// The numbers of all data directories that blocks were written for: one, or none before the first
/// block.
pub fn stores(disk: &Arc<dyn Disk>) -> Result<Vec<u64>, StoreError> {
    let mut stores = Vec::new();
    for (slot, file) in open_files(disk)? {
        let mut bytes = [0; BLOCK_HEADER_BYTES];
        read_full(file.as_ref(), &mut bytes, 0).map_err(|source| {
            StoreError::io(format!("read {}", slot_path(slot).display()), source)
        })?;
        if let Some((header, _)) = BlockHeader::decode(&bytes)
            && !stores.contains(&header.store)
        {
            stores.push(header.store);
        }
    }
    Ok(stores)
}

/// Makes durable what was read: from now on it counts as acknowledged. A process that was killed
/// before its sync leaves a last block that is read here and is still not on the disk. If its
/// sync had failed, another one alone would not bring the block there: the system may take what
/// it reads from memory for clean. So the block is written once more. Those before it were
/// durable when it was written.
fn make_durable(disk: &Arc<dyn Disk>, recovered: &Recovered) -> Result<(), StoreError> {
    let failed = |source| StoreError::io(format!("sync {WAL_DIR}"), source);
    if let Some(last) = &recovered.last {
        last.write_again().map_err(failed)?;
    }
    for (slot, ..) in &recovered.live {
        if let Some(file) = recovered.files.get(slot) {
            file.sync().map_err(failed)?;
        }
    }
    disk.sync_dir(WAL_DIR.as_ref()).map_err(failed)
}

/// The block that nothing follows.
pub struct LastBlock {
    file: Arc<dyn DiskFile>,
    offset: u64,
    bytes: usize,
}

impl LastBlock {
    /// Writes the block's bytes as they read to where they are.
    fn write_again(&self) -> io::Result<()> {
        let mut block = Vec::new();
        read_onto(self.file.as_ref(), &mut block, self.bytes, self.offset)?;
        write_all(self.file.as_ref(), &mut [IoSlice::new(&block)], self.offset)
    }
}

/// Where a block stands.
struct BlockPlace<'a> {
    file: &'a FileUse,
    offset: u64,
    /// A file begun later has blocks that come after it.
    is_followed: bool,
}

impl BlockPlace<'_> {
    fn corrupt(&self, what: String) -> StoreError {
        StoreError::corrupt(self.file.name(), self.offset, what)
    }
}

struct Replay<'a> {
    flushed_block: u64,
    is_trial: bool,
    logs: &'a Logs,
    tables: &'a Tables,
    recovered: Recovered,
    /// A bad block that nothing has followed so far.
    torn: Option<StoreError>,
    /// Number and header checksum of the block that was seen last, flushed or not.
    seen: Option<(u64, u32)>,
}

impl Replay<'_> {
    /// Applies the blocks of one file, those below the first number of a later file if there is
    /// one.
    fn file(&mut self, file: &FileUse, limit: Option<u64>) -> Result<(), StoreError> {
        let mut offset = 0;
        while offset < file.length {
            let header = file
                .header(offset)?
                .filter(|(header, _)| header.file == file.number);
            let Some((header, crc)) = header else {
                let next = file.next_header(offset, self.recovered.cursor.number)?;
                let Some(next) = next else { return Ok(()) };
                let what = "this is not the header of a block, though blocks follow";
                self.damaged(StoreError::corrupt(file.name(), offset, what));
                offset = next;
                continue;
            };
            if limit.is_some_and(|limit| header.number >= limit) {
                return Ok(());
            }
            let bytes = padded_block_bytes(header.length as usize) as u64;
            if self.flushed_block < header.number {
                let is_followed = limit.is_some();
                self.block(
                    &BlockPlace {
                        file,
                        offset,
                        is_followed,
                    },
                    &header,
                    crc,
                )?;
            } else {
                self.recovered.cursor.previous = crc;
                self.seen = Some((header.number, crc));
            }
            offset += bytes;
        }
        Ok(())
    }

    fn block(
        &mut self,
        at: &BlockPlace<'_>,
        header: &BlockHeader,
        crc: u32,
    ) -> Result<(), StoreError> {
        // Whatever came before is now known to have been acknowledged.
        if let Some(damage) = self.torn.take() {
            self.damaged(damage);
        }
        let expected = self.recovered.cursor.number;
        if header.number < expected {
            self.damaged(at.corrupt(format!("block {} comes twice", header.number)));
            return Ok(());
        }
        if expected < header.number {
            let what = format!("block {} follows, {expected} is missing", header.number);
            self.damaged(at.corrupt(what));
        }
        // After a gap, or if the block before was written over, there is nothing to compare with.
        if let Some((number, crc)) = self.seen
            && number + 1 == header.number
            && crc != header.previous
        {
            let what = format!("block {} does not follow block {number}", header.number);
            self.damaged(at.corrupt(what));
        }
        match check_block(header, at.file.entries(header, at.offset)?) {
            BlockCheck::Sound(entries) => self.apply(at, entries),
            BlockCheck::Damaged(entries) => {
                self.bad_block(at, header, entries)?;
                if self.torn.is_some() {
                    return Ok(());
                }
            }
        }
        self.recovered.cursor.number = header.number + 1;
        self.recovered.cursor.previous = crc;
        self.seen = Some((header.number, crc));
        self.recovered.epoch = self.recovered.epoch.max(header.epoch);
        let bytes = padded_block_bytes(header.length as usize);
        self.recovered.last = Some(LastBlock {
            file: at.file.file.clone(),
            offset: at.offset,
            bytes,
        });
        let (slot, end) = (at.file.slot, at.offset + bytes as u64);
        match self.recovered.live.last_mut() {
            Some((live, last, bytes)) if *live == slot => (*last, *bytes) = (header.number, end),
            _ => self.recovered.live.push((slot, header.number, end)),
        }
        Ok(())
    }

    /// A block whose header is sound and whose entries are not. If no block follows it is the
    /// torn tail; else as much of it is taken as can be told.
    fn bad_block(
        &mut self,
        at: &BlockPlace<'_>,
        header: &BlockHeader,
        entries: Vec<Entry>,
    ) -> Result<(), StoreError> {
        let damage = at.corrupt(format!("block {} has a wrong checksum", header.number));
        if !at.is_followed && at.file.next_header(at.offset, header.number + 1)?.is_none() {
            self.torn = Some(damage);
            return Ok(());
        }
        let is_complete = u32::try_from(entries.len()) == Ok(header.entries);
        let bodies_only = is_complete
            && entries.iter().all(|entry| match entry {
                Entry::Frame { .. } => true,
                Entry::Row(_) | Entry::Change(_) => false,
            });
        self.apply(at, entries);
        if !bodies_only {
            self.damaged(damage);
        }
        Ok(())
    }

    fn apply(&mut self, at: &BlockPlace<'_>, entries: Vec<Entry>) {
        for entry in entries {
            match entry {
                Entry::Frame {
                    header,
                    header_crc,
                    offset,
                    body,
                } => {
                    let Ok(log) = self.logs.find(header.log) else {
                        continue;
                    };
                    let in_wal = WalFrame {
                        position: header.position,
                        end: header.end(),
                        arrival: header.arrival,
                        slot: at.file.slot,
                        offset: at.offset + (BLOCK_HEADER_BYTES + offset) as u64,
                        length: header.frame_length(),
                    };
                    // Its header says where it lies and what follows it: the log goes on, and who
                    // reads the frame hears of it.
                    let is_sound = crc32c::crc32c(&body) == header.body_crc;
                    if !is_sound && self.recovered.unsound.len() < UNSOUND_TOLD_MAX {
                        let what = "the frame's body has a wrong checksum";
                        let error = StoreError::corrupt(at.file.name(), in_wal.offset, what);
                        self.recovered.unsound.push(error);
                    }
                    self.dirty(&log, |state| take(state, &header, header_crc, in_wal));
                }
                // A copy: a slice would keep its whole block in memory until the first flush.
                Entry::Row(mut row) => {
                    row.key = Bytes::copy_from_slice(&row.key);
                    row.value = row.value.map(|value| Bytes::copy_from_slice(&value));
                    self.tables.publish([row]);
                }
                Entry::Change(change) => {
                    self.recovered.dirty.extend(self.logs.apply(change));
                }
            }
        }
    }

    fn dirty(&mut self, log: &Arc<Log>, change: impl FnOnce(&mut LogState)) {
        let mut state = log.state();
        change(&mut state);
        let noted = std::mem::replace(&mut state.dirty, true);
        log.publish(state);
        if !noted {
            self.recovered.dirty.push(log.clone());
        }
    }

    fn damaged(&mut self, damage: StoreError) {
        if !self.is_trial {
            tracing::error!(%damage, "the write-ahead log is damaged");
        }
        self.recovered.damage.get_or_insert(damage);
    }

    fn finish(self) -> Recovered {
        if let Some(torn) = self.torn
            && !self.is_trial
        {
            tracing::warn!(%torn, "dropped the last block, which was never acknowledged");
        }
        self.recovered
    }
}

/// Adds a frame that is in no segment yet.
fn take(state: &mut LogState, header: &FrameHeader, chain: u32, in_wal: WalFrame) {
    if header.position < state.durable.next {
        return;
    }
    state.durable.next = header.end();
    state.durable.chain = chain;
    state.durable.arrival = header.arrival;
    state.assigned = state.durable;
    state.unflushed.push_back(in_wal);
}
