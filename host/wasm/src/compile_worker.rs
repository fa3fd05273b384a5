//! The process that compiles one component: `compiler` starts it, and it limits itself before it
//! reads a byte of what somebody else wrote. What goes wrong beyond that it need not tell: how it
//! ended says enough.

use std::io::{Read, Write};

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};

use crate::limits::{COMPILER_FILES_MAX, COMPILER_NICENESS};
use crate::runtime::{self, Purpose};

/// Limits this whole process, reads the component that `input` holds, and writes its compiled code
/// to `output`; `is_metered` when it is for an author's trials. Only for a process that does
/// nothing else: the limits stay.
///
/// Beyond `seconds` of processor time the process ends by a signal; beyond `memory_bytes` of
/// address space it aborts, or this fails.
///
/// # Errors
/// A sentence about what is wrong with the component, or with this process.
pub fn compile_worker(
    seconds: u64,
    memory_bytes: u64,
    is_metered: bool,
    input: &mut dyn Read,
    output: &mut dyn Write,
) -> Result<(), String> {
    let limited = limit(seconds, memory_bytes);
    limited.map_err(|error| format!("limit the compiler: {error}"))?;
    let mut wasm = Vec::new();
    let read = input.read_to_end(&mut wasm);
    read.map_err(|error| format!("read the component: {error}"))?;
    let purpose = if is_metered {
        Purpose::Metered
    } else {
        Purpose::Production
    };
    let compiled = runtime::compiling_engine(purpose).and_then(|e| e.precompile_component(&wasm));
    let code = compiled.map_err(|error| format!("{error:#}"))?;
    let written = output.write_all(&code).and_then(|()| output.flush());
    written.map_err(|error| format!("write the code: {error}"))
}

fn limit(seconds: u64, memory_bytes: u64) -> rustix::io::Result<()> {
    // Nobody would read the code of a compiler whose host is gone.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    nice(COMPILER_NICENESS)?;
    // The signal at the first limit says which it was; the second ends what does not hear it.
    cap(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    cap(Resource::As, memory_bytes, memory_bytes)?;
    cap(Resource::Core, 0, 0)?;
    cap(Resource::Nofile, COMPILER_FILES_MAX, COMPILER_FILES_MAX)
}

/// Lowers a limit; a lower one that is there already stays.
fn cap(resource: Resource, current: u64, maximum: u64) -> rustix::io::Result<()> {
    let before = rustix::process::getrlimit(resource);
    let lower = |wanted: u64, before: Option<u64>| Some(before.map_or(wanted, |b| b.min(wanted)));
    let wanted = Rlimit {
        current: lower(current, before.current),
        maximum: lower(maximum, before.maximum),
    };
    setrlimit(resource, wanted)
}
