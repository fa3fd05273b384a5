//! Bringing a component to life: compiling it, and making an instance.

use std::time::{Duration, Instant};

use wasm::{Facts, Instance};

use crate::Failure;
use crate::bench::Bench;
use crate::components::{self, Folder};
use crate::latency::Latencies;
use crate::report::{Goal, Line};
use crate::transforms::MOMENT;

const PLUGIN: &str = "parse-access-log";
const INSTANTIATE_GOAL_US: f64 = 15.0;
const CACHED_GOAL_MS: f64 = 5.0;

/// A new instance, its `init` called, ready for its first batch.
pub fn instantiate(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let folder = Folder::with(bench, PLUGIN, &components::built(bench, PLUGIN)?)?;
    let (_plugins, version) = folder.version(PLUGIN)?;
    let mut starts = Latencies::new()?;
    let (mut starting, mut ending) = (Duration::ZERO, Duration::ZERO);
    let end = Instant::now() + bench.options.duration();
    while Instant::now() < end {
        let begin = Instant::now();
        let instance = Instance::start(&version, MOMENT, version.call_limits())
            .map_err(|fault| fault.to_string())?;
        let took = begin.elapsed();
        drop(instance);
        starts.add(took);
        starting += took;
        ending += begin.elapsed() - took;
    }
    let percentiles = starts.percentiles();
    let us_each = |time: Duration| time.as_secs_f64() * 1e6 / starts.count() as f64;
    Ok(vec![Line {
        goal: Some(Goal::AtMost(INSTANTIATE_GOAL_US)),
        latency: Some(percentiles),
        note: format!(
            "{PLUGIN}; the median; {:.1} us on average, and {:.1} us for its end",
            us_each(starting),
            us_each(ending)
        ),
        ..Line::new("instantiate", percentiles.p50_us, "us")
    }])
}

/// A component that was never seen before.
pub fn compile_cold(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let folder = Folder::with(bench, PLUGIN, &components::built(bench, PLUGIN)?)?;
    let (whole, facts) = open(&folder)?;
    if facts.from_cache {
        return Err("it was compiled before".into());
    }
    let kib = facts.component_bytes as f64 / 1_024.0;
    Ok(vec![
        Line {
            note: format!("{PLUGIN}, {kib:.0} KiB; compiled, kept and synced"),
            ..Line::new("compile_cold", milliseconds(facts.compile_time), "ms")
        },
        Line {
            note: "Plugins::open".to_owned(),
            ..Line::new("compile_cold/whole", milliseconds(whole), "ms")
        },
    ])
}

/// A component whose compiled code was kept.
pub fn compile_cached(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let folder = Folder::with(bench, PLUGIN, &components::built(bench, PLUGIN)?)?;
    open(&folder)?;
    let (whole, facts) = open(&folder)?;
    if !facts.from_cache {
        return Err("it was compiled again".into());
    }
    Ok(vec![
        Line {
            goal: Some(Goal::AtMost(CACHED_GOAL_MS)),
            note: "read, verified and loaded".to_owned(),
            ..Line::new("compile_cached", milliseconds(facts.compile_time), "ms")
        },
        Line {
            goal: Some(Goal::AtMost(CACHED_GOAL_MS)),
            note: "Plugins::open".to_owned(),
            ..Line::new("compile_cached/whole", milliseconds(whole), "ms")
        },
    ])
}

fn open(folder: &Folder) -> Result<(Duration, Facts), Failure> {
    let begin = Instant::now();
    let (_plugins, version) = folder.version(PLUGIN)?;
    Ok((begin.elapsed(), version.facts().clone()))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
