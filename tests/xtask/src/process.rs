//! Running other programs.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Lines that were read and not yet printed; the program waits when there are more.
const LINES_WAITING_MAX: usize = 1_000;
/// How often a silent program is asked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long after a program's end what it printed may still come in.
const LAST_LINES: Duration = Duration::from_secs(2);

/// What a program printed, and whether it ended well.
pub struct Ended {
    /// Both of its outputs, as they came.
    pub text: String,
    /// Whether its exit code was 0.
    pub well: bool,
    /// From its start to its end.
    pub took: Duration,
}

/// Runs the program, which prints where we print. Returns whether it ended well.
pub fn succeeds(command: &mut Command) -> Result<bool, String> {
    println!("$ {}", shown(command));
    let status = command
        .status()
        .map_err(|e| format!("run {}: {e}", shown(command)))?;
    Ok(status.success())
}

/// Runs the program, which prints where we print. Fails unless it ended well.
pub fn must(command: &mut Command) -> Result<(), String> {
    if !succeeds(command)? {
        return Err(format!("{} failed", shown(command)));
    }
    Ok(())
}

/// Runs the program, prints what it prints as it comes, and keeps it. A process that it leaves
/// behind may hold its outputs open; they are read for [`LAST_LINES`] after its end.
pub fn watched(command: &mut Command) -> Result<Ended, String> {
    println!("$ {}", shown(command));
    let failed = |e: io::Error| format!("run: {e}");
    let (reader, writer) = io::pipe().map_err(failed)?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(failed)?)
        .stderr(writer);
    let begin = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|e| format!("run {}: {e}", shown(command)))?;
    // The command keeps the pipe's writing ends; only without them does the reading end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (sender, lines) = sync_channel(LINES_WAITING_MAX);
    thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut text = String::new();
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        match lines.recv_timeout(LOOK_EVERY) {
            Ok(line) => {
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                text.push_str(&line);
                text.push('\n');
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        match ended {
            None => {
                ended = child
                    .try_wait()
                    .map_err(failed)?
                    .map(|s| (s, Instant::now()))
            }
            Some((_, at)) if LAST_LINES < at.elapsed() => break,
            Some(_) => {}
        }
    }
    let status = match ended {
        Some((status, _)) => status,
        None => child.wait().map_err(failed)?,
    };
    Ok(Ended {
        text,
        well: status.success(),
        took: begin.elapsed(),
    })
}

/// Runs the program in silence. Returns what it printed to its standard output, if it ended well.
pub fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(
        command
            .get_args()
            .map(|argument| argument.to_string_lossy()),
    );
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Ended {
        watched(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn both_outputs_and_the_end_of_a_program_are_seen() {
        let ended = shell("echo a; echo b >&2; exit 3");
        assert_eq!((ended.text.as_str(), ended.well), ("a\nb\n", false));
        assert!(shell("true").well);
    }

    #[test]
    fn a_process_that_is_left_behind_does_not_hold_up_the_end() {
        let start = Instant::now();
        let ended = shell("sleep 60 & echo $!");
        assert!(ended.well && start.elapsed() < Duration::from_secs(30));
        // It was ours; it goes.
        assert!(succeeds(Command::new("kill").arg(ended.text.trim())).unwrap());
    }
}
