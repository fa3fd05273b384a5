//! The thread that keeps what is in force in step with what lies in the plugins directory.
//!
//! A file is looked at once it has settled: nothing of its plugin changed for a moment. It is read
//! whole and hashed; what happens to the file afterwards is a new version. Events of the file
//! system only make the thread look sooner. What was refused for now is tried again after a pause.

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
use crate::refusal::{Again, Refusal};
use crate::version::Version;

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
        let mut watch = Watch::new(directory, registry, loader);
        let events = events(&watch.directory, &bell);
        watch.look(Instant::now())?;
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
    handled: BTreeMap<PluginName, Handled>,
    /// What has changed since, and when that was seen first.
    settling: BTreeMap<PluginName, (Found, Instant)>,
    /// The first look, before the server takes requests.
    is_starting: bool,
}

struct Handled {
    found: Found,
    /// It was refused for now.
    again: Option<Again>,
}

impl Watch {
    fn new(directory: PathBuf, registry: Arc<Registry>, loader: Arc<Loader>) -> Self {
        Self {
            directory,
            registry,
            loader,
            handled: BTreeMap::new(),
            settling: BTreeMap::new(),
            is_starting: true,
        }
    }

    fn run(mut self, rings: &Receiver<Ring>) {
        let mut failing = None;
        loop {
            let pause = match self.settling.is_empty() {
                true => LOOK,
                false => SETTLE_LOOK,
            };
            match rings.recv_timeout(pause) {
                Ok(Ring::Event) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Ring::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            let failed = self.look(Instant::now()).err();
            // As it may fail at every look, it is told once.
            if let Some(why) = &failed
                && failed != failing
            {
                tracing::warn!(why, "look at the plugins directory");
            }
            failing = failed;
        }
    }

    /// Looks at the whole directory once.
    fn look(&mut self, now: Instant) -> Result<(), String> {
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
            let before = self.handled.get(&name).filter(|it| it.found == found);
            let again = before.and_then(|handled| handled.again);
            if before.is_some() && !again.is_some_and(|again| again.is_due(now)) {
                self.settling.remove(&name);
                continue;
            }
            if self.has_settled(&name, &found, now) {
                self.settling.remove(&name);
                let began = Instant::now();
                let is_for_now = self.take(&name, &found);
                // A pause begins when the attempt is over, however long that took.
                let after = || Again::after(again, now + began.elapsed());
                let again = is_for_now.then(after);
                self.handled.insert(name, Handled { found, again });
            }
        }
        Ok(())
    }

    fn has_settled(&mut self, name: &PluginName, found: &Found, now: Instant) -> bool {
        match self.settling.get(name) {
            Some((seen, since)) if seen == found => SETTLE <= now.saturating_duration_since(*since),
            // What is there at the start is taken as it is; if it was still being written, its
            // next change is looked at like any other.
            None if self.is_starting => true,
            _ => {
                self.settling.insert(name.clone(), (found.clone(), now));
                false
            }
        }
    }

    /// Puts in force what was found, or refuses it; whether that is for now.
    fn take(&self, name: &PluginName, found: &Found) -> bool {
        match self.version(name, found) {
            Ok(Some(version)) => self.registry.take(version),
            Ok(None) => self.registry.forgive(name),
            // It was cut off, which says nothing of the plugin.
            Err(_) if self.loader.compiler.is_closed() => {}
            Err(refusal) => {
                self.registry.refuse(name, &refusal);
                return refusal.is_for_now();
            }
        }
        false
    }

    /// The version that was found, unless it is in force.
    fn version(&self, name: &PluginName, found: &Found) -> Result<Option<Version>, Refusal> {
        let source = found.read(name, self.loader.limits.component_bytes_max)?;
        if self.registry.hash(name) == Some(source.hash()) {
            return Ok(None);
        }
        let loaded = self.loader.load(name, &source, self.registry.now());
        loaded.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use notify::event::{CreateKind, DataChange, ModifyKind, RemoveKind, RenameMode};
    use types::{ManualClock, Timestamp};

    use super::*;
    use crate::limits::{Limits, RETRY_PAUSE};
    use crate::plugins::Options;

    /// The smallest component that admission has nothing against.
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    /// A plugins directory with one component, and a compiler that notes that it was started.
    struct Ground {
        dir: tempfile::TempDir,
        watch: Watch,
    }

    impl Ground {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let directory = dir.path().join("plugins");
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("plugin.wasm"), COMPONENT).unwrap();
            let options = Options {
                directory: None,
                keep: dir.path().join("keep"),
                limits: Limits::default(),
                cache_key: [7; 32],
                compiler: Some(dir.path().join("compiler")),
            };
            let clock = Arc::new(ManualClock::new(Timestamp(0)));
            let registry = Arc::new(Registry::new(clock));
            let loader = Arc::new(Loader::open(&options).unwrap());
            let watch = Watch::new(directory, registry, loader);
            Self { dir, watch }
        }

        fn compiler(&self, does: &str) {
            let script = format!("#!/bin/sh\necho >> {}\n{does}\n", self.started().display());
            // By a process of its own: nothing is executed that this one, or a child that another
            // test just starts, has open for writing.
            let [text, path] = ["text", "compiler"].map(|name| self.dir.path().join(name));
            fs::write(&text, script).unwrap();
            let install = Command::new("install")
                .arg("-m700")
                .args([text, path])
                .status();
            assert!(install.unwrap().success());
        }

        fn started(&self) -> PathBuf {
            self.dir.path().join("started")
        }

        /// How often it was compiled after looks at these times, and why it is refused.
        fn look(&mut self, times: [Instant; 2]) -> (usize, String) {
            for now in times {
                self.watch.look(now).unwrap();
            }
            let started = fs::read(self.started()).unwrap_or_default();
            let name = PluginName::parse("plugin").unwrap();
            let refused = self.watch.registry.refused(&name);
            (started.len(), refused.unwrap().why)
        }
    }

    /// Whatever the machine did once left a plugin out of force until somebody touched its file.
    #[test]
    fn what_was_refused_for_now_is_tried_again_after_a_pause_and_not_for_ever() {
        let mut ground = Ground::new();
        let begin = Instant::now();
        ground.watch.look(begin).unwrap();
        ground.watch.is_starting = false;
        // More than the time that the attempts of this test really take.
        let slack = Duration::from_secs(3600);
        let settled = |now: Instant| [now, now + SETTLE];
        let (started, why) = ground.look(settled(begin + RETRY_PAUSE / 2));
        let missing = "compile: run the compiler: No such file or directory (os error 2); \
                       it will be tried again";
        assert_eq!((started, why.as_str()), (0, missing));

        ground.compiler("kill -KILL $$");
        let (started, _) = ground.look(settled(begin + RETRY_PAUSE / 2));
        assert_eq!(started, 0, "the pause is not over");
        let (started, why) = ground.look(settled(begin + slack));
        let killed = "compile: the compiler ended with signal 9; it will be tried again";
        assert_eq!((started, why.as_str()), (1, killed));

        ground.compiler("echo broken >&2; exit 1");
        let (started, _) = ground.look(settled(begin + slack + RETRY_PAUSE));
        assert_eq!(started, 1, "the second pause is longer");
        let (started, why) = ground.look(settled(begin + slack * 2));
        assert_eq!((started, why.as_str()), (2, "compile: broken"));
        let (started, _) = ground.look(settled(begin + slack * 3));
        assert_eq!(started, 2, "it was refused for good");
    }

    #[test]
    fn a_refusal_that_comes_again_is_told_once() {
        let mut ground = Ground::new();
        let changes = ground.watch.registry.changes();
        let begin = Instant::now();
        for hours in 0..4 {
            let now = begin + Duration::from_secs(3600 * hours);
            ground.look([now, now + SETTLE]);
        }
        assert_eq!(*changes.borrow(), 1);
    }

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
