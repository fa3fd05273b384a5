//! WASI with nothing behind it, for guests whose language's library imports it: no files, no
//! sockets, no environment, an empty input; what is printed becomes lines of the log. Clocks stand
//! still and randomness is seeded, so that the same records give the same output again. Nothing in
//! here waits: a guest that wants to sleep traps.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::AsyncWrite;
use types::Timestamp;
use wasmtime::component::{HasData, HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{HostWallClock, WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::{cli, clocks, random, sync};
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi::{WasiCtx, WasiView};

use crate::bindings::context::Level;
use crate::guest_log::GuestLog;
use crate::limits::{RANDOM_BYTES_MAX, REASON_BYTES_MAX};
use crate::state::{Moment, State, too_many_calls};

/// Bytes that may be printed at once; a guest prints more in several turns.
const PRINT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a printed line that are waited for; a longer one is logged in pieces.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// What a clock resolves: a guest cannot measure what others do.
const RESOLUTION: Duration = Duration::from_millis(1);

/// Links the interfaces that a guest may import, and no others.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let l = linker;
    wasmtime_wasi_io::bindings::wasi::io::error::add_to_linker::<State, Io>(l, |s| s.ctx().table)?;
    sync::io::poll::add_to_linker::<State, Io>(l, |s| s.ctx().table)?;
    sync::io::streams::add_to_linker::<State, Io>(l, |s| s.ctx().table)?;
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)?;
    monotonic_clock::add_to_linker::<State, HasSelf<State>>(l, |s| s)?;
    random::random::add_to_linker::<State, WasiRandom>(l, State::random)?;
    random::insecure::add_to_linker::<State, WasiRandom>(l, State::random)?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(l, State::random)?;
    cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::environment::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)
}

/// What lies behind WASI for one instance.
pub(crate) fn context(
    moment: Moment,
    log: &Arc<GuestLog>,
    last_words: &LastWords,
    writes_max: u32,
) -> WasiCtx {
    last_words.begin_batch(writes_max);
    let printed = |level, last_words: Option<&LastWords>| Printed {
        level,
        log: Arc::clone(log),
        shared: last_words.cloned().unwrap_or_default(),
        writes_max,
    };
    let random = |stream: u64| StdRng::seed_from_u64(moment.seed.wrapping_add(stream));
    let stdout = printed(Level::Info, None);
    stdout.shared.begin_batch(writes_max);
    WasiCtx::builder()
        .stdout(stdout)
        .stderr(printed(Level::Warn, Some(last_words)))
        .wall_clock(Standing(moment.now))
        .secure_random(random(0))
        .insecure_random(random(1))
        .insecure_random_seed(u128::from(moment.seed))
        .max_random_size(RANDOM_BYTES_MAX)
        .build()
}

struct Io;

impl HasData for Io {
    type Data<'a> = &'a mut ResourceTable;
}

/// A clock that shows one moment.
struct Standing(Timestamp);

impl HostWallClock for Standing {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.0)
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(0)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(u64::try_from(RESOLUTION.as_nanos()).unwrap_or(u64::MAX))
    }

    fn subscribe_instant(&mut self, _: u64) -> wasmtime::Result<Resource<DynPollable>> {
        Err(wasmtime::Error::msg("a plugin cannot sleep"))
    }

    fn subscribe_duration(&mut self, _: u64) -> wasmtime::Result<Resource<DynPollable>> {
        Err(wasmtime::Error::msg("a plugin cannot sleep"))
    }
}

/// The last line that an instance wrote to its standard error: what a panic says.
#[derive(Clone, Default)]
pub(crate) struct LastWords(Arc<Mutex<Words>>);

#[derive(Default)]
struct Words {
    line: Vec<u8>,
    last: String,
    writes_left: u32,
}

impl LastWords {
    pub(crate) fn text(&self) -> String {
        let words = self.lock();
        match words.line.is_empty() {
            true => words.last.clone(),
            false => String::from_utf8_lossy(&words.line).into_owned(),
        }
    }

    pub(crate) fn begin_batch(&self, writes_max: u32) {
        self.lock().writes_left = writes_max;
    }

    fn lock(&self) -> MutexGuard<'_, Words> {
        // Each statement under the lock leaves the words whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A standard output whose lines go to the log.
#[derive(Clone)]
struct Printed {
    level: Level,
    log: Arc<GuestLog>,
    shared: LastWords,
    writes_max: u32,
}

impl Printed {
    fn print(&self, bytes: &[u8]) -> Result<(), StreamError> {
        let mut words = self.shared.lock();
        let left = words.writes_left.checked_sub(1);
        words.writes_left =
            left.ok_or_else(|| StreamError::Trap(too_many_calls(self.writes_max)))?;
        for byte in bytes {
            if *byte != b'\n' {
                words.line.push(*byte);
            }
            if *byte == b'\n' || LINE_BYTES_MAX <= words.line.len() {
                let line = std::mem::take(&mut words.line);
                let line = String::from_utf8_lossy(&line);
                self.log.line(self.level, &line);
                if !line.trim().is_empty() && !line.starts_with("note: ") {
                    words.last = crate::guest_log::printable(&line, REASON_BYTES_MAX);
                }
            }
        }
        Ok(())
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PRINT_BYTES_MAX)
    }
}
