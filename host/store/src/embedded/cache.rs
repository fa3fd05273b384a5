//! The newest frames in memory, all logs under one budget.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::embedded::logs::Log;
use crate::engine::Position;

/// Bytes that a cached frame takes beside its body.
const FRAME_OVERHEAD_BYTES: usize = 128;

/// Which frames are cached, oldest first. The frames themselves are with their logs, where
/// readers find them without looking here; the writer alone holds this list.
pub struct TailCache {
    oldest_first: VecDeque<(Arc<Log>, Position, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl TailCache {
    /// An empty cache that holds at most `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            oldest_first: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Notes that the log's frame at `position` is now cached.
    pub fn added(&mut self, log: &Arc<Log>, position: Position, body_bytes: usize) {
        let bytes = body_bytes + FRAME_OVERHEAD_BYTES;
        self.bytes += bytes;
        self.oldest_first.push_back((log.clone(), position, bytes));
    }

    /// Drops the oldest frames until the rest fits the budget.
    pub fn shrink(&mut self) {
        while self.bytes_max < self.bytes {
            let Some((log, position, bytes)) = self.oldest_first.pop_front() else {
                return;
            };
            self.bytes -= bytes;
            let cached = &mut log.state().cached;
            while cached
                .front()
                .is_some_and(|frame| frame.position <= position)
            {
                cached.pop_front();
            }
        }
    }
}
