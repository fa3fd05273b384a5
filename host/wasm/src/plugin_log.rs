//! The last lines that a plugin logged, over all its versions, for whoever asks what it says. The
//! server's log has all lines; this is for those who do not have that at hand.

use std::sync::Arc;

use types::{Clock, LogBounds, LogFrom, LogPart, LogRing};

use crate::bindings::context::Level;
use crate::workplace::Workplace;

/// What is kept of a plugin.
const BOUNDS: LogBounds = LogBounds {
    entries_max: 1_000,
    bytes_max: 256 * 1024,
};
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

/// One line, with who said it where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
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
    /// Where it is read on.
    pub from: LogFrom,
    /// Those of the version whose hash begins so.
    pub version: Option<String>,
    /// Those of this shard.
    pub shard: Option<String>,
    /// Those that are at least as grave.
    pub level: LogLevel,
}

/// The last lines of one plugin.
pub(crate) struct PluginLog(LogRing<LogLine>);

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

impl PluginLog {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self(LogRing::new(clock, BOUNDS))
    }

    /// The lines that are wanted, the oldest first, at most so many.
    pub(crate) fn read(&self, asked: &LogAsked, lines_max: usize) -> LogPart<LogLine> {
        self.0
            .read(&asked.from, lines_max, |line| asked.wants(line))
    }

    fn push(&self, line: LogLine) {
        let bytes = line.text.len();
        self.0.push(line, bytes);
    }
}

/// Where the lines of one version go.
#[derive(Default)]
pub(crate) enum Sink {
    /// Its plugin does not have it in force yet.
    Before(Vec<Nameless>),
    /// Into the log of its plugin, under this name of the version.
    Log(Arc<PluginLog>, Arc<str>),
    #[default]
    Empty,
}

/// A line of a version whose name in the log is not known yet.
pub(crate) struct Nameless {
    at_work: Option<Arc<Workplace>>,
    level: LogLevel,
    text: String,
}

impl Nameless {
    fn named(self, version: &Arc<str>) -> LogLine {
        let Self {
            at_work,
            level,
            text,
        } = self;
        LogLine {
            version: Arc::clone(version),
            at_work,
            level,
            text,
        }
    }
}

impl Sink {
    pub(crate) fn line(&mut self, level: Level, text: &str, at: Option<&Arc<Workplace>>) {
        let line = Nameless {
            at_work: at.cloned(),
            level: level.into(),
            text: text.to_owned(),
        };
        match self {
            Self::Empty => *self = Self::Before(vec![line]),
            Self::Before(lines) if lines.len() < LINES_BEFORE_MAX => lines.push(line),
            Self::Before(_) => {}
            Self::Log(log, version) => log.push(line.named(version)),
        }
    }

    /// From now on lines go into this log, and those that were there before do.
    pub(crate) fn attach(&mut self, log: &Arc<PluginLog>, version: &str) {
        let version: Arc<str> = version.into();
        if let Self::Before(lines) = std::mem::take(self) {
            for line in lines {
                log.push(line.named(&version));
            }
        }
        *self = Self::Log(Arc::clone(log), version);
    }
}

#[cfg(test)]
mod tests {
    use types::{LogEntry, ManualClock, Timestamp};

    use super::*;

    fn log() -> Arc<PluginLog> {
        Arc::new(PluginLog::new(Arc::new(ManualClock::new(Timestamp(7)))))
    }

    fn numbers(lines: &[LogEntry<LogLine>]) -> Vec<u64> {
        lines.iter().map(|line| line.number).collect()
    }

    #[test]
    fn what_a_version_says_before_it_is_in_force_comes_first_under_its_name() {
        let log = log();
        let mut sinks = [Sink::default(), Sink::default()];
        for _ in 0..=LINES_BEFORE_MAX {
            sinks[0].line(Level::Error, "from init", None);
        }
        sinks[1].attach(&log, "v2");
        sinks[1].line(Level::Info, "at work", None);
        sinks[0].attach(&log, "v1");
        sinks[0].line(Level::Warn, "at work", None);
        let lines = log.read(&LogAsked::default(), usize::MAX).entries;
        let said = lines
            .iter()
            .map(|line| (&*line.what.version, line.what.level));
        let said: Vec<_> = said.collect();
        let mut expected = vec![("v2", LogLevel::Info)];
        expected.extend([("v1", LogLevel::Error); LINES_BEFORE_MAX]);
        expected.push(("v1", LogLevel::Warn));
        assert_eq!(said, expected);
        assert_eq!(
            (lines[1].what.text.as_str(), lines[1].at),
            ("from init", Timestamp(7))
        );
    }

    #[test]
    fn lines_are_chosen_by_version_shard_and_level_and_passed_over_all_the_same() {
        let log = log();
        let at = |shard: &str| {
            Arc::new(Workplace {
                account: types::AccountId::parse("000000000000").unwrap(),
                of: crate::workplace::WorksFor::Application("app".to_owned()),
                shard: Some(shard.to_owned()),
            })
        };
        let mut sinks = [Sink::default(), Sink::default()];
        sinks[0].attach(&log, "aaa");
        sinks[1].attach(&log, "bbb");
        sinks[0].line(Level::Info, "one", Some(&at("s-0")));
        sinks[1].line(Level::Warn, "two", Some(&at("s-1")));
        sinks[1].line(Level::Debug, "three", None);
        let read = |asked: LogAsked| {
            let read = log.read(&asked, 10);
            (numbers(&read.entries), read.next)
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
}
