//! The thread that keeps what is in force in step with what lies in the plugins directory.
//!
//! A file is looked at once it has settled: nothing of its plugin changed for a moment. It is read
//! whole and hashed; what happens to the file afterwards is a new version. Events of the file
//! system only make the thread look sooner.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::directory::{self, Found};
use crate::loader::Loader;
use crate::name::PluginName;
use crate::plugins::Registry;

/// How long files must be left alone before they are read.
const SETTLE: Duration = Duration::from_millis(250);
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
    Event,
    Stop,
}

impl Watcher {
    /// Takes what is there, then starts the thread.
    pub(crate) fn start(
        directory: PathBuf,
        registry: Arc<Registry>,
        loader: Arc<Loader>,
    ) -> Result<Self, String> {
        // One ring is as good as many: the thread looks at everything.
        let (bell, rings) = sync_channel(1);
        let mut watch = Watch {
            directory,
            registry,
            loader,
            handled: BTreeMap::new(),
            settling: BTreeMap::new(),
            is_starting: true,
        };
        let events = events(&watch.directory, &bell);
        watch.look()?;
        watch.is_starting = false;
        let thread = thread::Builder::new()
            .name("millrace-plugins".to_owned())
            .spawn(move || watch.run(&rings))
            .map_err(|error| error.to_string())?;
        Ok(Self {
            bell: Some(bell),
            thread: Some(thread),
            _events: events,
        })
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

struct Watch {
    directory: PathBuf,
    registry: Arc<Registry>,
    loader: Arc<Loader>,
    /// What was read of each plugin last.
    handled: BTreeMap<PluginName, Found>,
    /// What has changed since, and when that was seen first.
    settling: BTreeMap<PluginName, (Found, Instant)>,
    /// The first look, before the server takes requests.
    is_starting: bool,
}

impl Watch {
    fn run(mut self, rings: &Receiver<Ring>) {
        loop {
            let pause = match self.settling.is_empty() {
                true => LOOK,
                false => SETTLE_LOOK,
            };
            match rings.recv_timeout(pause) {
                Ok(Ring::Event) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Ring::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            if let Err(why) = self.look() {
                tracing::warn!(why, "look at the plugins directory");
            }
        }
    }

    /// Looks at the whole directory once.
    fn look(&mut self) -> Result<(), String> {
        let found = directory::scan(&self.directory)?;
        for name in self.registry.names() {
            if !found.contains_key(&name) {
                self.registry.remove(&name);
            }
        }
        self.handled.retain(|name, _| found.contains_key(name));
        self.settling.retain(|name, _| found.contains_key(name));
        for (name, found) in found {
            if self.loader.compiler.is_closed() {
                return Ok(());
            }
            if self.handled.get(&name) == Some(&found) {
                self.settling.remove(&name);
                continue;
            }
            if self.has_settled(&name, &found) {
                self.settling.remove(&name);
                self.take(&name, &found);
                self.handled.insert(name, found);
            }
        }
        Ok(())
    }

    fn has_settled(&mut self, name: &PluginName, found: &Found) -> bool {
        match self.settling.get(name) {
            Some((seen, since)) if seen == found => SETTLE <= since.elapsed(),
            // What is there at the start is taken as it is; if it was still being written, its
            // next change is looked at like any other.
            None if self.is_starting => true,
            _ => {
                let now = Instant::now();
                self.settling.insert(name.clone(), (found.clone(), now));
                false
            }
        }
    }

    fn take(&self, name: &PluginName, found: &Found) {
        let source = match found.read(name, self.loader.limits.component_bytes_max) {
            Ok(source) => source,
            Err(why) => return self.registry.refuse(name, why),
        };
        if self.registry.hash(name) == Some(source.hash()) {
            return self.registry.forgive(name);
        }
        match self.loader.load(name, &source, self.registry.now()) {
            Ok(version) => self.registry.take(version),
            // It was cut off, which says nothing of the plugin.
            Err(_) if self.loader.compiler.is_closed() => {}
            Err(why) => self.registry.refuse(name, why),
        }
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
