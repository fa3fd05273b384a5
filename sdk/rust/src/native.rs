//! The host's part in a native test: what a component would import from `context`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::bindings::millrace::plugin::context::Level;

// Tests run side by side, each on a thread of its own.
thread_local! {
    /// What `config` answers.
    pub(crate) static CONFIG: RefCell<BTreeMap<String, String>> = const {
        RefCell::new(BTreeMap::new())
    };
    /// What has been counted.
    pub(crate) static COUNTERS: RefCell<BTreeMap<String, u64>> = const {
        RefCell::new(BTreeMap::new())
    };
    /// What `now_ms` answers; none is the machine's clock.
    pub(crate) static NOW_MS: Cell<Option<u64>> = const { Cell::new(None) };
}

pub(crate) fn log(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}

pub(crate) fn counter(name: &str, by: u64) {
    COUNTERS.with_borrow_mut(|counters| {
        let count = counters.entry(name.to_owned()).or_default();
        *count = count.saturating_add(by);
    });
}

pub(crate) fn config(key: &str) -> Option<String> {
    CONFIG.with_borrow(|config| config.get(key).cloned())
}

pub(crate) fn now_ms() -> u64 {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 counts as 1970.
    let elapsed = || clock().unwrap_or_default().as_millis();
    let of_machine = || u64::try_from(elapsed()).unwrap_or(u64::MAX);
    NOW_MS.get().unwrap_or_else(of_machine)
}
