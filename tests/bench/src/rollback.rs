//! The version before put in force again: from the order until everybody goes by it, with what is
//! noted and synced before that.

use std::time::{Duration, Instant};

use wasm::{PluginName, Plugins};

use crate::Failure;
use crate::bench::Bench;
use crate::components::{self, Folder};
use crate::latency::Latencies;
use crate::report::{Goal, Line};

/// What the plugin is called, and the components of its two versions.
const PLUGIN: &str = "rolled";
const BEFORE: &str = "parse-access-log";
const AFTER: &str = "drop-bots";
/// How long the second version may take to come into force, and how often that is looked at.
const SWAP_MAX: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
const GOAL_MS: f64 = 100.0;

/// Back and forth between two versions that are held ready, and once to one that is not.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let folder = Folder::with(bench, PLUGIN, &components::built(bench, BEFORE)?)?;
    let plugins = folder.open()?;
    folder.replace(PLUGIN, &components::built(bench, AFTER)?)?;
    let name = PluginName::parse(PLUGIN).map_err(|error| error.to_string())?;
    wait_for(&plugins, &name, 2)?;
    let mut took = Latencies::new()?;
    let mut next = 1;
    let end = Instant::now() + bench.options.duration();
    while Instant::now() < end {
        let began = Instant::now();
        plugins.rollback(&name, Some(&next.to_string()))?;
        took.add(began.elapsed());
        next = 3 - next;
    }
    let percentiles = took.percentiles();
    drop(plugins);
    let cold = cold(&folder, &name)?;
    Ok(vec![
        Line {
            goal: Some(Goal::AtMost(GOAL_MS)),
            latency: Some(percentiles),
            note: format!("the slowest of a hundred, of {}", took.count()),
            ..Line::new("rollback", percentiles.p99_us / 1e3, "ms")
        },
        Line {
            goal: Some(Goal::AtMost(GOAL_MS)),
            note: "right after a start, the version not held ready".to_owned(),
            ..Line::new("rollback/cold", cold.as_secs_f64() * 1e3, "ms")
        },
    ])
}

/// The version that is not in force, from its files and its compiled code.
fn cold(folder: &Folder, name: &PluginName) -> Result<Duration, Failure> {
    let plugins = folder.open()?;
    let life = plugins.life(name).ok_or("nothing is kept of it")?;
    let now = life.in_force().ok_or("nothing is in force")?.number;
    let began = Instant::now();
    plugins.rollback(name, Some(&(3 - now).to_string()))?;
    Ok(began.elapsed())
}

fn wait_for(plugins: &Plugins, name: &PluginName, number: u64) -> Result<(), Failure> {
    let end = Instant::now() + SWAP_MAX;
    while Instant::now() < end {
        let life = plugins.life(name);
        if life.is_some_and(|life| life.in_force().is_some_and(|it| it.number == number)) {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    Err(format!("version {number} does not come into force").into())
}
