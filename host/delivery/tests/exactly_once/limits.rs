//! What plugins may use is another after a crash than before it. Each cut goes to its end within
//! the limits that it was begun with: a record that came out is delivered, one that did not fails,
//! and none is in two places or in none.

use std::time::Duration;

use wasm::Limits;

use crate::buckets::Does;
use crate::check::{Through, check, found};
use crate::crashes::{Case, crash_between};
use crate::guest::Guest;
use crate::ledger::{Kind, Ledger};
use crate::simple;
use crate::world::{Components, Origin, World, destination, processing};

const PLUGIN: &str = "weighed";

/// A plugin, and limits that its heavy records pass and do not pass.
struct Weighed {
    component: Vec<u8>,
    wide: Limits,
    narrow: Limits,
}

/// Heavy records take 13 MiB.
fn by_memory() -> Weighed {
    Weighed {
        component: Guest::attacking("(drop (memory.grow (i32.const 200)))").component(),
        wide: Limits::default(),
        narrow: Limits {
            memory_bytes_max: 2 << 20,
            ..Limits::default()
        },
    }
}

/// Heavy records become 200,000 bytes.
fn by_output() -> Weighed {
    let amplify = "(local.set $answer (i32.shl (memory.grow (i32.const 4)) (i32.const 16)))
        (memory.copy (local.get $answer) (local.get $bytes) (local.get $length))
        (local.set $bytes (local.get $answer))
        (local.set $length (i32.const 200000))";
    Weighed {
        component: simple::component(amplify),
        wide: Limits::default(),
        narrow: Limits {
            output_bytes_max: 100_000,
            ..Limits::default()
        },
    }
}

/// Heavy records ask for the time 500 times.
fn by_host_calls() -> Weighed {
    let ask = "(local.set $i (i32.const 500))
        (loop $ask
          (drop (call $now_ms))
          (local.set $i (i32.sub (local.get $i) (i32.const 1)))
          (br_if $ask (local.get $i)))";
    Weighed {
        component: Guest::attacking(ask).component(),
        wide: Limits::default(),
        narrow: Limits {
            host_calls_max: 100,
            ..Limits::default()
        },
    }
}

/// Heavy records take tens of milliseconds.
fn by_time() -> Weighed {
    let spin = "(local.set $i (i32.const 100000000))
        (loop $on
          (local.set $i (i32.sub (local.get $i) (i32.const 1)))
          (br_if $on (local.get $i)))";
    Weighed {
        component: Guest::attacking(spin).component(),
        wide: Limits {
            batch_time_max: Duration::from_secs(60),
            ..Limits::default()
        },
        narrow: Limits {
            batch_time_max: Duration::from_millis(20),
            ..Limits::default()
        },
    }
}

/// Crashes everywhere, with limits that are raised, and with limits that are lowered meanwhile.
async fn crash_between_limits(weighed: Weighed) -> String {
    let wide = Components::one(PLUGIN, &weighed.component, weighed.wide);
    let narrow = wide.within(weighed.narrow);
    let case = Case::heavy(PLUGIN);
    let raised = crash_between(&narrow, &wide, case).await;
    let lowered = crash_between(&wide, &narrow, case).await;
    format!("raised: {raised}\nlowered: {lowered}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_two_limits_of_memory_neither_loses_nor_repeats_a_record() {
    println!("{}", crash_between_limits(by_memory()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_two_limits_of_output_neither_loses_nor_repeats_a_record() {
    println!("{}", crash_between_limits(by_output()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_two_limits_of_host_calls_neither_loses_nor_repeats_a_record() {
    println!("{}", crash_between_limits(by_host_calls()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_two_deadlines_neither_loses_nor_repeats_a_record() {
    println!("{}", crash_between_limits(by_time()).await);
}

/// The object of delivered records was put, that of the failed one was not. The limit was raised,
/// and the failed record was counted as delivered and was in no object.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_too_heavy_fails_though_the_store_took_its_object_only_later() {
    let weighed = by_memory();
    let narrow = Components::one(PLUGIN, &weighed.component, weighed.narrow);
    let wide = narrow.within(weighed.wide);
    for (first, then, fails) in [(&narrow, &wide, true), (&wide, &narrow, false)] {
        let world = World::open(first.ground(1)).await;
        let mut first = destination("first", "a/");
        first["ProcessingConfiguration"] = processing(Some(PLUGIN));
        world.create(Origin::Direct, &first).await;
        let (ledger, buckets) = (Ledger::default(), world.ground.buckets.clone());
        buckets.rule(|call, _| match call {
            1 => Does::FailAfter,
            _ => Does::FailBefore,
        });
        let kinds = [Kind::Line, Kind::Heavy, Kind::Line];
        assert!(world.put(&ledger, Origin::Direct, &kinds, 0).await);
        buckets.until_ended(2).await;
        let mut ground = world.close().await;
        buckets.release();
        ground.plugins = then.plugins.clone();
        let world = World::open(ground).await;
        assert!(world.flush().await, "{:?}", world.status());
        let status = world.status().unwrap();
        check(&ledger, &buckets, &status, Through::Limited);
        let found = found(&ledger.entries(), &buckets);
        assert_eq!(found.failed, if fails { vec![1] } else { vec![] });
        assert_eq!(status.failed, u64::from(fails));
        world.close().await;
    }
}
