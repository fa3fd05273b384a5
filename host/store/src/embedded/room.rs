//! Whether the disk has room for new data.
//!
//! New data is refused while there is less room than what was accepted may need, and a write may
//! be refused by the disk itself, whose quota the free space does not show. Both end as soon as
//! there is room again, whether or not anybody writes: the writer asks before it writes, and the
//! flusher looks while nobody does.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::disk::Disk;
use crate::embedded::health::{Health, Topic};

/// How often the disk is asked for its free space.
const SPACE_CHECK_EVERY: Duration = Duration::from_millis(200);
/// The file that is made, and removed, to see whether the disk takes data again.
const PROBE_FILE: &str = "probe";
/// How long that file is made: what one block may need.
const PROBE_BYTES: u64 = 4 * 1024 * 1024;

/// What is known of the disk's room.
pub struct Room {
    disk: Arc<dyn Disk>,
    free_bytes_min: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    found: Found,
    looked_at: Option<Instant>,
}

/// What was found last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Found {
    #[default]
    Enough,
    /// Less is free than must be: new data is refused.
    TooLittle,
    /// The disk has refused a write: the next one may go through.
    Refused,
}

impl Room {
    /// Room on `disk`, of which `free_bytes_min`, or a tenth of it if that is less, are kept free.
    pub fn new(disk: Arc<dyn Disk>, free_bytes_min: u64) -> Self {
        Self {
            disk,
            free_bytes_min,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether new data must be refused, to leave the disk room for what was accepted. Asks the
    /// disk if it was not asked lately.
    pub fn is_too_little(&self, health: &Health) -> bool {
        let mut state = self.state();
        let is_known = state
            .looked_at
            .is_some_and(|at| at.elapsed() < SPACE_CHECK_EVERY);
        if !is_known {
            state.looked_at = Some(Instant::now());
            self.look(&mut state, health);
        }
        state.found == Found::TooLittle
    }

    /// Notes that the disk has refused a write for want of room.
    pub fn refused(&self, health: &Health) {
        let mut state = self.state();
        if state.found == Found::Enough {
            state.found = Found::Refused;
            health.set(
                Topic::DiskFull,
                "the disk has refused a write as full".to_owned(),
            );
        }
        state.looked_at = None;
    }

    /// Notes that the disk has taken a block.
    pub fn taken(&self, health: &Health) {
        let mut state = self.state();
        if state.found == Found::Refused {
            state.found = Found::Enough;
            health.clear(Topic::DiskFull);
        }
    }

    /// Looks whether there is room again, if there was none.
    pub fn look_again(&self, health: &Health) {
        if self.state().found == Found::Enough {
            return;
        }
        let is_too_little = self.is_too_little(health);
        if !is_too_little && self.state().found == Found::Refused && self.probe() {
            self.taken(health);
        }
    }

    fn look(&self, state: &mut State, health: &Health) {
        // A disk that does not say how much is free is written to until it refuses.
        let Ok(space) = self.disk.space() else {
            return;
        };
        let needed = self.free_bytes_min.min(space.total_bytes / 10);
        if space.free_bytes < needed {
            if state.found != Found::TooLittle {
                state.found = Found::TooLittle;
                let free = space.free_bytes;
                let reason = format!("the disk has {free} bytes free, {needed} are needed");
                health.set(Topic::DiskFull, reason);
            }
        } else if state.found == Found::TooLittle {
            state.found = Found::Enough;
            health.clear(Topic::DiskFull);
        }
    }

    /// Whether the disk takes a block's worth of data.
    fn probe(&self) -> bool {
        let path = Path::new(PROBE_FILE);
        let taken = self
            .disk
            .create(path)
            .and_then(|file| file.reserve(PROBE_BYTES));
        // One that stays is made anew by the next probe.
        let removed = self.disk.remove(path);
        taken.is_ok() && removed.is_ok()
    }
}
