//! The rows of streams as they lay before modes had settings and streams shard-level metrics.

use bincode::{Decode, Encode};
use store::StoreError;

use super::ModeRow;
use crate::codec::damaged;

/// The layout of these rows.
pub const LAYOUT: u8 = 1;

/// A stream's row.
#[derive(Encode, Decode)]
pub struct StreamRow {
    id: u64,
    status: u8,
    mode: u8,
    created_at_ms: u64,
    retention_hours: u32,
    expired_before_ms: u64,
    record_bytes_max: u32,
    tags: Vec<(String, String)>,
}

impl StreamRow {
    /// The row in the layout of now.
    pub fn in_force(self) -> Result<super::StreamRow, StoreError> {
        Ok(super::StreamRow {
            id: self.id,
            status: self.status,
            mode: match self.mode {
                0 => ModeRow::Provisioned,
                1 => ModeRow::OnDemand {
                    distribution: 0,
                    warm_mibps: None,
                },
                _ => return Err(damaged("a stream's mode")),
            },
            mode_switched_at_ms: Vec::new(),
            created_at_ms: self.created_at_ms,
            retention_hours: self.retention_hours,
            expired_before_ms: self.expired_before_ms,
            record_bytes_max: self.record_bytes_max,
            shard_level_metrics: 0,
            tags: self.tags,
        })
    }
}
