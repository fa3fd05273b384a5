//! Standard error as the log is written to. It may lie on a disk that is full, or be a pipe that
//! nobody reads any more: a line that cannot be written is dropped and counted, and whoever logged
//! it goes on.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_subscriber::fmt::MakeWriter;

/// Where log lines go.
pub(crate) struct LogOutput {
    lost: Arc<AtomicU64>,
}

impl LogOutput {
    /// Counts in `lost` the lines that could not be written.
    pub(crate) fn new(lost: Arc<AtomicU64>) -> Self {
        Self { lost }
    }
}

impl<'a> MakeWriter<'a> for LogOutput {
    type Writer = Line<'a, io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        Line {
            to: io::stderr(),
            lost: &self.lost,
        }
    }
}

/// One line. Writing it never fails, because the subscriber takes a failure to standard error, and
/// panics where that fails as well.
pub(crate) struct Line<'a, W> {
    to: W,
    lost: &'a AtomicU64,
}

impl<W: Write> Write for Line<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.to.write_all(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_the_next_one_is_written() {
        let (mut room, lost) = ([0; 8], AtomicU64::new(0));
        for line in ["long enough\n", "line\n"] {
            let mut to = Line {
                to: &mut room[..],
                lost: &lost,
            };
            assert_eq!(to.write(line.as_bytes()).unwrap(), line.len());
        }
        assert_eq!(lost.into_inner(), 1);
        assert_eq!(&room[..5], b"line\n");
    }
}
