//! Counts of delivery streams, each under its own name.

use delivery::DeliveryStatus;
use types::Timestamp;

use super::{Seconds, counter, head, line};

/// One metric of a delivery stream: its name, kind, help, and where it is read.
type OfDelivery = (
    &'static str,
    &'static str,
    &'static str,
    fn(&DeliveryStatus) -> u64,
);

const OF_DELIVERIES: [OfDelivery; 14] = [
    (
        "delivery_records_total",
        "counter",
        "Records that came in.",
        |d| d.records_in,
    ),
    (
        "delivery_replayed_total",
        "counter",
        "Records that had failed before, and came once more.",
        |d| d.replayed,
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
