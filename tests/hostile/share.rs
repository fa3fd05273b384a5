//! A plugin that takes as much of the processors as it can get: it waits for its share, none of its
//! records fails by that, and the victim notices nothing.

use std::fs;

use millrace_tests::{ACCOUNT, Setting};
use wasm::Limits;

use crate::arena::goes_on;
use crate::ground::{Ground, accounts_for};
use crate::guest::Guest;

/// Batches of the attacker, each of which takes far more than a share lets it have at once.
const BATCHES: usize = 3;

/// Takes some 50 ms of a processor for a batch that holds a marked record.
fn greedy() -> Guest {
    let attack = "(loop $again
        (local.set $long (i64.add (local.get $long) (i64.const 1)))
        (br_if $again (i64.lt_u (local.get $long) (i64.const 60000000))))";
    Guest::attacking(attack)
}

async fn ground_within(limits: Limits, manifest: &str) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("attacker");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("plugin.toml"), manifest).unwrap();
    fs::write(folder.join("attacker.wasm"), greedy().component()).unwrap();
    let setting = Setting {
        plugin_limits: limits,
        ..Setting::default()
    };
    let ground = Ground::start_with(directory, setting).await;
    ground.stream("attacker").await;
    ground
}

/// The attacker's records while the victim works; how long turns were held back, as `/metrics` says
/// of the one that is named so.
async fn held_back(ground: &Ground, named: &str) -> f64 {
    for batch in 1..=BATCHES {
        ground.deliver("attacker", &["!"]).await;
        ground.victim_works().await;
        accounts_for(&ground.client.delivery("attacker").await, batch);
    }
    assert_eq!(ground.delivered("attacker"), ["!"; BATCHES]);
    assert!(ground.failed("attacker").is_empty());
    goes_on(ground).await;
    let metrics = ground.client.metrics_of_all().await;
    let mut lines = metrics.lines();
    let line = lines.find_map(|line| line.strip_prefix(named)).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test]
async fn a_plugin_that_takes_more_than_its_share_waits_and_loses_no_record() {
    let limits = Limits {
        cpu_ms_per_second: 40,
        ..Limits::default()
    };
    let ground = ground_within(limits, "name = 'attacker'\nversion = '1'\n").await;
    let named = "millrace_plugin_turns_held_back_seconds_total{plugin=\"attacker\"}";
    assert!(held_back(&ground, named).await > 0.0);
    let page = ground.plugin("attacker").await;
    assert_eq!(page["cpuMsPerSecond"], 40);
    assert!(page["heldBackUs"].as_u64() > Some(0), "{page}");
    assert!(page["cpuUs"].as_u64() > Some(40_000), "{page}");
}

#[tokio::test]
async fn a_manifest_that_asks_for_a_smaller_share_has_that() {
    let manifest = "name = 'attacker'\nversion = '1'\n[limits]\ncpu_ms_per_second = 40\n";
    let ground = ground_within(Limits::default(), manifest).await;
    let named = "millrace_plugin_turns_held_back_seconds_total{plugin=\"attacker\"}";
    assert!(held_back(&ground, named).await > 0.0);
    assert_eq!(ground.plugin("attacker").await["cpuMsPerSecond"], 40);
}

/// The victim is of the same account here, so that it waits as well; its records are delivered all
/// the same.
#[tokio::test]
async fn an_account_that_takes_more_than_its_share_waits_and_loses_no_record() {
    let limits = Limits {
        account_cpu_ms_per_second: 40,
        ..Limits::default()
    };
    let ground = ground_within(limits, "name = 'attacker'\nversion = '1'\n").await;
    let named = format!("millrace_account_turns_held_back_seconds_total{{account=\"{ACCOUNT}\"}}");
    assert!(held_back(&ground, &named).await > 0.0);
}
