//! `context`: what the host offers to a plugin.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use store::disk::real::RealDisk;
use store::embedded::{Embedded, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use types::{ManualClock, Timestamp};
use wasm::Limits;

use crate::ground::Ground;
use crate::guest::Guest;

/// Answers a marked record with the value of the key `greeting`, and with `none` without one.
const ANSWER_GREETING: &str = "
    (call $config (i32.const 256) (i32.const 8) (i32.const 300))
    (if (i32.eqz (i32.load8_u (i32.const 300))) (then
      (i32.store (i32.const 304) (i32.const 264))
      (i32.store (i32.const 308) (i32.const 4))))
    (i32.store offset=12 (local.get $answer) (i32.load (i32.const 304)))
    (i32.store offset=16 (local.get $answer) (i32.load (i32.const 308)))
    (i32.store (i32.load offset=20 (local.get $answer)) (i32.load (i32.const 308)))";

fn greeting() -> Guest {
    Guest {
        fields: r#"(data (i32.const 256) "greetingnone")"#.to_owned(),
        ..Guest::attacking(ANSWER_GREETING)
    }
}

/// A guest that counts 1 when it begins and 10 for a batch that holds a marked record.
fn counting(name: &str) -> Guest {
    let count = |by: u32| {
        let length = name.len();
        format!("(call $counter (i32.const 256) (i32.const {length}) (i64.const {by}))")
    };
    Guest {
        fields: format!("(data (i32.const 256) \"{name}\")"),
        init: count(1),
        ..Guest::attacking(&count(10))
    }
}

/// Puts a plugin called `own` into a directory, with this manifest if it has one.
fn put(directory: &Path, manifest: Option<&str>, guest: &Guest) {
    let Some(manifest) = manifest else {
        return fs::write(directory.join("own.wasm"), guest.component()).unwrap();
    };
    let folder = directory.join("own");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("own.wasm"), guest.component()).unwrap();
    fs::write(folder.join("plugin.toml"), manifest).unwrap();
}

async fn ground_within(manifest: Option<&str>, guest: &Guest, limits: Limits) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), manifest, guest);
    let ground = Ground::start_within(directory, limits).await;
    ground.stream("own").await;
    ground
}

async fn ground_with(manifest: Option<&str>, guest: &Guest) -> Ground {
    ground_within(manifest, guest, Limits::default()).await
}

#[tokio::test]
async fn a_value_of_the_manifest_is_what_config_answers() {
    let manifest = "name = 'own'\nversion = '1'\n[config]\ngreeting = 'good day'\nother = 'x'\n";
    let ground = ground_with(Some(manifest), &greeting()).await;
    ground.deliver("own", &["!"]).await;
    assert_eq!(ground.delivered("own"), ["good day"]);
}

#[tokio::test]
async fn a_key_that_nobody_set_has_no_value() {
    let manifest = "name = 'own'\nversion = '1'\n[config]\nother = 'x'\n";
    for manifest in [Some(manifest), None] {
        let ground = ground_with(manifest, &greeting()).await;
        ground.deliver("own", &["!"]).await;
        assert_eq!(ground.delivered("own"), ["none"]);
    }
}

#[tokio::test]
async fn another_value_in_the_manifest_is_another_version() {
    let manifest = |greeting: &str| {
        format!("name = 'own'\nversion = '1'\n[config]\ngreeting = '{greeting}'\n")
    };
    let ground = ground_with(Some(&manifest("hello")), &greeting()).await;
    ground.deliver("own", &["!"]).await;
    let another = manifest("good bye");
    put(ground.directory.path(), Some(&another), &greeting());
    ground.plugin_when("own", |page| page["swaps"] == 1).await;
    ground.deliver("own", &["!"]).await;
    assert_eq!(ground.delivered("own"), ["hello", "good bye"]);
}

#[tokio::test]
async fn counters_add_up_over_all_instances_of_a_version() {
    let ground = ground_with(None, &counting("seen")).await;
    assert_eq!(ground.plugin("own").await["counters"], json!({"seen": 1}));
    for _ in 0..3 {
        ground.deliver("own", &["!"]).await;
    }
    // Four times `init`, three times a batch.
    assert_eq!(ground.plugin("own").await["counters"], json!({"seen": 34}));
}

#[tokio::test]
async fn a_counter_with_a_name_that_metrics_cannot_have_is_left_out() {
    for name in ["Seen", "a-b", ""] {
        let ground = ground_with(None, &counting(name)).await;
        assert_eq!(ground.plugin("own").await["counters"], json!({}), "{name}");
    }
}

#[tokio::test]
async fn the_time_is_that_of_the_delivery_in_milliseconds() {
    // One digit: the milliseconds since the test began.
    let answer = "(i32.store8 (i32.const 256) (i32.add (i32.const 48)
          (i32.wrap_i64 (i64.sub (call $now_ms) (i64.const 1700000000000)))))
        (i32.store offset=12 (local.get $answer) (i32.const 256))
        (i32.store offset=16 (local.get $answer) (i32.const 1))
        (i32.store (i32.load offset=20 (local.get $answer)) (i32.const 1))";
    let ground = ground_with(None, &Guest::attacking(answer)).await;
    ground.deliver("own", &["!"]).await;
    ground.service.pass(Duration::from_millis(7));
    ground.deliver("own", &["!"]).await;
    assert_eq!(ground.delivered("own"), ["0", "7"]);
}

#[tokio::test]
async fn lines_beyond_the_share_are_left_out_and_counted_on_the_page() {
    let log = "(local.set $i (i32.const 40))
        (loop $again
          (call $log (i32.const 2) (i32.const 256) (i32.const 100))
          (local.set $i (i32.sub (local.get $i) (i32.const 1)))
          (br_if $again (local.get $i)))";
    let guest = Guest {
        fields: format!("(data (i32.const 256) \"{}\")", "x".repeat(100)),
        ..Guest::attacking(log)
    };
    let limits = Limits {
        log_bytes_per_second_max: 1_000,
        ..Limits::default()
    };
    let ground = ground_within(None, &guest, limits).await;
    ground.deliver("own", &["!"]).await;
    assert_eq!(ground.delivered("own"), ["!"]);
    // Ten are within the share of one second; a batch may be worked on across two.
    let left_out = ground.plugin("own").await["logLinesLeftOut"].as_u64();
    assert!((20..=30).contains(&left_out.unwrap()), "{left_out:?}");
}

#[tokio::test]
async fn counters_stand_among_the_metrics_under_the_plugin_and_its_version() {
    let directory = tempfile::tempdir().unwrap();
    let plugins = directory.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    put(&plugins, None, &counting("seen"));
    let disk = RealDisk::new(directory.path().join("store")).unwrap();
    let opened = tokio::task::spawn_blocking(move || {
        let options = Options {
            wal_files_ahead: 0,
            wal_file_bytes: 8 * 1024 * 1024,
            ballast_bytes: 0,
            ..Options::default()
        };
        Embedded::open(Arc::new(disk), options).unwrap()
    });
    let config = server::Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        data: directory.path().join("data"),
        plugins: Some(plugins),
        ..server::Config::default()
    };
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let engine = opened.await.unwrap();
    let running = server::start(config, engine, clock).await.unwrap();
    running.plugins_started().await;
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut metrics = String::new();
    socket.read_to_string(&mut metrics).await.unwrap();
    let mut lines = metrics.lines();
    let line = lines
        .find(|line| line.contains("counter=\"seen\""))
        .unwrap();
    assert!(
        line.contains("plugin_counter_total{plugin=\"own\",version=\""),
        "{line}"
    );
    assert!(line.ends_with("} 1"), "{line}");
    running.shut_down().await.unwrap();
}
