//! Files of the write-ahead log as a start finds them, before it is known which of their blocks
//! count.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{Disk, DiskFile};
use crate::embedded::format::{BLOCK_ALIGNMENT, BLOCK_HEADER_BYTES, BlockHeader};
use crate::embedded::wal::{WAL_DIR, read_full, read_onto, slot_path};
use crate::engine::StoreError;

/// Every write-ahead file, by its slot.
pub fn open_files(disk: &Arc<dyn Disk>) -> Result<BTreeMap<u32, Arc<dyn DiskFile>>, StoreError> {
    let listing = |source| StoreError::io(format!("list {WAL_DIR}"), source);
    let mut files = BTreeMap::new();
    for name in disk.list(WAL_DIR.as_ref()).map_err(listing)? {
        // Names that are not ours are left alone.
        let Some(Ok(slot)) = name.strip_suffix(".wal").map(str::parse) else {
            continue;
        };
        let path = slot_path(slot);
        let opening = |source| StoreError::io(format!("open {}", path.display()), source);
        files.insert(slot, disk.open(&path).map_err(opening)?);
    }
    Ok(files)
}

/// A file, as far as its last use goes.
pub struct FileUse {
    pub slot: u32,
    pub file: Arc<dyn DiskFile>,
    store: u64,
    /// Which use of a slot it is.
    pub number: u64,
    /// The number of the first block that can be read.
    pub first_block: u64,
    pub length: u64,
}

impl FileUse {
    /// The last use of the file; `None` if it was never used.
    pub fn identify(
        slot: u32,
        file: Arc<dyn DiskFile>,
        store: u64,
    ) -> Result<Option<Self>, StoreError> {
        let sizing = |source| StoreError::io(format!("read {}", slot_path(slot).display()), source);
        let length = file.length().map_err(sizing)?;
        let mut this = Self {
            slot,
            file,
            store,
            number: 0,
            first_block: 0,
            length,
        };
        let mut newest: Option<BlockHeader> = None;
        let mut offset = 0;
        while offset < length {
            let header = this.header(offset)?.map(|(header, _)| header);
            newest = match (newest, header) {
                (Some(newest), Some(header)) if header.file <= newest.file => Some(newest),
                (newest, header) => header.or(newest),
            };
            // A use always begins at the start: only a damaged start makes looking on worth it.
            if offset == 0 && newest.is_some() {
                break;
            }
            offset += BLOCK_ALIGNMENT as u64;
        }
        Ok(newest.map(|header| {
            this.number = header.file;
            this.first_block = header.number;
            this
        }))
    }

    /// The header at `offset`, if there is one of this data directory.
    pub fn header(&self, offset: u64) -> Result<Option<(BlockHeader, u32)>, StoreError> {
        let mut bytes = [0; BLOCK_HEADER_BYTES];
        self.read(&mut bytes, offset)?;
        Ok(BlockHeader::decode(&bytes).filter(|(header, _)| header.store == self.store))
    }

    /// The offset of the first header after `offset` that belongs to this use and has a number
    /// of at least `number`.
    pub fn next_header(&self, offset: u64, number: u64) -> Result<Option<u64>, StoreError> {
        let mut at = offset + BLOCK_ALIGNMENT as u64;
        while at < self.length {
            if let Some((header, _)) = self.header(at)?
                && header.file == self.number
                && number <= header.number
            {
                return Ok(Some(at));
            }
            at += BLOCK_ALIGNMENT as u64;
        }
        Ok(None)
    }

    pub fn entries(&self, header: &BlockHeader, offset: u64) -> Result<Bytes, StoreError> {
        let (length, at) = (header.length as usize, offset + BLOCK_HEADER_BYTES as u64);
        let mut bytes = Vec::new();
        read_onto(self.file.as_ref(), &mut bytes, length, at)
            .map_err(|source| StoreError::io(format!("read {}", self.name()), source))?;
        Ok(Bytes::from(bytes))
    }

    fn read(&self, into: &mut [u8], offset: u64) -> Result<usize, StoreError> {
        let failed = |source| StoreError::io(format!("read {}", self.name()), source);
        read_full(self.file.as_ref(), into, offset).map_err(failed)
    }

    pub fn name(&self) -> String {
        slot_path(self.slot).display().to_string()
    }
}
