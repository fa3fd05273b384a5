//! Who compiles components: a process of its own, or this one where there is no program for it.
//!
//! A compiler's time and memory depend on what somebody else wrote, and nothing can interrupt it,
//! so it works where it can be limited and ended. The other side is `compile_worker`.

use std::io::{PipeReader, PipeWriter, pipe};
use std::num::NonZero;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use rustix::process::Signal;
use wasmtime::Engine;

use crate::child::{self, Cut, Ended};
use crate::guest_log::printable;
use crate::limits::{
    COMPILED_BYTES_MAX, COMPILER_THREADS_MAX, COMPILER_WALL_FACTOR, Limits, REASON_BYTES_MAX,
};

const MEBIBYTE: u64 = 1024 * 1024;
/// How the standard library, the compiler and the operating system say that memory is out.
const OUT_OF_MEMORY: [&str; 3] = [
    "memory allocation of ",
    "out of memory",
    "Cannot allocate memory",
];
/// What the compiler's threads are counted by.
const THREADS_VARIABLE: &str = "RAYON_NUM_THREADS";

/// Compiles until it is closed.
pub(crate) struct Compiler {
    program: Option<PathBuf>,
    limits: Limits,
    /// At its end as soon as `open` is dropped: what waits for a child hears of it.
    closed: PipeReader,
    open: Mutex<Option<PipeWriter>>,
}

impl Compiler {
    pub(crate) fn new(program: Option<PathBuf>, limits: Limits) -> std::io::Result<Self> {
        let (closed, open) = pipe()?;
        Ok(Self {
            program,
            limits,
            closed,
            open: Mutex::new(Some(open)),
        })
    }

    /// The code of a component that was admitted, for engines like this one. Blocks.
    ///
    /// # Errors
    /// What is wrong with the component, or which limit compiling it passed.
    pub(crate) fn compile(&self, engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, String> {
        let Some(program) = &self.program else {
            let compiled = engine.precompile_component(wasm);
            return compiled.map_err(|error| format!("{error:#}"));
        };
        let bounds = child::Bounds {
            output_bytes_max: COMPILED_BYTES_MAX,
            wall: self.wall(),
        };
        let ended = child::run(&mut self.command(program), wasm, &bounds, &self.closed);
        self.judge(ended)
    }

    /// Ends what is being compiled by another process, and every later attempt at once.
    pub(crate) fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn is_closed(&self) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.is_none()
    }

    fn command(&self, program: &Path) -> Command {
        let Limits {
            compile_seconds_max,
            compile_bytes_max,
            ..
        } = self.limits;
        let mut command = Command::new(program);
        command
            .arg0("millrace")
            .arg("compile-worker")
            .args(["--seconds", &compile_seconds_max.to_string()])
            .args(["--memory-bytes", &compile_bytes_max.to_string()])
            // What interrupts the server at its terminal is not for the child: the server ends it.
            .process_group(0)
            .current_dir("/")
            .env_clear()
            .env(THREADS_VARIABLE, threads().to_string());
        command
    }

    fn wall(&self) -> Duration {
        let seconds = self.limits.compile_seconds_max;
        Duration::from_secs(seconds.saturating_mul(COMPILER_WALL_FACTOR))
    }

    /// What came out, or in words why nothing did.
    fn judge(&self, ended: Result<Ended, Cut>) -> Result<Vec<u8>, String> {
        let ended = match ended {
            Ok(ended) => ended,
            Err(Cut::Stopped) => return Err("the server closes".to_owned()),
            Err(Cut::Late) => {
                return Err(format!("it took longer than {} s", self.wall().as_secs()));
            }
            Err(Cut::TooMuch) => {
                return Err(format!("its code has more than {COMPILED_BYTES_MAX} bytes"));
            }
            Err(Cut::World(error)) => return Err(format!("run the compiler: {error}")),
        };
        let complaint = String::from_utf8_lossy(&ended.complaint);
        let complaint: Vec<&str> = complaint.split_whitespace().collect();
        let complaint = printable(&complaint.join(" "), REASON_BYTES_MAX);
        if !ended.status.success() && OUT_OF_MEMORY.iter().any(|it| complaint.contains(it)) {
            let most = size(self.limits.compile_bytes_max);
            return Err(format!("it needed more than {most} of memory"));
        }
        match (ended.status.code(), ended.status.signal()) {
            (Some(0), _) => Ok(ended.output),
            (Some(1), _) if !complaint.is_empty() => Err(complaint),
            (_, Some(signal)) if signal == Signal::XCPU.as_raw() => {
                let most = self.limits.compile_seconds_max;
                Err(format!("it took longer than {most} s of processor time"))
            }
            (_, Some(signal)) => Err(format!("the compiler ended with signal {signal}")),
            (code, None) => Err(format!(
                "the compiler ended with code {}: {complaint}",
                code.unwrap_or_default()
            )),
        }
    }
}

/// Threads of a compiler: on a machine with many processors it would need the more memory, and
/// whether a component is refused should not depend on the machine.
fn threads() -> usize {
    let processors = available_parallelism().map_or(1, NonZero::get);
    processors.min(COMPILER_THREADS_MAX)
}

fn size(bytes: u64) -> String {
    match bytes / MEBIBYTE {
        mebibytes if mebibytes.is_multiple_of(1024) => format!("{} GiB", mebibytes / 1024),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a compiler that behaves like this script.
    fn told(script: &str) -> Result<Vec<u8>, String> {
        let compiler = Compiler::new(None, Limits::default()).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -c 0; {script}")]);
        let bounds = child::Bounds {
            output_bytes_max: 8,
            wall: Duration::from_secs(600),
        };
        compiler.judge(child::run(&mut command, b"", &bounds, &compiler.closed))
    }

    #[test]
    fn how_a_compiler_ended_is_told_in_words() {
        for (script, words) in [
            (
                "kill -XCPU $$",
                "it took longer than 10 s of processor time",
            ),
            ("kill -SEGV $$", "the compiler ended with signal 11"),
            (
                "echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$",
                "it needed more than 2 GiB of memory",
            ),
            ("echo 'wrong\n byte' >&2; exit 1", "wrong byte"),
            (
                "echo 'assertion failed' >&2; exit 101",
                "the compiler ended with code 101: assertion failed",
            ),
            ("exit 1", "the compiler ended with code 1: "),
            ("echo 123456789", "its code has more than 268435456 bytes"),
        ] {
            assert_eq!(told(script), Err(words.to_owned()), "{script}");
        }
        assert_eq!(told("echo code; echo warning >&2"), Ok(b"code\n".to_vec()));
    }

    #[test]
    fn a_closed_compiler_starts_nothing_that_lasts() {
        let compiler = Compiler::new(Some("/bin/cat".into()), Limits::default()).unwrap();
        assert!(!compiler.is_closed());
        compiler.close();
        assert!(compiler.is_closed());
        let engine = crate::runtime::compiling_engine().unwrap();
        let told = compiler.compile(&engine, b"");
        assert_eq!(told, Err("the server closes".to_owned()));
    }
}
