//! `millrace stream tail` as people run it: a process that reads a backlog of small records from
//! all shards, puts them into their order and writes them to a pipe.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::child::Server;
use crate::generator::{Generator, Load, Pace};
use crate::puts;
use crate::report::{Goal, Line};
use crate::requests::{ACCESS_KEY_ID, Batch, REGION, SECRET_ACCESS_KEY};
use crate::usage::{Resident, cpu_of, resident_of};

const STREAM: &str = "bench";
const SHARDS: usize = 8;
/// Records that are put before, for each millisecond of a run.
const RECORDS_PER_MILLISECOND_OF_RUN: u64 = 200;
const PUT_MAX: Duration = Duration::from_secs(120);
const GOAL_PER_SECOND: f64 = 100_000.0;
const BUFFER_BYTES: usize = 256 * 1024;
/// Bytes that a record of `--format raw` is printed as: its data and a line feed.
const RAW_BYTES: u64 = Batch::SMALL.record_bytes as u64 + 1;

/// What one tail did.
struct Tailed {
    bytes: u64,
    took: Duration,
    /// Until the first byte was here.
    first: Duration,
    cpu: Duration,
    resident: Resident,
}

/// All records, as their data and as JSON.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let server = Server::start(bench, dir.path())?;
    calls::create_stream(server.address, STREAM, SHARDS)?;
    let milliseconds = u64::try_from(bench.options.duration().as_millis())?;
    let wanted = RECORDS_PER_MILLISECOND_OF_RUN * milliseconds;
    let records = put(&server, wanted)?;
    let mut lines = Vec::new();
    for (format, name) in [("raw", "tail"), ("json", "tail/json")] {
        let before = server.cpu()?;
        let tailed = tail(bench, &server, format, records)?;
        let cpu = server.cpu()?.saturating_sub(before);
        if format == "raw" && tailed.bytes != records * RAW_BYTES {
            return Err(format!("{} bytes of {records} records", tailed.bytes).into());
        }
        let us_each = |time: Duration| Some(time.as_secs_f64() * 1e6 / records as f64);
        let rate = records as f64 / tailed.took.as_secs_f64();
        lines.push(Line {
            goal: Some(Goal::AtLeast(GOAL_PER_SECOND)),
            server_us: us_each(cpu),
            client_us: us_each(tailed.cpu),
            note: format!(
                "{records} records of {} B from {SHARDS} shards, {:.0} MB/s; first after {} ms; \
                 {:.0} MB resident at most; times are of a record",
                Batch::SMALL.record_bytes,
                tailed.bytes as f64 / 1e6 / tailed.took.as_secs_f64(),
                tailed.first.as_millis(),
                tailed.resident.peak_mb
            ),
            ..Line::new(name, rate, "records/s")
        });
    }
    Ok(lines)
}

/// Puts so many records at least. Returns how many.
fn put(server: &Server, wanted: u64) -> Result<u64, Failure> {
    const CONNECTIONS: usize = 8;
    let batch = Batch::SMALL;
    let requests = puts::requests(server.address, STREAM, &batch)?;
    let mut generator = Generator::connect(server.address, CONNECTIONS)?;
    let outcome = generator.run(&Load {
        requests: &requests,
        pace: Pace::Flat,
        duration: PUT_MAX,
        enough: wanted.div_ceil(batch.records as u64),
    })?;
    outcome.per_second()?;
    Ok(outcome.good * batch.records as u64)
}

fn tail(bench: &Bench, server: &Server, format: &str, records: u64) -> Result<Tailed, Failure> {
    let begin = Instant::now();
    let mut child = Command::new(bench.server_program()?)
        .args([
            "stream", "tail", STREAM, "--since", "1h", "--format", format,
        ])
        .args(["-n", &records.to_string()])
        .args(["--endpoint", &format!("http://{}", server.address)])
        .args(["--region", REGION])
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        .env_remove("AWS_SESSION_TOKEN")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let tailed = read(&mut child, begin, records);
    if tailed.is_err() {
        // It may have ended by itself, which is what the error is about.
        let _ = child.kill();
    }
    let ended = child.wait()?;
    if !ended.success() {
        return Err(format!("the tail ended with {ended}").into());
    }
    tailed
}

/// Reads all that a tail prints.
fn read(child: &mut Child, begin: Instant, records: u64) -> Result<Tailed, Failure> {
    let mut output = child.stdout.take().ok_or("no output of the tail")?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut bytes, mut first, mut resident) = (0, None, None);
    // Its memory cannot be asked for once it has ended.
    let nearly_all = records * RAW_BYTES / 10 * 9;
    loop {
        let count = output.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        bytes += count as u64;
        first.get_or_insert_with(|| begin.elapsed());
        if resident.is_none() && bytes > nearly_all {
            resident = Some(resident_of(child.id())?);
        }
    }
    Ok(Tailed {
        bytes,
        took: begin.elapsed(),
        first: first.ok_or("the tail printed nothing")?,
        cpu: cpu_of(child.id())?,
        resident: resident.ok_or("the tail ended early")?,
    })
}
