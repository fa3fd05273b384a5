//! The log engine alone, on the real disk, every commit synced.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use store::disk::real::RealDisk;
use store::embedded::{Embedded, Options};
use store::{Append, BodyBuilder, CommitError, Engine, LogId, NewFrame, Transaction};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use types::{Clock, SystemClock};

use crate::Failure;
use crate::bench::Bench;
use crate::latency::Latencies;
use crate::random::Random;
use crate::report::Line;
use crate::usage::own_cpu;

/// Bytes of data in a record.
pub const RECORD_BYTES: usize = 1024;
const LOGS: u64 = 16;
/// Before the clock starts.
pub const WARM_UP: Duration = Duration::from_millis(300);

/// An engine in a directory of its own.
pub struct Opened {
    /// The engine.
    pub engine: Arc<Embedded>,
    /// Where it runs.
    pub runtime: Runtime,
    dir: TempDir,
}

impl Opened {
    /// A new engine with so many empty logs, numbered from 0.
    pub fn new(bench: &Bench, logs: u64) -> Result<Self, Failure> {
        Self::within(bench.fresh_dir()?, bench, logs)
    }

    /// The same in a directory that is empty.
    pub fn within(dir: TempDir, bench: &Bench, logs: u64) -> Result<Self, Failure> {
        let runtime = bench.runtime()?;
        let opened = Self {
            engine: open(&dir)?,
            runtime,
            dir,
        };
        let logs: Vec<LogId> = (0..logs).map(LogId).collect();
        opened.runtime.block_on(opened.engine.create_logs(&logs))?;
        Ok(opened)
    }

    /// Closes the engine, forgets what the operating system cached of its files, and opens it
    /// again. Returns how long the opening took.
    pub fn reopen_cold(&mut self) -> Result<Duration, Failure> {
        self.runtime.block_on(self.engine.close())?;
        forget_cached(self.dir.path())?;
        let start = Instant::now();
        self.engine = open(&self.dir)?;
        Ok(start.elapsed())
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Err(error) = self.runtime.block_on(self.engine.close()) {
            eprintln!("bench: close the engine: {error}");
        }
    }
}

fn open(dir: &TempDir) -> Result<Arc<Embedded>, Failure> {
    let disk = RealDisk::new(dir.path().to_owned())?;
    Ok(Embedded::open(Arc::new(disk), Options::default())?)
}

/// Drops every file below `dir` from the page cache.
fn forget_cached(dir: &std::path::Path) -> Result<(), Failure> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            forget_cached(&entry.path())?;
            continue;
        }
        let file = std::fs::File::open(entry.path())?;
        file.sync_all()?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok(())
}

/// A body of so many records of so many bytes.
pub fn body(records: usize, record_bytes: usize) -> Result<(Bytes, u16), Failure> {
    let mut body = BodyBuilder::with_capacity(records, records * (record_bytes + 32));
    let data = Random::new(5).bytes(record_bytes);
    for record in 0..records {
        body.push(&format!("key-{record:016x}"), &data)
            .ok_or("the record does not fit a frame")?;
    }
    Ok(body.finish())
}

/// Appends one frame.
pub async fn append(
    engine: &Embedded,
    log: LogId,
    (body, count): &(Bytes, u16),
) -> Result<(), CommitError> {
    let frame = NewFrame {
        count: *count,
        arrival: SystemClock.now(),
        body: body.clone(),
        key: None,
    };
    let transaction = Transaction {
        appends: vec![Append { log, frame }],
        ..Transaction::default()
    };
    engine.commit(transaction).await.map(drop)
}

/// One commit after the other.
pub fn one(bench: &Bench) -> Result<Vec<Line>, Failure> {
    commits(bench, 1)
}

/// 64 commits at the same time.
pub fn sixty_four(bench: &Bench) -> Result<Vec<Line>, Failure> {
    commits(bench, 64)
}

/// 500 commits at the same time.
pub fn five_hundred(bench: &Bench) -> Result<Vec<Line>, Failure> {
    commits(bench, 500)
}

fn commits(bench: &Bench, outstanding: usize) -> Result<Vec<Line>, Failure> {
    let opened = Opened::new(bench, LOGS)?;
    flat_out(&opened, outstanding, WARM_UP)?;
    let cpu_before = own_cpu();
    let latencies = flat_out(&opened, outstanding, bench.options.duration())?;
    let cpu = own_cpu().saturating_sub(cpu_before);
    let records = latencies.count() as f64;
    let per_second = records / bench.options.seconds;
    Ok(vec![Line {
        latency: Some(latencies.percentiles()),
        server_us: Some(cpu.as_secs_f64() * 1e6 / records),
        note: "one record of 1 KiB a commit".to_owned(),
        ..Line::new(format!("engine_{outstanding}"), per_second, "records/s")
    }])
}

fn flat_out(opened: &Opened, outstanding: usize, duration: Duration) -> Result<Latencies, Failure> {
    let (engine, record) = (Arc::clone(&opened.engine), body(1, RECORD_BYTES)?);
    let commit = move |committer: u64| {
        let (engine, record) = (Arc::clone(&engine), record.clone());
        async move { Ok(append(&engine, LogId(committer % LOGS), &record).await?) }
    };
    let end = Instant::now() + duration;
    all_at_once(&opened.runtime, outstanding, end, &commit)
}

/// Has so many tasks do the same over and over until `end`, each given its own number, and notes
/// how long each time took.
pub fn all_at_once<F, Doing>(
    runtime: &Runtime,
    tasks: usize,
    end: Instant,
    act: &F,
) -> Result<Latencies, Failure>
where
    F: Fn(u64) -> Doing + Clone + Send + 'static,
    Doing: Future<Output = Result<(), Failure>> + Send,
{
    let tasks: Vec<_> = (0..tasks as u64)
        .map(|task| {
            let act = act.clone();
            runtime.spawn(async move {
                let mut latencies = Latencies::new()?;
                loop {
                    let start = Instant::now();
                    act(task).await?;
                    let now = Instant::now();
                    if now > end {
                        return Ok::<_, Failure>(latencies);
                    }
                    latencies.add(now - start);
                }
            })
        })
        .collect();
    let mut all = Latencies::new()?;
    for task in tasks {
        all.merge(&runtime.block_on(task)??)?;
    }
    Ok(all)
}
