//! Orders that are given while versions are loaded go before what comes by itself, and a
//! deployment that nobody waited for is heard of later.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use types::{ManualClock, Timestamp};
use wasm::{
    Files, Limits, NotDeployed, Options, PluginName, Plugins, RecordsOf, Retained, RetainedRecords,
    RolloutRules, SignatureRules,
};

use crate::guest::Guest;

/// Looks at the plugin until it is as it should be, at most.
const LOOKS_MAX: usize = 10_000_000;

fn own() -> PluginName {
    PluginName::parse("own").unwrap()
}

/// A version that takes a while to begin.
fn slow(number: u32) -> Guest {
    Guest {
        init: "(local.set $long (i64.const 400000000))
            (loop $again
              (local.set $long (i64.sub (local.get $long) (i64.const 1)))
              (br_if $again (i64.gt_s (local.get $long) (i64.const 0))))"
            .to_owned(),
        ..Guest::numbered(number)
    }
}

fn put(dir: &Path, manifest: &str, guest: &Guest) {
    let folder = dir.join("plugins/own");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("plugin.toml"), manifest).unwrap();
    fs::write(folder.join("own.wasm"), guest.component()).unwrap();
}

fn manifest(number: u32) -> String {
    format!("name = 'own'\nversion = '{number}'\n")
}

/// Plugins of a directory that nobody watches yet.
fn prepare(dir: &TempDir) -> Plugins {
    let options = Options {
        directory: Some(dir.path().join("plugins")),
        keep: dir.path().join("keep"),
        limits: Limits {
            batch_time_max: Duration::from_secs(30),
            ..Limits::default()
        },
        rollout: RolloutRules::default(),
        signatures: SignatureRules::default(),
        grants: Arc::default(),
        cache_key: [7; 32],
        compiler: None,
    };
    Plugins::prepare(options, Arc::new(ManualClock::new(Timestamp(0)))).unwrap()
}

/// Waits until all that lay there was tried.
fn until_started(plugins: &Plugins) {
    let started = plugins.started();
    for _ in 0..LOOKS_MAX {
        if *started.borrow() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("the start does not end");
}

/// A directory in which version 2, which takes a while to begin, is in force after version 1.
fn two_versions() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (number, guest) in [(1, Guest::numbered(1)), (2, slow(2))] {
        put(dir.path(), &manifest(number), &guest);
        let plugins = prepare(&dir);
        plugins.watch().unwrap();
        until_started(&plugins);
        assert_eq!(in_force(&plugins), Some(number.into()));
    }
    dir
}

/// The number of the version in force, by what is noted and by what is announced.
fn in_force(plugins: &Plugins) -> Option<u64> {
    let plugin = plugins.find(&own()).unwrap();
    let noted = plugin.life.as_ref()?.in_force()?.number;
    let announced = plugin.number(plugin.version.as_ref()?.hash());
    assert_eq!(announced, Some(noted));
    announced
}

/// Orders version 1 at a moment of a start, and looks what is in force when that is over and after
/// the next one.
fn is_obeyed(dir: &TempDir, order: impl FnOnce(&Plugins)) {
    let plugins = prepare(dir);
    order(&plugins);
    until_started(&plugins);
    assert_eq!(in_force(&plugins), Some(1));
    drop(plugins);
    let plugins = prepare(dir);
    plugins.watch().unwrap();
    until_started(&plugins);
    assert_eq!(in_force(&plugins), Some(1), "after the next start");
}

fn roll_back(plugins: &Plugins) {
    plugins.rollback(&own(), Some("1")).unwrap();
}

/// Nothing had been read of the directory, so that nothing was set aside: what lay there took the
/// place of what was ordered.
#[test]
fn an_order_that_comes_before_the_first_look_is_not_overruled_by_what_lies_there() {
    is_obeyed(&two_versions(), |plugins| {
        roll_back(plugins);
        plugins.watch().unwrap();
    });
}

#[test]
fn an_order_that_comes_while_what_lies_there_is_loaded_is_not_overruled_by_it() {
    is_obeyed(&two_versions(), |plugins| {
        plugins.watch().unwrap();
        roll_back(plugins);
    });
}

/// The version of before was loaded for long, and put in force whatever had been ordered.
#[test]
fn an_order_that_comes_while_the_version_of_before_is_brought_back_is_not_overruled_by_it() {
    let dir = two_versions();
    fs::write(dir.path().join("plugins/own/plugin.toml"), "name =").unwrap();
    is_obeyed(&dir, |plugins| {
        plugins.watch().unwrap();
        roll_back(plugins);
    });
}

#[test]
fn an_order_that_comes_while_changed_files_are_loaded_sets_these_aside() {
    let dir = two_versions();
    put(dir.path(), &manifest(3), &slow(3));
    is_obeyed(&dir, |plugins| {
        plugins.watch().unwrap();
        roll_back(plugins);
    });
}

/// Gives an order in the middle of a shadow run.
struct Orders(Mutex<Option<Arc<Plugins>>>);

impl RetainedRecords for Orders {
    fn last(
        &self,
        _: &RecordsOf,
        _: (usize, usize),
        _: watch::Receiver<bool>,
    ) -> Result<Retained, String> {
        let plugins = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(plugins) = plugins {
            roll_back(&plugins);
        }
        Ok(Retained::default())
    }
}

#[test]
fn an_order_that_comes_during_a_shadow_run_is_not_overruled_by_its_version() {
    let dir = two_versions();
    let rollout = format!("{}[rollout]\nshadow_records = 1\n", manifest(3));
    put(dir.path(), &rollout, &Guest::numbered(3));
    let plugins = Arc::new(prepare(&dir));
    let orders = Mutex::new(Some(Arc::clone(&plugins)));
    plugins.records_come_from(Arc::new(Orders(orders)));
    plugins.watch().unwrap();
    until_started(&plugins);
    assert_eq!(in_force(&plugins), Some(1));
    let life = plugins.life(&own()).unwrap();
    assert!(
        life.set_aside().is_some(),
        "what lies there is shown as set aside"
    );
}

/// A run whose records are read once more for each attempt at a deployment; the third panics.
#[derive(Default)]
struct Attempts(AtomicUsize);

impl RetainedRecords for Attempts {
    fn last(
        &self,
        _: &RecordsOf,
        _: (usize, usize),
        _: watch::Receiver<bool>,
    ) -> Result<Retained, String> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        assert_ne!(before, 2, "the third attempt panics, as the test wants it");
        Ok(Retained {
            source: "a stream".to_owned(),
            records: vec![b"!".to_vec()],
        })
    }
}

/// Who had not waited long enough deployed it anew each time, and never heard of the refusal; and a
/// panic ended the thread that serves all plugins.
#[test]
fn a_deployment_that_nobody_waited_for_is_heard_of_and_one_that_panics_is_the_only_one() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &manifest(1), &Guest::numbered(1));
    let plugins = prepare(&dir);
    let attempts = Arc::new(Attempts::default());
    plugins.records_come_from(Arc::<Attempts>::clone(&attempts));
    plugins.watch().unwrap();
    until_started(&plugins);
    let rollout = "[rollout]\nshadow_records = 1\nshadow_failed_percent_max = 0\n";
    let text = format!("{}{rollout}", manifest(2));
    let body = [
        text.as_bytes(),
        &Guest::attacking("(unreachable)").component(),
    ]
    .concat();
    let deploy = |wait_max| plugins.deploy(&own(), Files::split(&body).unwrap(), wait_max);
    let long = Duration::from_secs(120);
    assert_eq!(deploy(Duration::ZERO), Ok(None));
    for attempt in [1, 2] {
        let Err(NotDeployed::Refused(why)) = deploy(long) else {
            panic!("it fails on a record");
        };
        assert!(
            why.starts_with("shadow run: 1 of 1 records failed"),
            "{why}"
        );
        assert_eq!(attempts.0.load(Ordering::Relaxed), attempt, "{why}");
    }
    let Err(NotDeployed::ForNow(why)) = deploy(long) else {
        panic!("it panics");
    };
    assert!(why.contains("ended badly"), "{why}");
    assert!(matches!(deploy(long), Err(NotDeployed::Refused(_))));
    assert_eq!(in_force(&plugins), Some(1));
}
