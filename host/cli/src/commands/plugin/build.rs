//! `millrace plugin build`: the language's own tool makes a component of a plugin's sources.

mod c;
mod js;
mod python;
mod rust;
mod tool;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use super::project::{Language, Project};
use crate::failure::Failure;
use crate::output;

/// Builds a plugin with its language's own tools, which are installed where that can be done for
/// this user alone. What they complain about is shown as it is.
#[derive(Args)]
pub(crate) struct BuildArgs {
    /// The folder of the plugin's sources
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// A component that was built.
pub(super) struct Built {
    pub(super) component: PathBuf,
    pub(super) bytes: u64,
    pub(super) took: Duration,
}

pub(crate) fn run(args: &BuildArgs) -> Result<(), Failure> {
    let project = Project::open(&args.dir).map_err(Failure::Unable)?;
    let built = build(&project)?;
    Ok(output::lines(&built.text())?)
}

impl Built {
    pub(super) fn text(&self) -> String {
        format!(
            "built {}: {} bytes in {}.{:01} s",
            self.component.display(),
            output::count(self.bytes),
            self.took.as_secs(),
            self.took.subsec_millis() / 100
        )
    }
}

/// Builds a project and puts its component beside its manifest.
pub(super) fn build(project: &Project) -> Result<Built, String> {
    let began = Instant::now();
    let made = match project.language {
        Language::Rust => rust::build(project)?,
        Language::Js => js::build(project)?,
        Language::Python => python::build(project)?,
        Language::C => c::build(project)?,
    };
    let component = project.component();
    put_whole(&made, &component)?;
    let metadata = fs::metadata(&component);
    let bytes = metadata.map_err(|error| format!("{}: {error}", component.display()))?;
    Ok(Built {
        component,
        bytes: bytes.len(),
        took: began.elapsed(),
    })
}

/// Copies a file so that it is there whole or not at all: somebody may watch the folder.
fn put_whole(from: &Path, to: &Path) -> Result<(), String> {
    let part = to.with_extension("wasm.part");
    fs::copy(from, &part).map_err(|error| format!("copy {}: {error}", from.display()))?;
    fs::rename(&part, to).map_err(|error| format!("rename to {}: {error}", to.display()))
}
