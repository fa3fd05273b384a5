//! Who compiles components: a process of its own, or this one where there is no program for it.
//!
//! A compiler's time and memory depend on what somebody else wrote, and nothing can interrupt it,
//! so it works where it can be limited and ended. The other side is `compile_worker`.
//!
//! Whoever compiles has the turn: a process takes the memory and the threads that one may have, and
//! after an upgrade every lane may want one at the same moment.

use std::io::{PipeReader, PipeWriter, pipe};
use std::num::NonZero;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::watch;
use wasmtime::Engine;

use crate::child::{self, Ended, Unfinished};
use crate::limits::{
    COMPILED_BYTES_MAX, COMPILER_THREADS_MAX, COMPILER_WALL_FACTOR, Limits, REASON_BYTES_MAX,
};
use crate::printable::printable;
use crate::refusal::Refusal;
use crate::runtime::Purpose;

const MEBIBYTE: u64 = 1024 * 1024;
/// How the standard library, the compiler and the operating system say that memory is out.
const OUT_OF_MEMORY: [&str; 3] = [
    "memory allocation of ",
    "out of memory",
    "Cannot allocate memory",
];
/// How the compiler says that the machine did not give it what every component needs.
const OUT_OF_MACHINE: [&str; 5] = [
    "limit the compiler: ",
    "read the component: ",
    "write the code: ",
    "Resource temporarily unavailable",
    "Too many open files",
];
/// How somebody ends a process from outside, the kernel among them when memory is out.
const ENDED_FROM_OUTSIDE: [Signal; 4] = [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP];
/// What a process ends with that says what was wrong, and one that panicked.
const CODE_OF_FAILURE: i32 = 1;
const CODE_OF_PANIC: i32 = 101;
/// What the compiler's threads are counted by.
const THREADS_VARIABLE: &str = "RAYON_NUM_THREADS";

/// What is said to who would compile when the compiler is closed.
const CLOSED: &str = "the server closes";

/// Compiles one component at a time, until it is closed.
pub(crate) struct Compiler {
    program: Option<PathBuf>,
    purpose: Purpose,
    limits: Limits,
    /// At its end as soon as `State::open` is dropped: what waits for a child hears of it.
    closed: PipeReader,
    state: Mutex<State>,
    /// Rings when the turn is given back, and when the compiler is closed.
    changed: Condvar,
    /// Turns true before the compiler is closed: for guests that run for nobody any more then.
    closing: watch::Sender<bool>,
}

struct State {
    open: Option<PipeWriter>,
    /// Somebody has the turn.
    is_taken: bool,
}

/// The right to compile, of one at a time; dropping it gives it back.
pub(crate) struct Turn<'a>(&'a Compiler);

impl Compiler {
    /// For engines of one purpose.
    pub(crate) fn new(
        program: Option<PathBuf>,
        purpose: Purpose,
        limits: Limits,
    ) -> std::io::Result<Self> {
        let (closed, open) = pipe()?;
        Ok(Self {
            program,
            purpose,
            limits,
            closed,
            state: Mutex::new(State {
                open: Some(open),
                is_taken: false,
            }),
            changed: Condvar::new(),
            closing: watch::channel(false).0,
        })
    }

    /// Waits for the turn. Blocks for as long as those who have it before compile, each of whom is
    /// bounded; none waits when the compiler is closed.
    ///
    /// # Errors
    /// When the compiler is closed.
    pub(crate) fn turn(&self) -> Result<Turn<'_>, Refusal> {
        let must_wait = |state: &mut State| state.is_taken && state.open.is_some();
        let waited = self.changed.wait_while(self.state(), must_wait);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        match state.open {
            Some(_) => state.is_taken = true,
            None => return Err(Refusal::ForNow(CLOSED.to_owned())),
        }
        Ok(Turn(self))
    }

    /// Ends what is being compiled by another process, lets go of those who wait for their turn,
    /// and ends every later attempt at once. Does not block.
    pub(crate) fn close(&self) {
        self.state().open = None;
        self.closing.send_replace(true);
        self.changed.notify_all();
    }

    /// Says ahead that it will be closed.
    pub(crate) fn will_close(&self) {
        self.closing.send_replace(true);
    }

    /// Whether it is closed, or that was said ahead.
    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// What turns true when it is closed, or when that is said ahead.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change under the lock is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        if self.purpose == Purpose::Metered {
            command.arg("--metered");
        }
        command
    }

    fn wall(&self) -> Duration {
        let seconds = self.limits.compile_seconds_max;
        Duration::from_secs(seconds.saturating_mul(COMPILER_WALL_FACTOR))
    }

    /// What came out, or in words why nothing did.
    fn judge(&self, ended: Result<Ended, Unfinished>) -> Result<Vec<u8>, Refusal> {
        match ended {
            Ok(ended) => self.judge_end(ended),
            Err(Unfinished::Stopped) => Err(Refusal::ForNow(CLOSED.to_owned())),
            // Its processor time was not over, so that it did not get enough of it.
            Err(Unfinished::Late) => {
                let most = self.wall().as_secs();
                Err(Refusal::ForNow(format!("it took longer than {most} s")))
            }
            Err(Unfinished::TooMuch) => {
                let why = format!("its code has more than {COMPILED_BYTES_MAX} bytes");
                Err(Refusal::ForGood(why))
            }
            Err(Unfinished::World(error)) => {
                Err(Refusal::ForNow(format!("run the compiler: {error}")))
            }
        }
    }

    /// What came out of a compiler that ended by itself, or was ended by somebody else.
    fn judge_end(&self, ended: Ended) -> Result<Vec<u8>, Refusal> {
        let complaint = String::from_utf8_lossy(&ended.complaint);
        let complaint: Vec<&str> = complaint.split_whitespace().collect();
        let complaint = printable(&complaint.join(" "), REASON_BYTES_MAX);
        if !ended.status.success() && OUT_OF_MEMORY.iter().any(|it| complaint.contains(it)) {
            let most = self.limits.compile_bytes_max / MEBIBYTE;
            let why = format!("it needed more than {most} MiB of memory (compile_mib = {most})");
            return Err(Refusal::ForGood(why));
        }
        let refusal = if OUT_OF_MACHINE.iter().any(|it| complaint.contains(it)) {
            Refusal::ForNow
        } else {
            Refusal::ForGood
        };
        match (ended.status.code(), ended.status.signal()) {
            (Some(0), _) => Ok(ended.output),
            (Some(CODE_OF_FAILURE), _) if !complaint.is_empty() => Err(refusal(complaint)),
            (_, Some(signal)) if signal == Signal::XCPU.as_raw() => {
                let most = self.limits.compile_seconds_max;
                let why = format!(
                    "it took longer than {most} s of processor time (compile_seconds = {most})"
                );
                Err(Refusal::ForGood(why))
            }
            (_, Some(signal)) => {
                let why = format!("the compiler ended with signal {signal}");
                if ENDED_FROM_OUTSIDE.iter().any(|it| it.as_raw() == signal) {
                    Err(Refusal::ForNow(why))
                } else {
                    Err(Refusal::ForGood(why))
                }
            }
            (None, None) => {
                let why = format!("the compiler ended, and nobody says how: {}", ended.status);
                Err(Refusal::ForNow(why))
            }
            (Some(code), None) => {
                let said = said_in(&complaint);
                let why = format!("the compiler ended with code {code}: {said}");
                match code {
                    CODE_OF_PANIC => Err(refusal(why)),
                    // It did not come to the component.
                    _ => Err(Refusal::ForNow(why)),
                }
            }
        }
    }
}

impl Turn<'_> {
    /// The code of a component that was admitted, for engines like this one. Blocks.
    ///
    /// # Errors
    /// What is wrong with the component, or which limit compiling it passed.
    pub(crate) fn compile(&self, engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, Refusal> {
        let Self(compiler) = self;
        let Some(program) = &compiler.program else {
            let compiled = engine.precompile_component(wasm);
            return compiled.map_err(|error| Refusal::ForGood(format!("{error:#}")));
        };
        let bounds = child::Bounds {
            output_bytes_max: COMPILED_BYTES_MAX,
            wall: compiler.wall(),
        };
        let mut command = compiler.command(program);
        compiler.judge(child::run(&mut command, wasm, &bounds, &compiler.closed))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().is_taken = false;
        self.0.changed.notify_one();
    }
}

/// What a compiler that panicked says of it, without the place in its source and advice for those
/// who build it.
fn said_in(complaint: &str) -> &str {
    let panic = complaint.split_once(" panicked at ");
    let said = panic.and_then(|(_, rest)| rest.split_once(": "));
    let said = said.map_or(complaint, |(_, said)| said);
    said.split_once(" note: run with")
        .map_or(said, |(said, _)| said)
}

/// Threads of a compiler: on a machine with many processors it would need the more memory, and
/// whether a component is refused should not depend on the machine.
fn threads() -> usize {
    let processors = available_parallelism().map_or(1, NonZero::get);
    processors.min(COMPILER_THREADS_MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    /// What is said of a compiler that behaves like this script.
    fn told(script: &str) -> Result<Vec<u8>, Refusal> {
        told_within(script, Duration::from_secs(600))
    }

    fn told_within(script: &str, wall: Duration) -> Result<Vec<u8>, Refusal> {
        let compiler = Compiler::new(None, Purpose::Production, Limits::default()).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -c 0; {script}")]);
        let bounds = child::Bounds {
            output_bytes_max: 8,
            wall,
        };
        compiler.judge(child::run(&mut command, b"", &bounds, &compiler.closed))
    }

    #[test]
    fn how_a_compiler_ended_is_told_in_words() {
        for (script, words) in [
            (
                "kill -XCPU $$",
                "it took longer than 30 s of processor time (compile_seconds = 30)",
            ),
            ("kill -SEGV $$", "the compiler ended with signal 11"),
            (
                "echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$",
                "it needed more than 2048 MiB of memory (compile_mib = 2048)",
            ),
            ("echo 'wrong\n byte' >&2; exit 1", "wrong byte"),
            (
                "echo 'assertion failed' >&2; exit 101",
                "the compiler ended with code 101: assertion failed",
            ),
            (
                "echo \"thread 'main' (7) panicked at x/y.rs:1:2:\" >&2; echo 'no: way' >&2; \
                 echo 'note: run with RUST_BACKTRACE=1' >&2; exit 101",
                "the compiler ended with code 101: no: way",
            ),
            ("echo 123456789", "its code has more than 268435456 bytes"),
        ] {
            let refusal = Refusal::ForGood(words.to_owned());
            assert_eq!(told(script), Err(refusal), "{script}");
        }
        assert_eq!(told("echo code; echo warning >&2"), Ok(b"code\n".to_vec()));
    }

    /// Each of these left a plugin out of force until somebody touched its file.
    #[test]
    fn what_the_machine_does_to_a_compiler_says_nothing_for_good() {
        for (script, words) in [
            ("kill -KILL $$", "the compiler ended with signal 9"),
            ("kill -TERM $$", "the compiler ended with signal 15"),
            ("exit 1", "the compiler ended with code 1: "),
            (
                "echo 'no library: Too many open files' >&2; exit 127",
                "the compiler ended with code 127: no library: Too many open files",
            ),
            (
                "echo 'Resource temporarily unavailable' >&2; exit 101",
                "the compiler ended with code 101: Resource temporarily unavailable",
            ),
            (
                "echo 'read the component: I/O error' >&2; exit 1",
                "read the component: I/O error",
            ),
        ] {
            let refusal = Refusal::ForNow(words.to_owned());
            assert_eq!(told(script), Err(refusal), "{script}");
        }
        let late = told_within("exec sleep 600", Duration::from_millis(50));
        let refusal = Refusal::ForNow("it took longer than 360 s".to_owned());
        assert_eq!(late, Err(refusal));
    }

    #[test]
    fn a_closed_compiler_starts_nothing_that_lasts() {
        let compiler = Compiler::new(
            Some("/bin/cat".into()),
            Purpose::Production,
            Limits::default(),
        )
        .unwrap();
        let turn = compiler.turn().unwrap();
        assert!(!compiler.is_closing());
        compiler.close();
        assert!(compiler.is_closing());
        let engine = crate::runtime::compiling_engine(Purpose::Production).unwrap();
        let told = turn.compile(&engine, b"");
        let refusal = Refusal::ForNow("the server closes".to_owned());
        assert_eq!(told, Err(refusal));
    }

    #[test]
    fn the_turn_is_of_one_until_it_is_given_back() {
        let compiler = Compiler::new(None, Purpose::Production, Limits::default()).unwrap();
        let at_once = AtomicUsize::new(0);
        let ready = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    ready.wait();
                    let turn = compiler.turn().unwrap();
                    assert_eq!(at_once.fetch_add(1, Ordering::SeqCst), 0);
                    thread::yield_now();
                    assert_eq!(at_once.fetch_sub(1, Ordering::SeqCst), 1);
                    drop(turn);
                });
            }
        });
    }

    #[test]
    fn who_waits_for_the_turn_is_let_go_when_the_compiler_is_closed() {
        let compiler = Compiler::new(None, Purpose::Production, Limits::default()).unwrap();
        let turn = compiler.turn().unwrap();
        thread::scope(|scope| {
            let waits = scope.spawn(|| compiler.turn().err());
            compiler.close();
            let refusal = Refusal::ForNow("the server closes".to_owned());
            assert_eq!(waits.join().unwrap(), Some(refusal));
        });
        drop(turn);
    }
}
