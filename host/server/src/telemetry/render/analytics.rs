//! The counts of applications of SQL, by CloudWatch's names where it has one.

use ::analytics::arn::ApplicationArn;
use ::analytics::{AtWork, Status};
use types::Timestamp;

use super::{head, line};

type Reading = fn(&Status, Timestamp) -> u64;

/// One number for each application.
const READINGS: [(&str, &str, &str, Reading); 16] = [
    (
        "analytics_records_total",
        "counter",
        "Records that were read; CloudWatch's Records of the flow Input.",
        |it, _| it.counts.records,
    ),
    (
        "analytics_bytes_total",
        "counter",
        "Bytes of them; CloudWatch's Bytes of the flow Input.",
        |it, _| it.counts.bytes,
    ),
    (
        "analytics_rows_total",
        "counter",
        "Rows that they became.",
        |it, _| it.counts.rows,
    ),
    (
        "analytics_output_records_total",
        "counter",
        "Records that were put; CloudWatch's Records of the flow Output.",
        |it, _| it.counts.emitted,
    ),
    (
        "analytics_output_bytes_total",
        "counter",
        "Bytes of them; CloudWatch's Bytes of the flow Output.",
        |it, _| it.counts.emitted_bytes,
    ),
    (
        "analytics_millis_behind_latest",
        "gauge",
        "How long ago the last record arrived that was taken, while others wait.",
        |it, now| it.millis_behind(now),
    ),
    (
        "analytics_error_rows_total",
        "counter",
        "Rows of the stream of errors.",
        |it, _| it.counts.faults,
    ),
    (
        "analytics_late_rows_total",
        "counter",
        "Those of them that came too late.",
        |it, _| it.counts.late,
    ),
    (
        "analytics_dropped_rows_total",
        "counter",
        "Late rows that were dropped as their stream wants it.",
        |it, _| it.counts.dropped,
    ),
    (
        "analytics_refused_rows_total",
        "counter",
        "Rows that are too large for their output.",
        |it, _| it.counts.refused,
    ),
    (
        "analytics_lost_records_total",
        "counter",
        "Records that retention took before they were read.",
        |it, _| it.counts.lost,
    ),
    (
        "analytics_state_bytes",
        "gauge",
        "Bytes of memory that windows and the like take.",
        |it, _| it.state_bytes,
    ),
    (
        "analytics_commits_total",
        "counter",
        "Transactions of records, state and place.",
        |it, _| it.commits,
    ),
    (
        "analytics_watermark_milliseconds",
        "gauge",
        "Its time, in milliseconds since 1970: no row that comes is older.",
        |it, _| it.time.0,
    ),
    (
        "analytics_running",
        "gauge",
        "1 while it works, else 0.",
        |it, _| u64::from(it.at_work == AtWork::Running),
    ),
    (
        "analytics_stuck",
        "gauge",
        "1 while it does not get on, else 0.",
        |it, _| u64::from(it.detail.is_some()),
    ),
];

/// All applications of SQL.
pub(super) fn analytics(out: &mut String, all: &[(ApplicationArn, Status)], now: Timestamp) {
    if all.is_empty() {
        return;
    }
    for (metric, kind, help, value) in READINGS {
        head(out, metric, kind, help);
        for (arn, status) in all {
            let value = value(status, now);
            line(
                out,
                format_args!("{metric}{{application=\"{arn}\"}} {value}"),
            );
        }
    }
}
