//! What a process uses of the machine, from `/proc` and the kernel's clocks.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Failure;

/// Memory of a process, in megabytes of 1,000,000 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Resident {
    /// Now.
    pub now_mb: f64,
    /// The most it ever was.
    pub peak_mb: f64,
}

/// Processor time of the calling thread.
pub fn thread_cpu() -> Duration {
    cpu(ClockId::ThreadCPUTime)
}

/// Processor time of this whole process.
pub fn own_cpu() -> Duration {
    cpu(ClockId::ProcessCPUTime)
}

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Processor time, user and system, of another process.
pub fn cpu_of(process: u32) -> Result<Duration, Failure> {
    // proc(5): utime and stime are fields 14 and 15; the name in field 2 may contain anything
    // but ends at the last parenthesis.
    const UTIME_AFTER_NAME: usize = 11;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit_once(") ").ok_or("no name in stat")?.1;
    let ticks: u64 = fields
        .split(' ')
        .skip(UTIME_AFTER_NAME)
        .take(2)
        .map(str::parse::<u64>)
        .sum::<Result<_, _>>()?;
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(
        ticks as f64 / ticks_per_second as f64,
    ))
}

/// Bytes that another process has read, from disks, the system's cache and elsewhere.
pub fn bytes_read_by(process: u32) -> Result<u64, Failure> {
    let io = std::fs::read_to_string(format!("/proc/{process}/io"))?;
    let read = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    Ok(read.ok_or("no rchar in io")?.parse()?)
}

/// The most memory that this process takes from a moment on.
#[derive(Debug)]
pub struct Peak(());

impl Peak {
    /// From now on (proc(5), `clear_refs`).
    pub fn begin() -> Result<Self, Failure> {
        std::fs::write("/proc/self/clear_refs", "5")?;
        Ok(Self(()))
    }

    /// How much it was, in megabytes.
    pub fn end(self) -> Result<f64, Failure> {
        Ok(resident_of(std::process::id())?.peak_mb)
    }
}

/// Memory of a process.
pub fn resident_of(process: u32) -> Result<Resident, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let megabytes = |name: &str| -> Result<f64, Failure> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.split_whitespace().next());
        let kib: f64 = kib.ok_or_else(|| format!("no {name} in status"))?.parse()?;
        Ok(kib * 1_024.0 / 1e6)
    };
    Ok(Resident {
        now_mb: megabytes("VmRSS:")?,
        peak_mb: megabytes("VmHWM:")?,
    })
}
