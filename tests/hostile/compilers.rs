//! Who compiles is a program that may be missing or no compiler at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use types::{ManualClock, Timestamp};
use wasm::{Limits, Options, Plugin, Plugins};

use crate::guest::Guest;

/// All plugins of a directory that some program compiles, in order of their names.
fn list(dir: &Path, compiler: Option<&str>) -> Vec<Plugin> {
    let options = Options {
        directory: Some(dir.to_owned()),
        keep: dir.join("keep"),
        limits: Limits::default(),
        cache_key: [7; 32],
        compiler: compiler.map(PathBuf::from),
    };
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    Plugins::open(options, clock).unwrap().list()
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
