//! The counts as text, in the format of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

mod analytics;
mod applications;
mod components;
mod plugins;
mod shares;
mod streams;
mod work;

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use ::analytics::Status;
use ::analytics::arn::ApplicationArn;
use ::streams::counts::Measured;
use consumers::status::ApplicationStatus;
use delivery::DeliveryStatus;
use types::Timestamp;
use wasm::Plugin;

use super::{CODES, DENIALS, LATENCY_BUCKETS_US, OperationCounts, Telemetry};
use crate::operations::OPERATIONS;

/// The operation label of requests that name none.
const NO_OPERATION: &str = "none";

/// What the server's other parts say at the moment of the call.
pub(crate) struct Surroundings<'a> {
    /// The counters of the streams, by their CloudWatch names.
    pub(crate) streams: &'a [(&'static str, u64)],
    /// All streams.
    pub(crate) measured: &'a [Measured],
    /// All plugins.
    pub(crate) plugins: &'a [Plugin],
    /// All delivery streams.
    pub(crate) deliveries: &'a [DeliveryStatus],
    /// What was put to delivery streams directly.
    pub(crate) put: &'a delivery::Metrics,
    /// What deliveries hold and do.
    pub(crate) work: delivery::WorkStatus,
    /// What plugins and accounts may have of the processors, and had.
    pub(crate) shares: &'a wasm::CpuSharesShown,
    /// All applications.
    pub(crate) applications: &'a [ApplicationStatus],
    /// What they hold: bytes, of how many, batches that wait, and instances.
    pub(crate) application_work: (u64, u64, usize, usize),
    /// All applications of SQL that were started.
    pub(crate) analytics: &'a [(ApplicationArn, Status)],
    /// The time.
    pub(crate) now: Timestamp,
    /// Bytes of requests in flight.
    pub(crate) in_flight_bytes: usize,
    /// Subscriptions of consumers that are open.
    pub(crate) subscriptions: usize,
    /// Log lines that could not be written.
    pub(crate) log_lines_lost: u64,
    /// Places on the disk that were found damaged.
    pub(crate) unreadable: usize,
    /// Data keys of encryption that are not to be had, by why.
    pub(crate) keys_refused: [(&'static str, usize); 4],
    /// What clients put as metrics of their own, as text.
    pub(crate) custom: &'a str,
    /// Whether the store is well.
    pub(crate) healthy: bool,
}

impl Telemetry {
    /// All metrics as text.
    pub(crate) fn render(&self, surroundings: &Surroundings<'_>) -> String {
        let mut out = String::with_capacity(16 * 1024);
        self.requests(&mut out);
        self.latencies(&mut out);
        self.denials(&mut out);
        self.traffic(&mut out);
        let bytes = surroundings.in_flight_bytes;
        gauge(
            &mut out,
            "in_flight_bytes",
            "Bytes of requests in flight.",
            bytes,
        );
        gauge(
            &mut out,
            "subscriptions",
            "Subscriptions of registered consumers to shards.",
            surroundings.subscriptions,
        );
        for (name, value) in surroundings.streams {
            let name = format!("{}_total", snake_case(name));
            counter(
                &mut out,
                &name,
                "Over all streams; CloudWatch's metric of this name.",
                *value,
            );
        }
        streams::streams(&mut out, surroundings.measured);
        plugins::plugins(&mut out, surroundings.plugins);
        components::direct_puts(&mut out, surroundings.put);
        components::delivery_streams(&mut out, surroundings.deliveries, surroundings.now);
        work::work(&mut out, surroundings);
        shares::shares(&mut out, surroundings.shares);
        shares::calls(&mut out, surroundings.plugins);
        applications::applications(&mut out, surroundings.applications);
        applications::work(&mut out, surroundings.application_work);
        analytics::analytics(&mut out, surroundings.analytics, surroundings.now);
        out.push_str(surroundings.custom);
        counter(
            &mut out,
            "log_lines_lost_total",
            "Log lines that standard error did not take.",
            surroundings.log_lines_lost,
        );
        gauge(
            &mut out,
            "store_unreadable",
            "Places on the disk where records cannot be read; /healthz names them.",
            surroundings.unreadable,
        );
        keys_refused(&mut out, surroundings.keys_refused);
        let healthy = usize::from(surroundings.healthy);
        gauge(
            &mut out,
            "store_healthy",
            "1 while the store is well, else 0.",
            healthy,
        );
        out
    }

    /// Connections, and what goes over them.
    fn traffic(&self, out: &mut String) {
        let open = self.connections();
        gauge(out, "connections", "Connections that are open.", open);
        let at_rest = self.connections_at_rest.load(Ordering::Relaxed);
        gauge(
            out,
            "connections_at_rest",
            "Open connections that keep no buffer, as they are between requests.",
            at_rest,
        );
        let accepted = load(&self.connections_accepted);
        counter(
            out,
            "connections_accepted_total",
            "Connections that were taken.",
            accepted,
        );
        let refused = load(&self.connections_refused);
        counter(
            out,
            "connections_refused_total",
            "Connections over a limit.",
            refused,
        );
        let failed = load(&self.handshakes_failed);
        counter(
            out,
            "tls_handshakes_failed_total",
            "Connections that did not speak TLS where it is spoken, or did not agree on it.",
            failed,
        );
        let bytes = load(&self.bytes_in);
        counter(
            out,
            "received_bytes_total",
            "Bytes read from clients.",
            bytes,
        );
        let bytes = load(&self.bytes_out);
        counter(out, "sent_bytes_total", "Bytes written to clients.", bytes);
    }

    /// The labels of each operation, and its counts.
    fn by_operation(&self) -> impl Iterator<Item = (String, &OperationCounts)> {
        let named = OPERATIONS.iter().map(|o| (o.measured_as(), o.name()));
        let labels = named.chain([(NO_OPERATION, NO_OPERATION)]);
        let labels =
            labels.map(|(service, name)| format!("service=\"{service}\",operation=\"{name}\""));
        labels.zip(&self.operations)
    }

    fn requests(&self, out: &mut String) {
        head(
            out,
            "requests_total",
            "counter",
            "Requests that were answered.",
        );
        for (labels, counts) in self.by_operation() {
            for (code, count) in CODES.iter().zip(&counts.by_code) {
                let count = load(count);
                if count > 0 {
                    line(
                        out,
                        format_args!("requests_total{{{labels},code=\"{code}\"}} {count}"),
                    );
                }
            }
        }
    }

    fn denials(&self, out: &mut String) {
        let help = "Requests that a policy denied, or that none allowed, by what decided it.";
        head(out, "denied_total", "counter", help);
        for (count, (_, why)) in self.denials.iter().zip(DENIALS) {
            let count = load(count);
            line(out, format_args!("denied_total{{by=\"{why}\"}} {count}"));
        }
    }

    fn latencies(&self, out: &mut String) {
        let help = "Time from a request's headers to its answer.";
        head(out, "request_seconds", "histogram", help);
        for (label, counts) in self.by_operation() {
            let total: u64 = counts.by_latency.iter().map(load).sum();
            if total == 0 {
                continue;
            }
            let mut below = 0;
            for (end_us, count) in LATENCY_BUCKETS_US.iter().zip(&counts.by_latency) {
                below += load(count);
                let end = Seconds(*end_us);
                line(
                    out,
                    format_args!("request_seconds_bucket{{{label},le=\"{end}\"}} {below}"),
                );
            }
            line(
                out,
                format_args!("request_seconds_bucket{{{label},le=\"+Inf\"}} {total}"),
            );
            let sum = Seconds(load(&counts.latency_us));
            line(out, format_args!("request_seconds_sum{{{label}}} {sum}"));
            line(
                out,
                format_args!("request_seconds_count{{{label}}} {total}"),
            );
        }
    }
}

/// Data keys without which records of encrypted streams are neither read nor written.
fn keys_refused(out: &mut String, keys: [(&'static str, usize); 4]) {
    let refused = "encryption_keys_refused";
    let help = "Data keys that are not to be had, by what is the matter with their master keys.";
    head(out, refused, "gauge", help);
    for (why, count) in keys {
        line(out, format_args!("{refused}{{why=\"{why}\"}} {count}"));
    }
}

/// What an account may see: the metrics of its streams and delivery streams. The others count the
/// work of all accounts together.
pub(crate) fn render_account(
    measured: &[Measured],
    deliveries: &[DeliveryStatus],
    all: &[ApplicationStatus],
    now: Timestamp,
) -> String {
    let mut out = String::new();
    streams::streams(&mut out, measured);
    components::delivery_streams(&mut out, deliveries, now);
    applications::applications(&mut out, all);
    out
}

/// Microseconds, printed as seconds.
pub(super) struct Seconds(pub(super) u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Nanoseconds, printed as seconds.
pub(super) struct Nanoseconds(pub(super) u64);

impl std::fmt::Display for Nanoseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}.{:09}",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000
        )
    }
}

pub(super) fn counter(out: &mut String, name: &str, help: &str, value: u64) {
    head(out, name, "counter", help);
    line(out, format_args!("{name} {value}"));
}

pub(super) fn gauge(out: &mut String, name: &str, help: &str, value: impl std::fmt::Display) {
    head(out, name, "gauge", help);
    line(out, format_args!("{name} {value}"));
}

pub(crate) fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    out.push_str("# HELP ");
    line(out, format_args!("{name} {help}"));
    out.push_str("# TYPE ");
    line(out, format_args!("{name} {kind}"));
}

pub(crate) fn line(out: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "millrace_{what}");
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// `PutRecord.Bytes` as `put_record_bytes`.
fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for character in name.chars().filter(|character| *character != '.') {
        if character.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_are_rendered_by_operation_code_and_latency() {
        let telemetry = Telemetry::new();
        let put_record = OPERATIONS
            .iter()
            .position(|o| o.service == "kinesis" && o.name() == "PutRecord");
        telemetry.answered(put_record, None, Duration::from_micros(50));
        telemetry.answered(put_record, None, Duration::from_micros(51));
        telemetry.answered(put_record, None, Duration::from_secs(99));
        telemetry.answered(None, Some("UnknownOperationException"), Duration::ZERO);
        telemetry.answered(None, Some("NeverHeardOf"), Duration::ZERO);
        telemetry.bytes_in(7);
        let text = telemetry.render(&Surroundings {
            streams: &[("IncomingBytes", 42)],
            measured: &[],
            plugins: &[],
            deliveries: &[],
            put: &delivery::Metrics::default(),
            work: delivery::WorkStatus::default(),
            shares: &wasm::CpuSharesShown::default(),
            applications: &[],
            application_work: (0, 0, 0, 0),
            analytics: &[],
            custom: "",
            now: Timestamp(0),
            in_flight_bytes: 3,
            subscriptions: 4,
            log_lines_lost: 2,
            unreadable: 5,
            keys_refused: [("absent", 1), ("disabled", 0), ("unfit", 0), ("denied", 0)],
            healthy: false,
        });
        for expected in [
            "# TYPE millrace_requests_total counter",
            "millrace_requests_total{service=\"kinesis\",operation=\"PutRecord\",code=\"OK\"} 3",
            "millrace_requests_total{service=\"none\",operation=\"none\",code=\"UnknownOperationException\"} 1",
            "millrace_requests_total{service=\"none\",operation=\"none\",code=\"other\"} 1",
            "millrace_request_seconds_bucket{service=\"kinesis\",operation=\"PutRecord\",le=\"0.000050\"} 1",
            "millrace_request_seconds_bucket{service=\"kinesis\",operation=\"PutRecord\",le=\"0.000100\"} 2",
            "millrace_request_seconds_bucket{service=\"kinesis\",operation=\"PutRecord\",le=\"10.000000\"} 2",
            "millrace_request_seconds_bucket{service=\"kinesis\",operation=\"PutRecord\",le=\"+Inf\"} 3",
            "millrace_request_seconds_sum{service=\"kinesis\",operation=\"PutRecord\"} 99.000101",
            "millrace_request_seconds_count{service=\"kinesis\",operation=\"PutRecord\"} 3",
            "millrace_incoming_bytes_total 42",
            "millrace_received_bytes_total 7",
            "millrace_in_flight_bytes 3",
            "millrace_encryption_keys_refused{why=\"absent\"} 1",
            "millrace_store_healthy 0",
        ] {
            assert!(
                text.lines().any(|line| line == expected),
                "{expected}\n{text}"
            );
        }
    }
}
