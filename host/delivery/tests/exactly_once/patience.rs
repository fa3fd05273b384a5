//! A plugin that loops on some records gets less and less time for records alone, and says so once.

use std::time::Duration;

use serde_json::Value;
use wasm::Limits;

use crate::check::{Through, check, found};
use crate::guest::Guest;
use crate::ledger::{Kind, Ledger};
use crate::told::Told;
use crate::world::{Components, Origin, World, destination, processing};

/// No other test's plugin is called so.
const PLUGIN: &str = "loops-on-some";
/// Of the thread's processor. The other records take microseconds of that; what a busy machine
/// makes of them is far from the least that is left of it after all rounds, an eighth. The time of
/// those that go well is counted eight times as well, and must not come to all of it.
const DEADLINE_MS: u64 = 2_000;
/// Deliveries with a record that loops: one more than it takes until that is told.
const ROUNDS: u64 = 4;

/// Within how many milliseconds each failed record should have been done, by what its line says.
fn deadlines(world: &World) -> Vec<u64> {
    let objects = world.ground.buckets.objects().into_iter();
    let failed = objects.filter(|((_, key), _)| key.contains("processing-failed/"));
    let lines = failed.flat_map(|(_, content)| {
        let text = String::from_utf8(content.to_vec()).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    let deadline = |line: String| {
        let line: Value = serde_json::from_str(&line).unwrap();
        let message = line["errorMessage"].as_str().unwrap();
        let (_, rest) = message.split_once("longer than ").unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    lines.map(deadline).collect()
}

#[tokio::test]
async fn records_that_keep_looping_get_less_time_and_fail_alone_and_that_is_told_once() {
    let told = Told::listen();
    let guest = Guest::attacking("(loop $on (br $on))").component();
    let limits = Limits {
        batch_time_max: Duration::from_millis(DEADLINE_MS),
        ..Limits::default()
    };
    let components = Components::one(PLUGIN, &guest, limits);
    let world = World::open(components.ground(1)).await;
    let mut first = destination("first", "a/");
    first["ProcessingConfiguration"] = processing(Some(PLUGIN));
    world.create(Origin::Direct, &first).await;
    let ledger = Ledger::default();
    for _ in 0..ROUNDS {
        let kinds = [Kind::Line, Kind::Heavy, Kind::Line];
        assert!(world.put(&ledger, Origin::Direct, &kinds, 0).await);
        assert!(world.flush().await, "{:?}", world.status());
    }
    let (status, buckets) = (world.status().unwrap(), world.ground.buckets.clone());
    check(&ledger, &buckets, &status, Through::Limited);
    let failed = found(&ledger.entries(), &buckets).failed;
    let looping: Vec<u64> = (0..ROUNDS).map(|round| 3 * round + 1).collect();
    assert_eq!(failed, looping, "and no other record");

    let deadlines = deadlines(&world);
    assert_eq!(deadlines.first(), Some(&DEADLINE_MS));
    assert!(deadlines.is_sorted_by(|a, b| a >= b), "{deadlines:?}");
    assert!(deadlines.last().unwrap() < &DEADLINE_MS, "{deadlines:?}");
    let lines = told.lines_anywhere("they get less time");
    let lines: Vec<_> = lines.iter().filter(|line| line.contains(PLUGIN)).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("WARN"), "{lines:?}");
    world.close().await;
}
