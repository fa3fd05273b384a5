//! What deliveries hold and do at the moment: in all, and each delivery stream.

use std::fmt::Display;

use delivery::DeliveryStatus;
use wasm::GuestThreadCounts;

use super::{Surroundings, gauge, head, line};

/// One metric of a delivery stream: its name, what it says, and where it is read.
type OfWork = (&'static str, &'static str, fn(&DeliveryStatus) -> u64);

const OF_WORK: [OfWork; 3] = [
    (
        "delivery_stream_work_bytes",
        "Bytes that its cuts at work hold.",
        |d| d.work_bytes,
    ),
    (
        "delivery_stream_cuts_at_work",
        "Its cuts that are worked on.",
        |d| d.cuts_at_work as u64,
    ),
    (
        "delivery_stream_threads",
        "Threads that work for it.",
        |d| d.threads as u64,
    ),
];

fn guest_threads(out: &mut String, threads: GuestThreadCounts) {
    let mut one = |name: &str, help: &str, value: &dyn Display| gauge(out, name, help, value);
    one(
        "guest_threads_light",
        "Threads at work for those alone who use little of the processors.",
        &threads.light,
    );
    one(
        "guest_threads_light_max",
        "All of these.",
        &threads.light_max,
    );
    one(
        "guest_threads_quick",
        "Threads of plugins at work.",
        &threads.quick,
    );
    one(
        "guest_threads_quick_max",
        "All of these.",
        &threads.quick_max,
    );
    one(
        "guest_threads_slow",
        "Threads at work for plugins that were found slow.",
        &threads.slow,
    );
    one("guest_threads_slow_max", "All of these.", &threads.slow_max);
    one(
        "guest_turns_waiting",
        "Batches that wait for a thread.",
        &threads.waiting,
    );
}

pub(super) fn work(out: &mut String, surroundings: &Surroundings<'_>) {
    let work = &surroundings.work;
    let (held, threads) = (work.held, work.threads);
    let mut one = |name: &str, help: &str, value: &dyn Display| gauge(out, name, help, value);
    one(
        "delivery_work_bytes",
        "Bytes that cuts at work hold: records, what came of them, objects not put yet.",
        &held.bytes,
    );
    one(
        "delivery_work_bytes_peak",
        "The most that they have held at a time since the start.",
        &work.bytes_peak,
    );
    one(
        "delivery_work_bytes_max",
        "The most that they may hold.",
        &work.limits.bytes_max(),
    );
    one(
        "delivery_cuts_at_work",
        "Cuts that are worked on.",
        &held.cuts,
    );
    one(
        "delivery_cuts_at_work_slow",
        "Those whose plugin was found slow, or that are tried again.",
        &held.slow_cuts,
    );
    one(
        "delivery_cuts_waiting",
        "Cuts that wait for memory or a place.",
        &work.waiting,
    );
    guest_threads(out, threads);
    if surroundings.deliveries.is_empty() {
        return;
    }
    for (metric, help, value) in OF_WORK {
        head(out, metric, "gauge", help);
        for status in surroundings.deliveries {
            let (arn, value) = (&status.arn, value(status));
            line(out, format_args!("{metric}{{stream=\"{arn}\"}} {value}"));
        }
    }
}
