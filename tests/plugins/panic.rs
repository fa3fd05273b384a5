//! What the SDK tells of a panic, from a component that was built with it to the failed record and
//! the log.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use millrace_tests::base64;
use tracing_subscriber::filter::LevelFilter;

use crate::ground::{Ground, accounts_for};

/// The plugin, once `cargo xtask plugins` has built it.
const COMPONENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/panics/panics.wasm");
/// Where its source panics.
const PLACE: &str = "tests/plugins/panics/src/lib.rs:8:9";

/// What all tests of this program log.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines so far that hold these words.
fn logged(words: &str) -> Vec<String> {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    let log = String::from_utf8_lossy(&log);
    let lines = log.lines().filter(|line| line.contains(words));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn one_trap_tells_which_record_panicked_with_its_words_and_its_place_which_are_logged_once() {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::INFO)
        .with_ansi(false)
        .with_writer(|| Log);
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let component = std::fs::read(COMPONENT).expect("`cargo xtask plugins` was run");
    std::fs::write(directory.path().join("panics.wasm"), component).unwrap();
    let ground = Ground::start(directory).await;
    ground.stream_that_retries("panics", 0).await;

    let records = ["a", "b", "panic", "c"];
    ground.deliver("panics", &records).await;
    accounts_for(&ground.client.delivery("panics").await, records.len());
    assert_eq!(ground.delivered("panics"), ["a", "b", "c"]);
    let failed = ground.failed("panics");
    assert_eq!(failed.len(), 1, "{failed:?}");
    let said = format!("at {PLACE}: record 2 asked for it");
    assert_eq!(failed[0]["rawData"], base64("panic"));
    assert_eq!(failed[0]["errorMessage"], format!("it panicked {said}"));
    assert_eq!(failed[0]["attemptsMade"], 1);

    let page = ground.plugin("panics").await;
    assert_eq!(page["traps"], 1, "the trap names the record: {page}");
    assert_eq!(
        page["calls"], 3,
        "all, those before it, those after it: {page}"
    );
    let lines = logged("asked for it");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = &lines[0];
    assert!(line.contains(&format!("panicked {said}")), "{line}");
    assert!(line.contains("ERROR") && line.contains("panics"), "{line}");
}
