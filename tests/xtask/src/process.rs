//! Running other programs.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, Stdio};

/// What a program printed, and whether it ended well.
pub struct Ended {
    /// Both of its outputs, as they came.
    pub text: String,
    /// Whether its exit code was 0.
    pub well: bool,
}

/// Runs the program with our own output; whether it ended well.
pub fn succeeds(command: &mut Command) -> Result<bool, String> {
    println!("$ {}", shown(command));
    let status = command
        .status()
        .map_err(|e| format!("run {}: {e}", shown(command)))?;
    Ok(status.success())
}

/// Runs the program with our own output; an error unless it ended well.
pub fn must(command: &mut Command) -> Result<(), String> {
    match succeeds(command)? {
        true => Ok(()),
        false => Err(format!("{} failed", shown(command))),
    }
}

/// Runs the program, prints what it prints as it comes, and keeps it.
pub fn watched(command: &mut Command) -> Result<Ended, String> {
    println!("$ {}", shown(command));
    let failed = |e: io::Error| format!("run: {e}");
    let (reader, writer) = io::pipe().map_err(failed)?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(failed)?)
        .stderr(writer);
    let mut child = command
        .spawn()
        .map_err(|e| format!("run {}: {e}", shown(command)))?;
    // The command keeps the pipe's writing ends; only without them does the reading end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut text = String::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.map_err(failed)?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        text.push_str(&line);
        text.push('\n');
    }
    let status = child.wait().map_err(failed)?;
    Ok(Ended {
        text,
        well: status.success(),
    })
}

/// Runs the program in silence; what it printed to its standard output if it ended well.
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
