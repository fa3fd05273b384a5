//! A component replaced while records flow through it: how long until the other one is at work,
//! and whether a record noticed.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::arrivals::{Arrivals, Moments};
use crate::bench::Bench;
use crate::components::{self, Folder};
use crate::delivering::Delivering;
use crate::destination::{self, Destination};
use crate::events;
use crate::paced::Visits;
use crate::report::{Goal, Line};

/// What the plugin is called whose component is replaced.
const PLUGIN: &str = "swapped";
/// The component before, which makes JSON of each line, and after, which keeps it: an object tells
/// by which of them its records went.
const BEFORE: &str = "parse-access-log";
const AFTER: &str = "drop-bots";
const LINES_PER_CALL: usize = 100;
const CALLS_PER_SECOND: u32 = 100;
/// No shorter than this, so that there is something on both sides.
const TIME_MIN: Duration = Duration::from_secs(4);
const GOAL_MS: f64 = 1_000.0;

/// 10,000 records a second, and the component replaced half way.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let folder = Folder::with(bench, PLUGIN, &components::built(bench, BEFORE)?)?;
    let after = components::built(bench, AFTER)?;
    let destination = Destination {
        size_mib: 64,
        compression: "GZIP",
        plugin: Some(PLUGIN),
        converts: false,
        partitions: false,
    };
    let delivering = Delivering::start(bench, folder, &destination)?;
    let address = delivering.server.address;
    let first = Visits::FIRST;
    first.send(address, &first.signed(address)?)?;
    delivering.wait(first.count())?;
    let duration = bench.options.duration().max(TIME_MIN);
    let visits = Visits::lasting(duration, LINES_PER_CALL, CALLS_PER_SECOND)?;
    let signed = visits.signed(address)?;
    let arrivals = Arrivals::watch(&delivering.objects())?;
    let replaced = std::thread::scope(|scope| {
        let replacing = scope.spawn(|| -> Result<Instant, Failure> {
            std::thread::sleep(duration / 2);
            delivering.plugins.replace(PLUGIN, &after)?;
            Ok(Instant::now())
        });
        visits.send(address, &signed)?;
        replacing.join().map_err(|_| "the replacing panicked")?
    })?;
    delivering.wait(first.count() + visits.count())?;
    let moments = arrivals.finish()?;
    let found = Found::in_objects(&delivering, &moments, visits.count())?;
    found.lines(replaced)
}

/// What the objects hold.
struct Found {
    /// By the number of a record, how often it is there.
    times: Vec<u32>,
    /// Objects with records of both components.
    mixed: usize,
    objects: usize,
    /// When the first object was there that the other component made.
    first_after: Option<Instant>,
    /// Records that went through it.
    after: usize,
}

impl Found {
    fn in_objects(delivering: &Delivering, moments: &Moments, count: u64) -> Result<Self, Failure> {
        let mut found = Self {
            times: vec![0; usize::try_from(count)?],
            mixed: 0,
            objects: 0,
            first_after: None,
            after: 0,
        };
        for object in destination::objects(&delivering.objects())? {
            let (name, content) = object?;
            let Some(moment) = moments.get(&name) else {
                // This one was there before the folder was watched.
                continue;
            };
            let (mut before, mut after) = (0, 0);
            for line in destination::lines(&content) {
                if line.starts_with(b"{") {
                    before += 1;
                } else {
                    after += 1;
                }
                let number = usize::try_from(events::number_of(line)?)?;
                *found
                    .times
                    .get_mut(number)
                    .ok_or("a record that was never put")? += 1;
            }
            found.objects += 1;
            found.mixed += usize::from(before > 0 && after > 0);
            found.after += after;
            if after > 0 {
                let first = found.first_after.get_or_insert(*moment);
                *first = (*first).min(*moment);
            }
        }
        Ok(found)
    }

    fn lines(&self, replaced: Instant) -> Result<Vec<Line>, Failure> {
        let first = self.first_after.ok_or("the other component did nothing")?;
        let took = first.saturating_duration_since(replaced);
        let lost = self.times.iter().filter(|times| **times == 0).count();
        let repeated = self.times.iter().filter(|times| **times > 1).count();
        let none_of = |name: &str, count: usize| Line {
            goal: Some(Goal::AtMost(0.0)),
            ..Line::new(format!("swap_under_load/{name}"), count as f64, "")
        };
        Ok(vec![
            Line {
                goal: Some(Goal::AtMost(GOAL_MS)),
                note: format!(
                    "until an object of the other component was there; {} of {} records, \
                     {} objects",
                    self.after,
                    self.times.len(),
                    self.objects
                ),
                ..Line::new("swap_under_load", took.as_secs_f64() * 1e3, "ms")
            },
            none_of("lost", lost),
            none_of("repeated", repeated),
            none_of("objects_of_two", self.mixed),
        ])
    }
}
