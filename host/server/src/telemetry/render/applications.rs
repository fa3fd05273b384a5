//! The counts of applications, shard by shard.

use consumers::status::{ApplicationStatus, ShardStatus};

use super::{Seconds, gauge, head, line};

type Reading = fn(&ShardStatus) -> u64;

/// What became of records, by the label `outcome`.
const OUTCOMES: [(&str, Reading); 5] = [
    ("processed", |it| it.shown.counts.processed),
    ("dead_letter", |it| it.shown.counts.dead_letters),
    ("foreign", |it| it.shown.counts.foreign),
    ("lost", |it| it.shown.counts.lost),
    ("left_out", |it| it.shown.counts.left_out),
];

/// Everything else that is one number for each shard.
const OF_SHARDS: [(&str, &str, &str, Reading); 8] = [
    (
        "application_waiting_records",
        "gauge",
        "Records of a shard that wait for an application.",
        |it| it.waiting,
    ),
    (
        "application_behind_milliseconds",
        "gauge",
        "How long ago the last record arrived that is done, while others wait.",
        |it| it.behind_ms,
    ),
    (
        "application_emitted_records_total",
        "counter",
        "Records that an application put to streams.",
        |it| it.shown.counts.emitted,
    ),
    (
        "application_table_rows_total",
        "counter",
        "Rows of tables that an application wrote or removed.",
        |it| it.shown.counts.rows,
    ),
    (
        "application_batches_total",
        "counter",
        "Batches that this server committed.",
        |it| it.shown.batches,
    ),
    (
        "application_batches_redone_total",
        "counter",
        "Batches that were done again.",
        |it| it.shown.redone,
    ),
    (
        "application_conflicts_total",
        "counter",
        "Batches that were done again because a row that they had read was changed.",
        |it| it.shown.conflicts,
    ),
    (
        "application_stuck",
        "gauge",
        "1 while a shard does not get on, else 0.",
        |it| u64::from(it.shown.stuck.is_some()),
    ),
];

/// All applications.
pub(super) fn applications(out: &mut String, all: &[ApplicationStatus]) {
    if all.is_empty() {
        return;
    }
    let records = "application_records_total";
    head(out, records, "counter", "What became of records.");
    for (labels, shard) in each(all) {
        for (outcome, value) in OUTCOMES {
            let value = value(shard);
            line(
                out,
                format_args!("{records}{{{labels},outcome=\"{outcome}\"}} {value}"),
            );
        }
    }
    for (metric, kind, help, value) in OF_SHARDS {
        head(out, metric, kind, help);
        for (labels, shard) in each(all) {
            line(out, format_args!("{metric}{{{labels}}} {}", value(shard)));
        }
    }
    let commits = "application_commit_seconds";
    head(out, commits, "summary", "How long commits of batches took.");
    for (labels, shard) in each(all) {
        // 584,000 years fit.
        let micros = u64::try_from(shard.shown.commit_time.as_micros()).unwrap_or(u64::MAX);
        let count = shard.shown.batches;
        line(
            out,
            format_args!("{commits}_sum{{{labels}}} {}", Seconds(micros)),
        );
        line(out, format_args!("{commits}_count{{{labels}}} {count}"));
    }
}

/// What applications hold.
pub(super) fn work(out: &mut String, (held, all, waiting, instances): (u64, u64, usize, usize)) {
    gauge(
        out,
        "application_work_bytes",
        "Bytes that batches of applications hold.",
        held,
    );
    gauge(
        out,
        "application_work_bytes_max",
        "Bytes that they may hold.",
        all,
    );
    gauge(
        out,
        "application_batches_waiting",
        "Batches that wait for memory.",
        waiting,
    );
    gauge(
        out,
        "application_instances",
        "Instances of plugins that work on shards.",
        instances,
    );
}

fn each(all: &[ApplicationStatus]) -> impl Iterator<Item = (String, &ShardStatus)> {
    all.iter().flat_map(|status| {
        let arn = status.application.arn();
        status.shards.iter().map(move |shard| {
            let id = shard.shard.as_deref().unwrap_or("gone");
            (format!("application=\"{arn}\",shard=\"{id}\""), shard)
        })
    })
}
