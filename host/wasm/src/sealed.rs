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
use crate::guest_log::{GuestLog, printable};
use crate::limits::{CallLimits, REASON_BYTES_MAX};
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
    limits: CallLimits,
) -> WasiCtx {
    let writes_max = limits.host_calls_max;
    last_words.begin_batch(writes_max);
    let printed = |level, last_words: Option<&LastWords>| {
        let shared = last_words.cloned().unwrap_or_default();
        shared.lock().log = Some((level, Arc::clone(log)));
        Printed { shared, writes_max }
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
        .max_random_size(limits.random_bytes_max)
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
    /// Where lines go.
    log: Option<(Level, Arc<GuestLog>)>,
    line: Vec<u8>,
    last: String,
    writes_left: u32,
}

impl LastWords {
    pub(crate) fn text(&self) -> String {
        let words = self.lock();
        if words.line.is_empty() {
            words.last.clone()
        } else {
            String::from_utf8_lossy(&words.line).into_owned()
        }
    }

    pub(crate) fn begin_batch(&self, writes_max: u32) {
        let mut words = self.lock();
        words.end_line();
        words.writes_left = writes_max;
    }

    fn lock(&self) -> MutexGuard<'_, Words> {
        // Each statement under the lock leaves the words whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Words {
    /// What was printed since the last line is one, whether or not its end was printed.
    fn end_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if let Some((level, log)) = &self.log {
            log.line(*level, &line);
        }
        if !line.trim().is_empty() && !line.starts_with("note: ") {
            self.last = printable(&line, REASON_BYTES_MAX);
        }
    }
}

impl Drop for Words {
    /// The instance is gone: nothing ends the line any more.
    fn drop(&mut self) {
        self.end_line();
    }
}

/// A standard output whose lines go to the log.
#[derive(Clone)]
struct Printed {
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
            if *byte == b'\n' {
                words.end_line();
                continue;
            }
            words.line.push(*byte);
            if words.line.len() >= LINE_BYTES_MAX {
                words.end_line();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest_log::Lines;
    use crate::limits::Limits;
    use crate::name::PluginName;

    /// What `eprint!` wrote without an end of line was in no log.
    #[test]
    fn what_is_printed_without_an_end_of_line_is_a_line_when_the_batch_ends() {
        let lines = Lines::default();
        tracing::subscriber::with_default(lines.clone(), || {
            let name = PluginName::parse("a").unwrap();
            let log = Arc::new(GuestLog::new(name, &Limits::default()));
            let words = LastWords::default();
            words.lock().log = Some((Level::Warn, log));
            words.begin_batch(100);
            let printed = Printed {
                shared: words.clone(),
                writes_max: 100,
            };
            for text in ["one\n", "t", "wo\n\n", "three"] {
                printed.print(text.as_bytes()).unwrap();
            }
            assert_eq!(words.text(), "three");
            words.begin_batch(100);
            printed.print(b"four").unwrap();
        });
        let lines = lines.taken();
        let said: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.split("message=").nth(1))
            .collect();
        assert_eq!(said.len(), 4, "{lines:?}");
        for (said, wanted) in said.iter().zip(["one", "two", "three", "four"]) {
            assert!(said.starts_with(wanted), "{said}");
        }
    }
}
