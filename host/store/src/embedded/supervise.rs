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
/// write-ahead log is full some day or slow. The log comes last: it may be what panicked, and
/// would then panic again.
fn end_writing(shared: &Shared, role: Role, panic: &str) {
    let reason = format!("the thread {} panicked: {panic}", role.name());
    shared.health.note(Topic::ReadOnly, reason.clone());
    shared.queue.fail(&reason);
    if role == Role::Flusher {
        shared.flush.stop_at_once();
    }
    tracing::error!(%reason, "the store takes no more writes");
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tracing::field::FieldSet;
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;
    use crate::disk::simulated::SimulatedDisk;
    use crate::embedded::opening;
    use crate::embedded::options::Options;
    use crate::embedded::queue::QueuedCommit;
    use crate::engine::{CommitError, Purpose};

    /// A log whose every line ends whoever writes it.
    struct Broken;

    impl Subscriber for Broken {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let fields: &FieldSet = event.metadata().fields();
            panic!("no line with {fields} is written");
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    fn request() -> (QueuedCommit, oneshot::Receiver<impl Sized>) {
        let (reply, answer) = oneshot::channel();
        let request = QueuedCommit {
            appends: Vec::new(),
            writes: Vec::new(),
            checks: Vec::new(),
            changes: Vec::new(),
            ends: Vec::new(),
            purpose: Purpose::Keep,
            bytes: 1,
            reply,
        };
        (request, answer)
    }

    /// The log was on the disk that was full. The writer panicked where it logged that, and again
    /// where it was to say that it had ended: whoever waited for it waited for ever.
    #[test]
    fn a_store_whose_log_panics_still_refuses_writes_when_its_writer_ends() {
        let disk = SimulatedDisk::new(1);
        for dir in ["wal", "logs"] {
            crate::disk::Disk::create_dir(&disk, dir.as_ref()).unwrap();
        }
        let (shared, _) = opening::recover(Arc::new(disk), Options::default()).unwrap();
        let (waiting, mut answer) = request();
        shared.queue.push(waiting).unwrap();
        let ended = tracing::subscriber::with_default(Broken, || {
            catch_unwind(AssertUnwindSafe(|| {
                end_writing(&shared, Role::Writer, "the log is broken");
            }))
        });
        assert!(ended.is_err(), "this log panics");
        assert!(answer.try_recv().is_ok(), "who waited is answered");
        let refused = shared.queue.push(request().0);
        assert!(matches!(refused, Err(CommitError::ReadOnly(_))));
        let health = shared.health.check().unwrap_err();
        assert!(health.contains("store-writer"), "{health}");
    }
}
