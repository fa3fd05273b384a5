//! What plugins and accounts may have of the processors, and had; and what plugins had others do.

use std::fmt::Display;

use wasm::{CallCountsShown, CpuShare, CpuSharesShown, Plugin};

use super::{Seconds, head, line};

/// One metric of a share: what follows its owner's kind, its own kind, what it says, and its value.
type OfShare = (
    &'static str,
    &'static str,
    &'static str,
    fn(&CpuShare) -> Seconds,
);

const OF_SHARES: [OfShare; 3] = [
    (
        "cpu_seconds_per_second_max",
        "gauge",
        "Processor time that it may have; 0: as much as there is.",
        |share| Seconds(u64::from(share.ms_per_second) * 1_000),
    ),
    (
        "turns_cpu_seconds_total",
        "counter",
        "Processor time of its turns: guests, and what is done with their records.",
        |share| Seconds(share.used_us),
    ),
    (
        "turns_held_back_seconds_total",
        "counter",
        "How long turns waited since it had used its share.",
        |share| Seconds(share.held_back_us),
    ),
];

/// One metric of what a plugin had others do.
type OfCalls = (&'static str, &'static str, fn(&CallCountsShown) -> u64);

const OF_CALLS: [OfCalls; 5] = [
    (
        "plugin_http_calls_total",
        "Calls over HTTP that it asked for.",
        |calls| calls.calls,
    ),
    (
        "plugin_http_refused_total",
        "Those that were not made, as they may not be.",
        |calls| calls.refused,
    ),
    (
        "plugin_http_failed_total",
        "Those that had no answer.",
        |calls| calls.failed,
    ),
    (
        "plugin_http_request_bytes_total",
        "Bytes of its requests.",
        |calls| calls.bytes_out,
    ),
    (
        "plugin_http_answer_bytes_total",
        "Bytes of the bodies of answers.",
        |calls| calls.bytes_in,
    ),
];

pub(super) fn calls(out: &mut String, plugins: &[Plugin]) {
    let of = |plugin: &Plugin| {
        let version = plugin.version.as_ref()?;
        Some((plugin.name.clone(), version.calls()))
    };
    let all: Vec<_> = plugins.iter().filter_map(of).collect();
    if all.is_empty() {
        return;
    }
    for (metric, help, value) in OF_CALLS {
        head(out, metric, "counter", help);
        for (name, calls) in &all {
            let value = value(calls);
            line(out, format_args!("{metric}{{plugin=\"{name}\"}} {value}"));
        }
    }
    let metric = "plugin_host_wait_seconds_total";
    head(
        out,
        metric,
        "counter",
        "How long it waited for tables and for answers.",
    );
    for (name, calls) in &all {
        let value = Seconds(calls.waited_us);
        line(out, format_args!("{metric}{{plugin=\"{name}\"}} {value}"));
    }
}

pub(super) fn shares(out: &mut String, shown: &CpuSharesShown) {
    of_all(out, "plugin", &shown.plugins);
    of_all(out, "account", &shown.accounts);
}

fn of_all<N: Display>(out: &mut String, whose: &str, all: &[(N, CpuShare)]) {
    if all.is_empty() {
        return;
    }
    for (metric, kind, help, value) in OF_SHARES {
        let metric = format!("{whose}_{metric}");
        head(out, &metric, kind, help);
        for (name, share) in all {
            let value = value(share);
            line(out, format_args!("{metric}{{{whose}=\"{name}\"}} {value}"));
        }
    }
    let metric = format!("{whose}_turns_held_back_total");
    head(out, &metric, "counter", "Turns that did.");
    for (name, share) in all {
        let value = share.held_back;
        line(out, format_args!("{metric}{{{whose}=\"{name}\"}} {value}"));
    }
}
