//! Guests that try to tell one delivery from another, or from another's.

use std::sync::Arc;
use std::time::Duration;

use types::{ManualClock, Timestamp};
use wasm::{Instance, Limits, Moment, Options, PluginName, Plugins, Slab, Version};

use crate::arena::{arena, attack};
use crate::ground::Ground;
use crate::guest::Guest;

const WASI: &str = r#"
    (import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))
    (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $now (result i64)))
"#;

/// Answers the marked record with eight bytes.
const ANSWER_LONG: &str = "
    (i64.store (i32.const 256) (local.get $long))
    (i32.store offset=12 (local.get $answer) (i32.const 256))
    (i32.store offset=16 (local.get $answer) (i32.const 8))
    (i32.store (i32.load offset=20 (local.get $answer)) (i32.const 8))";

/// A version of a guest, without a server.
fn version(guest: &Guest) -> (tempfile::TempDir, Arc<Version>) {
    let dir = tempfile::tempdir().unwrap();
    let name = PluginName::parse("attacker").unwrap();
    std::fs::write(dir.path().join("attacker.wasm"), guest.component()).unwrap();
    let options = Options {
        directory: Some(dir.path().to_owned()),
        keep: dir.path().join("keep"),
        limits: Limits::default(),
        rollout: wasm::RolloutRules::default(),
        signatures: wasm::SignatureRules::default(),
        grants: Arc::default(),
        cache_key: [7; 32],
        compiler: None,
    };
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let version = Plugins::open(options, clock)
        .unwrap()
        .current(&name)
        .unwrap();
    (dir, version)
}

/// What instances of these moments make of a marked record, each asked twice.
fn answers(guest: &Guest, moments: &[(u64, u64)]) -> Vec<Vec<u8>> {
    let (_dir, version) = version(guest);
    let mut batch = Slab::default();
    assert!(batch.push(b"!"));
    let mut answers = Vec::new();
    for (now, seed) in moments {
        let moment = Moment {
            now: Timestamp(*now),
            seed: *seed,
        };
        let mut instance = Instance::start(&version, moment, version.call_limits()).unwrap();
        for _ in 0..2 {
            let outputs = instance
                .transform(&batch, None, version.call_limits().batch_time_max)
                .unwrap();
            answers.push(outputs.iter().next().unwrap().data.to_vec());
        }
    }
    answers
}

#[test]
fn the_same_delivery_gives_the_same_random_numbers_and_another_gives_others() {
    let guest = Guest {
        imports: WASI.to_owned(),
        ..Guest::attacking(&format!("(local.set $long (call $random)) {ANSWER_LONG}"))
    };
    let told = answers(&guest, &[(5, 1), (5, 1), (5, 2)]);
    assert_eq!(told[..2], told[2..4]);
    assert_ne!(told[0], told[1]);
    assert_ne!(told[..2], told[4..]);
}

#[test]
fn no_clock_runs_while_a_guest_does() {
    for (now, wanted) in [("(call $now_ms)", 5_u64), ("(call $now)", 0)] {
        let attack = format!(
            "(local.set $i (i32.const 1000000))
            (loop $busy
              (local.set $i (i32.sub (local.get $i) (i32.const 1)))
              (br_if $busy (local.get $i)))
            (local.set $long {now}) {ANSWER_LONG}"
        );
        let guest = Guest {
            imports: WASI.to_owned(),
            ..Guest::attacking(&attack)
        };
        let told = answers(&guest, &[(5, 1), (5, 2)]);
        assert_eq!(told, vec![wanted.to_le_bytes().to_vec(); 4]);
    }
}

#[test]
fn what_is_no_number_has_the_same_bits_wherever_it_comes_from() {
    let mut bits = Vec::new();
    for nan in [
        "(f64.div (f64.const 0) (f64.const 0))",
        "(f64.add (f64.const nan:0x4000000000001) (f64.const 1))",
        "(f64.sqrt (f64.const -1))",
    ] {
        let attack = format!("(local.set $long (i64.reinterpret_f64 {nan})) {ANSWER_LONG}");
        bits.extend(answers(&Guest::attacking(&attack), &[(5, 1)]));
    }
    assert_eq!(bits, vec![f64::NAN.to_bits().to_le_bytes().to_vec(); 6]);
}

#[tokio::test]
async fn the_time_stands_still_within_a_delivery_however_long_it_takes() {
    // Traps when the time is not what it was.
    let ask = "(local.set $long (call $now_ms))
        (local.set $i (i32.const 9000))
        (loop $ask
          (if (i64.ne (call $now_ms) (local.get $long)) (then (unreachable)))
          (local.set $i (i32.sub (local.get $i) (i32.const 1)))
          (br_if $ask (local.get $i)))";
    let ground = arena(&Guest::attacking(ask).component()).await;
    let time_passes = async {
        for _ in 0..200 {
            ground.service.pass(Duration::from_millis(1));
            ground.plugin("attacker").await;
        }
    };
    tokio::join!(attack(&ground, &["!"; 500]), time_passes);
    assert_eq!(ground.delivered("attacker"), ["!"; 500]);
}

#[tokio::test]
async fn the_memory_of_one_guest_holds_nothing_of_anothers() {
    // Two pages of zeros, then 16 MiB that must be zeros as well, and are not any more afterwards.
    let attack = "(drop (memory.grow (i32.const 250)))
        (local.set $i (i32.const 65536))
        (loop $look
          (if (i64.ne (i64.load (local.get $i)) (i64.const 0)) (then (unreachable)))
          (local.set $i (i32.add (local.get $i) (i32.const 8)))
          (br_if $look (i32.lt_u (local.get $i) (i32.const 16000000))))
        (memory.fill (i32.const 65536) (i32.const 171) (i32.const 15900000))";
    let guest = Guest {
        memory: r#"(memory (export "memory") 2)"#.to_owned(),
        ..Guest::attacking(attack)
    };
    let directory = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        let file = directory.path().join(format!("{name}.wasm"));
        std::fs::write(file, guest.component()).unwrap();
    }
    let ground = Ground::start(directory).await;
    for name in ["one", "two"] {
        ground.stream(name).await;
    }
    for _ in 0..3 {
        for name in ["one", "two"] {
            ground.deliver(name, &["!"]).await;
        }
    }
    assert_eq!(
        (ground.delivered("one"), ground.failed("one")),
        (vec!["!".to_owned(); 3], vec![])
    );
    assert_eq!(ground.delivered("two"), ["!"; 3]);
}
