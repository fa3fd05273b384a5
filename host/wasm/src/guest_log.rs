//! What a plugin says: lines of the host's log and counters among its metrics, both bounded.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::bindings::context::Level;
use crate::grant_book::GrantBook;
use crate::limits::{COUNTER_NAME_CHARS_MAX, COUNTERS_MAX, Limits, REASON_BYTES_MAX};
use crate::name::PluginName;
use crate::plugin_log::{PluginLog, Sink};
use crate::printable::printable;
use crate::workplace::{Workplace, WorksFor};

/// Where a version's lines and counts go. All instances of the version share it.
pub(crate) struct GuestLog {
    name: PluginName,
    /// The first digits of the version's hash.
    version: String,
    line_bytes_max: usize,
    bytes_per_second_max: u32,
    budget: Mutex<Budget>,
    lines_left_out: AtomicU64,
    counters: Mutex<BTreeMap<String, u64>>,
    sink: Mutex<Sink>,
    /// What must not be in any of it.
    grants: Arc<GrantBook>,
}

/// Bytes that may still be logged.
#[derive(Debug)]
struct Budget {
    bytes: u32,
    filled_at: Instant,
}

impl GuestLog {
    pub(crate) fn new(
        (name, version): (PluginName, String),
        limits: &Limits,
        grants: Arc<GrantBook>,
    ) -> Self {
        Self {
            name,
            version,
            line_bytes_max: limits.log_line_bytes_max,
            bytes_per_second_max: limits.log_bytes_per_second_max,
            budget: Mutex::new(Budget {
                bytes: limits.log_bytes_per_second_max,
                filled_at: Instant::now(),
            }),
            lines_left_out: AtomicU64::new(0),
            counters: Mutex::default(),
            sink: Mutex::default(),
            grants,
        }
    }

    /// The first digits of the version's hash.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// From now on its lines are kept in the ring of its plugin, too.
    pub(crate) fn attach(&self, ring: &Arc<PluginLog>) {
        lock(&self.sink).attach(ring, &self.version);
    }

    /// Writes one line that is said at a workplace, cut and without control characters: a line of
    /// a plugin must not look like several, or move a terminal's cursor.
    pub(crate) fn line(&self, level: Level, text: &str, at: Option<&Arc<Workplace>>) {
        let text = printable(&self.clean(text), self.line_bytes_max);
        if !self.afford(text.len()) {
            self.lines_left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        lock(&self.sink).line(level, &text, at);
        self.trace(level, &text, at.map(|at| &**at));
    }

    /// The line in the log of the server.
    fn trace(&self, level: Level, text: &str, at: Option<&Workplace>) {
        let (plugin, version) = (self.name.as_str(), self.version.as_str());
        let shard = at.and_then(|at| at.shard.as_deref());
        let account = at.map(|at| tracing::field::display(at.account));
        let (delivery_stream, application) = match at.map(|at| &at.of) {
            Some(WorksFor::DeliveryStream(name)) => (Some(name.as_str()), None),
            Some(WorksFor::Application(name)) => (None, Some(name.as_str())),
            None => (None, None),
        };
        // The level of an event is fixed where it is written.
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(
                    target: "plugin",
                    plugin, version, account, delivery_stream, application, shard, "{text}"
                )
            };
        }
        match level {
            Level::Trace => event!(trace),
            Level::Debug => event!(debug),
            Level::Info => event!(info),
            Level::Warn => event!(warn),
            Level::Error => event!(error),
        }
    }

    /// What the plugin says, without the values of its secrets.
    pub(crate) fn clean<'text>(&self, text: &'text str) -> Cow<'text, str> {
        self.grants.clean(&self.name, text)
    }

    /// Whether what the plugin says may have to be cleaned: a text that is cut before that may show
    /// a part of a value, which nobody would find.
    pub(crate) fn has_secrets(&self) -> bool {
        self.grants.has_secrets(&self.name)
    }

    /// The same as it is shown and kept.
    pub(crate) fn told(&self, text: &str) -> String {
        printable(&self.clean(text), REASON_BYTES_MAX)
    }

    /// Adds to a counter; a bad name, one that tells a secret, or one too many, is left out.
    pub(crate) fn count(&self, name: &str, by: u64) {
        let fits = (1..=COUNTER_NAME_CHARS_MAX).contains(&name.len());
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let tells = || matches!(self.clean(name), Cow::Owned(_));
        if !fits || !name.bytes().all(allowed) || tells() {
            return;
        }
        let mut counters = lock(&self.counters);
        let is_full = counters.len() >= COUNTERS_MAX;
        match counters.get_mut(name) {
            Some(count) => *count = count.saturating_add(by),
            None if is_full => {}
            None => {
                counters.insert(name.to_owned(), by);
            }
        }
    }

    pub(crate) fn counters(&self) -> BTreeMap<String, u64> {
        lock(&self.counters).clone()
    }

    pub(crate) fn lines_left_out(&self) -> u64 {
        self.lines_left_out.load(Ordering::Relaxed)
    }

    fn afford(&self, bytes: usize) -> bool {
        let mut budget = lock(&self.budget);
        let passed = budget.filled_at.elapsed().as_secs();
        if passed > 0 {
            *budget = Budget {
                bytes: self.bytes_per_second_max,
                filled_at: Instant::now(),
            };
        }
        let left = u32::try_from(bytes)
            .ok()
            .and_then(|b| budget.bytes.checked_sub(b));
        if let Some(left) = left {
            budget.bytes = left;
        }
        left.is_some()
    }
}

/// Every statement under these locks leaves their values whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) use lines::Lines;

#[cfg(test)]
mod lines {
    use std::fmt::{Debug, Write};
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::lock;

    /// Takes every event's fields as text.
    #[derive(Clone, Default)]
    pub(crate) struct Lines(Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl Lines {
        /// The lines so far.
        pub(crate) fn taken(&self) -> Vec<String> {
            lock(&self.0).clone()
        }
    }

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            write!(self.0, "{field}={value:?} ").unwrap();
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let metadata = event.metadata();
            let mut line = Line(format!("{} {} ", metadata.level(), metadata.target()));
            event.record(&mut line);
            lock(&self.0).push(line.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> GuestLog {
        let limits = Limits {
            log_bytes_per_second_max: 100,
            ..Limits::default()
        };
        let name = PluginName::parse("a").unwrap();
        GuestLog::new((name, "v1".to_owned()), &limits, Arc::default())
    }

    #[test]
    fn a_flood_of_lines_is_cut_off_and_counted() {
        let log = log();
        for _ in 0..1_000 {
            log.line(Level::Info, "ten bytes.", None);
        }
        // A second may pass on a slow machine, hardly fifty.
        assert!((500..=990).contains(&log.lines_left_out()));
    }

    #[test]
    fn counters_have_plain_names_and_a_limit() {
        let log = log();
        for bad in ["", "A", "a b", &"x".repeat(65)] {
            log.count(bad, 1);
        }
        assert!(log.counters().is_empty());
        for number in 0..1_000 {
            log.count(&format!("c{number}"), 1);
        }
        log.count("c0", u64::MAX);
        assert_eq!(log.counters().len(), COUNTERS_MAX);
        assert_eq!(log.counters()["c0"], u64::MAX);
    }

    #[test]
    fn a_line_stands_in_the_log_once_cut_under_its_plugin_and_cannot_look_like_another() {
        let lines = Lines::default();
        let name = PluginName::parse("a").unwrap();
        let log = GuestLog::new((name, "v1".to_owned()), &Limits::default(), Arc::default());
        tracing::subscriber::with_default(lines.clone(), || {
            log.line(
                Level::Info,
                "one\n2026-01-01 ERROR another\r\x1b[2J\u{9b}31m\0",
                None,
            );
            log.line(Level::Error, &"x".repeat(1024 * 1024), None);
        });
        let lines = lines.taken();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("INFO plugin "), "{}", lines[0]);
        assert!(lines[0].contains("plugin=\"a\""), "{}", lines[0]);
        assert!(!lines[0].contains(char::is_control), "{}", lines[0]);
        assert!(lines[0].contains("one\\n2026-01-01"), "{}", lines[0]);
        assert!(lines[1].starts_with("ERROR plugin "));
        assert!(lines[1].len() < 1_200, "{} bytes", lines[1].len());
    }
}
