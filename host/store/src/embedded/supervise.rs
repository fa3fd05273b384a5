//! The threads of an open store, and what becomes of it when one of them dies.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::embedded::health::Topic;
use crate::embedded::panics::text_of;
use crate::embedded::shared::Shared;
use crate::engine::StoreError;

/// How much less of the processors those threads ask for that nobody waits for.
const BEHIND_BY: i32 = 5;

/// A thread that the store cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Makes commits durable.
    Writer,
    /// Moves what is durable to segments and redb.
    Flusher,
    /// Makes write-ahead files ready.
    Preparer,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Writer => "store-writer",
            Self::Flusher => "store-flusher",
            Self::Preparer => "store-preparer",
        }
    }

    /// Whether it gives way to those whom commits wait for. While it holds them up, they leave it
    /// the processors.
    fn gives_way(self) -> bool {
        self != Self::Writer
    }
}

/// Starts a thread. If it panics, the store takes no more writes and says why, and everybody who
/// waits for the thread is told at once: none of what it was doing was acknowledged, and all that
/// was acknowledged is on the disk.
pub fn spawn(
    role: Role,
    shared: Arc<Shared>,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    let failed = |source| StoreError::io(format!("start the thread {}", role.name()), source);
    let supervised = move || {
        if role.gives_way() {
            // Refused, it works like any other.
            let _ = rustix::process::nice(BEHIND_BY);
        }
        // What the thread owned is dropped here. What it shares is whole between any two of its
        // statements, or lies behind redb, which is opened anew before it is written again.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            end_writing(&shared, role, text_of(panic.as_ref()));
        }
    };
    std::thread::Builder::new()
        .name(role.name().to_owned())
        .spawn(supervised)
        .map_err(failed)
}

/// Whichever thread has died: without the writer nothing becomes durable, without the others the
/// write-ahead log is full some day or slow.
fn end_writing(shared: &Shared, role: Role, panic: &str) {
    let reason = format!("the thread {} panicked: {panic}", role.name());
    shared.health.set(Topic::ReadOnly, reason.clone());
    shared.queue.fail(&reason);
    if role == Role::Flusher {
        shared.flush.stop_at_once();
    }
}
