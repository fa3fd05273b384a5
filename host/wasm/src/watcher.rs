//! The thread that keeps what is in force in step with what lies in the plugins directory.
//!
//! A file is looked at once it has settled: nothing of its plugin changed for a moment. It is read
//! whole and hashed; what happens to the file afterwards is a new version. That a plugin is gone
//! has to settle, too. Events of the file system only make the thread look sooner. What was refused
//! for now is tried again after a pause.
//!
//! What lies there at the start is taken at once, by this thread. Where it has to be refused, the
//! version that was in force last goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::directory::{self, Found, Scan};
use crate::hash::ContentHash;
use crate::kept::Source;
use crate::loader::Loader;
use crate::name::PluginName;
use crate::refusal::{Again, Refusal};
use crate::registry::{Ignored, Registry};
use crate::version::Version;

/// How long a plugin must be left alone once nothing is left of what it was.
const SETTLE: Duration = Duration::from_millis(250);
/// How long it must be left alone while a part is as it was or missing: the manifest and the
/// component of a version may be put there one after the other, and `rm` before `cp`.
const SETTLE_PART: Duration = Duration::from_secs(1);
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
    /// Looks at what is there and starts the thread, which takes it, calls `tried` once all of it
    /// was tried, and goes on with what changes.
    ///
    /// # Errors
    /// When the directory cannot be read, or there is no thread.
    pub(crate) fn start(
        directory: PathBuf,
        registry: Arc<Registry>,
        loader: Arc<Loader>,
        tried: impl FnOnce() + Send + 'static,
    ) -> Result<Self, String> {
        // One ring is as good as many: the thread looks at everything.
        let (bell, rings) = sync_channel(1);
        let mut watch = Watch::new(directory, registry, loader);
        let events = events(&watch.directory, &bell);
        watch.expect()?;
        let run = move || {
            watch.begin();
            tried();
            watch.run(&rings);
        };
        let thread = thread::Builder::new()
            .name("millrace-plugins".to_owned())
            .spawn(run)
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
    settling: BTreeMap<PluginName, Settling>,
    /// Why the directory could not be looked at the last time.
    failing: Option<String>,
}

struct Handled {
    found: Found,
    /// It was refused for now.
    again: Option<Again>,
}

#[derive(PartialEq, Eq)]
struct Settling {
    /// `None`: it is gone.
    found: Option<Found>,
    since: Instant,
}

/// What became of files that had settled.
enum Taken {
    /// They are in force, refused for good, or what was in force before.
    Done,
    /// They were refused for now.
    ForNow,
    /// They changed while they were read.
    Changed,
}

impl Watch {
    fn new(directory: PathBuf, registry: Arc<Registry>, loader: Arc<Loader>) -> Self {
        Self {
            directory,
            registry,
            loader,
            handled: BTreeMap::new(),
            settling: BTreeMap::new(),
            failing: None,
        }
    }

    /// Shows what is there, or was in force last, as being loaded.
    fn expect(&self) -> Result<(), String> {
        let scan = directory::scan(&self.directory)?;
        scan.plugins
            .keys()
            .for_each(|name| self.registry.expect(name));
        let noted = self.loader.in_force.all();
        let hidden = noted.keys().filter(|name| !scan.is_without(name));
        hidden.for_each(|name| self.registry.expect(name));
        Ok(())
    }

    /// Takes what is there without waiting until it has settled: if it was still being written, its
    /// next change is looked at like any other. What was compiled before comes first.
    fn begin(&mut self) {
        let Some(scan) = self.scan() else {
            return;
        };
        self.doubt(&scan);
        for name in self.registry.names() {
            if scan.doubt(&name).is_some() {
                self.fall_back(&name, None);
            }
        }
        let mut found: Vec<_> = scan.plugins.into_iter().collect();
        found.sort_by_key(|(name, found)| !self.was_in_force(name, found));
        for (name, found) in found {
            if self.loader.compiler.is_closed() {
                return;
            }
            self.handle(name, found, Instant::now());
        }
    }

    fn was_in_force(&self, name: &PluginName, found: &Found) -> bool {
        let source = found.read(name, self.loader.limits.component_bytes_max);
        let hash = source.ok().map(|source| source.hash());
        hash.is_some() && hash == self.loader.in_force.of(name).map(|noted| noted.version)
    }

    fn run(mut self, rings: &Receiver<Ring>) {
        loop {
            let pause = if self.settling.is_empty() {
                LOOK
            } else {
                SETTLE_LOOK
            };
            match rings.recv_timeout(pause) {
                Ok(Ring::Event) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Ring::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            self.look(Instant::now());
        }
    }

    /// Looks at the whole directory once.
    fn look(&mut self, now: Instant) {
        let Some(scan) = self.scan() else {
            return;
        };
        self.doubt(&scan);
        self.miss(&scan, now);
        for (name, found) in scan.plugins {
            if self.loader.compiler.is_closed() {
                return;
            }
            let is_due = match self.handled.get(&name) {
                Some(before) if before.found == found => {
                    self.settling.remove(&name);
                    before.again.is_some_and(|again| again.is_due(now))
                }
                _ => self.has_settled(&name, Some(&found), now),
            };
            if is_due {
                self.handle(name, found, now);
            }
        }
    }

    /// What lies there; nothing when the directory cannot be read, which is told once.
    fn scan(&mut self) -> Option<Scan> {
        match directory::scan(&self.directory) {
            Ok(scan) => {
                self.failing = None;
                self.registry.ignore(self.ignored(&scan));
                Some(scan)
            }
            Err(why) => {
                if self.failing.as_ref() != Some(&why) {
                    tracing::warn!(why, "look at the plugins directory");
                }
                self.failing = Some(why);
                None
            }
        }
    }

    /// What is shown as ignored: also what cannot be read and was never known as a plugin.
    fn ignored(&self, scan: &Scan) -> Vec<Ignored> {
        let unreadable = scan.unreadable.iter();
        let unknown = unreadable.filter(|(name, _)| !self.registry.knows(name));
        let unknown = unknown.map(|(name, why)| Ignored {
            file: name.to_string(),
            why: why.clone(),
        });
        scan.ignored.iter().cloned().chain(unknown).collect()
    }

    /// Plugins that could not be looked at go on, and say so.
    fn doubt(&mut self, scan: &Scan) {
        for name in self.known() {
            if let Some(why) = scan.doubt(&name) {
                self.registry
                    .refuse(&name, &Refusal::ForNow(why.to_owned()));
                // Once it can be read it is, though nothing of it may have changed.
                self.handled.remove(&name);
                self.settling.remove(&name);
            }
        }
    }

    /// Takes plugins out of force that have been gone for a while.
    fn miss(&mut self, scan: &Scan, now: Instant) {
        for name in self.known() {
            if scan.is_without(&name) && self.has_settled(&name, None, now) {
                self.settling.remove(&name);
                self.handled.remove(&name);
                self.remove(&name);
            }
        }
    }

    /// All plugins that are or were last in force, or that were found.
    fn known(&self) -> BTreeSet<PluginName> {
        let noted = self.loader.in_force.all().into_keys();
        noted.chain(self.registry.names()).collect()
    }

    fn has_settled(&mut self, name: &PluginName, found: Option<&Found>, now: Instant) -> bool {
        let before = self.handled.get(name).map(|handled| &handled.found);
        let settle = match found {
            Some(found) if found.is_other_than(before) => SETTLE,
            _ => SETTLE_PART,
        };
        match self.settling.get(name) {
            Some(settling) if settling.found.as_ref() == found => {
                now.saturating_duration_since(settling.since) >= settle
            }
            _ => {
                let found = found.cloned();
                let since = now;
                self.settling
                    .insert(name.clone(), Settling { found, since });
                false
            }
        }
    }

    /// Takes what has settled, and notes what became of it.
    fn handle(&mut self, name: PluginName, found: Found, now: Instant) {
        self.settling.remove(&name);
        let began = Instant::now();
        let before = self.handled.remove(&name).filter(|it| it.found == found);
        let before = before.and_then(|handled| handled.again);
        let again = match self.take(&name, &found) {
            Taken::Changed => return,
            Taken::Done => None,
            // A pause begins when the attempt is over, however long that took.
            Taken::ForNow => Some(Again::after(before, now + began.elapsed())),
        };
        self.handled.insert(name, Handled { found, again });
    }

    /// Puts in force what was found, or refuses it.
    fn take(&self, name: &PluginName, found: &Found) -> Taken {
        let source = match self.source(name, found) {
            Ok(None) => return Taken::Changed,
            Ok(Some(source)) => Ok(source),
            Err(refusal) => Err(refusal),
        };
        let tried = source.as_ref().ok().map(Source::hash);
        let Err(refusal) = source.and_then(|source| self.load(name, &source)) else {
            return Taken::Done;
        };
        if self.loader.compiler.is_closed() {
            // It was cut off, which says nothing of the plugin.
            return Taken::Done;
        }
        self.registry.refuse(name, &refusal);
        let last_may_pass = self.registry.hash(name).is_none() && self.fall_back(name, tried);
        if refusal.is_for_now() || last_may_pass {
            Taken::ForNow
        } else {
            Taken::Done
        }
    }

    fn load(&self, name: &PluginName, source: &Source) -> Result<(), Refusal> {
        if self.registry.hash(name) == Some(source.hash()) {
            self.registry.forgive(name);
            return Ok(());
        }
        let version = self.loader.load(name, source, self.registry.now())?;
        self.put_in_force(version)
    }

    /// What was found, unless it changed meanwhile.
    fn source(&self, name: &PluginName, found: &Found) -> Result<Option<Source>, Refusal> {
        let source = found.read(name, self.loader.limits.component_bytes_max);
        let after = directory::look_at(&self.directory, name);
        if after.as_ref().map(Option::as_ref) != Ok(Some(found)) {
            return Ok(None);
        }
        source.map(Some)
    }

    fn put_in_force(&self, version: Version) -> Result<(), Refusal> {
        self.loader.note(&version)?;
        if let Some(before) = self.registry.hash(version.name()) {
            self.loader.kept.used(before);
        }
        self.registry.take(version);
        Ok(())
    }

    /// Puts the version in force again that was so last, as what lies there cannot be. Whether that
    /// failed and may not at another time. `tried` is what was just refused.
    fn fall_back(&self, name: &PluginName, tried: Option<ContentHash>) -> bool {
        let last = self.loader.in_force.of(name).map(|noted| noted.version);
        if last == tried {
            return false;
        }
        match self.loader.load_last(name, self.registry.now()) {
            None => false,
            Some(Ok(version)) => {
                self.registry.take_back(version);
                false
            }
            Some(Err(refusal)) => {
                let why = refusal.to_string();
                tracing::warn!(plugin = %name, why, "the version in force last cannot be again");
                refusal.is_for_now()
            }
        }
    }

    fn remove(&self, name: &PluginName) {
        if let Some(before) = self.registry.hash(name) {
            self.loader.kept.used(before);
        }
        self.registry.remove(name);
        if let Err(error) = self.loader.in_force.forget(name) {
            // It is tried again at the next look.
            tracing::warn!(plugin = %name, %error, "forget that a plugin was in force");
        }
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
    use crate::options::Options;

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
                self.watch.look(now);
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
        ground.watch.begin();
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

    const MANIFEST: &str = "name = 'pair'\nversion = '1'\n";

    impl Ground {
        /// Takes what lies there, with a compiler that answers nothing good.
        fn begun() -> Self {
            let mut ground = Self::new();
            ground.compiler("echo broken >&2; exit 1");
            ground.watch.begin();
            ground
        }

        fn put(&self, file: &str, content: &[u8]) {
            let path = self.watch.directory.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        fn compiled(&self) -> usize {
            fs::read(self.started()).unwrap_or_default().len()
        }

        fn knows(&self, name: &str) -> bool {
            self.watch.registry.knows(&PluginName::parse(name).unwrap())
        }
    }

    /// Each half of it made a version with the other half of the one before.
    #[test]
    fn a_manifest_and_a_component_that_change_within_a_second_are_one_version() {
        let mut ground = Ground::begun();
        ground.put("pair/plugin.toml", MANIFEST.as_bytes());
        ground.put("pair/pair.wasm", COMPONENT);
        let mut now = Instant::now();
        ground.watch.look(now);
        ground.watch.look(now + SETTLE);
        assert_eq!(
            ground.compiled(),
            2,
            "a new plugin is taken when both are there"
        );

        now += Duration::from_secs(60);
        ground.put("pair/plugin.toml", MANIFEST.replace('1', "2").as_bytes());
        ground.watch.look(now);
        ground.watch.look(now + Duration::from_millis(900));
        assert_eq!(ground.compiled(), 2, "the component may follow");
        ground.put("pair/pair.wasm", &[COMPONENT, b"\0\x02\x01a"].concat());
        now += Duration::from_millis(950);
        ground.watch.look(now);
        ground.watch.look(now + SETTLE);
        assert_eq!(ground.compiled(), 3, "both at once");

        now += Duration::from_secs(60);
        ground.put("pair/plugin.toml", MANIFEST.replace('1', "3").as_bytes());
        ground.watch.look(now);
        ground.watch.look(now + SETTLE);
        assert_eq!(ground.compiled(), 3);
        ground.watch.look(now + SETTLE_PART);
        assert_eq!(
            ground.compiled(),
            4,
            "one that changes alone is taken later"
        );
    }

    /// Between `rm` and `cp` the plugin was taken out of force, and its streams stood still.
    #[test]
    fn a_plugin_is_gone_once_that_has_settled() {
        let mut ground = Ground::begun();
        let now = Instant::now();
        let file = ground.watch.directory.join("plugin.wasm");
        fs::remove_file(&file).unwrap();
        ground.watch.look(now);
        ground.watch.look(now + SETTLE_PART / 2);
        assert!(ground.knows("plugin"));
        ground.put("plugin.wasm", COMPONENT);
        ground.watch.look(now + SETTLE_PART);
        assert!(ground.knows("plugin"), "it is there again");
        fs::remove_file(&file).unwrap();
        ground.watch.look(now + SETTLE_PART * 2);
        assert!(ground.knows("plugin"), "it went anew");
        ground.watch.look(now + SETTLE_PART * 3);
        assert!(!ground.knows("plugin"));
    }

    #[test]
    fn a_plugin_that_cannot_be_looked_at_is_not_gone_and_says_so() {
        let mut ground = Ground::begun();
        let now = Instant::now();
        let file = ground.watch.directory.join("plugin.wasm");
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("plugin.wasm", &file).unwrap();
        for seconds in 0..10 {
            ground.watch.look(now + Duration::from_secs(seconds));
        }
        let name = PluginName::parse("plugin").unwrap();
        let why = ground.watch.registry.refused(&name).unwrap().why;
        assert!(why.contains("ymbolic links"), "{why}");
        assert!(why.ends_with("; it will be tried again"), "{why}");
        let before = ground.compiled();
        fs::remove_file(&file).unwrap();
        ground.put("plugin.wasm", COMPONENT);
        let now = now + Duration::from_secs(60);
        ground.watch.look(now);
        ground.watch.look(now + SETTLE);
        assert_eq!(
            ground.compiled(),
            before + 1,
            "it is tried as soon as it can be"
        );
    }

    #[test]
    fn a_directory_that_cannot_be_read_takes_nothing_away() {
        let mut ground = Ground::begun();
        fs::remove_dir_all(&ground.watch.directory).unwrap();
        let now = Instant::now();
        for seconds in 0..10 {
            ground.watch.look(now + Duration::from_secs(seconds));
        }
        assert!(ground.knows("plugin"));
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
