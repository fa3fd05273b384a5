//! The clock of a thread, which stands still while it has no processor.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How long the calling thread has had a processor.
pub(crate) fn processor_time() -> wasmtime::Result<Duration> {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).map_err(|_| wasmtime::Error::msg("the thread's clock is not a time"))
}
