//! What is logged, on one thread and on all.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// What all threads were told.
static ALL_LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Where each thread writes for itself. One subscriber serves them all: whether a line is logged is
/// decided once for the process, by the subscribers that there are at that moment.
#[derive(Clone, Copy)]
struct OfThread;

impl Write for OfThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        all_lines().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn all_lines() -> MutexGuard<'static, Vec<u8>> {
    ALL_LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What this thread was told since it listened last.
pub struct Told;

impl Told {
    /// Takes in what is logged on this thread from now on.
    pub fn listen() -> Self {
        static ONE_FOR_ALL: Once = Once::new();
        ONE_FOR_ALL.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(|| OfThread)
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
        LINES.take();
        Self
    }

    /// Lines that hold this.
    #[expect(
        clippy::unused_self,
        reason = "who has not listened may have missed some"
    )]
    pub fn lines(&self, part: &str) -> Vec<String> {
        LINES.with_borrow(|lines| with(part, lines))
    }

    /// Lines that hold this, on whichever thread they were logged since anybody listened.
    #[expect(
        clippy::unused_self,
        reason = "who has not listened may have missed some"
    )]
    pub fn lines_anywhere(&self, part: &str) -> Vec<String> {
        with(part, &all_lines())
    }
}

fn with(part: &str, text: &[u8]) -> Vec<String> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    let lines = text.lines().filter(|line| line.contains(part));
    lines.map(str::to_owned).collect()
}
