//! What lies behind WASI, for guests whose language's library imports it: no files, no sockets, no
//! environment, an empty input; what is printed becomes lines of the log. Clocks stand still and
//! randomness is seeded, so that the same records give the same output again.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use types::Timestamp;
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::clocks::HostWallClock;

use crate::limits::CallLimits;
use crate::moment::Moment;
use crate::printed::Prints;

/// What a clock resolves, in nanoseconds: a guest cannot measure what others do.
pub(crate) const RESOLUTION_NS: u64 = 1_000_000;

/// What lies behind WASI for one instance.
pub(crate) fn context(moment: Moment, prints: &Prints, limits: &CallLimits) -> WasiCtx {
    let random = |stream: u64| StdRng::seed_from_u64(moment.seed.wrapping_add(stream));
    WasiCtx::builder()
        .stdout(prints.output.clone())
        .stderr(prints.errors.clone())
        .wall_clock(Standing(moment.now))
        .secure_random(random(0))
        .insecure_random(random(1))
        .insecure_random_seed(u128::from(moment.seed))
        .max_random_size(limits.random_bytes_max)
        .build()
}

/// A clock that shows one moment.
struct Standing(Timestamp);

impl HostWallClock for Standing {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(RESOLUTION_NS)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.0)
    }
}
