//! What a guest prints: its lines go to the log, and the last of them tells why it trapped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::bindings::context::Level;
use crate::guest_log::GuestLog;
use crate::limit_reached::LimitReached;
use crate::limits::REASON_BYTES_MAX;
use crate::printable::printable;
use crate::workplace::Workplace;

/// Bytes that may be printed at once; a guest prints more in several turns.
const PRINT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a printed line that are waited for; a longer one is logged in pieces.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// What an instance prints to its standard output and its standard error.
#[derive(Clone)]
pub(crate) struct Prints {
    pub(crate) output: Printed,
    pub(crate) errors: Printed,
}

impl Prints {
    /// With so many writes to each during one batch; one more traps.
    pub(crate) fn to(
        (log, workplace): (&Arc<GuestLog>, Option<&Arc<Workplace>>),
        writes_max: u32,
    ) -> Self {
        let printed = |level| Printed {
            words: Arc::new(Mutex::new(Words {
                level,
                log: Arc::clone(log),
                workplace: workplace.cloned(),
                line: Vec::new(),
                last: String::new(),
                writes_left: writes_max,
            })),
            writes_max,
        };
        Self {
            output: printed(Level::Info),
            errors: printed(Level::Warn),
        }
    }

    /// What a batch printed without an end of line is a line, and the next may write anew.
    pub(crate) fn begin_batch(&self) {
        self.output.begin_batch();
        self.errors.begin_batch();
    }

    /// The last line of the standard error: what a panic says that nobody told of.
    pub(crate) fn last_words(&self) -> String {
        let words = self.errors.lock();
        if words.line.is_empty() {
            words.last.clone()
        } else {
            let line = String::from_utf8_lossy(&words.line);
            words.log.clean(&line).into_owned()
        }
    }
}

/// A standard output whose lines go to the log.
#[derive(Clone)]
pub(crate) struct Printed {
    words: Arc<Mutex<Words>>,
    writes_max: u32,
}

struct Words {
    level: Level,
    log: Arc<GuestLog>,
    workplace: Option<Arc<Workplace>>,
    /// What was printed since the last end of line.
    line: Vec<u8>,
    /// The last line that said something.
    last: String,
    writes_left: u32,
}

impl Words {
    /// What was printed since the last line is one, whether or not its end was printed.
    fn end_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = self.log.clean(&line);
        self.log.line(self.level, &line, self.workplace.as_ref());
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

impl Printed {
    fn begin_batch(&self) {
        let mut words = self.lock();
        words.end_line();
        words.writes_left = self.writes_max;
    }

    fn lock(&self) -> MutexGuard<'_, Words> {
        // Each statement under the lock leaves the words whole.
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, bytes: &[u8]) -> Result<(), StreamError> {
        let mut words = self.lock();
        let Some(left) = words.writes_left.checked_sub(1) else {
            let reached = LimitReached::HostCalls(self.writes_max);
            return Err(StreamError::Trap(reached.into()));
        };
        words.writes_left = left;
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

    /// The first words of the lines that are in the log once an instance has printed and is gone.
    fn logged(print: impl FnOnce(&Prints)) -> Vec<String> {
        let lines = Lines::default();
        tracing::subscriber::with_default(lines.clone(), || {
            let name = PluginName::parse("a").unwrap();
            let name = (name, "v1".to_owned());
            let log = Arc::new(GuestLog::new(name, &Limits::default(), Arc::default()));
            print(&Prints::to((&log, None), 4));
        });
        let lines = lines.taken();
        let said = lines
            .iter()
            .filter_map(|line| line.split("message=").nth(1));
        let first_words = said.filter_map(|said| said.split_whitespace().next());
        first_words.map(str::to_owned).collect()
    }

    /// What was printed without an end of line was in no log, or only once its instance was gone.
    #[test]
    fn what_is_printed_without_an_end_of_line_is_a_line_when_the_batch_ends() {
        let said = logged(|prints| {
            for text in ["one\n", "t", "wo\n\n", "three"] {
                prints.errors.print(text.as_bytes()).unwrap();
            }
            prints.output.print(b"four").unwrap();
            assert_eq!(prints.last_words(), "three");
            prints.begin_batch();
            prints.errors.print(b"six").unwrap();
        });
        assert_eq!(said, ["one", "two", "four", "three", "six"]);
    }

    /// The standard output had the writes of one batch for all of them.
    #[test]
    fn each_batch_may_write_anew_to_either_output() {
        logged(|prints| {
            for batch in 0..3 {
                for printed in [&prints.output, &prints.errors] {
                    for _ in 0..4 {
                        printed.print(b".").unwrap();
                    }
                    let refused = printed.print(b".").unwrap_err().to_string();
                    assert!(refused.contains("host_calls = 4"), "{batch}: {refused}");
                }
                prints.begin_batch();
            }
        });
    }
}
