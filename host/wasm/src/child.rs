//! A process that reads bytes and writes bytes, within bounds of size and of time, until nobody
//! wants its output any more. One thread does it all: it waits for whichever pipe is ready.

use std::io::{self, ErrorKind, PipeReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::limits::COMPLAINT_BYTES_MAX;

/// Bytes that are read at once: what a pipe holds.
const READ_BYTES: usize = 64 * 1024;

/// What a process is bound by.
pub(crate) struct Bounds {
    /// Bytes of its standard output. A process that writes more is killed.
    pub(crate) output_bytes_max: usize,
    /// How long it may be there. A process that stays longer is killed.
    pub(crate) wall: Duration,
}

/// A process that ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Its standard output.
    pub(crate) output: Vec<u8>,
    /// The beginning of its standard error.
    pub(crate) complaint: Vec<u8>,
}

/// Why a process did not end by itself.
#[derive(Debug)]
pub(crate) enum Unfinished {
    /// Nobody wants its output any more.
    Stopped,
    /// It was there longer than it may be.
    Late,
    /// It wrote more than it may.
    TooMuch,
    /// The machine did not start it, or did not let us speak with it.
    World(io::Error),
}

impl From<io::Error> for Unfinished {
    fn from(error: io::Error) -> Self {
        Self::World(error)
    }
}

/// Starts a process, writes `input` to it, and reads what it writes until it ends. The process is
/// killed when `stop` is at its end. No process is left behind, whatever the answer.
pub(crate) fn run(
    command: &mut Command,
    input: &[u8],
    bounds: &Bounds,
    stop: &PipeReader,
) -> Result<Ended, Unfinished> {
    let deadline = Instant::now() + bounds.wall;
    let mut running = Running::start(command, input)?;
    while running.is_open() {
        running.wait(stop, deadline)?;
        running.feed();
        running.listen(bounds.output_bytes_max)?;
    }
    // A process that closed its outputs may still wait for input: there is no more.
    running.input = None;
    running.wait(stop, deadline)?;
    Ok(Ended {
        status: running.child.0.wait()?,
        output: running.output.bytes,
        complaint: running.complaint.bytes,
    })
}

struct Running<'a> {
    child: KilledWhenDropped,
    /// Readable when the process has ended.
    end: OwnedFd,
    /// What was not written to it yet; then the pipe is closed.
    rest: &'a [u8],
    input: Option<ChildStdin>,
    output: Gathered<ChildStdout>,
    complaint: Gathered<ChildStderr>,
}

/// A process that does not outlive this.
struct KilledWhenDropped(Child);

impl Drop for KilledWhenDropped {
    fn drop(&mut self) {
        // Both fail for a process that has ended and was waited for, which is as it should be.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl<'a> Running<'a> {
    fn start(command: &mut Command, input: &'a [u8]) -> io::Result<Self> {
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = KilledWhenDropped(piped.spawn()?);
        let stdin = child.0.stdin.take();
        stdin
            .iter()
            .try_for_each(|pipe| ioctl_fionbio(pipe, true))?;
        Ok(Self {
            end: pidfd_open(Pid::from_child(&child.0), PidfdFlags::empty())?,
            rest: input,
            input: stdin,
            output: Gathered::of(child.0.stdout.take())?,
            complaint: Gathered::of(child.0.stderr.take())?,
            child,
        })
    }

    /// Whether one of its outputs is still open.
    fn is_open(&self) -> bool {
        self.output.from.is_some() || self.complaint.from.is_some()
    }

    /// Waits until a pipe is ready, or until the process has ended where it has closed its outputs.
    fn wait(&self, stop: &PipeReader, deadline: Instant) -> Result<(), Unfinished> {
        let mut events = vec![PollFd::new(stop, PollFlags::IN)];
        if self.is_open() {
            let input = self.input.as_ref();
            events.extend(input.map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
            events.extend(self.output.event());
            events.extend(self.complaint.event());
        } else {
            events.push(PollFd::new(&self.end, PollFlags::IN));
        }
        let ready = loop {
            // Asked each time: a process that always has something to say would never be late.
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Unfinished::Late);
            }
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            match poll(&mut events, Some(&timeout)) {
                Err(Errno::INTR) => {}
                ready => break ready.map_err(io::Error::from)?,
            }
        };
        if !events[0].revents().is_empty() {
            return Err(Unfinished::Stopped);
        }
        if ready == 0 {
            return Err(Unfinished::Late);
        }
        Ok(())
    }

    /// Writes to it what it takes at once.
    fn feed(&mut self) {
        let Some(pipe) = &mut self.input else { return };
        match pipe.write(self.rest) {
            Ok(written) => self.rest = &self.rest[written..],
            Err(error) if will_go_on(&error) => return,
            // It reads no more. How it ends tells why.
            Err(_) => self.rest = &[],
        }
        if self.rest.is_empty() {
            self.input = None;
        }
    }

    /// Reads what it has written.
    fn listen(&mut self, output_bytes_max: usize) -> Result<(), Unfinished> {
        self.output.take()?;
        self.complaint.take()?;
        // An endless complaint is read, so that the process comes to its end, but not kept.
        self.complaint.bytes.truncate(COMPLAINT_BYTES_MAX);
        if self.output.bytes.len() > output_bytes_max {
            return Err(Unfinished::TooMuch);
        }
        Ok(())
    }
}

/// What was read from a pipe so far; the pipe is gone once it is at its end.
struct Gathered<R> {
    from: Option<R>,
    bytes: Vec<u8>,
}

impl<R: Read + AsFd> Gathered<R> {
    fn of(from: Option<R>) -> io::Result<Self> {
        from.iter().try_for_each(|pipe| ioctl_fionbio(pipe, true))?;
        Ok(Self {
            from,
            bytes: Vec::new(),
        })
    }

    fn event(&self) -> Option<PollFd<'_>> {
        let from = self.from.as_ref();
        from.map(|pipe| PollFd::new(pipe, PollFlags::IN))
    }

    /// Reads once: a process that writes without end must not keep us here.
    fn take(&mut self) -> io::Result<()> {
        let Some(from) = &mut self.from else {
            return Ok(());
        };
        let mut bytes = [0; READ_BYTES];
        match from.read(&mut bytes) {
            Ok(0) => self.from = None,
            Ok(length) => self.bytes.extend_from_slice(&bytes[..length]),
            Err(error) if will_go_on(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn will_go_on(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::io::pipe;
    use std::os::unix::process::ExitStatusExt;
    use std::thread;

    use super::*;

    const PATIENT: Bounds = Bounds {
        output_bytes_max: 1024 * 1024,
        wall: Duration::from_secs(600),
    };

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn run_shell(script: &str, input: &[u8], bounds: &Bounds) -> Result<Ended, Unfinished> {
        let (stop, _open) = pipe().unwrap();
        run(&mut shell(script), input, bounds, &stop)
    }

    #[test]
    fn what_goes_in_and_comes_out_is_larger_than_any_pipe() {
        let input = b"0123456789abcdef".repeat(32 * 1024);
        let ended = run_shell("cat; echo done >&2; exit 7", &input, &PATIENT).unwrap();
        assert!(ended.output == input);
        assert_eq!(ended.complaint, b"done\n");
        assert_eq!(ended.status.code(), Some(7));
    }

    #[test]
    fn a_process_that_reads_nothing_is_open_all_the_same() {
        let input = vec![0; 1024 * 1024];
        let ended = run_shell("echo enough", &input, &PATIENT).unwrap();
        assert_eq!(ended.output, b"enough\n");
        assert!(ended.status.success());
    }

    #[test]
    fn a_process_that_says_nothing_more_is_still_waited_for() {
        let input = vec![b'x'; 1024 * 1024];
        let script = "exec >&- 2>&-; while read line; do :; done; exit 3";
        let ended = run_shell(script, &input, &PATIENT).unwrap();
        assert_eq!(ended.status.code(), Some(3));
    }

    #[test]
    fn the_signal_that_ended_a_process_is_known() {
        let ended = run_shell("kill -SEGV $$", b"", &PATIENT).unwrap();
        assert_eq!(ended.status.signal(), Some(11));
    }

    #[test]
    fn a_process_that_hangs_is_ended_whether_it_talks_or_not() {
        let bounds = Bounds {
            output_bytes_max: usize::MAX,
            wall: Duration::from_millis(50),
        };
        for script in [
            "exec sleep 600",
            "exec >&- 2>&-; exec sleep 600",
            "exec yes >&2",
        ] {
            let ended = run_shell(script, b"", &bounds);
            assert!(
                matches!(ended, Err(Unfinished::Late)),
                "{script}: {ended:?}"
            );
        }
    }

    #[test]
    fn a_process_that_gives_too_much_is_ended() {
        let ended = run_shell("exec yes", b"", &PATIENT);
        assert!(matches!(ended, Err(Unfinished::TooMuch)), "{ended:?}");
    }

    #[test]
    fn of_a_long_complaint_the_beginning_is_kept() {
        let script = "printf begin >&2; head -c 1000000 /dev/zero >&2";
        let ended = run_shell(script, b"", &PATIENT).unwrap();
        assert!(ended.status.success());
        assert_eq!(ended.complaint.len(), COMPLAINT_BYTES_MAX);
        assert!(ended.complaint.starts_with(b"begin"));
    }

    #[test]
    fn a_process_that_nobody_wants_any_more_is_ended() {
        let (stop, open) = pipe().unwrap();
        thread::scope(|scope| {
            let run = scope.spawn(|| run(&mut shell("exec sleep 600"), b"", &PATIENT, &stop));
            drop(open);
            let ended = run.join().unwrap();
            assert!(matches!(ended, Err(Unfinished::Stopped)), "{ended:?}");
        });
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let (stop, _open) = pipe().unwrap();
        let ended = run(&mut Command::new("/nowhere"), b"", &PATIENT, &stop);
        assert!(matches!(ended, Err(Unfinished::World(_))), "{ended:?}");
    }
}
