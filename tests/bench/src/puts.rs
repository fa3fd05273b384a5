//! One kind of put against one server.

use std::net::SocketAddr;
use std::time::Duration;

use crate::Failure;
use crate::bench::Bench;
use crate::generator::{Generator, Load, Outcome};
use crate::report::Line;
use crate::requests::{Batch, Service, Signer};
use crate::socket::Trust;

/// Before the clock starts: connections, caches and log files become warm.
const WARM_UP: Duration = Duration::from_millis(500);
/// Different bodies that are sent in turn, as far as they fit a cache.
const VARIANT_BYTES: usize = 4 * 1024 * 1024;
const VARIANTS_MAX: usize = 64;

/// Where to put, and whose processor time it costs.
pub struct Target<'a> {
    /// The line's name.
    pub name: &'a str,
    /// The server.
    pub address: SocketAddr,
    /// What to trust there, if it speaks TLS.
    pub trust: Option<Trust>,
    /// A stream that it has.
    pub stream: &'a str,
    /// How many connections, each with one request at a time.
    pub connections: usize,
    /// Processor time of the server so far.
    pub cpu: &'a dyn Fn() -> Result<Duration, Failure>,
}

/// Signed requests for `batch`, good for five minutes.
pub fn requests(address: SocketAddr, stream: &str, batch: &Batch) -> Result<Vec<Vec<u8>>, Failure> {
    signed(address, stream, batch, variants(batch))
}

/// How many different bodies of a batch are sent in turn.
pub fn variants(batch: &Batch) -> usize {
    (VARIANT_BYTES / batch.data_bytes()).clamp(1, VARIANTS_MAX)
}

/// So many signed requests for `batch`, good for five minutes.
pub fn signed(
    address: SocketAddr,
    stream: &str,
    batch: &Batch,
    variants: usize,
) -> Result<Vec<Vec<u8>>, Failure> {
    let signer = Signer::new(address, Service::STREAMS)?;
    batch
        .bodies(stream, variants)
        .iter()
        .map(|body| signer.request_in(batch.codec, batch.operation(), body))
        .collect()
}

/// Puts as fast as the server answers.
pub fn measure(bench: &Bench, target: &Target<'_>, batch: &Batch) -> Result<Line, Failure> {
    let requests = requests(target.address, target.stream, batch)?;
    let trust = target.trust.as_ref();
    let mut generator = Generator::connect_by(target.address, target.connections, trust)?;
    generator
        .run(&Load::flat(&requests, WARM_UP))?
        .per_second()?;
    let before = (target.cpu)()?;
    let outcome = generator.run(&Load::flat(&requests, bench.options.duration()))?;
    let server = (target.cpu)()?.saturating_sub(before);
    line(target.name, batch, &outcome, server)
}

fn line(name: &str, batch: &Batch, outcome: &Outcome, server: Duration) -> Result<Line, Failure> {
    let per_second = outcome.per_second()?;
    let us_each = |time: Duration| Some(time.as_secs_f64() * 1e6 / outcome.good as f64);
    Ok(Line {
        latency: Some(outcome.latency),
        server_us: us_each(server),
        client_us: us_each(outcome.cpu),
        note: outcome.note(),
        ..Line::new(name, batch.rate(per_second), batch.unit)
    })
}
