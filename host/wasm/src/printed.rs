//! What a guest prints: its lines go to the log, and the last of them tells why it trapped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::bindings::context::Level;
use crate::guest_log::{GuestLog, printable};
use crate::limits::{REASON_BYTES_MAX, too_many_calls};

/// Bytes that may be printed at once; a guest prints more in several turns.
const PRINT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a printed line that are waited for; a longer one is logged in pieces.
const LINE_BYTES_MAX: usize = 4 * 1024;

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

    /// From now on lines go to this log.
    pub(crate) fn go_to(&self, level: Level, log: &Arc<GuestLog>) {
        self.lock().log = Some((level, Arc::clone(log)));
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
pub(crate) struct Printed {
    pub(crate) shared: LastWords,
    pub(crate) writes_max: u32,
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
