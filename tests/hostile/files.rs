//! What lies in the plugins directory and is no file as it should be, or changes all the time.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use wasm::ContentHash;

use crate::arena::{MANIFEST, arena, attack, goes_on, goes_on_with, replace};
use crate::ground::{Ground, accounts_for};
use crate::guest::Guest;

fn is_running(hash: ContentHash) -> impl Fn(&Value) -> bool {
    move |page| page["hash"] == hash.to_string()
}

#[tokio::test]
async fn devices_pipes_sockets_and_folders_in_the_place_of_components_are_refused() {
    let ground = arena(&Guest::default().component()).await;
    let root = ground.directory.path();
    symlink("/dev/zero", root.join("device.wasm")).unwrap();
    let made = Command::new("mkfifo").arg(root.join("pipe.wasm")).status();
    assert!(made.unwrap().success());
    let _socket = UnixListener::bind(root.join("socket.wasm")).unwrap();
    fs::create_dir_all(root.join("folder/folder.wasm")).unwrap();
    fs::create_dir(root.join("nothing.wasm")).unwrap();
    for name in ["device", "pipe", "socket", "folder"] {
        let page = ground.plugin_when_refused(name).await;
        assert_eq!(page["state"], "refused");
        let why = format!("{name}.wasm is not a regular file");
        assert_eq!(page["refused"], why);
    }
    assert_eq!(ground.plugin("nothing").await, Value::Null);
    ground.victim_works().await;
}

#[tokio::test]
async fn a_folder_in_the_place_of_a_running_component_leaves_the_version_in_force() {
    let ground = arena(&Guest::default().component()).await;
    let before = ground.plugin("attacker").await;
    let file = ground.directory.path().join("attacker/attacker.wasm");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let page = ground.plugin_when_refused("attacker").await;
    goes_on_with(&ground, &before, &page).await;
}

#[tokio::test]
async fn a_file_that_is_half_written_leaves_the_version_before_in_force_until_it_is_whole() {
    let ground = arena(&Guest::default().component()).await;
    let before = ground.plugin("attacker").await;
    let new = Guest::numbered(2).component();
    let file = ground.directory.path().join("attacker/attacker.wasm");
    fs::write(&file, &new[..new.len() / 2]).unwrap();
    let page = ground.plugin_when_refused("attacker").await;
    goes_on_with(&ground, &before, &page).await;

    fs::write(&file, &new).unwrap();
    let hash = ContentHash::of(Some(MANIFEST), &new);
    let page = ground.plugin_when("attacker", is_running(hash)).await;
    assert_eq!(
        (&page["refused"], &page["swaps"]),
        (&Value::Null, &1.into())
    );
    goes_on(&ground).await;
    let status = ground.client.delivery("attacker").await;
    accounts_for(&status, 2);
    let by: Vec<_> = status["versions"].as_array().unwrap().iter().collect();
    assert_eq!(by.len(), 2, "{status}");
    assert!(
        by.iter().all(|version| version["delivered"] == 1),
        "{status}"
    );
}

#[tokio::test]
async fn a_storm_of_new_versions_ends_with_the_last_of_them_after_few_swaps() {
    let ground = arena(&Guest::default().component()).await;
    let versions: Vec<_> = (0..100).map(|n| Guest::numbered(n).component()).collect();
    let started = Instant::now();
    for version in &versions {
        replace(&ground, version);
        // The watcher and the attacker's stream have their turn.
        ground.client.put_delivery("attacker", &["x"]).await;
    }
    let last = ContentHash::of(Some(MANIFEST), versions.last().unwrap());
    let page = ground.plugin_when("attacker", is_running(last)).await;
    let settled_max = started.elapsed().as_millis() / 250;
    assert!(
        u128::from(page["swaps"].as_u64().unwrap()) <= settled_max,
        "{page}"
    );
    ground.client.flush("attacker").await;
    assert_eq!(ground.delivered("attacker"), ["x"; 100]);
    accounts_for(&ground.client.delivery("attacker").await, 100);
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_by_its_size() {
    let ground = arena(&Guest::default().component()).await;
    let before = ground.plugin("attacker").await;
    replace(&ground, &vec![0; 32 * 1024 * 1024 + 1]);
    let page = ground.plugin_when_refused("attacker").await;
    let why = "attacker.wasm: has 33554433 bytes, more than 33554432 (component_mib = 32)";
    assert_eq!(
        (&page["refused"], &page["hash"]),
        (&why.into(), &before["hash"])
    );
    ground.victim_works().await;
}

#[tokio::test]
async fn a_manifest_that_is_wrong_leaves_the_version_before_in_force() {
    let ground = arena(&Guest::default().component()).await;
    let before = ground.plugin("attacker").await;
    let manifest = ground.directory.path().join("attacker/plugin.toml");
    fs::write(manifest, format!("{MANIFEST}fuel = 1\n")).unwrap();
    let page = ground.plugin_when_refused("attacker").await;
    let why = page["refused"].as_str().unwrap();
    assert!(
        why.contains("plugin.toml line 5: unknown field `fuel`"),
        "{why}"
    );
    goes_on_with(&ground, &before, &page).await;
}

#[tokio::test]
async fn manifests_that_are_none_are_refused_when_the_server_starts() {
    let long = format!("name = 'long'\nversion = '1'\n# {}\n", "x".repeat(70_000));
    let cases: [(&str, &[u8], &str); 5] = [
        (
            "key",
            b"name = 'key'\nversion = '1'\nworld = 'x'\n",
            "unknown field `world`",
        ),
        (
            "other",
            b"name = 'victim'\nversion = '1'\n",
            "name is 'victim' and its folder is 'other'",
        ),
        ("bytes", b"name = '\xff'\n", "plugin.toml is not text"),
        ("long", long.as_bytes(), "bytes, more than 65536"),
        ("none", b"", "missing field `name`"),
    ];
    let directory = tempfile::tempdir().unwrap();
    let component = Guest::default().component();
    for (name, manifest, _) in &cases {
        let folder = directory.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("plugin.toml"), manifest).unwrap();
        fs::write(folder.join(format!("{name}.wasm")), &component).unwrap();
    }
    let ground = Ground::start(directory).await;
    for (name, _, why) in cases {
        let page = ground.plugin(name).await;
        assert_eq!(page["state"], "refused");
        assert!(page["refused"].as_str().unwrap().contains(why), "{page}");
    }
    ground.victim_works().await;
}

#[tokio::test]
async fn names_that_no_plugin_can_have_are_passed_over_and_listed() {
    let ground = arena(&Guest::default().component()).await;
    let before = ground.plugin("victim").await;
    let root = ground.directory.path();
    let trapping = Guest {
        init: "(unreachable)".to_owned(),
        ..Guest::default()
    };
    let trapping = trapping.component();
    let long = format!("{}.wasm", "x".repeat(65));
    // The first begins with a Cyrillic letter.
    let names_given = [
        "\u{443}victim.wasm",
        "-victim.wasm",
        ".wasm",
        "vic tim.wasm",
        "victim.2.wasm",
        &long,
    ];
    fs::write(root.join("victim.WASM"), &trapping).unwrap();
    for name in names_given {
        fs::write(root.join(name), &trapping).unwrap();
    }
    fs::write(root.join("new.wasm"), &trapping).unwrap();
    let page = ground.plugin_when_refused("new").await;
    assert!(
        page["refused"].as_str().unwrap().contains("unreachable"),
        "{page}"
    );
    assert_eq!(ground.plugin("victim").await["hash"], before["hash"]);
    let list = ground.client.page(http::Method::GET, "plugins").await;
    let list: Value = serde_json::from_slice(list.body()).unwrap();
    let names: Vec<&Value> = list["plugins"].as_array().unwrap().iter().collect();
    let names: Vec<&Value> = names.iter().map(|plugin| &plugin["name"]).collect();
    assert_eq!(names, ["attacker", "new", "victim"]);
    let ignored = list["ignored"].as_array().unwrap().iter();
    let ignored: BTreeSet<&str> = ignored.map(|it| it["file"].as_str().unwrap()).collect();
    assert_eq!(ignored, names_given.into_iter().collect());
    ground.victim_works().await;
}

#[tokio::test]
async fn compiled_code_that_was_changed_on_disk_is_made_anew() {
    let ground = arena(&Guest::attacking("(unreachable)").component()).await;
    let ground = ground.restart().await;
    for name in ["attacker", "victim"] {
        assert_eq!(ground.plugin(name).await["fromCache"], true);
    }
    let compiled = ground
        .service
        .buckets()
        .parent()
        .unwrap()
        .join("plugins/compiled");
    let files = fs::read_dir(&compiled).unwrap();
    let files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 2);
    // One has a changed byte in the middle of its code, the other is the first as it was.
    let first = fs::read(&files[0]).unwrap();
    let mut changed = first.clone();
    changed[first.len() / 2] ^= 1;
    fs::write(&files[0], changed).unwrap();
    fs::write(&files[1], first).unwrap();
    let ground = ground.restart().await;
    for name in ["attacker", "victim"] {
        let page = ground.plugin(name).await;
        assert_eq!(
            (&page["state"], &page["fromCache"]),
            (&"running".into(), &false.into())
        );
    }
    attack(&ground, &["a", "!", "b"]).await;
    assert_eq!(ground.delivered("attacker"), ["a", "b"]);
    let ground = ground.restart().await;
    assert_eq!(ground.plugin("victim").await["fromCache"], true);
}

#[tokio::test]
async fn a_component_that_is_taken_away_while_it_works_finishes_what_it_began() {
    let guest = Guest::attacking("(loop $for_ever (br $for_ever))");
    let ground = arena(&guest.component()).await;
    let away = async {
        let calls = |page: &Value| page["calls"] != 0;
        ground.plugin_when("attacker", calls).await;
        fs::remove_dir_all(ground.directory.path().join("attacker")).unwrap();
        ground.plugin_when("attacker", Value::is_null).await;
    };
    tokio::join!(ground.deliver("attacker", &["a", "!", "b"]), away);
    assert_eq!(ground.delivered("attacker"), ["a", "b"]);
    assert_eq!(ground.failed("attacker").len(), 1);
    accounts_for(&ground.client.delivery("attacker").await, 3);
}
