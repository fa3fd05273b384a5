//! How long things took.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::Failure;

/// Nothing that is timed here takes longer; what does counts as this.
const LATENCY_MAX: Duration = Duration::from_secs(60);
const SIGNIFICANT_DIGITS: u8 = 2;

/// The two percentiles that the tables show.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Percentiles {
    /// Half were faster, in microseconds.
    pub p50_us: f64,
    /// All but one in a hundred were faster, in microseconds.
    pub p99_us: f64,
}

/// Collects durations, within one percent.
#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// None yet.
    pub fn new() -> Result<Self, Failure> {
        let nanos_max = u64::try_from(LATENCY_MAX.as_nanos())?;
        Ok(Self(Histogram::new_with_bounds(
            1,
            nanos_max,
            SIGNIFICANT_DIGITS,
        )?))
    }

    /// One more.
    pub fn add(&mut self, took: Duration) {
        self.0
            .saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Those of another collection too.
    pub fn merge(&mut self, other: &Self) -> Result<(), Failure> {
        Ok(self.0.add(&other.0)?)
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// What the tables show.
    pub fn percentiles(&self) -> Percentiles {
        let us_at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1_000.0;
        Percentiles {
            p50_us: us_at(0.50),
            p99_us: us_at(0.99),
        }
    }
}
