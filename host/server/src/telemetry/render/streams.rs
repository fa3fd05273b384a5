//! The metrics of streams and of their shards, as CloudWatch has them. `PutRecords.TotalRecords`
//! of a stream is `stream_put_records_total_records_total`: its name after what it is of, with what
//! its kind ends with.

use std::fmt::Write;

use ::streams::consumer_counts::CONSUMER_METRICS;
use ::streams::counts::{Measured, SHARD_METRICS, STREAM_METRICS, Value};

use super::{Seconds, head, line, snake_case};

/// Metrics of streams are shown of each; those of shards where the stream publishes them.
pub(super) fn streams(out: &mut String, streams: &[Measured]) {
    if streams.is_empty() {
        return;
    }
    let of_streams = streams
        .iter()
        .map(|s| (s, format!("stream=\"{}\"", s.arn())));
    let of_streams: Vec<_> = of_streams.collect();
    for (name, read) in STREAM_METRICS {
        let mut family = Family::of("stream", name);
        for (stream, labels) in &of_streams {
            family.write(out, labels, read(stream.counts()));
        }
    }
    consumers(out, &of_streams);
    let mut labels = String::new();
    for (place, (name, read)) in SHARD_METRICS.iter().enumerate() {
        let mut family = Family::of("shard", name);
        let publishing = of_streams.iter().filter(|(s, _)| s.publishes(place));
        for (stream, of_stream) in publishing {
            for (shard, counts) in stream.shards() {
                labels.clear();
                // Writing to a String does not fail.
                let _ = write!(labels, "{of_stream},shard=\"{shard}\"");
                family.write(out, &labels, read(counts));
            }
        }
    }
}

/// Metrics of the registered consumers of each stream.
fn consumers(out: &mut String, of_streams: &[(&Measured, String)]) {
    for (name, read) in CONSUMER_METRICS {
        let mut family = Family::of("consumer", name);
        for (stream, of_stream) in of_streams {
            for (consumer, counts) in stream.consumers() {
                let labels = format!("{of_stream},consumer=\"{consumer}\"");
                family.write(out, &labels, read(counts));
            }
        }
    }
}

/// The lines of one metric, which belong together.
struct Family {
    /// Its name in CloudWatch, and here without what its kind ends with.
    name: &'static str,
    own_name: String,
    has_head: bool,
}

impl Family {
    fn of(what: &str, name: &'static str) -> Self {
        Self {
            name,
            own_name: format!("{what}_{}", snake_case(name)),
            has_head: false,
        }
    }

    fn write(&mut self, out: &mut String, labels: &str, value: Value) {
        let own = &self.own_name;
        let (name, kind) = match value {
            Value::Total(_) => (format!("{own}_total"), "counter"),
            Value::Last(_) => (own.clone(), "gauge"),
            Value::Latency { .. } => (format!("{own}_seconds"), "summary"),
        };
        if !self.has_head {
            self.has_head = true;
            head(out, &name, kind, &format!("CloudWatch's {}.", self.name));
        }
        match value {
            Value::Total(value) | Value::Last(value) => {
                line(out, format_args!("{name}{{{labels}}} {value}"));
            }
            Value::Latency { sum_us, count } => {
                line(
                    out,
                    format_args!("{name}_sum{{{labels}}} {}", Seconds(sum_us)),
                );
                line(out, format_args!("{name}_count{{{labels}}} {count}"));
            }
        }
    }
}
