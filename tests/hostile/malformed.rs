//! Files that are no component of ours, or not quite.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use store::disk::simulated::Random;
use types::{ManualClock, Timestamp};
use wasm::{Limits, Options, Plugins};

use crate::arena::{self, is_refused, is_refused_for_good};
use crate::guest::{Guest, wrap};
use crate::simple;

const SEED: u64 = 11;

/// Opens a directory of components as a server does when it starts; how many are in force, and
/// why each of the others is not.
fn open(components: impl Iterator<Item = Vec<u8>>) -> (usize, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let plugins = dir.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    fs::write(plugins.join("victim.wasm"), Guest::default().component()).unwrap();
    let mut count = 0;
    for component in components {
        fs::write(plugins.join(format!("a{count}.wasm")), component).unwrap();
        count += 1;
    }
    let options = Options {
        directory: Some(plugins),
        keep: dir.path().join("keep"),
        limits: Limits {
            batch_time_max: Duration::from_millis(200),
            ..Limits::default()
        },
        rollout: wasm::RolloutRules::default(),
        signatures: wasm::SignatureRules::default(),
        grants: Arc::default(),
        cache_key: [7; 32],
        compiler: None,
    };
    let opened = Plugins::open(options, Arc::new(ManualClock::new(Timestamp(0)))).unwrap();
    let mut list = opened.list();
    let victim = list.pop().unwrap();
    assert_eq!((victim.name.as_str(), list.len()), ("victim", count));
    assert!(victim.version.is_some());
    let whys = list.iter().filter_map(|plugin| plugin.refused.as_ref());
    let whys: Vec<String> = whys.map(|refused| refused.why.clone()).collect();
    let running = list
        .iter()
        .filter(|plugin| plugin.version.is_some())
        .count();
    assert_eq!(running + whys.len(), count, "each is in force or refused");
    (running, whys)
}

/// A number below `limit`.
fn below_of(random: &mut Random, limit: usize) -> usize {
    usize::try_from(random.below(limit as u64)).unwrap()
}

#[test]
fn a_component_that_ends_too_early_is_refused_wherever_it_ends() {
    let whole = Guest::default().component();
    let cut_off = (0..whole.len()).map(|end| whole[..end].to_vec());
    let (running, whys) = open(cut_off);
    // At the end of a section at the end it is still one, without its names or its producers.
    assert!(running < 8, "{running} of {} run", whole.len());
    assert!(whys.iter().all(|why| !why.is_empty()));
}

#[test]
fn a_component_with_a_flipped_bit_is_refused_or_runs_and_harms_nobody() {
    let whole = Guest::default().component();
    let mut random = Random::new(SEED);
    let mut random = |below| below_of(&mut random, below);
    let flipped = (0..whole.len()).step_by(8).map(|place| {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << random(8);
        flipped
    });
    let (running, whys) = open(flipped);
    assert!(
        running > 0 && running < whys.len(),
        "seed {SEED}: {running} run"
    );
}

#[test]
fn a_component_with_bytes_of_another_place_is_refused_or_runs_and_harms_nobody() {
    let whole = Guest::default().component();
    let mut random = Random::new(SEED);
    let mut random = |below| below_of(&mut random, below);
    let shuffled = (0..400).map(|_| {
        let mut shuffled = whole.clone();
        let length = 1 + random(16);
        let (from, to) = (random(whole.len() - length), random(whole.len() - length));
        shuffled.copy_within(from..from + length, to);
        shuffled
    });
    let (_, whys) = open(shuffled);
    assert!(whys.len() > 200, "seed {SEED}: {} are refused", whys.len());
}

#[tokio::test]
async fn a_core_module_is_refused_with_what_to_build_instead() {
    let module = wat::parse_str("(module (memory 1))").unwrap();
    is_refused(&module, &["core module, not a component", "wasm32-wasip2"]).await;
}

#[tokio::test]
async fn compiled_code_is_refused() {
    let ground = arena::arena(&Guest::default().component()).await;
    let compiled = ground
        .service
        .buckets()
        .parent()
        .unwrap()
        .join("plugins/compiled");
    let file = fs::read_dir(compiled)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    // Behind the 32 bytes that say whose it is.
    let code = fs::read(file).unwrap().split_off(32);
    is_refused(&code, &["it is compiled code"]).await;
}

#[tokio::test]
async fn what_is_no_component_at_all_is_refused() {
    for file in [&b""[..], b"#!/bin/sh\n", b"\x1f\x8b\x08\x00\x00", b"\0asm"] {
        is_refused(file, &["byte "]).await;
    }
}

#[tokio::test]
async fn an_import_that_nobody_knows_is_refused_by_its_name() {
    let guest = Guest {
        imports: r#"(import "acme:vault/secrets@1.0.0" "open" (func $open (result i32)))"#
            .to_owned(),
        ..Guest::default()
    };
    let whys = ["it imports acme:vault/secrets@1.0.0, which no plugin may have"];
    is_refused(&guest.component(), &whys).await;
}

/// Only the first was named: an author found out about one at each try.
#[tokio::test]
async fn every_import_that_nobody_knows_is_named_at_once() {
    let imports: Vec<String> = (0..40)
        .map(|number| format!("(import \"acme:vault/secret-{number}@1.0.0\" (instance))"))
        .collect();
    let component = wat::parse_str(format!("(component {})", imports.concat())).unwrap();
    let whys = [
        "it imports acme:vault/secret-0@1.0.0, acme:vault/secret-1@1.0.0, ",
        "acme:vault/secret-31@1.0.0 and 8 more, which no plugin may have",
    ];
    is_refused(&component, &whys).await;
}

/// It was refused by what the compiler calls a feature, with a place in the file.
#[tokio::test]
async fn a_component_that_could_wait_is_refused_with_how_to_build_it_instead() {
    let lifted = "(core module $m (func (export \"f\") (result i32) (i32.const 0))
          (func (export \"c\") (param i32 i32 i32) (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func (export \"f\") async
          (canon lift (core func $i \"f\") async (callback (core func $i \"c\"))))";
    for waits in [
        "(core func (canon task.cancel))",
        "(core func (canon waitable-set.new))",
        "(component (core func (canon subtask.drop)))",
        lifted,
    ] {
        let component = wat::parse_str(format!("(component {waits})")).unwrap();
        let why = "it uses the async functions of the component model, and a plugin cannot wait \
                   (jco componentize: --backend-qjs-disable-async)";
        is_refused_for_good(&component, why).await;
    }
}

#[tokio::test]
async fn a_component_of_another_version_of_the_interfaces_is_told_which_the_host_has() {
    let guest = Guest {
        wit_version: "0.2.0",
        ..Guest::default()
    };
    let whys = ["it imports millrace:plugin/context@0.2.0 (the host has version 0.1.x)"];
    is_refused(&guest.component(), &whys).await;
}

#[tokio::test]
async fn a_component_of_another_world_is_told_which_there_are() {
    let component = wat::parse_str("(component (core module))").unwrap();
    let whys = [
        "of no world of millrace:plugin@0.1.0",
        "millrace:plugin/transform@0.1.0 (transformer)",
        "millrace:plugin/record-processor-simple@0.1.0 (consumer-simple)",
    ];
    is_refused(&component, &whys).await;
}

#[tokio::test]
async fn a_component_that_lacks_one_interface_of_its_world_is_told_which() {
    let whole = Guest::default().component();
    let text = b"millrace:plugin/lifecycle@0.1.0";
    let mut without = whole.clone();
    for place in 0..whole.len() - text.len() {
        if whole[place..].starts_with(text) {
            without[place..place + text.len()].copy_from_slice(b"millrace:plugin/lifecyclo@0.1.0");
        }
    }
    is_refused(&without, &["of no world", "lifecycle"]).await;
}

/// The exports of a component under other names of as many letters.
fn renamed(component: &[u8], names: &[(&str, &str)]) -> Vec<u8> {
    let mut renamed = component.to_vec();
    for (from, to) in names {
        assert_eq!(from.len(), to.len());
        for place in 0..component.len() - from.len() {
            if component[place..].starts_with(from.as_bytes()) {
                renamed[place..place + to.len()].copy_from_slice(to.as_bytes());
            }
        }
    }
    renamed
}

#[tokio::test]
async fn a_transform_that_imports_what_only_consumers_have_is_told_which() {
    let module = crate::consumer_guest::ConsumerGuest::default().component();
    // Its shape is no transform's, which is looked at later.
    let names = [("/record-processor@0.1.0", "/transform-simple@0.1.0")];
    let whys = [
        "it imports millrace:plugin/checkpoint@0.1.0, which the world transformer-simple does not",
        "only consumers do",
    ];
    is_refused(&renamed(&module, &names), &whys).await;
}

#[tokio::test]
async fn a_consumer_behind_a_delivery_stream_fails_its_records_and_says_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let component = crate::consumer_guest::ConsumerGuest::default().component();
    std::fs::write(directory.path().join("own.wasm"), component).unwrap();
    let ground = crate::ground::Ground::start(directory).await;
    ground.stream("own").await;
    ground.deliver("own", &["a"]).await;
    let why = "own is a consumer: it transforms no records";
    assert_eq!(ground.failed("own")[0]["errorMessage"], why);
}

#[tokio::test]
async fn a_component_that_needs_what_it_does_not_have_is_refused() {
    let module = r#"(module (import "nowhere" "nothing" (func)))"#;
    assert!(std::panic::catch_unwind(|| wrap(module, "transformer")).is_err());
    let text = r#"(component (core module $m (import "nowhere" "nothing" (func)))
        (core instance (instantiate $m)))"#;
    let text = wat::parse_str(text).unwrap();
    is_refused(&text, &["nowhere"]).await;
}

/// The plugins of this repository, where they are built, are as good as those from text.
#[test]
fn built_components_with_flipped_bits_are_refused_or_run_and_harm_nobody() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins"));
    let built = fs::read(root.join("drop-bots/drop-bots.wasm"));
    let whole = built.unwrap_or_else(|_| simple::component(""));
    let mut random = Random::new(SEED);
    let mut random = |below| below_of(&mut random, below);
    let flipped = (0..60).map(|_| {
        let mut flipped = whole.clone();
        for _ in 0..8 {
            flipped[random(whole.len())] ^= 1 << random(8);
        }
        flipped
    });
    let (running, whys) = open(flipped);
    assert!(running < whys.len(), "seed {SEED}: {running} run");
}
