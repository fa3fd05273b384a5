//! What the writer, the flusher and readers have in common.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::disk::Disk;
use crate::embedded::catalog::LogCatalog;
use crate::embedded::flush_control::FlushControl;
use crate::embedded::health::Health;
use crate::embedded::logs::Logs;
use crate::embedded::options::Options;
use crate::embedded::publication::Publication;
use crate::embedded::queue::Queue;
use crate::embedded::room::Room;
use crate::embedded::segment::SegmentFile;
use crate::embedded::segments::Segments;
use crate::embedded::tables::Tables;
use crate::embedded::wal::Wal;
use crate::engine::{LogChange, LogId, Position, StoreError};
use crate::keys::KeyRing;

/// One open data directory.
pub struct Shared {
    pub disk: Arc<dyn Disk>,
    pub options: Options,
    /// The directory's own number.
    pub store: u64,
    /// How many times it was opened.
    pub epoch: u64,
    pub logs: Logs,
    pub keys: Arc<KeyRing>,
    pub queue: Queue,
    pub wal: Wal,
    pub segments: Segments,
    pub catalog: Arc<LogCatalog>,
    pub tables: Tables,
    pub flush: FlushControl,
    pub health: Health,
    pub room: Room,
    pub publication: Publication,
    /// Blocks that were acknowledged cannot be read, and nobody can say what was in them:
    /// nothing is written or moved until an operator has looked.
    pub wal_damage: Option<StoreError>,
    /// The last block that is durable and visible.
    pub durable_block: AtomicU64,
    /// The last block of which everything is in segments and redb.
    pub flushed_block: AtomicU64,
}

impl Shared {
    /// The segment of `log` that begins at `base`. Blocks while the file is opened. Damage of its
    /// own header is told, and is no reason not to read its frames.
    pub fn segment(&self, log: LogId, base: Position) -> Result<Arc<SegmentFile>, StoreError> {
        let file = self.segments.open(log, base)?;
        if let Some(damage) = file.header_damage() {
            self.health.note_damaged_header(damage);
        }
        Ok(file)
    }

    /// Makes a durable step in a log's life visible. Steps of logs that are gone do nothing.
    pub fn apply(&self, change: LogChange) {
        if let Some(log) = self.logs.apply(change) {
            self.flush.note_dirty(log);
        }
    }
}
