//! What of CloudWatch is here: PutMetricData, so that programs which publish metrics of their own
//! (KCL does) need no other endpoint
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>).
//! The sums since the start are shown on `/metrics`; nothing is kept.

mod member;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use types::AccountId;
use wire::members::NoMembers;
use wire::{Answer, ApiError, Call};

use crate::telemetry::{head, line};
use member::{Datum, Input};

/// Metrics of an account, each a namespace, a name and dimensions. Values of others are counted,
/// and dropped.
const SERIES_PER_ACCOUNT_MAX: usize = 1_000;
/// Bytes of their names and dimensions together. The same happens beyond.
const SERIES_BYTES_PER_ACCOUNT_MAX: usize = 512 * 1024;
/// Values of a request at most (the page above).
const DATA_MAX: usize = 1_000;
/// Dimensions of a metric at most (the page above).
const DIMENSIONS_MAX: usize = 30;
/// Characters of a namespace or of a name (the page above).
const NAME_CHARS_MAX: usize = 255;
/// Characters of the value of a dimension (the page above).
const VALUE_CHARS_MAX: usize = 1_024;

/// The metrics that clients put.
#[derive(Default)]
pub(crate) struct CustomMetrics(Mutex<BTreeMap<AccountId, OfAccount>>);

#[derive(Default)]
struct OfAccount {
    series: BTreeMap<Series, Statistics>,
    series_bytes: usize,
    left_out: u64,
}

/// What a metric is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    namespace: String,
    name: String,
    /// `Name=Value`, in order, with commas between.
    dimensions: String,
}

/// What was put of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Statistics {
    samples: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

impl Statistics {
    /// One value, so many times.
    fn of(value: f64, samples: f64) -> Self {
        Self {
            samples,
            sum: value * samples,
            minimum: value,
            maximum: value,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            samples: self.samples + other.samples,
            sum: self.sum + other.sum,
            minimum: self.minimum.min(other.minimum),
            maximum: self.maximum.max(other.maximum),
        }
    }
}

impl OfAccount {
    fn add(&mut self, series: Series, more: Statistics) {
        if let Some(there) = self.series.get_mut(&series) {
            *there = there.and(more);
            return;
        }
        let bytes = series.namespace.len() + series.name.len() + series.dimensions.len();
        let has_room = self.series.len() < SERIES_PER_ACCOUNT_MAX
            && self.series_bytes + bytes <= SERIES_BYTES_PER_ACCOUNT_MAX;
        if has_room {
            self.series_bytes += bytes;
            self.series.insert(series, more);
        } else {
            self.left_out += 1;
        }
    }
}

/// Adds what a client puts to the sums of its account.
///
/// # Errors
/// InvalidParameterValue, MissingParameter and the like: the request is not as it must be.
pub(crate) async fn put_metric_data(
    metrics: &CustomMetrics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let namespace = input.namespace.as_ref().map_or("", |it| it.as_str());
    let data = input.metric_data.as_deref().unwrap_or_default();
    name("Namespace", namespace)?;
    if data.is_empty() {
        return Err(missing("The parameter MetricData is required."));
    }
    if data.len() > DATA_MAX {
        return Err(invalid(format!(
            "The collection MetricData must not have a size greater than {DATA_MAX}."
        )));
    }
    let read = data
        .iter()
        .map(|datum| Ok((series(namespace, datum)?, datum.statistics()?)));
    let read: Vec<(Series, Statistics)> = read.collect::<Result<_, ApiError>>()?;
    {
        let mut accounts = metrics.0.lock().unwrap_or_else(PoisonError::into_inner);
        let account = accounts.entry(call.caller.account).or_default();
        for (series, statistics) in read {
            account.add(series, statistics);
        }
    }
    call.answer(&NoMembers {})
}

fn series(namespace: &str, datum: &Datum<'_>) -> Result<Series, ApiError> {
    let metric = datum.metric_name.as_ref().map_or("", |it| it.as_str());
    name("MetricName", metric)?;
    let given = datum.dimensions.as_deref().unwrap_or_default();
    if given.len() > DIMENSIONS_MAX {
        return Err(invalid(format!(
            "The collection Dimensions must not have a size greater than {DIMENSIONS_MAX}."
        )));
    }
    let mut dimensions = BTreeMap::new();
    for dimension in given {
        let key = dimension.name.as_ref().map_or("", |it| it.as_str());
        let value = dimension.value.as_ref().map_or("", |it| it.as_str());
        name("Dimensions.Name", key)?;
        if value.is_empty() || value.chars().count() > VALUE_CHARS_MAX {
            return Err(invalid(format!(
                "The value of a dimension has 1 to {VALUE_CHARS_MAX} characters."
            )));
        }
        dimensions.insert(key, value);
    }
    let texts: Vec<_> = dimensions
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    Ok(Series {
        namespace: namespace.to_owned(),
        name: metric.to_owned(),
        dimensions: texts.join(","),
    })
}

fn name(member: &str, text: &str) -> Result<(), ApiError> {
    match text.chars().count() {
        0 => Err(missing(format!("The parameter {member} is required."))),
        1..=NAME_CHARS_MAX => Ok(()),
        _ => Err(invalid(format!(
            "The parameter {member} has more than {NAME_CHARS_MAX} characters."
        ))),
    }
}

fn missing(what: impl Into<String>) -> ApiError {
    ApiError::new("MissingParameter", what)
}

fn invalid(what: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterValue", what)
}

/// A number that is shown of a series.
type OfSeries = fn(&Statistics) -> f64;

impl CustomMetrics {
    /// The metrics of an account, or of all, in the format of Prometheus.
    pub(crate) fn rendered(&self, of: Option<AccountId>) -> String {
        let accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = accounts
            .iter()
            .filter(|(account, _)| of.is_none_or(|of| of == **account));
        let shown: Vec<_> = shown.collect();
        let mut out = String::new();
        if shown.is_empty() {
            return out;
        }
        let families: [(&str, &str, &str, OfSeries); 4] = [
            (
                "cloudwatch_samples_total",
                "counter",
                "Values put by PutMetricData.",
                |s| s.samples,
            ),
            ("cloudwatch_sum", "gauge", "Their sum.", |s| s.sum),
            ("cloudwatch_minimum", "gauge", "The least of them.", |s| {
                s.minimum
            }),
            (
                "cloudwatch_maximum",
                "gauge",
                "The greatest of them.",
                |s| s.maximum,
            ),
        ];
        for (family, kind, help, read) in families {
            head(&mut out, family, kind, help);
            for (account, of_account) in &shown {
                for (series, statistics) in &of_account.series {
                    let value = read(statistics);
                    line(
                        &mut out,
                        format_args!("{family}{{{}}} {value}", series.labels(account)),
                    );
                }
            }
        }
        let name = "cloudwatch_left_out_total";
        let help = "Values of metrics beyond those that an account may have here.";
        head(&mut out, name, "counter", help);
        for (account, of_account) in &shown {
            let left_out = of_account.left_out;
            line(
                &mut out,
                format_args!("{name}{{account=\"{account}\"}} {left_out}"),
            );
        }
        out
    }
}

impl Series {
    fn labels(&self, account: &AccountId) -> String {
        let mut out = format!("account=\"{account}\"");
        let labels = [
            ("namespace", &self.namespace),
            ("metric", &self.name),
            ("dimensions", &self.dimensions),
        ];
        for (label, value) in labels {
            // Writing to a String does not fail.
            let _ = write!(out, ",{label}=\"");
            for character in value.chars() {
                match character {
                    '"' => out.push_str("\\\""),
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    plain => out.push(plain),
                }
            }
            out.push('"');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: String) -> Series {
        Series {
            namespace: "n".to_owned(),
            name,
            dimensions: "a=\"b\\".to_owned(),
        }
    }

    #[test]
    fn an_account_has_so_many_metrics_and_the_rest_is_counted() {
        let account = AccountId::parse("000000000001").unwrap();
        let metrics = CustomMetrics::default();
        {
            let mut accounts = metrics.0.lock().unwrap();
            let of_account = accounts.entry(account).or_default();
            for number in 0..SERIES_PER_ACCOUNT_MAX + 2 {
                of_account.add(series(number.to_string()), Statistics::of(2.0, 1.0));
            }
            of_account.add(series("0".to_owned()), Statistics::of(-1.0, 3.0));
        }
        let text = metrics.rendered(Some(account));
        let labels = "account=\"000000000001\",namespace=\"n\",metric=\"0\",\
                      dimensions=\"a=\\\"b\\\\\"";
        for (family, value) in [
            ("samples_total", 4),
            ("sum", -1),
            ("minimum", -1),
            ("maximum", 2),
        ] {
            let line = format!("millrace_cloudwatch_{family}{{{labels}}} {value}\n");
            assert!(text.contains(&line), "{line}");
        }
        assert!(text.ends_with("cloudwatch_left_out_total{account=\"000000000001\"} 2\n"));
        let other = AccountId::parse("000000000002").unwrap();
        assert_eq!(metrics.rendered(Some(other)), "");
    }
}
