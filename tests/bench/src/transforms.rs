//! Batches of records of 100 bytes through components, beside the same work done natively.

use std::hint::black_box;
use std::time::Duration;

use millrace_sdk::export::Slab as NativeSlab;
use types::Timestamp;
use wasm::{BatchColumns, Columns, Instance, Moment, Slab, Status};

use crate::Failure;
use crate::bench::Bench;
use crate::components::{self, Folder};
use crate::echo;
use crate::native::{self, Native};
use crate::report::{Goal, Line};
use crate::usage::thread_cpu;

/// What the host may add to each record.
const OVERHEAD_GOAL_NS: f64 = 40.0;
/// In batches of so many.
const GOAL_FROM_RECORDS: usize = 100;
const RECORD_BYTES: usize = 100;
/// Records between two looks at the clock.
const ROUND_RECORDS: usize = 2_000;
/// Components that share the time of a run, each beside its native code.
const MEASURED: u32 = 6;
/// What every instance is told of the time.
pub const MOMENT: Moment = Moment {
    now: Timestamp(1_700_000_000_000),
    seed: 1,
};

/// A plugin, a record that it does its usual work on, and the same code natively.
struct Kind {
    what: &'static str,
    plugin: &'static str,
    record: fn(usize) -> String,
    native: Native,
}

const KINDS: [Kind; 2] = [
    Kind {
        what: "keep",
        plugin: "drop-bots",
        record: visit,
        native: native::DROP_BOTS,
    },
    Kind {
        what: "replace",
        plugin: "redact-card-numbers",
        record: payment,
        native: native::REDACT_CARD_NUMBERS,
    },
];

/// One record a batch.
pub fn one(bench: &Bench) -> Result<Vec<Line>, Failure> {
    batches_of(bench, 1)
}

/// 100 records a batch.
pub fn hundred(bench: &Bench) -> Result<Vec<Line>, Failure> {
    batches_of(bench, 100)
}

/// 1,000 records a batch, the most that delivery makes.
pub fn thousand(bench: &Bench) -> Result<Vec<Line>, Failure> {
    batches_of(bench, 1_000)
}

fn batches_of(bench: &Bench, records: usize) -> Result<Vec<Line>, Failure> {
    let goal = (GOAL_FROM_RECORDS <= records).then_some(Goal::AtMost(OVERHEAD_GOAL_NS));
    let row = format!("transform_{records}");
    let mut lines = vec![
        boundary(bench, &row, records, goal)?,
        asking(bench, &row, records)?,
    ];
    for kind in &KINDS {
        let component = components::built(bench, kind.plugin)?;
        let batch = batch(records, kind.record)?;
        let batches = std::slice::from_ref(&batch);
        let wasm_ns = through_component(bench, kind.plugin, &component, batches)?;
        let native_ns = natively(bench, kind.native, &batch)?;
        let Kind { what, plugin, .. } = kind;
        lines.push(Line {
            note: format!("{plugin}: {wasm_ns:.0} ns a record, natively {native_ns:.0}"),
            ..Line::new(format!("{row}/{what}"), 1e9 / wasm_ns, "records/s")
        });
        lines.push(Line {
            goal,
            note: "more than natively, for each record".to_owned(),
            ..Line::new(format!("{row}/{what}_overhead"), wasm_ns - native_ns, "ns")
        });
    }
    Ok(lines)
}

/// A batch of 1,000 records that is called for at once, and record by record, as when it did not
/// come out as a whole.
pub fn one_by_one(bench: &Bench) -> Result<Vec<Line>, Failure> {
    const RECORDS: usize = 1_000;
    let [Kind { plugin, record, .. }, _] = KINDS;
    let component = components::built(bench, plugin)?;
    let batch = batch(RECORDS, record)?;
    let alone: Vec<Slab> = (0..RECORDS).map(|one| batch.part(one..one + 1)).collect();
    let ms = |batches: &[Slab]| {
        let ns = through_component(bench, plugin, &component, batches)?;
        Ok::<_, Failure>(ns * RECORDS as f64 / 1e6)
    };
    let (at_once, one_by_one) = (ms(std::slice::from_ref(&batch))?, ms(&alone)?);
    Ok(vec![
        Line {
            note: format!("{plugin}: {RECORDS} records of {RECORD_BYTES} B in one call"),
            ..Line::new("one_by_one/at_once", at_once, "ms")
        },
        Line {
            note: format!("{plugin}: the same in {RECORDS} calls"),
            ..Line::new("one_by_one", one_by_one, "ms")
        },
    ])
}

/// A component that answers with what it was given: all that is left is the host's part.
fn boundary(bench: &Bench, row: &str, records: usize, goal: Option<Goal>) -> Result<Line, Failure> {
    let batch = batch(records, visit)?;
    let batches = std::slice::from_ref(&batch);
    let ns = through_component(bench, "echo", &echo::component()?, batches)?;
    Ok(Line {
        goal,
        note: format!("a guest that does nothing, {:.1} M records/s", 1e3 / ns),
        ..Line::new(format!("{row}/boundary"), ns, "ns")
    })
}

/// The metadata of records of a shard.
fn columns_of(records: usize) -> Columns {
    let mut columns = Columns {
        arrivals_ms: vec![MOMENT.now.0; records],
        sub_sequence_numbers: vec![0; records],
        ..Columns::default()
    };
    for _ in 0..records {
        // Far below what a slab holds.
        let _ = columns.partition_keys.push(b"a partition key");
    }
    columns
}

/// A component that answers with what it was given, and asks for its records' partition keys: what
/// that costs is more than a guest that does nothing.
fn asking(bench: &Bench, row: &str, records: usize) -> Result<Line, Failure> {
    let batch = batch(records, visit)?;
    let batches = std::slice::from_ref(&batch);
    let ns = through_component(bench, "asking", &echo::asking()?, batches)?;
    Ok(Line {
        note: "a guest that asks for partition keys and does nothing".to_owned(),
        ..Line::new(format!("{row}/asking"), ns, "ns")
    })
}

/// Nanoseconds of this thread for each record of batches that are called for in turn.
pub fn through_component(
    bench: &Bench,
    name: &str,
    component: &[u8],
    batches: &[Slab],
) -> Result<f64, Failure> {
    let folder = Folder::with(bench, name, component)?;
    let (_plugins, version) = folder.version(name)?;
    let mut instance = Instance::start(&version, MOMENT, version.call_limits())
        .map_err(|fault| fault.to_string())?;
    let time = version.call_limits().batch_time_max;
    let mut call = |batch: &Slab| {
        // As delivery gives them: who does not ask pays for nothing but that it could.
        let records = batch.len();
        let columns = BatchColumns::on_demand(records, move || Ok(columns_of(records)));
        instance
            .transform(batch, Some(columns), time)
            .map_err(|fault| fault.to_string())
    };
    for batch in batches {
        let outputs = call(batch)?;
        if !outputs.iter().all(|output| output.status == Status::Ok) {
            return Err(format!("{name} does something else with these records").into());
        }
    }
    let records_of_all: usize = batches.iter().map(Slab::len).sum();
    let turns = ROUND_RECORDS.div_ceil(records_of_all);
    let (mut spent, mut records) = (Duration::ZERO, 0);
    while spent < bench.options.duration() / MEASURED {
        let begin = thread_cpu();
        for _ in 0..turns {
            for batch in batches {
                black_box(call(batch)?);
            }
        }
        spent += thread_cpu().saturating_sub(begin);
        records += turns * records_of_all;
    }
    Ok(spent.as_secs_f64() * 1e9 / records as f64)
}

/// Nanoseconds of this thread for each record. The batches are made ready before: to hand them
/// over is the boundary's part.
fn natively(bench: &Bench, native: Native, batch: &Slab) -> Result<f64, Failure> {
    (native.prepare)()?;
    let mut slab = NativeSlab {
        bytes: Vec::new(),
        ends: Vec::new(),
    };
    for record in batch.iter() {
        slab.bytes.extend_from_slice(record);
        slab.ends.push(u32::try_from(slab.bytes.len())?);
    }
    let calls = ROUND_RECORDS.div_ceil(batch.len());
    let (mut spent, mut records) = (Duration::ZERO, 0);
    while spent < bench.options.duration() / MEASURED {
        let slabs = vec![slab.clone(); calls];
        let begin = thread_cpu();
        for slab in slabs {
            let answer = (native.work)(black_box(slab));
            black_box(answer).map_err(|fault| format!("{fault:?}"))?;
        }
        spent += thread_cpu().saturating_sub(begin);
        records += calls * batch.len();
    }
    Ok(spent.as_secs_f64() * 1e9 / records as f64)
}

/// A batch of so many records.
pub fn batch(records: usize, record: fn(usize) -> String) -> Result<Slab, Failure> {
    let mut batch = Slab::default();
    for number in 0..records {
        let text = record(number);
        if text.len() != RECORD_BYTES || !batch.push(text.as_bytes()) {
            return Err(format!("a record of {} bytes", text.len()).into());
        }
    }
    Ok(batch)
}

/// A line of an access log.
pub fn visit(number: usize) -> String {
    format!(
        "203.0.113.5 - - [17/May/2024:10:05:03 +0000] \"GET /{number:04} HTTP/1.1\" 200 51200 \
         \"-\" \"Mozilla/5.0 (X11)\"\n"
    )
}

/// A payment with a card number to mask.
fn payment(number: usize) -> String {
    format!(
        "2024-05-17 10:00:01 order {number:04} paid 112.50 EUR with 4111 1111 1111 1111, thank you \
         and see you soon\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_as_long_as_the_rows_say_and_worked_on_as_they_say() {
        for kind in &KINDS {
            let batch = batch(3, kind.record).unwrap();
            (kind.native.prepare)().unwrap();
            let raw = NativeSlab {
                bytes: batch.iter().flatten().copied().collect(),
                ends: vec![100, 200, 300],
            };
            let answer = (kind.native.work)(raw.clone()).unwrap();
            let is_kept = answer.data.bytes == raw.bytes;
            assert_eq!(is_kept, kind.what == "keep");
            assert_eq!(answer.outputs.len(), 3);
        }
    }
}
