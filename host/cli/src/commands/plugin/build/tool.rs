//! Running the tools of languages, and installing those that come from a package registry.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};

use crate::commands::plugin::cache;

/// Where tools lie below the cache folder, and the file that says that one is whole.
const TOOLS: &str = "tools";
const STAMP: &str = "installed";

/// Runs a program to its end; what it prints goes where ours goes.
///
/// # Errors
/// When it fails, and when it is not there: `advice` says how to get it.
pub(super) fn run(command: &mut Command, advice: &str) -> Result<(), String> {
    let name = name(command);
    // Our own output is for what was built.
    let status = command.stdout(stderr()?).status();
    let status = status.map_err(|error| not_started(&name, &error, advice))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{name} failed ({status})"))
}

/// The same for what it prints to its standard output.
///
/// # Errors
/// Those of [`run`], and output that is no text.
pub(super) fn output(command: &mut Command, advice: &str) -> Result<String, String> {
    let name = name(command);
    let output = command.stdout(Stdio::piped()).spawn();
    let output = output.and_then(std::process::Child::wait_with_output);
    let output = output.map_err(|error| not_started(&name, &error, advice))?;
    if !output.status.success() {
        return Err(format!("{name} failed ({})", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{name} printed what is no text"))
}

/// Runs a program to its end; what it prints to its standard output is shown only if it fails.
///
/// # Errors
/// Those of [`run`].
pub(super) fn quietly(command: &mut Command, advice: &str) -> Result<(), String> {
    let name = name(command);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| not_started(&name, &error, advice))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    crate::output::complain(said.trim_end()).map_err(|error| error.to_string())?;
    Err(format!("{name} failed ({})", output.status))
}

/// A folder of tools of these versions, which `install` fills if it is not there. One that was not
/// filled to its end is filled anew.
///
/// # Errors
/// Those of `install`.
pub(super) fn installed(
    name: &str,
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let tools = cache::folder()?.join(TOOLS);
    let folder = tools.join(name);
    let stamp = folder.join(STAMP);
    if stamp.exists() {
        return Ok(folder);
    }
    let failed = |error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&tools).map_err(failed)?;
    // Another command may be installing the same. The lock is free again when this ends.
    let lock = fs::File::create(tools.join(format!("{name}.lock"))).map_err(failed)?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
    if stamp.exists() {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir_all(&folder).map_err(failed)?;
    let shown = folder.display();
    crate::output::complain(&format!("installing {name} into {shown}")).map_err(failed)?;
    install(&folder)?;
    fs::write(&stamp, "").map_err(failed)?;
    Ok(folder)
}

/// A Python environment with these packages. The folder of its programs.
///
/// # Errors
/// When there is no Python with `venv`, or a package cannot be had.
pub(super) fn python(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let advice = "install Python 3.10 or newer with venv (Debian: apt install python3-venv)";
    let folder = installed(name, |folder| {
        let mut venv = Command::new("python3");
        run(venv.args(["-m", "venv"]).arg(folder), advice)?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(packages);
        run(&mut pip, advice)
    })?;
    Ok(folder.join("bin"))
}

fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    name.to_string_lossy().into_owned()
}

fn not_started(name: &str, error: &std::io::Error, advice: &str) -> String {
    if error.kind() == ErrorKind::NotFound {
        format!("{name} is not there: {advice}")
    } else {
        format!("start {name}: {error}")
    }
}

/// Our standard error, for a child.
fn stderr() -> Result<Stdio, String> {
    let stderr = rustix::io::dup(std::io::stderr());
    stderr
        .map(Stdio::from)
        .map_err(|error| format!("share the standard error: {error}"))
}
