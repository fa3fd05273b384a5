//! Consumers that mean harm, as applications of a server: the record that does it becomes a dead
//! letter with the reason, those beside it are worked on, the shard goes on, and the victim notices
//! nothing. What ends at a limit of one call is in `consumers`, without a server.

use std::collections::BTreeMap;
use std::fs;

use consumers::Grants;
use http::Method;
use millrace_tests::{Setting, base64};
use serde_json::{Value, json};
use tempfile::TempDir;
use wasm::{GrantSettings, Limits, PluginName};

use crate::consumer_guest::ConsumerGuest;
use crate::ground::Ground;

/// The attacker's manifest: a batch may take a fifth of a second.
const MANIFEST: &str = "name = 'attacker'\nversion = '1'\n[limits]\nbatch_ms = 200\n";
/// The same with as much time as there is: reaching a limit takes some on a busy machine.
const PATIENT: &str = "name = 'attacker'\nversion = '1'\n";
const ENDLESS: &str = "(loop $for_ever (br $for_ever))";
const LATE: &str = "it took longer than 200 ms (batch_ms = 200)";
/// Turns until the application is as it should be, at most; the victim works in each.
const TURNS_MAX: usize = 3_000;
/// `words` at 256.
const WORDS: &str = r#"(data (i32.const 256) "words")"#;

/// A consumer that does this to a batch that holds a marked record.
pub fn attacking(attack: &str) -> ConsumerGuest {
    ConsumerGuest {
        fields: WORDS.to_owned(),
        ..ConsumerGuest::processing(&format!(
            "(if (call $is_marked (local.get $bytes) (local.get $length)) (then {attack}))"
        ))
    }
}

/// A server with the attacker as an application of the stream of its name, and a victim.
pub struct Arena(Ground);

impl Arena {
    async fn of(guest: &ConsumerGuest) -> Self {
        Self::with(guest, MANIFEST, Setting::default()).await
    }

    pub async fn with(guest: &ConsumerGuest, manifest: &str, setting: Setting) -> Self {
        let directory = tempfile::tempdir().unwrap();
        put(&directory, guest, manifest);
        let tables = ["words".to_owned()].into();
        let grants = Grants {
            tables,
            ..Grants::default()
        };
        let setting = Setting {
            plugin_grants: BTreeMap::from([(name(), grants)]),
            ..setting
        };
        let ground = Ground::start_with(directory, setting).await;
        ground.client.create("attacker", 1).await;
        let body = json!({"stream": "attacker", "plugin": "attacker"});
        let made = ground.client.post_page("apps/attacker/create", &body).await;
        assert_eq!(made.0, 200, "{}", made.1);
        Self(ground)
    }

    pub async fn put(&self, records: &[&str]) {
        let records = records
            .iter()
            .map(|text| json!({"Data": base64(text), "PartitionKey": "key"}));
        let input = json!({"StreamName": "attacker", "Records": records.collect::<Vec<_>>()});
        self.0.client.call("PutRecords", input).await;
    }

    /// The application once it has worked on so many records and given up so many, and none waits.
    /// Meanwhile the victim works.
    pub async fn until(&self, processed: u64, letters: u64) -> Value {
        let mut app = Value::Null;
        for _ in 0..TURNS_MAX {
            app = self.page("apps/attacker").await;
            let count = |member: &str| app[member].as_u64().unwrap_or_default();
            let (done, given_up) = (count("processed"), count("deadLetters"));
            if (done, given_up, count("waiting")) == (processed, letters, 0) {
                return app;
            }
            self.0.victim_works().await;
        }
        panic!("the application stays as it is: {app}");
    }

    /// The server, with the victim.
    pub fn ground(&self) -> &Ground {
        &self.0
    }

    async fn page(&self, page: &str) -> Value {
        let answer = self.0.client.page(Method::GET, page).await;
        serde_json::from_slice(answer.body()).unwrap()
    }

    /// Why the one record that was given up was.
    pub async fn reason(&self) -> String {
        let letters = self.page("apps/attacker/dead-letters").await;
        let letters = letters["deadLetters"].as_array().unwrap().clone();
        assert_eq!(letters.len(), 1, "{letters:?}");
        letters[0]["reason"].as_str().unwrap().to_owned()
    }
}

fn name() -> PluginName {
    PluginName::parse("attacker").unwrap()
}

fn put(directory: &TempDir, guest: &ConsumerGuest, manifest: &str) {
    let folder = directory.path().join("attacker");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("plugin.toml"), manifest).unwrap();
    fs::write(folder.join("staged"), guest.component()).unwrap();
    fs::rename(folder.join("staged"), folder.join("attacker.wasm")).unwrap();
}

/// The marked record is given up for this reason, which the plugin's page counts by `counted`, and
/// nothing else is.
async fn endured(guest: &ConsumerGuest, reason: &str, counted: &str) {
    let manifest = if counted == "traps" {
        PATIENT
    } else {
        MANIFEST
    };
    let arena = Arena::with(guest, manifest, Setting::default()).await;
    arena.put(&["before", "!", "after"]).await;
    arena.until(2, 1).await;
    let told = arena.reason().await;
    assert!(told.contains(reason), "{told}");
    let page = arena.0.plugin("attacker").await;
    assert!(page[counted].as_u64() > Some(0), "{page}");
    arena.put(&["harmless"]).await;
    arena.until(3, 1).await;
}

#[tokio::test]
async fn an_endless_loop_costs_the_record_that_starts_it() {
    endured(&attacking(ENDLESS), LATE, "deadlines").await;
}

#[tokio::test]
async fn an_endless_loop_after_the_answer_is_stopped_like_one_before_it() {
    let guest = ConsumerGuest {
        fields: "(global $wild (mut i32) (i32.const 0))".to_owned(),
        after: format!("(if (global.get $wild) (then {ENDLESS}))"),
        ..attacking("(global.set $wild (i32.const 1))")
    };
    endured(&guest, LATE, "deadlines").await;
}

#[tokio::test]
async fn filling_all_memory_again_and_again_is_stopped_between_two_fills() {
    let attack = "(drop (memory.grow (i32.const 1000)))
        (loop $again
          (memory.fill (i32.const 65536) (i32.const 7) (i32.const 65000000))
          (br $again))";
    endured(&attacking(attack), LATE, "deadlines").await;
}

/// What is wanted beyond a limit, and how that is told.
const BEYOND: [(&str, &str, &str); 9] = [
    (
        "",
        "(loop $more (drop (memory.grow (i32.const 16))) (br $more))",
        "more than 64 MiB of memory (memory_mib = 64)",
    ),
    (
        "(table $all 0 funcref)",
        "(loop $more (drop (table.grow $all (ref.null func) (i32.const 1000))) (br $more))",
        "more than 20000 elements",
    ),
    (
        "(func $deeper (call $deeper) (call $deeper))",
        "(call $deeper)",
        "more than 512 KiB of stack",
    ),
    (
        "",
        "(loop $again (drop (call $now_ms)) (br $again))",
        "more than 10000 calls to the host in one batch (host_calls = 10000)",
    ),
    (
        "",
        "(drop (memory.grow (i32.const 8)))
        (loop $again
          (call $put (i32.const 256) (i32.const 5) (i32.const 256) (i32.const 5)
            (i32.const 0) (i32.const 307200) (i32.const 96))
          (br $again))",
        "more than 16 MiB of keys, values and records in one batch (output_mib = 16)",
    ),
    (
        r#"(data (i32.const 400) "\ff\fe")"#,
        "(call $get (i32.const 400) (i32.const 2) (i32.const 256) (i32.const 5) (i32.const 96))",
        "utf-8",
    ),
    (
        "",
        "(call $get (i32.const 256) (i32.const -1) (i32.const 256) (i32.const 5) (i32.const 96))",
        "out of bounds",
    ),
    ("", "(unreachable)", "unreachable"),
    ("", "(return (i32.const -4))", "out of bounds"),
];

#[tokio::test]
async fn what_a_consumer_wants_beyond_a_limit_costs_the_record_that_wants_it() {
    for (fields, attack, reason) in BEYOND {
        let mut guest = attacking(attack);
        guest.fields.push_str(fields);
        endured(&guest, reason, "traps").await;
    }
}

#[tokio::test]
async fn handles_that_were_never_given_or_are_never_given_back_trap() {
    let imports = r#"
        (import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
        (import "wasi:io/streams@0.2.6" "[resource-drop]output-stream" (func $drop (param i32)))"#;
    for (attack, reason) in [
        (
            "(loop $again (drop (call $stdout)) (br $again))",
            "more than 1000 handles",
        ),
        ("(call $drop (i32.const 1234))", "unknown handle index 1234"),
        (
            "(local.set $i (call $stdout)) (call $drop (local.get $i)) (call $drop (local.get $i))",
            "unknown handle index",
        ),
    ] {
        let guest = ConsumerGuest {
            imports: imports.to_owned(),
            ..attacking(attack)
        };
        endured(&guest, reason, "traps").await;
    }
}

#[tokio::test]
async fn a_flood_of_lines_is_left_out_and_counted_and_costs_no_record() {
    let log = r#"(import "millrace:plugin/context@0.1.0" "log" (func $log (param i32 i32 i32)))"#;
    let flood = "(local.set $i (i32.const 300))
        (loop $again
          (call $log (i32.const 2) (i32.const 1024) (i32.const 1000))
          (local.set $i (i32.sub (local.get $i) (i32.const 1)))
          (br_if $again (local.get $i)))";
    let guest = ConsumerGuest {
        imports: log.to_owned(),
        ..attacking(flood)
    };
    let arena = Arena::of(&guest).await;
    arena.put(&["!"]).await;
    arena.until(1, 0).await;
    let left_out = arena.0.plugin("attacker").await["logLinesLeftOut"].as_u64();
    assert!(left_out >= Some(100), "{left_out:?}");
}

/// What a batch wrote before it trapped is written by nobody.
#[tokio::test]
async fn what_was_written_before_a_trap_is_not_there_after_it() {
    let write = "(call $put (i32.const 256) (i32.const 5) (i32.const 256) (i32.const 5)
        (i32.const 256) (i32.const 5) (i32.const 96))";
    let guest = attacking(&format!("{write} (unreachable)"));
    let arena = Arena::of(&guest).await;
    arena.put(&["before", "!", "after"]).await;
    let app = arena.until(2, 1).await;
    assert_eq!(app["rows"], 0, "{app}");
}

/// Counts beyond the batch, and counts that do not rise.
#[tokio::test]
async fn a_checkpoint_of_what_was_not_there_is_refused_and_passes_over_nothing() {
    for count in [0, 1_000, -1] {
        let guest = attacking(&format!(
            "(call $done (i32.const {count}) (i32.const 96)) (return (call $told))"
        ));
        let arena = Arena::of(&guest).await;
        arena.put(&["before", "!", "after"]).await;
        arena.until(2, 1).await;
        let told = arena.reason().await;
        assert!(told.contains("are done, after 0"), "{told}");
    }
}

#[tokio::test]
async fn a_state_that_is_too_large_is_kept_by_nobody_and_stops_the_shard_alone() {
    let guest = ConsumerGuest {
        state: Some([
            "(i32.const 1)".to_owned(),
            "(drop (memory.grow (i32.const 8)))
            (i32.store8 (i32.const 96) (i32.const 0))
            (i32.store (i32.const 100) (i32.const 0))
            (i32.store (i32.const 104) (i32.const 300000))
            (i32.const 96)"
                .to_owned(),
            String::new(),
        ]),
        ..ConsumerGuest::default()
    };
    let arena = Arena::of(&guest).await;
    arena.put(&["one"]).await;
    arena.until(0, 1).await;
    let told = arena.reason().await;
    assert!(
        told.contains("a snapshot of 300000 bytes, not at most 262144"),
        "{told}"
    );
}

#[tokio::test]
async fn a_consumer_that_does_not_come_to_life_works_on_nothing_and_stops_nobody() {
    let guest = ConsumerGuest {
        initialize: "(unreachable)".to_owned(),
        ..ConsumerGuest::default()
    };
    let arena = Arena::of(&guest).await;
    arena.put(&["one"]).await;
    let mut app = Value::Null;
    for _ in 0..TURNS_MAX {
        app = arena.page("apps/attacker").await;
        if app["trouble"].is_string() {
            break;
        }
        arena.0.victim_works().await;
    }
    assert!(app["trouble"].is_string(), "{app}");
    // A version that comes to life goes on with what waits.
    put(&arena.0.directory, &ConsumerGuest::default(), MANIFEST);
    arena.until(1, 0).await;
}

/// The same 50 ms again and again: it waits for its share and loses no record.
#[tokio::test]
async fn a_consumer_that_takes_more_than_its_share_waits_and_loses_no_record() {
    let attack = "(loop $again
        (local.set $long (i64.add (local.get $long) (i64.const 1)))
        (br_if $again (i64.lt_u (local.get $long) (i64.const 60000000))))";
    let manifest = "name = 'attacker'\nversion = '1'\n[limits]\ncpu_ms_per_second = 40\n";
    let arena = Arena::with(&attacking(attack), manifest, Setting::default()).await;
    for batch in 1..=3 {
        arena.put(&["!"]).await;
        arena.until(batch, 0).await;
    }
    let app = arena.until(3, 0).await;
    assert_eq!(app["cpuMsPerSecond"], 40);
    assert!(app["heldBackUs"].as_u64() > Some(0), "{app}");
}

#[tokio::test]
async fn an_application_that_is_granted_nothing_is_not_begun_and_says_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = "name = 'attacker'\nversion = '1'\n[grants]\nsecrets = ['key']\n\
                    http = ['api.test:443']\n";
    put(&directory, &ConsumerGuest::default(), manifest);
    let setting = Setting {
        plugin_access: BTreeMap::from([(name(), GrantSettings::default())]),
        plugin_limits: Limits::default(),
        ..Setting::default()
    };
    let ground = Ground::start_with(directory, setting).await;
    ground.client.create("attacker", 1).await;
    let body = json!({"stream": "attacker", "plugin": "attacker"});
    let (status, told) = ground.client.post_page("apps/attacker/create", &body).await;
    assert_eq!(status, 400, "{told}");
    let told = told.to_string().replace('\\', "");
    let lines = "[[plugin_grants]] name = \"attacker\" secrets = { key = \"FILE\" } http = \
                 [\"api.test:443\"]";
    assert!(told.contains(lines), "{told}");
}
