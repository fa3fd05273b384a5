//! From PutRecords over HTTP through a plugin into objects: how many records a second, and how
//! long one takes.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::arrivals::Arrivals;
use crate::bench::Bench;
use crate::components::{self, Folder};
use crate::delivering::Delivering;
use crate::destination::{self, Destination};
use crate::events;
use crate::generator::{Generator, Load, Pace};
use crate::latency::Latencies;
use crate::paced::Visits;
use crate::report::Line;

const PLUGIN: &str = "parse-access-log";
/// Records that are put as fast as it goes, for each millisecond of a run.
const RECORDS_PER_MILLISECOND_OF_RUN: u64 = 200;
const PUT_MAX: Duration = Duration::from_secs(120);
/// What is put as fast as it goes: the most of one call, different ones in turn.
const FLAT_OUT: Visits = Visits {
    requests: 40,
    lines: 500,
    per_second: u32::MAX,
};
/// What is put to see how long one takes.
const LINES_PER_CALL: usize = 10;
const CALLS_PER_SECOND: u32 = 100;

/// All of it.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let flat_out = start(bench)?;
    let rate = rate(bench, &flat_out)?;
    drop(flat_out);
    Ok(vec![rate, latency(bench, &start(bench)?)?])
}

fn start(bench: &Bench) -> Result<Delivering, Failure> {
    let component = components::built(bench, PLUGIN)?;
    let destination = Destination {
        size_mib: 64,
        compression: "GZIP",
        plugin: Some(PLUGIN),
        converts: false,
        partitions: false,
    };
    Delivering::start(
        bench,
        Folder::with(bench, PLUGIN, &component)?,
        &destination,
    )
}

/// From the first record put until all are in objects.
fn rate(bench: &Bench, delivering: &Delivering) -> Result<Line, Failure> {
    let server = &delivering.server;
    let requests = FLAT_OUT.signed(server.address)?;
    let mut generator = Generator::connect(server.address, bench.options.connections)?;
    let milliseconds = u64::try_from(bench.options.duration().as_millis())?;
    let records = RECORDS_PER_MILLISECOND_OF_RUN * milliseconds;
    let cpu_before = server.cpu()?;
    let begin = Instant::now();
    let put = generator.run(&Load {
        requests: &requests,
        pace: Pace::Flat,
        duration: PUT_MAX,
        enough: records.div_ceil(FLAT_OUT.lines as u64),
    })?;
    let records = put.good * FLAT_OUT.lines as u64;
    let progress = delivering.wait(records)?;
    let took = begin.elapsed().as_secs_f64();
    let cpu = server.cpu()?.saturating_sub(cpu_before);
    let resident = server.resident()?;
    let mut lines = 0;
    for object in destination::objects(&delivering.objects())? {
        lines += destination::lines(&object?.1).count() as u64;
    }
    if put.refused > 0 || progress.delivered != records || lines != records {
        let refused = put.note();
        return Err(format!("{progress:?}, {lines} lines of {records} records {refused}").into());
    }
    let put_rate = put.per_second()? * FLAT_OUT.lines as f64 / 1e3;
    Ok(Line {
        server_us: Some(cpu.as_secs_f64() * 1e6 / put.good as f64),
        client_us: Some(put.cpu.as_secs_f64() * 1e6 / put.good as f64),
        note: format!(
            "{records} put at {put_rate:.0} k/s; {} objects; {:.0} MB resident at most",
            progress.objects, resident.peak_mb
        ),
        ..Line::new("end_to_end", records as f64 / took, "records/s")
    })
}

/// From the answer to PutRecords until its records are in an object that is whole.
pub fn latency(bench: &Bench, delivering: &Delivering) -> Result<Line, Failure> {
    let address = delivering.server.address;
    let first = Visits::FIRST;
    first.send(address, &first.signed(address)?)?;
    delivering.wait(first.count())?;
    let duration = bench.options.duration();
    let visits = Visits::lasting(duration, LINES_PER_CALL, CALLS_PER_SECOND)?;
    let signed = visits.signed(address)?;
    let arrivals = Arrivals::watch(&delivering.objects())?;
    let answered = visits.send(address, &signed)?;
    let progress = delivering.wait(first.count() + visits.count())?;
    let moments = arrivals.finish()?;
    let mut latencies = Latencies::new()?;
    for object in destination::objects(&delivering.objects())? {
        let (name, content) = object?;
        let Some(there) = moments.get(&name) else {
            continue;
        };
        for line in destination::lines(&content) {
            let call = usize::try_from(events::number_of(line)?)? / visits.lines;
            let answered = answered.get(call).ok_or("a record that was never put")?;
            latencies.add(there.saturating_duration_since(*answered));
        }
    }
    if latencies.count() != visits.count() {
        let found = latencies.count();
        return Err(format!("{found} of {} records are in objects", visits.count()).into());
    }
    let percentiles = latencies.percentiles();
    Ok(Line {
        latency: Some(percentiles),
        note: format!(
            "{CALLS_PER_SECOND} calls/s of {LINES_PER_CALL} records, {} objects",
            progress.objects
        ),
        ..Line::new("end_to_end/p99", percentiles.p99_us / 1e3, "ms")
    })
}
