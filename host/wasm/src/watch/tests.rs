use std::fs;
use std::process::Command;

use types::{ManualClock, Timestamp};

use super::*;
use crate::guard;
use crate::limits::{Limits, RETRY_PAUSE};
use crate::loader::Loader;
use crate::options::Options;
use crate::registry::Registry;
use crate::rollout::RolloutRules;
use crate::signature::SignatureRules;

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
            rollout: RolloutRules::default(),
            signatures: SignatureRules::default(),
            grants: Arc::default(),
            cache_key: [7; 32],
            compiler: Some(dir.path().join("compiler")),
        };
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let registry = Arc::new(Registry::new(clock.clone()));
        let loader = Arc::new(Loader::open(&options).unwrap());
        let control = Control::new(registry, loader, clock, guard::bell().0);
        let watch = Watch::new(directory, Arc::new(control));
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
        let refused = self.watch.control.registry.refused(&name);
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
    let changes = ground.watch.control.registry.changes();
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
        self.watch
            .control
            .registry
            .knows(&PluginName::parse(name).unwrap())
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
    let why = ground.watch.control.registry.refused(&name).unwrap().why;
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
