//! Rust: cargo, for the target `wasm32-wasip2`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::tool;
use crate::commands::plugin::project::Project;

const TARGET: &str = "wasm32-wasip2";
const RUSTUP: &str = "install rustup, which brings cargo and rustc: \
                      curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh";

/// What cargo says of each artifact, as far as it is read here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Where cargo put the component.
pub(super) fn build(project: &Project) -> Result<PathBuf, String> {
    add_target(&project.dir)?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--quiet", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(&project.dir)
        .stderr(Stdio::inherit());
    let said = tool::output(&mut cargo, RUSTUP)?;
    let messages = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let artifacts = messages.filter(|message: &Message| message.reason == "compiler-artifact");
    let mut files = artifacts.flat_map(|message| message.filenames);
    // Dependencies come first, and have no component.
    let component = files.rfind(|file| file.extension().is_some_and(|it| it == "wasm"));
    component.ok_or_else(|| {
        "cargo built no component: Cargo.toml needs [lib] crate-type = [\"cdylib\"]".to_owned()
    })
}

/// Installs the standard library of the target, unless it is there.
fn add_target(dir: &Path) -> Result<(), String> {
    let mut ask = Command::new("rustc");
    ask.args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(dir);
    let library = tool::output(&mut ask, RUSTUP)?;
    if Path::new(library.trim()).is_dir() {
        return Ok(());
    }
    let mut add = Command::new("rustup");
    add.args(["target", "add", TARGET]).current_dir(dir);
    tool::run(
        &mut add,
        &format!(
            "this rustc has no standard library of {TARGET}; where it is one of rustup's, `rustup \
             target add {TARGET}` installs it"
        ),
    )
}
