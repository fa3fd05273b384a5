//! Python: `componentize-py` from PyPI puts the source beside a CPython.

use std::path::PathBuf;
use std::process::Command;

use super::tool;
use crate::commands::plugin::project::Project;

const VERSION: &str = "0.25.1";
/// The module of the author.
const SOURCE: &str = "plugin";
const SDK: &str = "millrace/sdk/python";

/// Where the component was put.
pub(super) fn build(project: &Project) -> Result<PathBuf, String> {
    let package = format!("componentize-py=={VERSION}");
    let programs = tool::python(&format!("componentize-py-{VERSION}"), &[&package])?;
    let component = project.workshop()?.join("plugin.wasm");
    let mut build = Command::new(programs.join("componentize-py"));
    build
        .arg("--quiet")
        .arg("--wit-path")
        .arg(project.wit())
        .args(["--world", project.simple_world(), "componentize"])
        .arg("--python-path")
        .arg(&project.dir)
        .arg("--python-path")
        .arg(project.dir.join(SDK))
        .arg(SOURCE)
        .arg("--output")
        .arg(&component)
        // It would leave compiled modules beside the source.
        .env("PYTHONDONTWRITEBYTECODE", "1");
    tool::run(
        &mut build,
        "it was installed and is gone: remove the cache folder",
    )?;
    Ok(component)
}
