//! The last lines that a plugin logged, over all its versions, for whoever asks what it says. The
//! server's log has all lines; this is for those who do not have that at hand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use types::{Clock, Timestamp};

use crate::bindings::context::Level;

/// Lines that are kept of a plugin, and their bytes; the oldest go first.
const LINES_MAX: usize = 1_000;
const BYTES_MAX: usize = 256 * 1024;
/// Lines that a version may have before its plugin has it in force, as its `init` does; later ones
/// are not kept here.
const LINES_BEFORE_MAX: usize = 64;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its number: those of a plugin rise by one, also of lines that are gone, from 1 on at each
    /// start of the server.
    pub number: u64,
    /// When it was logged.
    pub at: Timestamp,
    /// The version that logged it: the first digits of its hash.
    pub version: Arc<str>,
    /// How it was logged, as logs name it.
    pub level: &'static str,
    /// Its text, bounded and without control characters.
    pub text: String,
}

/// The last lines of one plugin.
pub(crate) struct LogRing {
    kept: Mutex<Kept>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<LogLine>,
    bytes: usize,
    last: u64,
}

impl LogRing {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            kept: Mutex::default(),
            clock,
        }
    }

    /// Lines with a number above `after`, the oldest first, at most so many.
    pub(crate) fn after(&self, after: u64, lines_max: usize) -> Vec<LogLine> {
        let kept = self.lock();
        // Who has read further than there is was told by a server before this one.
        let after = if after > kept.last { 0 } else { after };
        let from = kept.lines.partition_point(|line| line.number <= after);
        kept.lines.range(from..).take(lines_max).cloned().collect()
    }

    fn push(&self, version: &Arc<str>, level: Level, text: String) {
        let at = self.clock.now();
        let mut kept = self.lock();
        kept.last += 1;
        kept.bytes += text.len();
        let number = kept.last;
        kept.lines.push_back(LogLine {
            number,
            at,
            version: Arc::clone(version),
            level: name(level),
            text,
        });
        while kept.lines.len() > LINES_MAX || kept.bytes > BYTES_MAX {
            let gone = kept.lines.pop_front();
            kept.bytes -= gone.map_or(0, |line| line.text.len());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing under the lock can leave the lines and their bytes apart.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the lines of one version go.
#[derive(Default)]
pub(crate) enum Sink {
    /// Its plugin does not have it in force yet.
    Before(Vec<(Level, String)>),
    /// Into the ring of its plugin, under this name of the version.
    Ring(Arc<LogRing>, Arc<str>),
    #[default]
    Empty,
}

impl Sink {
    pub(crate) fn line(&mut self, level: Level, text: &str) {
        match self {
            Self::Empty => *self = Self::Before(vec![(level, text.to_owned())]),
            Self::Before(lines) if lines.len() < LINES_BEFORE_MAX => {
                lines.push((level, text.to_owned()));
            }
            Self::Before(_) => {}
            Self::Ring(ring, version) => ring.push(version, level, text.to_owned()),
        }
    }

    /// From now on lines go into this ring, and those that were there before do.
    pub(crate) fn attach(&mut self, ring: &Arc<LogRing>, version: &str) {
        let version: Arc<str> = version.into();
        if let Self::Before(lines) = std::mem::take(self) {
            for (level, text) in lines {
                ring.push(&version, level, text);
            }
        }
        *self = Self::Ring(Arc::clone(ring), version);
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Trace => "TRACE",
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    }
}

#[cfg(test)]
mod tests {
    use types::ManualClock;

    use super::*;

    fn ring() -> Arc<LogRing> {
        Arc::new(LogRing::new(Arc::new(ManualClock::new(Timestamp(7)))))
    }

    fn numbers(lines: &[LogLine]) -> Vec<u64> {
        lines.iter().map(|line| line.number).collect()
    }

    #[test]
    fn lines_are_kept_up_to_their_number_and_their_bytes_and_never_numbered_anew() {
        let ring = ring();
        let mut sink = Sink::default();
        sink.line(Level::Info, "from init");
        sink.attach(&ring, "v1");
        for _ in 0..LINES_MAX {
            sink.line(Level::Warn, "x");
        }
        let all = ring.after(0, usize::MAX);
        assert_eq!(all.len(), LINES_MAX);
        assert_eq!((all[0].number, all[0].level), (2, "WARN"));
        sink.line(Level::Error, &"y".repeat(BYTES_MAX));
        let last = ring.after(0, usize::MAX);
        assert_eq!(numbers(&last), [LINES_MAX as u64 + 2]);
        assert_eq!(last[0].at, Timestamp(7));
    }

    #[test]
    fn who_reads_on_gets_what_came_since_of_all_versions() {
        let ring = ring();
        let mut sinks = [Sink::default(), Sink::default()];
        sinks[0].attach(&ring, "v1");
        sinks[1].attach(&ring, "v2");
        for turn in 0..3 {
            sinks[turn % 2].line(Level::Info, &turn.to_string());
        }
        assert_eq!(numbers(&ring.after(0, 2)), [1, 2]);
        let rest = ring.after(2, 2);
        assert_eq!((rest[0].text.as_str(), &*rest[0].version), ("2", "v1"));
        assert!(ring.after(3, 2).is_empty());
        assert_eq!(
            numbers(&ring.after(4, 1)),
            [1],
            "numbers of a server before this one"
        );
    }
}
