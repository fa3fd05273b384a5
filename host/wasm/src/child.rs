//! A process that is given bytes and gives some back, within bounds: of what it says, of time, and
//! of our own patience. One thread does it all, by waiting for whichever pipe is ready.

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
    /// Bytes of its standard output; one that gives more is ended.
    pub(crate) output_bytes_max: usize,
    /// How long it may be there; one that stays longer is ended.
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

/// Why a process was ended, or was not there at all.
#[derive(Debug)]
pub(crate) enum Cut {
    /// Nobody wants it any more.
    Stopped,
    /// Its time was over.
    Late,
    /// It gave more than it may.
    TooMuch,
    /// It could not be started or spoken with.
    World(io::Error),
}

impl From<io::Error> for Cut {
    fn from(error: io::Error) -> Self {
        Self::World(error)
    }
}

/// Starts a process, gives it `input`, and takes what it gives until it ends; when `stop` is at its
/// end, the process is ended. No process is left behind, whatever the answer.
pub(crate) fn run(
    command: &mut Command,
    input: &[u8],
    bounds: &Bounds,
    stop: &PipeReader,
) -> Result<Ended, Cut> {
    let deadline = Instant::now() + bounds.wall;
    let mut running = Running::start(command, input)?;
    while running.is_heard() {
        running.wait(stop, deadline)?;
        running.feed();
        running.listen(bounds.output_bytes_max)?;
    }
    // Who says nothing more is given nothing more, and does not wait for it.
    running.input = None;
    running.wait(stop, deadline)?;
    Ok(Ended {
        status: running.child.0.wait()?,
        output: running.output.bytes,
        complaint: running.complaint.bytes,
    })
}

struct Running<'a> {
    child: Tied,
    /// Readable when the process has ended.
    end: OwnedFd,
    /// What it has not been given yet; the pipe is closed when that is all.
    rest: &'a [u8],
    input: Option<ChildStdin>,
    output: Gathered<ChildStdout>,
    complaint: Gathered<ChildStderr>,
}

/// A process that does not outlive this.
struct Tied(Child);

impl Drop for Tied {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and one that was waited for is not waited for again.
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
        let mut child = Tied(piped.spawn()?);
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

    /// Whether it may still say something.
    fn is_heard(&self) -> bool {
        self.output.from.is_some() || self.complaint.from.is_some()
    }

    /// Waits until a pipe is ready, or until the process has ended when it can say nothing more.
    fn wait(&self, stop: &PipeReader, deadline: Instant) -> Result<(), Cut> {
        let mut events = vec![PollFd::new(stop, PollFlags::IN)];
        match self.is_heard() {
            true => {
                let input = self.input.as_ref();
                events.extend(input.map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
                events.extend(self.output.event());
                events.extend(self.complaint.event());
            }
            false => events.push(PollFd::new(&self.end, PollFlags::IN)),
        }
        let ready = loop {
            // Looked at each time: what always has something to say would never be late.
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Cut::Late);
            }
            match poll(&mut events, Timespec::try_from(left).ok().as_ref()) {
                Err(Errno::INTR) => {}
                ready => break ready.map_err(io::Error::from)?,
            }
        };
        let is_stopped = events
            .first()
            .is_some_and(|stop| !stop.revents().is_empty());
        match (is_stopped, ready) {
            (true, _) => Err(Cut::Stopped),
            (false, 0) => Err(Cut::Late),
            (false, _) => Ok(()),
        }
    }

    fn feed(&mut self) {
        let Some(pipe) = &mut self.input else { return };
        match pipe.write(self.rest) {
            Ok(written) => self.rest = self.rest.get(written..).unwrap_or_default(),
            Err(error) if will_go_on(&error) => return,
            // It wants no more. Why, its end will tell.
            Err(_) => self.rest = &[],
        }
        if self.rest.is_empty() {
            self.input = None;
        }
    }

    fn listen(&mut self, output_bytes_max: usize) -> Result<(), Cut> {
        self.output.take()?;
        self.complaint.take()?;
        // Who complains on and on is heard, so that it comes to its end, and not kept.
        self.complaint.bytes.truncate(COMPLAINT_BYTES_MAX);
        match self.output.bytes.len() <= output_bytes_max {
            true => Ok(()),
            false => Err(Cut::TooMuch),
        }
    }
}

/// What came out of a pipe so far; the pipe is gone when it is at its end.
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

    /// Takes what is there, once: who writes without end is not read without end.
    fn take(&mut self) -> io::Result<()> {
        let Some(from) = &mut self.from else {
            return Ok(());
        };
        let mut bytes = [0; READ_BYTES];
        match from.read(&mut bytes) {
            Ok(0) => self.from = None,
            Ok(length) => self.bytes.extend(bytes.get(..length).unwrap_or_default()),
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

    fn run_shell(script: &str, input: &[u8], bounds: &Bounds) -> Result<Ended, Cut> {
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
    fn a_process_that_reads_nothing_is_heard_all_the_same() {
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
            let cut = run_shell(script, b"", &bounds);
            assert!(matches!(cut, Err(Cut::Late)), "{script}: {cut:?}");
        }
    }

    #[test]
    fn a_process_that_gives_too_much_is_ended() {
        let cut = run_shell("exec yes", b"", &PATIENT);
        assert!(matches!(cut, Err(Cut::TooMuch)), "{cut:?}");
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
            let cut = run.join().unwrap();
            assert!(matches!(cut, Err(Cut::Stopped)), "{cut:?}");
        });
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let (stop, _open) = pipe().unwrap();
        let cut = run(&mut Command::new("/nowhere"), b"", &PATIENT, &stop);
        assert!(matches!(cut, Err(Cut::World(_))), "{cut:?}");
    }
}
