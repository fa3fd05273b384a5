//! Guests that take what others need: memory through what they answer, and threads for ever. What
//! each may take is counted, never timed.

use std::fs;
use std::time::Duration;

use delivery::WorkLimits;
use millrace_tests::Setting;
use serde_json::Value;
use server::DeliveryLimits;
use wasm::{GuestThreadLimits, Limits};

use crate::ground::{Ground, accounts_for};
use crate::guest::Guest;

const MIB: u64 = 1024 * 1024;
/// Questions until the metrics say what is waited for, at most.
const QUESTIONS_MAX: usize = 100_000;
/// Turns of the victim.
const VICTIM_TURNS: usize = 3;
/// More than any interval of a destination.
const LONG: Duration = Duration::from_secs(1_000);

/// A server with these plugins, each behind a delivery stream of its name, and the victim.
async fn ground(guests: &[&str], guest: &Guest, limits: Limits, shared: DeliveryLimits) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    for name in guests {
        let file = directory.path().join(format!("{name}.wasm"));
        fs::write(file, guest.component()).unwrap();
    }
    let setting = Setting {
        plugin_limits: limits,
        delivery_limits: shared,
        ..Setting::default()
    };
    let ground = Ground::start_with(directory, setting).await;
    for name in guests {
        ground.stream(name).await;
    }
    ground
}

/// The value of a metric without labels.
async fn metric(ground: &Ground, name: &str) -> u64 {
    let metrics = ground.client.metrics_of_all().await;
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no metric {name}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn what_plugins_make_of_their_records_stays_within_the_memory_for_deliveries() {
    // Of each batch 12 MiB come out, all as the last record.
    const CALLS: usize = 12;
    const RECORDS_PER_CALL: usize = 500;
    const OUT_BYTES: u64 = 12 * MIB;
    let guest = Guest::attacking(
        "(if (i32.lt_u (memory.size) (i32.const 200))
          (then (drop (memory.grow (i32.const 200)))))
        (i32.store offset=12 (local.get $answer) (i32.const 65536))
        (i32.store offset=16 (local.get $answer) (i32.const 12582912))
        (i32.store
          (i32.add (local.get $ends)
            (i32.shl (i32.sub (local.get $count) (i32.const 1)) (i32.const 2)))
          (i32.const 12582912))",
    );
    let names = ["amplifier-1", "amplifier-2", "amplifier-3"];
    let shared = DeliveryLimits {
        work: WorkLimits::new(96 * MIB, 48 * MIB).unwrap(),
        ..DeliveryLimits::default()
    };
    let ground = ground(&names, &guest, Limits::default(), shared).await;
    for name in names {
        for _ in 0..CALLS {
            ground
                .client
                .put_delivery(name, &["!"; RECORDS_PER_CALL])
                .await;
        }
    }
    ground.service.pass(LONG);
    let records = CALLS * RECORDS_PER_CALL;
    for name in names {
        let is_done = |page: &Value| page["delivered"] == records;
        let page = ground.client.delivery_until(name, is_done).await;
        accounts_for(&page, records);
        assert_eq!(page["failed"], 0, "{page}");
        let objects = ground.service.objects(name);
        let bytes: usize = objects.iter().map(|object| object.content.len()).sum();
        let least = records as u64 / 1_000 * OUT_BYTES;
        assert!(bytes as u64 >= least && objects.len() > 1, "{bytes} bytes");
    }
    ground.victim_works().await;
    let peak = metric(&ground, "millrace_delivery_work_bytes_peak").await;
    assert!(peak >= 2 * OUT_BYTES, "what came out counts: {peak}");
    assert!(peak <= 96 * MIB, "{peak}");
}

#[tokio::test]
async fn a_victim_is_served_while_four_delivery_streams_have_guests_that_never_end() {
    let names = ["loop-1", "loop-2", "loop-3", "loop-4"];
    let guest = Guest::attacking("(loop $for_ever (br $for_ever))");
    let limits = Limits {
        // Nothing ends them while the test lasts, and no test lasts as long.
        batch_time_max: Duration::from_secs(300),
        ..Limits::default()
    };
    let shared = DeliveryLimits {
        threads: GuestThreadLimits::new(4, 2).unwrap(),
        ..DeliveryLimits::default()
    };
    let ground = ground(&names, &guest, limits, shared).await;
    for name in names {
        ground.client.put_delivery(name, &["!"]).await;
    }
    ground.service.pass(LONG);
    let mut shares = (0, 0);
    for _ in 0..QUESTIONS_MAX {
        shares = shares_of_loops(&ground).await;
        if shares == (2, 2) {
            break;
        }
    }
    assert_eq!(
        shares,
        (2, 2),
        "two at work on the slow threads, two wait for one"
    );
    for _ in 0..VICTIM_TURNS {
        ground.victim_works().await;
        assert_eq!(
            shares_of_loops(&ground).await,
            (2, 2),
            "they hold what they held"
        );
    }
    for name in names {
        let page = ground.client.delivery(name).await;
        assert_eq!((&page["failed"], &page["retries"]), (&0.into(), &0.into()));
    }
    // Those that loop hear that they shall stop: nothing else would end them for minutes. What they
    // had begun is done again, within another limit.
    let short = Limits {
        batch_time_max: Duration::from_millis(200),
        ..Limits::default()
    };
    let service = ground.service.restart_within(short).await;
    let client = service.client();
    for name in names {
        let is_done = |page: &Value| page["failed"] == 1;
        let page = client.delivery_until(name, is_done).await;
        assert_eq!(page["delivered"], 0, "{page}");
    }
}

/// Turns on slow threads, and turns that wait.
async fn shares_of_loops(ground: &Ground) -> (u64, u64) {
    (
        metric(ground, "millrace_guest_threads_slow").await,
        metric(ground, "millrace_guest_turns_waiting").await,
    )
}
