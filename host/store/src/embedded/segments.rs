//! The segments that are open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::Disk;
use crate::embedded::options::SEGMENTS_OPEN_MAX;
use crate::embedded::segment::SegmentFile;
use crate::engine::{LogId, Position, StoreError};
use crate::keys::KeyRing;

/// The segments that are open, the one used longest ago closed first.
pub struct Segments {
    disk: Arc<dyn Disk>,
    keys: Arc<KeyRing>,
    open: Mutex<OpenSegments>,
}

#[derive(Default)]
struct OpenSegments {
    files: HashMap<(LogId, Position), (Arc<SegmentFile>, u64)>,
    uses: u64,
}

impl Segments {
    /// Nothing open yet.
    pub fn new(disk: Arc<dyn Disk>, keys: Arc<KeyRing>) -> Self {
        Self {
            disk,
            keys,
            open: Mutex::default(),
        }
    }

    /// The segment of `log` that begins at `base`. Blocks while the file is opened. A damaged
    /// header is told by whoever opens it: [`crate::embedded::shared::Shared::segment`].
    pub fn open(&self, log: LogId, base: Position) -> Result<Arc<SegmentFile>, StoreError> {
        if let Some(found) = self.find(log, base) {
            return Ok(found);
        }
        let opened = SegmentFile::open(self.disk.as_ref(), log, base)?.with_keys(&self.keys);
        Ok(self.keep(log, base, opened))
    }

    /// Makes an empty segment, or empties what an unfinished flush has left.
    pub fn create(&self, log: LogId, base: Position) -> Result<Arc<SegmentFile>, StoreError> {
        self.forget(log, base);
        let made = SegmentFile::create(self.disk.as_ref(), log, base)?.with_keys(&self.keys);
        Ok(self.keep(log, base, made))
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
        if open.files.len() >= SEGMENTS_OPEN_MAX {
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
