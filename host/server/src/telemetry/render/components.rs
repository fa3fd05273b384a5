//! Counts of plugins and of delivery streams, each under its own name.

use std::sync::Arc;

use delivery::DeliveryStatus;
use types::Timestamp;
use wasm::{BATCH_TIME_BUCKETS_US, Plugin, Version};

use super::{Seconds, counter, head, line};

/// One metric of a version: its name, what it says, and where it is read.
type OfVersion = (&'static str, &'static str, fn(&Version) -> u64);

const OF_VERSIONS: [OfVersion; 8] = [
    (
        "plugin_calls_total",
        "Batches handed to a version that is in force or held ready.",
        |v| v.counters().calls.value(),
    ),
    ("plugin_records_total", "Records in them.", |v| {
        v.counters().records.value()
    }),
    (
        "plugin_ended_records_total",
        "Records whose outcome is known.",
        |v| v.counters().ended.value(),
    ),
    (
        "plugin_failed_records_total",
        "Those of them that failed.",
        |v| v.counters().failed.value(),
    ),
    ("plugin_traps_total", "Batches that it trapped on.", |v| {
        v.counters().traps.value()
    }),
    (
        "plugin_deadlines_total",
        "Batches that took longer than their time.",
        |v| v.counters().deadlines.value(),
    ),
    (
        "plugin_refused_batches_total",
        "Batches without a good answer.",
        |v| v.counters().refused.value(),
    ),
    (
        "plugin_log_lines_left_out_total",
        "Log lines over its share.",
        |v| v.log_lines_left_out(),
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
    let in_use = |p: &'_ Plugin| {
        p.version
            .iter()
            .chain(&p.others)
            .cloned()
            .collect::<Vec<_>>()
    };
    let loaded: Vec<Arc<Version>> = plugins.iter().flat_map(in_use).collect();
    let versions: Vec<&Version> = loaded.iter().map(|version| &**version).collect();
    numbers(out, plugins);
    for (metric, help, value) in OF_VERSIONS {
        head(out, metric, "counter", help);
        for version in &versions {
            let (labels, value) = (labels(version), value(version));
            line(out, format_args!("{metric}{{{labels}}} {value}"));
        }
    }
    batch_seconds(out, &versions);
    head(
        out,
        "plugin_counter_total",
        "counter",
        "A counter of the plugin's own.",
    );
    for version in &versions {
        for (counter, value) in version.own_counters() {
            let labels = labels(version);
            line(
                out,
                format_args!("plugin_counter_total{{{labels},counter=\"{counter}\"}} {value}"),
            );
        }
    }
}

/// Which number each version in force has, so that a version by its hash can be told by it.
fn numbers(out: &mut String, plugins: &[Plugin]) {
    head(
        out,
        "plugin_version_number",
        "gauge",
        "The number of a version that is in force or held ready.",
    );
    for plugin in plugins {
        for version in plugin.version.iter().chain(&plugin.others) {
            if let Some(number) = plugin.number(version.hash()) {
                let labels = labels(version);
                line(
                    out,
                    format_args!("plugin_version_number{{{labels}}} {number}"),
                );
            }
        }
    }
}

fn batch_seconds(out: &mut String, versions: &[&Version]) {
    head(out, "plugin_batch_seconds", "histogram", "Time of a batch.");
    for version in versions {
        let (labels, counters) = (labels(version), version.counters());
        let mut below = 0;
        for (end_us, count) in BATCH_TIME_BUCKETS_US.iter().zip(&counters.by_batch_time) {
            below += count.value();
            let end = Seconds(*end_us);
            line(
                out,
                format_args!("plugin_batch_seconds_bucket{{{labels},le=\"{end}\"}} {below}"),
            );
        }
        let total = counters.calls.value();
        line(
            out,
            format_args!("plugin_batch_seconds_bucket{{{labels},le=\"+Inf\"}} {total}"),
        );
        let sum = Seconds(counters.batch_time_us.value());
        line(
            out,
            format_args!("plugin_batch_seconds_sum{{{labels}}} {sum}"),
        );
        line(
            out,
            format_args!("plugin_batch_seconds_count{{{labels}}} {total}"),
        );
    }
}

fn labels(version: &Version) -> String {
    format!(
        "plugin=\"{}\",version=\"{}\"",
        version.name(),
        version.hash().short()
    )
}

/// One metric of a delivery stream, as [`OfVersion`].
type OfDelivery = (
    &'static str,
    &'static str,
    &'static str,
    fn(&DeliveryStatus) -> u64,
);

const OF_DELIVERIES: [OfDelivery; 13] = [
    (
        "delivery_records_total",
        "counter",
        "Records that came in.",
        |d| d.records_in,
    ),
    (
        "delivery_delivered_total",
        "counter",
        "Records in delivered objects.",
        |d| d.delivered,
    ),
    (
        "delivery_dropped_total",
        "counter",
        "Records that the transform left out.",
        |d| d.dropped,
    ),
    (
        "delivery_failed_total",
        "counter",
        "Records below the error prefix.",
        |d| d.failed,
    ),
    (
        "delivery_lost_total",
        "counter",
        "Records that came to nothing.",
        |d| d.lost,
    ),
    (
        "delivery_left_out_total",
        "counter",
        "Those of them that an operator left out.",
        |d| d.left_out,
    ),
    (
        "delivery_objects_total",
        "counter",
        "Objects of delivered records.",
        |d| d.objects,
    ),
    (
        "delivery_bytes_total",
        "counter",
        "Bytes delivered, before packing.",
        |d| d.bytes_delivered,
    ),
    (
        "delivery_retries_total",
        "counter",
        "Deliveries that were tried again.",
        |d| d.retries,
    ),
    (
        "delivery_waiting_records",
        "gauge",
        "Records that wait.",
        |d| d.waiting_records,
    ),
    ("delivery_waiting_bytes", "gauge", "Bytes that wait.", |d| {
        d.waiting_bytes
    }),
    (
        "delivery_stuck_lanes",
        "gauge",
        "Lanes that do not get on.",
        |d| d.stuck.len() as u64,
    ),
    (
        "delivery_unreadable_records",
        "gauge",
        "Records before which lanes stand still, since they cannot be read.",
        DeliveryStatus::unreadable_records,
    ),
];

pub(super) fn direct_puts(out: &mut String, put: &delivery::Metrics) {
    counter(
        out,
        "delivery_put_records_total",
        "Records put directly and acknowledged.",
        put.incoming_records.value(),
    );
    counter(
        out,
        "delivery_put_bytes_total",
        "Bytes put directly and acknowledged.",
        put.incoming_bytes.value(),
    );
}

pub(super) fn delivery_streams(out: &mut String, all: &[DeliveryStatus], now: Timestamp) {
    if all.is_empty() {
        return;
    }
    for (metric, kind, help, value) in OF_DELIVERIES {
        head(out, metric, kind, help);
        for status in all {
            let (arn, value) = (&status.arn, value(status));
            line(out, format_args!("{metric}{{stream=\"{arn}\"}} {value}"));
        }
    }
    let freshness = "delivery_data_freshness_seconds";
    head(
        out,
        freshness,
        "gauge",
        "Age of the oldest record that waits.",
    );
    for status in all {
        // Where nothing waits, nothing is old.
        let since = status.waiting_since_ms.unwrap_or(now.0);
        let age = Seconds(now.0.saturating_sub(since).saturating_mul(1_000));
        let arn = &status.arn;
        line(out, format_args!("{freshness}{{stream=\"{arn}\"}} {age}"));
    }
}
