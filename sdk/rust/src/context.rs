//! What the host offers a plugin.

use crate::Error;
use crate::host::{context as host, secrets};

/// The value of `key` in the table `[config]` of the plugin's manifest. It does not change while
/// an instance lives: read it in the `init` function.
///
/// In a native test it is what [`testing::with_config`](crate::testing::with_config) says, and
/// nothing outside of that.
pub fn config(key: &str) -> Option<String> {
    host::config(key)
}

/// The value of a secret, as it is now: operators change them, so that it is asked for anew in each
/// batch. The plugin's manifest asks for it in `[grants]`, and the operator grants it with a file.
/// Its value does not belong into logs, from which the host takes it out, and not into reasons.
///
/// In a native test it is what [`testing::with_secrets`](crate::testing::with_secrets) says.
///
/// # Errors
/// When it is not asked for, or not granted: the reason says what to write where.
pub fn secret(name: &str) -> Result<Vec<u8>, Error> {
    secrets::get(name).map_err(Error::new)
}

/// Adds `by` to a counter of the plugin's own, which the host publishes among its metrics. A name
/// is 1 to 64 of `a-z`, `0-9` and `_`; others, and names beyond the first 64, are left out. Each
/// call crosses to the host, which allows a batch 10,000 calls unless it is told otherwise.
///
/// In a native test [`testing::counted`](crate::testing::counted) shows the counters.
pub fn counter(name: &str, by: u64) {
    host::counter(name, by);
}

/// A counter of the plugin's own whose name was looked at when the plugin was compiled.
///
/// ```
/// use millrace_sdk::Counter;
///
/// static TOO_LONG: Counter = Counter::new("too_long");
///
/// TOO_LONG.add(1);
/// ```
pub struct Counter(&'static str);

impl Counter {
    /// A counter of this name, 1 to 64 of `a-z`, `0-9` and `_`.
    ///
    /// # Panics
    /// With another name: a `static` of it does not compile.
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= 64, "1 to 64 characters");
        let mut place = 0;
        while place < bytes.len() {
            let allowed = matches!(bytes[place], b'a'..=b'z' | b'0'..=b'9' | b'_');
            assert!(allowed, "only a-z, 0-9 and _");
            place += 1;
        }
        Self(name)
    }

    /// Adds to it: see [`counter`].
    pub fn add(&self, by: u64) {
        counter(self.0, by);
    }
}

/// Milliseconds since 1970. Stands still while one batch is worked on, so that the same records
/// give the same output when they are worked on again.
///
/// In a native test it is what [`testing::at_ms`](crate::testing::at_ms) says, and the machine's
/// clock outside of that.
pub fn now_ms() -> u64 {
    host::now_ms()
}

/// Lines of the host's log, under the plugin's name. The host cuts long lines, and counts and
/// leaves out those beyond the plugin's share. A line must not hold a record's data: logs are
/// read by others than records are.
///
/// In a native test a line is printed to standard error.
pub mod log {
    use super::host;
    use crate::bindings::imports::context::Level;

    /// What each record does.
    pub fn trace(message: impl AsRef<str>) {
        host::log(Level::Trace, message.as_ref());
    }

    /// What helps to find a mistake in the plugin.
    pub fn debug(message: impl AsRef<str>) {
        host::log(Level::Debug, message.as_ref());
    }

    /// What an operator may want to know.
    pub fn info(message: impl AsRef<str>) {
        host::log(Level::Info, message.as_ref());
    }

    /// The plugin goes on in a poorer way.
    pub fn warn(message: impl AsRef<str>) {
        host::log(Level::Warn, message.as_ref());
    }

    /// Someone must look.
    pub fn error(message: impl AsRef<str>) {
        host::log(Level::Error, message.as_ref());
    }
}
