//! The moment at which a transaction becomes visible.
//!
//! Its frames and rows are put where readers find them one after the other. A reader that has
//! found one of them must find the rest in what it asks for next: so whatever is asked for while
//! a transaction of several parts is being published waits for the end of that, a few microseconds.
//! A transaction that is a single frame needs none of this, and a reader pays one load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether a transaction is becoming visible right now.
#[derive(Default)]
pub struct Publication {
    is_under_way: AtomicBool,
    under_way: Mutex<()>,
}

/// While this lives, a transaction is becoming visible.
pub struct Publishing<'a> {
    publication: &'a Publication,
    _under_way: MutexGuard<'a, ()>,
}

impl Publication {
    /// Begins to make a transaction visible.
    pub fn begin(&self) -> Publishing<'_> {
        let under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.is_under_way.store(true, Ordering::SeqCst);
        Publishing {
            publication: self,
            _under_way: under_way,
        }
    }

    /// Returns once what was found before by whoever asks is visible with all its parts.
    pub fn settled(&self) {
        if self.is_under_way.load(Ordering::SeqCst) {
            drop(
                self.under_way
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }
}

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        self.publication.is_under_way.store(false, Ordering::SeqCst);
    }
}
