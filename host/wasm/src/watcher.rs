//! The thread that keeps what is in force in step with what lies in the plugins directory: `watch`
//! says how. Events of the file system only make it look sooner.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::call_time::stop_guests_when;
use crate::control::Control;
use crate::deploying::{Deployment, Deployments};
use crate::refusal::Refusal;
use crate::watch::Watch;

/// How often it is looked whether files have settled.
const SETTLE_LOOK: Duration = Duration::from_millis(50);
/// How often the directory is looked at though no event came: some file systems send none.
const LOOK: Duration = Duration::from_secs(2);

/// A running thread; dropping it ends the thread.
pub(crate) struct Watcher {
    bell: Option<SyncSender<Ring>>,
    thread: Option<JoinHandle<()>>,
    // Sends events for as long as it lives.
    _events: Option<RecommendedWatcher>,
}

enum Ring {
    /// Something may have changed, or was handed in.
    Event,
    Stop,
}

impl Watcher {
    /// Looks at what is there and starts the thread, which takes it, calls `tried` once all of it
    /// was tried, and goes on with what changes and what is handed in.
    ///
    /// # Errors
    /// When the directory cannot be read, or there is no thread.
    pub(crate) fn start(
        directory: PathBuf,
        (control, deployments): (Arc<Control>, Arc<Deployments>),
        tried: impl FnOnce() + Send + 'static,
    ) -> Result<Self, String> {
        // One ring is as good as many: the thread looks at everything.
        let (bell, rings) = sync_channel(1);
        let mut watch = Watch::new(directory, control);
        let events = events(&watch.directory, &bell);
        watch.expect()?;
        let closing = watch.closing();
        let keep = move || {
            stop_guests_when(closing);
            survive("load the plugins of the start", || watch.begin());
            tried();
            survive("hold versions ready", || watch.warm_up());
            run(watch, &deployments, &rings);
            deployments.close();
        };
        let thread = thread::Builder::new()
            .name("millrace-plugins".to_owned())
            .spawn(keep)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            bell: Some(bell),
            thread: Some(thread),
            _events: events,
        })
    }
}

impl Watcher {
    /// Lets the thread look for what was handed in, as soon as it comes to that. Does not block.
    pub(crate) fn ring(&self) {
        if let Some(bell) = &self.bell {
            // A bell that is ringing already need not ring twice.
            let _ = bell.try_send(Ring::Event);
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(bell) = self.bell.take() {
            // A thread that has ended needs no stopping.
            let _ = bell.send(Ring::Stop);
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that watches plugins ended badly");
        }
    }
}

/// Looks at every ring, and now and then, until the bell says stop.
fn run(mut watch: Watch, deployments: &Deployments, rings: &Receiver<Ring>) {
    loop {
        let pause = if watch.is_settling() {
            SETTLE_LOOK
        } else {
            LOOK
        };
        match rings.recv_timeout(pause) {
            Ok(Ring::Event) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Ring::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
        while let Some(deployment) = deployments.next() {
            let Deployment {
                name,
                source,
                answer,
            } = deployment;
            // Who asked may have gone: it is deployed all the same.
            let deployed = survive("deploy a version", || watch.deploy(&name, &source));
            answer.give(deployed.unwrap_or_else(|| {
                let why = "deploying it ended badly; the log says how";
                Err(Refusal::ForNow(why.to_owned()))
            }));
        }
        survive("look at the plugins directory", || {
            watch.look(Instant::now())
        });
    }
}

/// Does one step of the thread's work. One that panics costs that step: the thread serves all
/// plugins, and what it notes is whole before and after each.
fn survive<T>(what: &str, step: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(step));
    if done.is_err() {
        tracing::error!(what, "a step of the thread that watches plugins panicked");
    }
    done.ok()
}

/// Rings the bell at every change below `directory`.
fn events(directory: &Path, bell: &SyncSender<Ring>) -> Option<RecommendedWatcher> {
    let bell = bell.clone();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !may_have_changed(event.kind)) {
            return;
        }
        // A bell that is ringing already need not ring twice.
        let _ = bell.try_send(Ring::Event);
    });
    let watching = watcher.and_then(|mut watcher| {
        watcher.watch(directory, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    match watching {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            let every = LOOK.as_secs();
            tracing::warn!(%error, "no events of the plugins directory: looking every {every} s");
            None
        }
    }
}

/// Whether something may lie there otherwise than before. Opening a directory is an event, too:
/// ringing at that, each look would cause the next.
fn may_have_changed(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, ModifyKind, RemoveKind, RenameMode};

    use super::*;

    /// Each look opened the directory, which rang the bell, which made the thread look: it ran all
    /// the time.
    #[test]
    fn looking_at_the_directory_is_no_reason_to_look_again() {
        for kind in [
            AccessKind::Open(AccessMode::Any),
            AccessKind::Open(AccessMode::Read),
            AccessKind::Read,
            AccessKind::Close(AccessMode::Read),
        ] {
            assert!(!may_have_changed(EventKind::Access(kind)), "{kind:?}");
        }
        for kind in [
            EventKind::Any,
            EventKind::Other,
            EventKind::Access(AccessKind::Close(AccessMode::Write)),
            EventKind::Create(CreateKind::File),
            EventKind::Modify(ModifyKind::Data(DataChange::Any)),
            EventKind::Modify(ModifyKind::Name(RenameMode::To)),
            EventKind::Remove(RemoveKind::Folder),
        ] {
            assert!(may_have_changed(kind), "{kind:?}");
        }
    }
}
