//! The section of the configuration file about what deliveries share.

use delivery::WorkLimits;
use types::Invalid;
use wasm::GuestThreadLimits;

use super::entry::{Entry, MEBIBYTE, Wrong};

const KEYS: &str = "memory_mib, stream_memory_mib, threads and slow_threads";
/// A tebibyte: more than any machine that this is made for has.
const MEMORY_MIB_MAX: u64 = 1024 * 1024;
const THREADS_MAX: u64 = 1024;

/// What deliveries share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryLimits {
    /// Memory for what is worked on.
    pub work: WorkLimits,
    /// Threads that it is worked on with, plugins and packing.
    pub threads: GuestThreadLimits,
}

/// `[delivery_limits]`. What one delivery stream may have is half of all unless it says otherwise.
pub(super) fn delivery_limits(section: &Entry<'_>) -> Result<DeliveryLimits, Wrong> {
    let mut limits = DeliveryLimits::default();
    let mut bytes_max = limits.work.bytes_max();
    let mut stream_bytes_max = None;
    let (mut threads, mut slow_threads) = (None, None);
    for entry in section.entries("[delivery_limits]", KEYS)? {
        match entry.key {
            "memory_mib" => bytes_max = entry.mebibytes(1, MEMORY_MIB_MAX)?,
            "stream_memory_mib" => {
                stream_bytes_max = Some(entry.mebibytes(1, MEMORY_MIB_MAX)?);
            }
            "threads" => threads = Some(entry.count(2, THREADS_MAX)?),
            "slow_threads" => slow_threads = Some(entry.count(1, THREADS_MAX)?),
            _ => return Err(entry.unread()),
        }
    }
    let is_not_possible = |Invalid(why)| section.wrong(&format!("is not possible: {why}"));
    let work = WorkLimits::new(bytes_max, stream_bytes_max.unwrap_or(bytes_max / 2));
    limits.work = work.map_err(is_not_possible)?;
    let all = threads.unwrap_or(limits.threads.all());
    let threads = match slow_threads {
        Some(slow) => GuestThreadLimits::new(all, slow),
        None => GuestThreadLimits::of(all),
    };
    limits.threads = threads.map_err(is_not_possible)?;
    Ok(limits)
}

/// Refuses limits under which what a plugin may make of a batch does not fit into the memory that a
/// delivery stream may have.
pub(super) fn check(limits: &DeliveryLimits, plugins: &wasm::Limits) -> Result<(), String> {
    let least = delivery::stream_bytes_min(plugins.output_bytes_max);
    if limits.work.stream_bytes_max() < least {
        return Err(format!(
            "stream_memory_mib in [delivery_limits] is less than {}, and memory_mib less than \
             twice that: what plugins may make of a batch (output_mib) would not fit",
            least.div_ceil(MEBIBYTE)
        ));
    }
    Ok(())
}
