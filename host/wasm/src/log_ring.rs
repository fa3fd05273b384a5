//! The last lines that a plugin logged, over all its versions, for whoever asks what it says. The
//! server's log has all lines; this is for those who do not have that at hand.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use types::{Clock, Timestamp};

use crate::bindings::context::Level;
use crate::workplace::Workplace;

/// Lines that are kept of a plugin, and their bytes; the oldest go first.
const LINES_MAX: usize = 1_000;
const BYTES_MAX: usize = 256 * 1024;
/// Lines that a version may have before its plugin has it in force, as its `init` does; later ones
/// are not kept here.
const LINES_BEFORE_MAX: usize = 64;

/// How grave a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What only its author wants to know, of each record.
    #[default]
    Trace,
    /// What only its author wants to know.
    Debug,
    /// What happens.
    Info,
    /// What goes on in a poorer way.
    Warn,
    /// What somebody must look at.
    Error,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its number: those of a plugin rise by one, also of lines that are gone, from 1 on in each
    /// run.
    pub number: u64,
    /// When it was logged.
    pub at: Timestamp,
    /// The version that logged it: the first digits of its hash.
    pub version: Arc<str>,
    /// Where the instance works that logged it, if that is known.
    pub at_work: Option<Arc<Workplace>>,
    /// How it was logged.
    pub level: LogLevel,
    /// Its text, bounded and without control characters.
    pub text: String,
}

/// Which lines of a plugin are wanted.
#[derive(Clone, Debug, Default)]
pub struct LogAsked {
    /// Those with a greater number.
    pub after: u64,
    /// The run whose number that is, if it was told. The numbers of another run mean nothing, so
    /// that all lines are wanted.
    pub run: Option<String>,
    /// Those of the version whose hash begins so.
    pub version: Option<String>,
    /// Those of this shard.
    pub shard: Option<String>,
    /// Those that are at least as grave.
    pub level: LogLevel,
}

/// Lines that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRead {
    /// What tells the numbers of lines from those of a plugin of the same name before, or of a
    /// server before.
    pub run: String,
    /// The lines, the oldest first.
    pub lines: Vec<LogLine>,
    /// Whoever reads on asks for those after this.
    pub next: u64,
    /// Lines that were gone before they were read, whatever they said.
    pub missed: u64,
}

/// The last lines of one plugin.
pub(crate) struct LogRing {
    run: String,
    kept: Mutex<Kept>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<LogLine>,
    bytes: usize,
    last: u64,
}

impl LogLevel {
    const ALL: [Self; 5] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
    ];

    /// As logs name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }

    /// The level of that name, in small or capital letters.
    pub fn parse(name: &str) -> Option<Self> {
        let is_it = |level: &Self| level.as_str().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(is_it)
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

impl LogAsked {
    fn wants(&self, line: &LogLine) -> bool {
        let shard = line.at_work.as_ref().and_then(|at| at.shard.as_deref());
        line.level >= self.level
            && self.shard.as_deref().is_none_or(|it| Some(it) == shard)
            && self.version.as_deref().is_none_or(|wanted| {
                // One is shown by its first digits, and may be asked for by more of them.
                line.version.starts_with(wanted) || wanted.starts_with(&*line.version)
            })
    }
}

impl LogRing {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            run: new_run(clock.now()),
            kept: Mutex::default(),
            clock,
        }
    }

    /// The lines that are wanted, the oldest first, at most so many.
    pub(crate) fn read(&self, asked: &LogAsked, lines_max: usize) -> LogRead {
        let kept = self.lock();
        let is_of_run = asked.run.as_ref().is_none_or(|run| *run == self.run);
        // Who has read further than there is was told by a server before this one.
        let after = if is_of_run && asked.after <= kept.last {
            asked.after
        } else {
            0
        };
        let first = kept.lines.front().map_or(kept.last + 1, |line| line.number);
        let from = kept.lines.partition_point(|line| line.number <= after);
        let wanted = kept.lines.range(from..).filter(|line| asked.wants(line));
        let lines: Vec<_> = wanted.take(lines_max).cloned().collect();
        let is_full = lines.len() == lines_max;
        let read_to = lines.last().filter(|_| is_full).map(|line| line.number);
        LogRead {
            run: self.run.clone(),
            next: read_to.unwrap_or(kept.last),
            missed: first.saturating_sub(after + 1),
            lines,
        }
    }

    fn push(&self, version: &Arc<str>, (level, text): Said, at_work: Option<Arc<Workplace>>) {
        let at = self.clock.now();
        let mut kept = self.lock();
        kept.last += 1;
        kept.bytes += text.len();
        let number = kept.last;
        kept.lines.push_back(LogLine {
            number,
            at,
            version: Arc::clone(version),
            at_work,
            level: level.into(),
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

/// What no other ring has, of this process or of one before it.
fn new_run(now: Timestamp) -> String {
    static RINGS: AtomicU64 = AtomicU64::new(0);
    let ring = RINGS.fetch_add(1, Ordering::Relaxed);
    format!("{:x}-{:x}-{ring:x}", now.0, std::process::id())
}

/// What a line says, and how.
type Said = (Level, String);

/// Where the lines of one version go.
#[derive(Default)]
pub(crate) enum Sink {
    /// Its plugin does not have it in force yet.
    Before(Vec<(Said, Option<Arc<Workplace>>)>),
    /// Into the ring of its plugin, under this name of the version.
    Ring(Arc<LogRing>, Arc<str>),
    #[default]
    Empty,
}

impl Sink {
    pub(crate) fn line(&mut self, level: Level, text: &str, at: Option<&Arc<Workplace>>) {
        let (said, at) = ((level, text.to_owned()), at.cloned());
        match self {
            Self::Empty => *self = Self::Before(vec![(said, at)]),
            Self::Before(lines) if lines.len() < LINES_BEFORE_MAX => lines.push((said, at)),
            Self::Before(_) => {}
            Self::Ring(ring, version) => ring.push(version, said, at),
        }
    }

    /// From now on lines go into this ring, and those that were there before do.
    pub(crate) fn attach(&mut self, ring: &Arc<LogRing>, version: &str) {
        let version: Arc<str> = version.into();
        if let Self::Before(lines) = std::mem::take(self) {
            for (said, at) in lines {
                ring.push(&version, said, at);
            }
        }
        *self = Self::Ring(Arc::clone(ring), version);
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
        sink.line(Level::Info, "from init", None);
        sink.attach(&ring, "v1");
        for _ in 0..LINES_MAX {
            sink.line(Level::Warn, "x", None);
        }
        let all = ring.read(&LogAsked::default(), usize::MAX).lines;
        assert_eq!(all.len(), LINES_MAX);
        assert_eq!((all[0].number, all[0].level), (2, LogLevel::Warn));
        sink.line(Level::Error, &"y".repeat(BYTES_MAX), None);
        let last = ring.read(&LogAsked::default(), usize::MAX).lines;
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
            sinks[turn % 2].line(Level::Info, &turn.to_string(), None);
        }
        let after = |after| LogAsked {
            after,
            ..LogAsked::default()
        };
        let first = ring.read(&after(0), 2);
        assert_eq!((numbers(&first.lines), first.next), (vec![1, 2], 2));
        let rest = ring.read(&after(2), 2);
        let line = &rest.lines[0];
        assert_eq!((line.text.as_str(), &*line.version), ("2", "v1"));
        assert_eq!((rest.next, rest.missed), (3, 0));
        let none = ring.read(&after(3), 2);
        assert!(none.lines.is_empty());
        let of_another = LogAsked {
            run: Some("another".to_owned()),
            ..after(3)
        };
        for of_before in [after(4), of_another] {
            let again = ring.read(&of_before, 1);
            assert_eq!(numbers(&again.lines), [1], "numbers of a server before");
        }
    }

    #[test]
    fn lines_are_chosen_by_version_shard_and_level_and_passed_over_all_the_same() {
        let ring = ring();
        let at = |shard: &str| {
            Arc::new(Workplace {
                account: types::AccountId::parse("000000000000").unwrap(),
                of: crate::workplace::WorksFor::Application("app".to_owned()),
                shard: Some(shard.to_owned()),
            })
        };
        let mut sinks = [Sink::default(), Sink::default()];
        sinks[0].attach(&ring, "aaa");
        sinks[1].attach(&ring, "bbb");
        sinks[0].line(Level::Info, "one", Some(&at("s-0")));
        sinks[1].line(Level::Warn, "two", Some(&at("s-1")));
        sinks[1].line(Level::Debug, "three", None);
        let read = |asked: LogAsked| {
            let read = ring.read(&asked, 10);
            (numbers(&read.lines), read.next)
        };
        let all = LogAsked::default;
        let version = Some("bbbbbb".to_owned());
        let of_version = LogAsked { version, ..all() };
        assert_eq!(read(of_version), (vec![2, 3], 3));
        let shard = Some("s-0".to_owned());
        assert_eq!(read(LogAsked { shard, ..all() }), (vec![1], 3));
        let level = LogLevel::Info;
        assert_eq!(read(LogAsked { level, ..all() }), (vec![1, 2], 3));
    }

    #[test]
    fn lines_that_were_gone_before_they_were_read_are_counted() {
        let ring = ring();
        let mut sink = Sink::default();
        sink.attach(&ring, "v1");
        for _ in 0..LINES_MAX + 5 {
            sink.line(Level::Info, "x", None);
        }
        let after = LogAsked {
            after: 2,
            ..LogAsked::default()
        };
        let read = ring.read(&after, 1);
        assert_eq!((read.missed, numbers(&read.lines)), (3, vec![6]));
    }
}
