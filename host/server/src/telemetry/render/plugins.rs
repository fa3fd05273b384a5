//! Counts of plugins: of the versions that are shown by themselves, of all others together, and by
//! the accounts that calls are made for. How many lines there are does not depend on how many
//! versions or accounts there were.

use wasm::{AccountCosts, BATCH_TIME_BUCKETS_US, Counters, Plugin, Version};

use super::{Nanoseconds, Seconds, head, line};

/// The version label of all versions that are not shown by themselves, and the account label of
/// accounts beyond those that are.
const OTHER: &str = "other";

/// One metric of versions: its name, what it says, and where it is read.
type OfCounters = (&'static str, &'static str, fn(&Counters) -> u64);

const OF_VERSIONS: [OfCounters; 3] = [
    (
        "plugin_calls_total",
        "Batches handed to a version that is in force, a canary, or was in force before.",
        |c| c.calls.value(),
    ),
    (
        "plugin_records_total",
        "Records in them; those that are tried again count again.",
        |c| c.records.value(),
    ),
    (
        "plugin_starts_failed_total",
        "Instances that did not come to life.",
        |c| c.starts_failed.value(),
    ),
];

/// The label of an outcome, and where it is read.
type OfOutcome = (&'static str, fn(&Counters) -> u64);

/// What became of records, by the label `outcome`.
const OUTCOMES: [OfOutcome; 3] = [
    ("ok", |c| c.ok.value()),
    ("dropped", |c| c.dropped.value()),
    ("failed", |c| c.failed.value()),
];

/// One metric of an account: its name, what it says, and where it is read.
type OfAccount = (&'static str, &'static str, fn(&AccountCosts) -> u64);

const OF_ACCOUNTS: [OfAccount; 2] = [
    (
        "plugin_account_calls_total",
        "Batches handed to a plugin for an account, over all versions.",
        |costs| costs.calls.value(),
    ),
    (
        "plugin_account_records_total",
        "Records in them.",
        |costs| costs.records.value(),
    ),
];

/// One metric of a plugin over its versions: name, kind, help, and what it is.
type OfPlugin = (&'static str, &'static str, &'static str, fn(&Plugin) -> u64);

const OF_PLUGINS: [OfPlugin; 5] = [
    (
        "plugin_swaps_total",
        "counter",
        "Versions that took the place of another.",
        |p| p.swaps,
    ),
    (
        "plugin_rollbacks_total",
        "counter",
        "Swaps that an operator ordered as rollbacks.",
        |p| p.rollbacks,
    ),
    (
        "plugin_automatic_rollbacks_total",
        "counter",
        "Swaps since a version failed on too many records.",
        |p| p.automatic_rollbacks,
    ),
    (
        "plugin_running",
        "gauge",
        "1 while a version is in force, else 0.",
        |p| u64::from(p.version.is_some()),
    ),
    (
        "plugin_refused",
        "gauge",
        "1 while what lies in the plugins directory was refused, else 0.",
        |p| u64::from(p.refused.is_some()),
    ),
];

/// A row of counts: its labels, and the counts.
type Row<'a> = (String, &'a Counters);

pub(super) fn plugins(out: &mut String, plugins: &[Plugin]) {
    if plugins.is_empty() {
        return;
    }
    for (metric, kind, help, value) in OF_PLUGINS {
        head(out, metric, kind, help);
        for plugin in plugins {
            let (name, value) = (&plugin.name, value(plugin));
            line(out, format_args!("{metric}{{plugin=\"{name}\"}} {value}"));
        }
    }
    numbers(out, plugins);
    let rows: Vec<Row<'_>> = plugins.iter().flat_map(rows_of).collect();
    counts(out, &rows);
    faults(out, &rows);
    batch_seconds(out, &rows);
    own(out, plugins);
    accounts(out, plugins);
}

/// The versions that are shown by themselves, and what is counted of all others together.
fn rows_of(plugin: &Plugin) -> Vec<Row<'_>> {
    let shown = plugin.shown();
    let mut rows: Vec<Row<'_>> = shown.map(|it| (labels(it), it.counters())).collect();
    let other = plugin.costs.other();
    // Most plugins never have any.
    if other.calls.value() > 0 || other.ended.value() > 0 {
        rows.push((
            format!("plugin=\"{}\",version=\"{OTHER}\"", plugin.name),
            other,
        ));
    }
    rows
}

fn counts(out: &mut String, rows: &[Row<'_>]) {
    for (metric, help, value) in OF_VERSIONS {
        head(out, metric, "counter", help);
        for (labels, counters) in rows {
            line(
                out,
                format_args!("{metric}{{{labels}}} {}", value(counters)),
            );
        }
    }
    let outcomes = "plugin_outcome_records_total";
    head(out, outcomes, "counter", "Records by what became of them.");
    for (labels, counters) in rows {
        for (outcome, value) in OUTCOMES {
            let value = value(counters);
            line(
                out,
                format_args!("{outcomes}{{{labels},outcome=\"{outcome}\"}} {value}"),
            );
        }
    }
    let processor = "plugin_processor_seconds_total";
    let help = "Time that threads had a processor within calls into a version.";
    head(out, processor, "counter", help);
    for (labels, counters) in rows {
        let time = Nanoseconds(counters.processor_ns.value());
        line(out, format_args!("{processor}{{{labels}}} {time}"));
    }
    let memory = "plugin_memory_peak_bytes";
    let help = "Bytes of all memories of the instance that had most.";
    head(out, memory, "gauge", help);
    for (labels, counters) in rows {
        let bytes = counters.memory_peak_bytes.value();
        line(out, format_args!("{memory}{{{labels}}} {bytes}"));
    }
}

fn faults(out: &mut String, rows: &[Row<'_>]) {
    let faults = "plugin_faults_total";
    head(out, faults, "counter", "Calls that failed, by why.");
    for (labels, counters) in rows {
        for (kind, count) in counters.faults().filter(|(_, count)| *count > 0) {
            let kind = kind.as_str();
            line(
                out,
                format_args!("{faults}{{{labels},kind=\"{kind}\"}} {count}"),
            );
        }
    }
}

/// What only versions have: a number, a log, and counters of their authors'.
fn own(out: &mut String, plugins: &[Plugin]) {
    let left_out = "plugin_log_lines_left_out_total";
    head(out, left_out, "counter", "Log lines over its share.");
    for version in plugins.iter().flat_map(Plugin::shown) {
        let (labels, lines) = (labels(version), version.log_lines_left_out());
        line(out, format_args!("{left_out}{{{labels}}} {lines}"));
    }
    let own = "plugin_counter_total";
    head(out, own, "counter", "A counter of the plugin's own.");
    for version in plugins.iter().flat_map(Plugin::shown) {
        let labels = labels(version);
        for (counter, value) in version.own_counters() {
            line(
                out,
                format_args!("{own}{{{labels},counter=\"{counter}\"}} {value}"),
            );
        }
    }
}

/// Which number each version has that is shown, so that a version by its hash can be told by it.
fn numbers(out: &mut String, plugins: &[Plugin]) {
    let numbers = "plugin_version_number";
    head(
        out,
        numbers,
        "gauge",
        "The number of a version that is shown.",
    );
    for plugin in plugins {
        for version in plugin.shown() {
            if let Some(number) = plugin.number(version.hash()) {
                let labels = labels(version);
                line(out, format_args!("{numbers}{{{labels}}} {number}"));
            }
        }
    }
}

fn batch_seconds(out: &mut String, rows: &[Row<'_>]) {
    let metric = "plugin_batch_seconds";
    head(out, metric, "histogram", "Time of a batch.");
    for (labels, counters) in rows {
        let mut below = 0;
        for (end_us, count) in BATCH_TIME_BUCKETS_US.iter().zip(&counters.by_batch_time) {
            below += count.value();
            let end = Seconds(*end_us);
            line(
                out,
                format_args!("{metric}_bucket{{{labels},le=\"{end}\"}} {below}"),
            );
        }
        // Read once, and never below a bucket that was read before it.
        let total = counters.calls.value().max(below);
        line(
            out,
            format_args!("{metric}_bucket{{{labels},le=\"+Inf\"}} {total}"),
        );
        let sum = Seconds(counters.batch_time_us.value());
        line(out, format_args!("{metric}_sum{{{labels}}} {sum}"));
        line(out, format_args!("{metric}_count{{{labels}}} {total}"));
    }
}

fn accounts(out: &mut String, plugins: &[Plugin]) {
    let of_each = |plugin: &Plugin| {
        let name = plugin.name.clone();
        let accounts = plugin.costs.accounts().into_iter();
        accounts.map(move |(account, costs)| {
            let account = account.map_or_else(|| OTHER.to_owned(), |it| it.to_string());
            (format!("plugin=\"{name}\",account=\"{account}\""), costs)
        })
    };
    let rows: Vec<_> = plugins.iter().flat_map(of_each).collect();
    for (metric, help, value) in OF_ACCOUNTS {
        head(out, metric, "counter", help);
        for (labels, costs) in &rows {
            line(out, format_args!("{metric}{{{labels}}} {}", value(costs)));
        }
    }
    let processor = "plugin_account_processor_seconds_total";
    let help = "Time that threads had a processor within calls for an account.";
    head(out, processor, "counter", help);
    for (labels, costs) in &rows {
        let time = Nanoseconds(costs.processor_ns.value());
        line(out, format_args!("{processor}{{{labels}}} {time}"));
    }
}

fn labels(version: &Version) -> String {
    format!(
        "plugin=\"{}\",version=\"{}\"",
        version.name(),
        version.hash().short()
    )
}
