//! The members of PutMetricData that are looked at.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use wire::ApiError;
use wire::members::Text;
use wire::shape::{Check, Shape};

use super::{Statistics, invalid, missing};

/// Values of one metric in a request at most
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>).
const VALUES_MAX: usize = 150;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input<'a> {
    #[serde(borrow)]
    pub(super) namespace: Option<Text<'a>>,
    pub(super) metric_data: Option<Vec<Datum<'a>>>,
}

/// Some values of one metric.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Datum<'a> {
    #[serde(borrow)]
    pub(super) metric_name: Option<Text<'a>>,
    pub(super) dimensions: Option<Vec<Dimension<'a>>>,
    value: Option<Number>,
    statistic_values: Option<StatisticSet>,
    values: Option<Vec<Number>>,
    counts: Option<Vec<Number>>,
}

/// What a metric is of, beside its name.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Dimension<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    pub(super) value: Option<Text<'a>>,
}

/// Values that were put together before.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticSet {
    sample_count: Option<Number>,
    sum: Option<Number>,
    minimum: Option<Number>,
    maximum: Option<Number>,
}

/// A number of any kind.
#[derive(Clone, Copy)]
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Double")
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
                Ok(Number(number))
            }

            // Above 2^53 the nearest that there is; it is a measurement.
            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }
        }

        deserializer.deserialize_f64(NumberVisitor)
    }
}

impl Shape for Input<'_> {
    fn check(&self, _: &mut Check) {}
}

impl Datum<'_> {
    /// The values together.
    pub(super) fn statistics(&self) -> Result<Statistics, ApiError> {
        let statistics = if let Some(set) = &self.statistic_values {
            set.read()?
        } else if let Some(Number(value)) = self.value {
            Statistics::of(value, 1.0)
        } else {
            self.of_values()?
        };
        let all = [
            statistics.samples,
            statistics.sum,
            statistics.minimum,
            statistics.maximum,
        ];
        if all.iter().all(|number| number.is_finite()) {
            Ok(statistics)
        } else {
            Err(invalid("The values of a metric must be finite numbers."))
        }
    }

    fn of_values(&self) -> Result<Statistics, ApiError> {
        let values = self.values.as_deref().unwrap_or_default();
        if values.len() > VALUES_MAX {
            return Err(invalid(format!(
                "The collection Values must not have a size greater than {VALUES_MAX}."
            )));
        }
        let counts = match &self.counts {
            Some(counts) if counts.len() != values.len() => {
                return Err(invalid("Counts must have as many members as Values."));
            }
            Some(counts) => counts.as_slice(),
            None => &[],
        };
        let count = |place: usize| counts.get(place).map_or(1.0, |Number(count)| *count);
        let each = values.iter().enumerate();
        let each = each.map(|(place, Number(value))| Statistics::of(*value, count(place)));
        each.reduce(Statistics::and)
            .ok_or_else(|| missing("A metric needs Value, Values or StatisticValues."))
    }
}

impl StatisticSet {
    fn read(&self) -> Result<Statistics, ApiError> {
        let number = |member: Option<Number>, name: &str| match member {
            Some(Number(number)) => Ok(number),
            None => Err(missing(format!(
                "The parameter StatisticValues.{name} is required."
            ))),
        };
        Ok(Statistics {
            samples: number(self.sample_count, "SampleCount")?,
            sum: number(self.sum, "Sum")?,
            minimum: number(self.minimum, "Minimum")?,
            maximum: number(self.maximum, "Maximum")?,
        })
    }
}
