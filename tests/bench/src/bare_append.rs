//! The bare append: as many tasks as the engine's rows have, each handing a record to one thread
//! that copies what waits into one block, checksums it and writes it durably. No log, no place, no
//! reader: what the engine does beside is the difference.

use std::hint::black_box;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::Failure;
use crate::bench::Bench;
use crate::engine::{RECORD_BYTES, WARM_UP, all_at_once, body};
use crate::prewritten::{Block, Prewritten};
use crate::report::Line;
use crate::usage::own_cpu;

/// More than ever wait at once in these rows.
const BLOCK_BYTES_MAX: usize = 1024 * 1024;
/// Blocks whose answers are on their way.
const BLOCKS_UNANSWERED_MAX: usize = 64;

/// 64 records at the same time.
pub fn sixty_four(bench: &Bench) -> Result<Vec<Line>, Failure> {
    appends(bench, 64)
}

/// 500 records at the same time.
pub fn five_hundred(bench: &Bench) -> Result<Vec<Line>, Failure> {
    appends(bench, 500)
}

fn appends(bench: &Bench, outstanding: usize) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let runtime = bench.runtime()?;
    let bare = Arc::new(Bare::default());
    let writer = bare.start_writer(&dir.path().join("log"), runtime.handle())?;
    let (record, _) = body(1, RECORD_BYTES)?;
    let shared = Arc::clone(&bare);
    let append = move |_: u64| {
        let (bare, record) = (Arc::clone(&shared), record.clone());
        async move { bare.append(record).await }
    };
    all_at_once(&runtime, outstanding, Instant::now() + WARM_UP, &append)?;
    let cpu_before = own_cpu();
    let end = Instant::now() + bench.options.duration();
    let latencies = all_at_once(&runtime, outstanding, end, &append)?;
    let cpu = own_cpu().saturating_sub(cpu_before);
    bare.close();
    writer.join().map_err(|_| "the writer panicked")??;
    let records = latencies.count() as f64;
    Ok(vec![Line {
        latency: Some(latencies.percentiles()),
        server_us: Some(cpu.as_secs_f64() * 1e6 / records),
        note: "one record of 1 KiB, copied, checksummed, durable".to_owned(),
        ..Line::new(
            format!("bare_append_{outstanding}"),
            records / bench.options.seconds,
            "records/s",
        )
    }])
}

type Waiting = Vec<(Bytes, oneshot::Sender<()>)>;

#[derive(Default)]
struct Bare {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    is_closed: bool,
}

impl Bare {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn append(&self, record: Bytes) -> Result<(), Failure> {
        let (reply, answer) = oneshot::channel();
        self.state().waiting.push((record, reply));
        self.filled.notify_one();
        Ok(answer.await?)
    }

    fn close(&self) {
        self.state().is_closed = true;
        self.filled.notify_one();
    }

    /// Starts the thread that writes, and the task that gives a whole block's answers, as the
    /// engine has one.
    fn start_writer(
        self: &Arc<Self>,
        path: &Path,
        runtime: &Handle,
    ) -> Result<std::thread::JoinHandle<Result<(), Failure>>, Failure> {
        let (answers, mut written) = mpsc::channel::<Waiting>(BLOCKS_UNANSWERED_MAX);
        runtime.spawn(async move {
            while let Some(block) = written.recv().await {
                for (_, reply) in block {
                    // At the end of a run nobody waits any more.
                    let _ = reply.send(());
                }
            }
        });
        let mut file = Prewritten::new(path)?;
        let bare = Arc::clone(self);
        Ok(std::thread::spawn(move || {
            let mut block = Block::with_capacity(BLOCK_BYTES_MAX);
            while let Some(waiting) = bare.take() {
                block.clear();
                for (record, _) in &waiting {
                    block.push(record);
                }
                black_box(crc32c::crc32c(block.bytes()));
                file.write(&block)?;
                answers.blocking_send(waiting)?;
            }
            Ok(())
        }))
    }

    fn take(&self) -> Option<Waiting> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.is_closed;
        let state = self.filled.wait_while(self.state(), idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut state.waiting);
        (!waiting.is_empty()).then_some(waiting)
    }
}
