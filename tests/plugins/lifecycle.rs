//! `lifecycle`: from a file that appears to a version in force, and out of force again.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use wasm::{ContentHash, Limits};

use crate::ground::{Ground, accounts_for};
use crate::guest::Guest;

/// More versions than are kept where nothing needs them.
const REDEPLOYS: u32 = 36;
/// Turns until what nothing needs is deleted, at most.
const TURNS_MAX: usize = 1_000;

/// Puts a bare component called `own` into a directory, whole at once.
fn put(directory: &Path, guest: &Guest) {
    put_as(directory, "own", guest);
}

/// The same under another name.
fn put_as(directory: &Path, name: &str, guest: &Guest) {
    let staged = directory.join("staged");
    fs::write(&staged, guest.component()).unwrap();
    fs::rename(staged, directory.join(format!("{name}.wasm"))).unwrap();
}

/// Waits until a version of a plugin is in force.
async fn until_in_force(ground: &Ground, name: &str, guest: &Guest) {
    let hash = ContentHash::of(None, &guest.component()).to_string();
    let page = format!("plugins/{name}");
    ground
        .client
        .page_until(&page, |page| page["hash"] == hash.as_str())
        .await;
}

/// A directory with the folder `own` in it.
fn with_folder(manifest: &str, guest: &Guest) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("own");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("plugin.toml"), manifest).unwrap();
    fs::write(folder.join("own.wasm"), guest.component()).unwrap();
    directory
}

async fn ground_with(guest: &Guest) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), guest);
    let ground = Ground::start(directory).await;
    ground.stream("own").await;
    ground
}

/// A guest whose `init` answers with this error.
fn failing(why: &str) -> Guest {
    let init = format!(
        "(i32.store8 (i32.const 8) (i32.const 1))
        (i32.store (i32.const 12) (i32.const 256))
        (i32.store (i32.const 16) (i32.const {}))",
        why.len()
    );
    Guest {
        fields: format!("(data (i32.const 256) \"{why}\")"),
        init,
        ..Guest::default()
    }
}

/// A guest that takes 8 MiB of memory for a marked record.
fn hungry() -> Guest {
    Guest::attacking("(drop (memory.grow (i32.const 128)))")
}

fn is_running(page: &Value) -> bool {
    page["state"] == "running"
}

#[tokio::test]
async fn a_bare_component_is_shown_as_it_describes_itself() {
    let ground = ground_with(&Guest::default()).await;
    let page = ground.plugin("own").await;
    let component = Guest::default().component();
    assert_eq!(page["version"], "1", "what describe says");
    assert_eq!(page["world"], "transformer");
    assert_eq!(page["hash"], ContentHash::of(None, &component).to_string());
    assert_eq!(page["componentBytes"], component.len());
    assert_eq!(
        (&page["state"], &page["refused"]),
        (&json!("running"), &Value::Null)
    );
}

#[tokio::test]
async fn what_the_manifest_says_goes_before_what_the_component_says() {
    let manifest = "name = 'own'\nversion = '2.0-beta'\n";
    let ground = Ground::start(with_folder(manifest, &Guest::default())).await;
    assert_eq!(ground.plugin("own").await["version"], "2.0-beta");
}

#[tokio::test]
async fn a_plugin_that_appears_while_the_server_runs_comes_into_force() {
    let ground = Ground::start(tempfile::tempdir().unwrap()).await;
    assert_eq!(ground.plugin("own").await, Value::Null);
    put(ground.directory.path(), &Guest::default());
    ground.plugin_when("own", is_running).await;
    ground.stream("own").await;
    ground.deliver("own", &["a"]).await;
    assert_eq!(ground.delivered("own"), ["a"]);
}

#[tokio::test]
async fn a_version_whose_init_fails_is_refused_with_its_words_and_the_one_before_goes_on() {
    let ground = ground_with(&Guest::default()).await;
    let before = ground.plugin("own").await;
    put(ground.directory.path(), &failing("no table of countries"));
    let page = ground.plugin_when_refused("own").await;
    let why = page["refused"].as_str().unwrap();
    assert!(why.contains("init: no table of countries"), "{why}");
    assert_eq!(
        (&page["state"], &page["hash"]),
        (&json!("running"), &before["hash"])
    );
    ground.deliver("own", &["a"]).await;
    assert_eq!(ground.delivered("own"), ["a"]);

    put(ground.directory.path(), &Guest::default());
    let forgiven = |page: &Value| page["refused"].is_null();
    let page = ground.plugin_when("own", forgiven).await;
    assert_eq!(
        (&page["hash"], &page["swaps"]),
        (&before["hash"], &json!(0))
    );
}

#[tokio::test]
async fn a_first_version_whose_init_fails_leaves_a_plugin_without_one() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), &failing("not configured"));
    let ground = Ground::start(directory).await;
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["state"], &page["hash"]),
        (&json!("refused"), &Value::Null)
    );
    let why = page["refused"].as_str().unwrap();
    assert!(why.contains("init: not configured"), "{why}");
}

#[tokio::test]
async fn init_is_called_once_on_every_instance_before_its_first_batch() {
    let check = "(if (i32.ne (global.get $begun) (i32.const 1)) (then (unreachable)))";
    let guest = Guest {
        fields: "(global $begun (mut i32) (i32.const 0))".to_owned(),
        init: "(global.set $begun (i32.add (global.get $begun) (i32.const 1)))".to_owned(),
        ..Guest::attacking(check)
    };
    let ground = ground_with(&guest).await;
    for _ in 0..3 {
        // Two batches each.
        ground.client.put_delivery("own", &["!"; 500]).await;
        ground.client.put_delivery("own", &["!"; 500]).await;
        ground.deliver("own", &["!"; 500]).await;
    }
    assert_eq!(ground.delivered("own").len(), 4_500);
    let page = ground.plugin("own").await;
    assert_eq!((&page["calls"], &page["traps"]), (&json!(6), &json!(0)));
}

#[tokio::test]
async fn what_waits_when_a_version_comes_into_force_goes_through_the_one_before() {
    // The last byte of the last record is left out.
    let cut = "(i32.store offset=16 (local.get $answer)
          (i32.sub (local.get $length) (i32.const 1)))
        (i32.store (i32.load offset=20 (local.get $answer))
          (i32.sub (local.get $length) (i32.const 1)))";
    let ground = ground_with(&Guest::default()).await;
    ground.client.put_delivery("own", &["old!"]).await;
    let waits = |page: &Value| page["waitingBytes"] != 0;
    ground.client.delivery_until("own", waits).await;
    put(ground.directory.path(), &Guest::attacking(cut));
    ground.plugin_when("own", |page| page["swaps"] == 1).await;
    let is_through = |page: &Value| page["delivered"] == 1;
    ground.client.delivery_until("own", is_through).await;
    ground.deliver("own", &["new!"]).await;
    assert_eq!(ground.delivered("own"), ["old!", "new"]);
    let status = ground.client.delivery("own").await;
    accounts_for(&status, 2);
    assert_eq!(status["versions"].as_array().unwrap().len(), 2, "{status}");
}

#[tokio::test]
async fn records_of_a_plugin_that_was_taken_away_wait_until_it_returns() {
    let ground = ground_with(&Guest::default()).await;
    ground.deliver("own", &["before"]).await;
    fs::remove_file(ground.directory.path().join("own.wasm")).unwrap();
    ground.plugin_when("own", Value::is_null).await;
    ground.client.put_delivery("own", &["meanwhile"]).await;
    let in_trouble = |page: &Value| page["trouble"].is_string();
    let status = ground.client.delivery_until("own", in_trouble).await;
    assert_eq!(status["trouble"], "the plugin own is not there");
    ground.victim_works().await;
    assert_eq!(ground.delivered("own"), ["before"]);

    put(ground.directory.path(), &Guest::default());
    let page = ground.plugin_when("own", is_running).await;
    assert_eq!(page["fromCache"], true);
    ground.client.flush("own").await;
    assert_eq!(ground.delivered("own"), ["before", "meanwhile"]);
    let status = ground.client.delivery("own").await;
    accounts_for(&status, 2);
    assert_eq!(status["trouble"], Value::Null);
}

#[tokio::test]
async fn a_limit_of_the_manifest_below_the_operators_is_shown_and_kept() {
    let manifest = "name = 'own'\nversion = '1'\n[limits]\nmemory_mib = 2\nbatch_ms = 500\n";
    let ground = Ground::start(with_folder(manifest, &hungry())).await;
    let page = ground.plugin("own").await;
    let limits = [&page["memoryBytesMax"], &page["batchMsMax"]];
    assert_eq!(limits, [&json!(2 * 1024 * 1024), &json!(500)]);
    ground.stream("own").await;
    ground.deliver("own", &["a", "!"]).await;
    assert_eq!(ground.delivered("own"), ["a"]);
    assert_eq!(ground.failed("own").len(), 1);
}

#[tokio::test]
async fn without_limits_in_the_manifest_those_of_the_operator_hold() {
    let manifest = "name = 'own'\nversion = '1'\n";
    for (mebibytes, delivered) in [(4, 1), (16, 2)] {
        let limits = Limits {
            memory_bytes_max: mebibytes * 1024 * 1024,
            ..Limits::default()
        };
        let directory = with_folder(manifest, &hungry());
        let ground = Ground::start_within(directory, limits).await;
        let page = ground.plugin("own").await;
        assert_eq!(page["memoryBytesMax"], mebibytes * 1024 * 1024);
        ground.stream("own").await;
        ground.deliver("own", &["a", "!"]).await;
        assert_eq!(ground.delivered("own").len(), delivered);
    }
}

#[tokio::test]
async fn a_limit_of_the_manifest_above_the_operators_is_refused() {
    for (limit, why) in [
        (
            "memory_mib = 65",
            "limits.memory_mib is 65, not 1 to 64, which the operator allows (memory_mib = 64)",
        ),
        (
            "batch_ms = 1001",
            "limits.batch_ms is 1001, not 1 to 1000, which the operator allows (batch_ms = 1000)",
        ),
    ] {
        let manifest = format!("name = 'own'\nversion = '1'\n[limits]\n{limit}\n");
        let ground = Ground::start(with_folder(&manifest, &Guest::default())).await;
        let page = ground.plugin("own").await;
        assert_eq!(page["state"], "refused");
        assert_eq!(page["refused"], format!("plugin.toml: {why}"));
    }
}

#[tokio::test]
async fn a_restart_takes_the_same_version_from_compiled_code() {
    let ground = ground_with(&Guest::default()).await;
    let before = ground.plugin("own").await;
    assert_eq!(before["fromCache"], false);
    ground.client.put_delivery("own", &["a"]).await;
    let ground = ground.restart().await;
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["hash"], &page["fromCache"]),
        (&before["hash"], &json!(true))
    );
    ground.deliver("own", &["b"]).await;
    assert_eq!(ground.delivered("own"), ["a", "b"]);
}

/// Waits until fewer versions are kept than were deployed.
async fn until_some_are_deleted(ground: &Ground) {
    let folder = ground.service.kept_plugins().join("versions");
    let is_component = |path: &Path| path.extension().is_some_and(|ending| ending == "wasm");
    for _ in 0..TURNS_MAX {
        let kept = fs::read_dir(&folder).unwrap();
        let kept = kept.filter(|entry| is_component(&entry.as_ref().unwrap().path()));
        if kept.count() < REDEPLOYS as usize {
            return;
        }
        ground.victim_works().await;
    }
    panic!("no version is deleted");
}

/// The version at work was the oldest of all that were kept, and deleted: its cut was tried for
/// ever.
#[tokio::test]
async fn a_version_at_work_is_kept_however_often_another_plugin_is_deployed_anew() {
    let directory = tempfile::tempdir().unwrap();
    put_as(directory.path(), "other", &Guest::numbered(0));
    put(directory.path(), &Guest::default());
    let ground = Ground::start(directory).await;
    ground.stream("own").await;
    for number in 1..=REDEPLOYS {
        let next = Guest::numbered(number);
        put_as(ground.directory.path(), "other", &next);
        until_in_force(&ground, "other", &next).await;
    }
    // The versions of a plugin that is taken away are kept for nobody.
    fs::remove_file(ground.directory.path().join("other.wasm")).unwrap();
    ground.plugin_when("other", Value::is_null).await;
    let ground = ground.restart().await;
    until_some_are_deleted(&ground).await;
    ground.client.put_delivery("own", &["begun before"]).await;
    let waits = |page: &Value| page["waitingRecords"] == 1;
    ground.client.delivery_until("own", waits).await;
    put(ground.directory.path(), &Guest::numbered(1_000));
    let is_through = |page: &Value| page["delivered"] == 1 || !page["trouble"].is_null();
    let status = ground.client.delivery_until("own", is_through).await;
    assert_eq!(status["trouble"], Value::Null);
    assert_eq!(ground.delivered("own"), ["begun before"]);
    let first = ContentHash::of(None, &Guest::default().component());
    assert_eq!(status["versions"][0]["hash"], first.to_string());
}

/// As `kubectl` changes a ConfigMap: the files are links through `..data`, which is replaced.
#[tokio::test]
async fn a_version_behind_a_link_is_swapped_when_the_link_leads_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let versions = [Guest::numbered(1), Guest::numbered(2)];
    for (number, version) in versions.iter().enumerate() {
        let folder = root.join(format!("..{number}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("own.wasm"), version.component()).unwrap();
    }
    symlink("..0", root.join("..data")).unwrap();
    symlink("..data/own.wasm", root.join("own.wasm")).unwrap();
    let ground = Ground::start(directory).await;
    until_in_force(&ground, "own", &versions[0]).await;
    let root = ground.directory.path();
    symlink("..1", root.join("..new")).unwrap();
    fs::rename(root.join("..new"), root.join("..data")).unwrap();
    until_in_force(&ground, "own", &versions[1]).await;
    fs::remove_dir_all(root.join("..0")).unwrap();
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["swaps"], &page["refused"]),
        (&json!(1), &Value::Null)
    );
    ground.stream("own").await;
    ground.deliver("own", &["a"]).await;
    assert_eq!(ground.delivered("own"), ["a"]);
}

/// `cp -p` of a file of equal length was never seen.
#[tokio::test]
async fn a_file_of_the_same_length_and_time_is_another_version_all_the_same() {
    let ground = ground_with(&Guest::numbered(1)).await;
    let file = ground.directory.path().join("own.wasm");
    let before = fs::metadata(&file).unwrap();
    let next = Guest::numbered(2);
    assert_eq!(next.component().len() as u64, before.len());
    fs::write(&file, next.component()).unwrap();
    let written = fs::File::options().write(true).open(&file).unwrap();
    written.set_modified(before.modified().unwrap()).unwrap();
    until_in_force(&ground, "own", &next).await;
}

#[tokio::test]
async fn a_file_that_is_deleted_and_put_there_again_is_a_swap() {
    let ground = ground_with(&Guest::numbered(1)).await;
    fs::remove_file(ground.directory.path().join("own.wasm")).unwrap();
    let next = Guest::numbered(2);
    put(ground.directory.path(), &next);
    until_in_force(&ground, "own", &next).await;
    assert_eq!(ground.plugin("own").await["swaps"], 1, "it was never gone");
}
