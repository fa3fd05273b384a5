//! The segments that a flush has written to and must sync.

use std::sync::Arc;

use crate::disk::Disk;
use crate::embedded::segment::SegmentFile;
use crate::embedded::segment_names::{LOGS_DIR, log_dir};
use crate::engine::{LogId, Position, StoreError};

/// More segments than these are synced by syncing the whole disk, and none of them is held open
/// for it: a flush of thousands of logs would hold a descriptor for each.
const SYNCED_ONE_BY_ONE_MAX: usize = 16;

/// A segment that was written and is to be synced.
pub struct TouchedSegment {
    pub file: Arc<SegmentFile>,
    pub log: LogId,
    pub base: Position,
    pub is_new: bool,
}

/// All segments that one flush has written to.
pub enum Touched {
    /// Few enough to be synced one by one.
    Few(Vec<TouchedSegment>),
    /// The names of too many.
    Many(Vec<(LogId, Position)>),
}

impl Touched {
    /// None yet.
    pub fn none() -> Self {
        Self::Few(Vec::new())
    }

    /// Adds segments, and lets all go if they are too many by now.
    pub fn extend(&mut self, segments: Vec<TouchedSegment>) {
        match self {
            Self::Few(few) => {
                few.extend(segments);
                if few.len() > SYNCED_ONE_BY_ONE_MAX {
                    *self = Self::Many(few.iter().map(name).collect());
                }
            }
            Self::Many(many) => many.extend(segments.iter().map(name)),
        }
    }

    /// Makes durable what was written to them, and their names.
    pub fn sync(&self, disk: &dyn Disk) -> Result<(), StoreError> {
        let Self::Few(few) = self else {
            let failed = |source| StoreError::io("sync all segments", source);
            return disk.sync_all().map_err(failed);
        };
        let sync_dir = |dir: &str| {
            let failed = |source| StoreError::io(format!("sync the directory {dir}"), source);
            disk.sync_dir(dir.as_ref()).map_err(failed)
        };
        for segment in few {
            segment.file.sync()?;
            if segment.is_new {
                sync_dir(&log_dir(segment.log))?;
            }
        }
        if few.iter().any(|segment| segment.is_new) {
            sync_dir(LOGS_DIR)?;
        }
        Ok(())
    }

    /// The names of all.
    pub fn into_names(self) -> Vec<(LogId, Position)> {
        match self {
            Self::Few(few) => few.iter().map(name).collect(),
            Self::Many(many) => many,
        }
    }
}

fn name(segment: &TouchedSegment) -> (LogId, Position) {
    (segment.log, segment.base)
}
