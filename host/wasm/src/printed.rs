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
/// Bytes of a printed line that are waited for. A longer one is logged in pieces, or not at all
/// where its plugin has secrets: a value may be longer than a piece, or lie across the end of one.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// What is logged in the place of such a line.
const NOT_SHOWN: &str =
    "[a line of more than 4 KiB is not shown, as the plugin has secrets that may be in it]";

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
                is_too_long: false,
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
            words.text()
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
    /// What was printed since the last end of line, or the begin of that.
    line: Vec<u8>,
    /// More was printed than is kept, and none of it is shown.
    is_too_long: bool,
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
        let line = self.text();
        (self.line, self.is_too_long) = (Vec::new(), false);
        self.log.line(self.level, &line, self.workplace.as_ref());
        if !line.trim().is_empty() && !line.starts_with("note: ") {
            self.last = printable(&line, REASON_BYTES_MAX);
        }
    }

    /// What was printed since the last line, as it may be told.
    fn text(&self) -> String {
        if self.is_too_long {
            return NOT_SHOWN.to_owned();
        }
        let line = String::from_utf8_lossy(&self.line);
        self.log.clean(&line).into_owned()
    }

    /// One more byte of the line.
    fn push(&mut self, byte: u8) {
        if self.is_too_long {
            return;
        }
        if self.line.len() >= LINE_BYTES_MAX {
            if self.log.has_secrets() {
                self.is_too_long = true;
                return;
            }
            self.end_line();
        }
        self.line.push(byte);
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
            words.push(*byte);
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
    use std::collections::BTreeMap;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::grant_book::{GrantBook, GrantSettings};
    use crate::guest_log::Lines;
    use crate::limits::Limits;
    use crate::name::PluginName;
    use crate::secret::SecretName;

    /// What is in the log once an instance has printed, of a plugin with these grants, and is gone.
    fn lines(grants: Arc<GrantBook>, print: impl FnOnce(&Prints)) -> Vec<String> {
        let lines = Lines::default();
        tracing::subscriber::with_default(lines.clone(), || {
            let name = PluginName::parse("a").unwrap();
            let name = (name, "v1".to_owned());
            let log = Arc::new(GuestLog::new(name, &Limits::default(), grants));
            print(&Prints::to((&log, None), 4));
        });
        lines.taken()
    }

    /// The first words of these lines.
    fn logged(print: impl FnOnce(&Prints)) -> Vec<String> {
        let lines = lines(Arc::default(), print);
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

    /// A line was cut before its values were looked for: parts of them stood there.
    #[test]
    fn no_part_of_a_secret_is_logged_of_a_line_that_is_longer_than_a_piece() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let value = "hush".repeat(2 * 1024);
        fs::write(&file, &value).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let settings = GrantSettings {
            secrets: BTreeMap::from([(SecretName::parse("key").unwrap(), file)]),
            ..GrantSettings::default()
        };
        let plugin = PluginName::parse("a").unwrap();
        let grants = Arc::new(GrantBook::open(BTreeMap::from([(plugin, settings)])));
        let said = lines(grants, |prints| {
            prints.errors.print(value.as_bytes()).unwrap();
            assert_eq!(prints.last_words(), NOT_SHOWN);
            prints.errors.print(b"\nafter it\n").unwrap();
        });
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains(NOT_SHOWN), "{}", said[0]);
        assert!(said[1].contains("after it"), "{}", said[1]);
        assert!(!said.concat().contains("hush"));
    }

    #[test]
    fn a_line_that_is_longer_than_a_piece_is_logged_in_pieces_where_there_are_no_secrets() {
        let said = logged(|prints| {
            let long = "x".repeat(LINE_BYTES_MAX);
            prints.errors.print(long.as_bytes()).unwrap();
            prints.errors.print(b"yes\n").unwrap();
        });
        assert_eq!(said.len(), 2);
        assert!(said[0].starts_with('x') && said[1] == "yes", "{said:?}");
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
