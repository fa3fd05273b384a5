//! Who compiles is a program that may be missing or no compiler at all, or is wanted by many at
//! once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread;

use types::{ManualClock, Timestamp};
use wasm::{ContentHash, Limits, Options, Plugin, PluginName, Plugins, Version};

use crate::guest::Guest;

/// Lanes that want a version at the same moment.
const LANES: usize = 100;

/// All plugins of a directory that some program compiles, in order of their names.
fn list(dir: &Path, compiler: Option<&str>) -> Vec<Plugin> {
    open(dir, Some(dir), compiler.map(PathBuf::from)).list()
}

/// What was kept in a directory, and what is put into another.
fn open(dir: &Path, plugins: Option<&Path>, compiler: Option<PathBuf>) -> Plugins {
    let options = Options {
        directory: plugins.map(Path::to_owned),
        keep: dir.join("keep"),
        limits: Limits::default(),
        rollout: wasm::RolloutRules::default(),
        signatures: wasm::SignatureRules::default(),
        grants: Arc::default(),
        cache_key: [7; 32],
        compiler,
    };
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    Plugins::open(options, clock).unwrap()
}

/// Plugins whose versions were compiled by another build: none is in force, and who compiles does
/// what a script says.
struct Upgraded {
    dir: tempfile::TempDir,
    plugins: Plugins,
}

impl Upgraded {
    /// With so many versions. `script` is done before the code of a component is given, which was
    /// compiled here before.
    fn new(versions: u32, script: &str) -> (Self, Vec<ContentHash>) {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..versions {
            put(dir.path(), &format!("plugin-{number}"), number);
        }
        let all = list(dir.path(), None);
        let hashes = all.iter().map(|it| it.version.as_ref().unwrap().hash());
        let hashes = hashes.collect();
        let [before, now] = ["known", "keep/compiled"].map(|name| dir.path().join(name));
        fs::rename(now, before).unwrap();
        let known = format!(
            "#!/bin/sh\ncd {} && echo $$ >> started\n{script}\n\
             hash=$(sha256sum | cut -c 1-64)\ntail -c +33 known/$hash-*.cwasm\n",
            dir.path().display()
        );
        // By a process of its own: nothing is executed that this one, or a child that another
        // test just starts, has open for writing.
        let [text, compiler] = ["text", "compiler"].map(|name| dir.path().join(name));
        fs::write(&text, known).unwrap();
        let install = Command::new("install")
            .arg("-m700")
            .args([&text, &compiler])
            .status();
        assert!(install.unwrap().success());
        let plugins = open(dir.path(), None, Some(compiler));
        (Self { dir, plugins }, hashes)
    }

    fn version(&self, hash: ContentHash) -> Result<Arc<Version>, String> {
        let name = PluginName::parse("plugin").unwrap();
        self.plugins.version(&name, hash)
    }

    /// How many compilers were started.
    fn started(&self) -> usize {
        let started = fs::read_to_string(self.dir.path().join("started"));
        started.unwrap().lines().count()
    }
}

fn put(dir: &Path, name: &str, number: u32) {
    let component = Guest::numbered(number).component();
    fs::write(dir.join(format!("{name}.wasm")), component).unwrap();
}

fn refused(plugin: &Plugin) -> &str {
    assert!(plugin.version.is_none());
    plugin.refused.as_ref().map_or("", |refused| &refused.why)
}

#[test]
fn what_was_compiled_once_needs_no_compiler_again() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "known", 1);
    assert!(list(dir.path(), None)[0].version.is_some());
    put(dir.path(), "new", 2);
    let plugins = list(dir.path(), Some("/nowhere"));
    let version = plugins[0].version.as_ref().unwrap();
    assert!(version.facts().from_cache);
    let why = refused(&plugins[1]);
    assert!(why.starts_with("compile: run the compiler: "), "{why}");
}

#[test]
fn what_a_program_makes_that_is_no_compiler_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "new", 1);
    let cases = [
        ("/bin/true", "compile: "),
        ("/bin/echo", "compile: "),
        ("/bin/false", "compile: the compiler ended with code 1"),
    ];
    for (program, words) in cases {
        let plugins = list(dir.path(), Some(program));
        let why = refused(&plugins[0]);
        assert!(why.starts_with(words), "{program}: {why}");
    }
}

#[test]
fn a_hundred_lanes_that_want_one_version_have_it_compiled_once() {
    let (upgraded, hashes) = Upgraded::new(1, "");
    let ready = Barrier::new(LANES);
    let lane = || {
        ready.wait();
        upgraded.version(hashes[0]).unwrap()
    };
    let versions: Vec<_> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).collect()
    });
    assert_eq!(upgraded.started(), 1);
    let first = &versions[0];
    assert!(versions.iter().all(|it| Arc::ptr_eq(it, first)), "one copy");
}

#[test]
fn versions_that_are_wanted_together_are_compiled_one_after_another() {
    let (upgraded, hashes) = Upgraded::new(8, "mkdir busy || exit 9\ntrap 'rmdir busy' EXIT");
    let ready = Barrier::new(hashes.len());
    thread::scope(|scope| {
        for hash in &hashes {
            scope.spawn(|| {
                ready.wait();
                upgraded.version(*hash).unwrap()
            });
        }
    });
    assert_eq!(upgraded.started(), hashes.len());
}

#[test]
fn lanes_that_wait_for_a_compiler_are_let_go_when_plugins_are_closed() {
    let (upgraded, hashes) = Upgraded::new(3, "echo > begun; exec cat hang");
    let [begun, hang] = ["begun", "hang"].map(|name| upgraded.dir.path().join(name));
    let made = Command::new("mkfifo").args([&begun, &hang]).status();
    assert!(made.unwrap().success());
    thread::scope(|scope| {
        let wanted = hashes.iter().chain(&hashes);
        let lanes = wanted.map(|hash| scope.spawn(|| upgraded.version(*hash).err()));
        let lanes: Vec<_> = lanes.collect();
        assert_eq!(fs::read_to_string(begun).unwrap(), "\n", "one compiles");
        upgraded.plugins.close();
        for lane in lanes {
            let why = lane.join().unwrap();
            assert_eq!(why.as_deref(), Some("compile: the server closes"));
        }
    });
    assert_eq!(upgraded.started(), 1);
}
