//! Components of other languages, each built by its usual tool for the world `transformer-simple`.
//! They are built once for each version of what they are made of.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;
use crate::tools;
use crate::workspace::Workspace;

const WORLD: &str = "transformer-simple";
/// The file that says of what the components beside it were made.
const STAMP: &str = "made-of";

/// Builds them all. Returns the folder with `c.wasm`, `javascript.wasm`, `python.wasm` and
/// `quickjs.wasm`.
pub fn build(workspace: &Workspace) -> Result<PathBuf, String> {
    let folder = workspace.clients().join("components");
    let stamp = folder.join(STAMP);
    let made_of = made_of(workspace)?;
    if fs::read_to_string(&stamp).is_ok_and(|before| before == made_of) {
        return Ok(folder);
    }
    fs::create_dir_all(&folder).map_err(|e| format!("create {}: {e}", folder.display()))?;
    let programs = tools::python(workspace)?;
    python(workspace, &programs, &folder.join("python.wasm"))?;
    javascript(workspace, &folder.join("javascript.wasm"))?;
    quickjs(workspace, &folder.join("quickjs.wasm"))?;
    c(workspace, &programs, &folder)?;
    fs::write(&stamp, made_of).map_err(|e| format!("write {}: {e}", stamp.display()))?;
    Ok(folder)
}

/// The interfaces, the sources, the versions of the tools and how they are called, as a number.
fn made_of(workspace: &Workspace) -> Result<String, String> {
    let mut files = vec![
        workspace.conformance().join("requirements.txt"),
        workspace.conformance().join("package-lock.json"),
    ];
    let languages = ["javascript", "python", "c"].map(|name| sources(workspace, name));
    for folder in languages.iter().chain([&wit(workspace)]) {
        let failed = |e| format!("read {}: {e}", folder.display());
        for entry in fs::read_dir(folder).map_err(failed)? {
            files.push(entry.map_err(failed)?.path());
        }
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    include_str!("foreign.rs").hash(&mut hasher);
    for file in files {
        let content = fs::read(&file).map_err(|e| format!("read {}: {e}", file.display()))?;
        (file.file_name(), content).hash(&mut hasher);
    }
    Ok(format!("{:016x}\n", hasher.finish()))
}

fn python(workspace: &Workspace, programs: &Path, component: &Path) -> Result<(), String> {
    // The tool leaves compiled modules beside the source.
    let copy = workspace.clients().join("python-source");
    let failed = |e| format!("copy to {}: {e}", copy.display());
    fs::create_dir_all(&copy).map_err(failed)?;
    let source = sources(workspace, "python").join("upper.py");
    fs::copy(source, copy.join("upper.py")).map_err(failed)?;
    let mut build = Command::new(programs.join("componentize-py"));
    build
        .arg("--quiet")
        .arg("--wit-path")
        .arg(wit(workspace))
        .args(["--world", WORLD, "componentize", "upper", "--output"])
        .arg(component)
        .current_dir(copy);
    process::must(&mut build)
}

fn javascript(workspace: &Workspace, component: &Path) -> Result<(), String> {
    let node = tools::node(workspace)?;
    let home = tools::npm(workspace, node.as_deref())?;
    let mut build = tools::with_path(Command::new("node"), node.as_deref());
    build
        .arg("build.mjs")
        .arg(home.join("node_modules/@bytecodealliance/componentize-js/src/componentize.js"))
        .arg(wit(workspace))
        .arg(WORLD)
        .arg(component)
        .current_dir(sources(workspace, "javascript"));
    process::must(&mut build)
}

/// The same source as for StarlingMonkey. Async functions are left out: a plugin cannot wait.
fn quickjs(workspace: &Workspace, component: &Path) -> Result<(), String> {
    let node = tools::node(workspace)?;
    let home = tools::npm(workspace, node.as_deref())?;
    let mut build = tools::with_path(Command::new("node"), node.as_deref());
    build
        .arg(home.join("node_modules/@bytecodealliance/jco/dist/jco.js"))
        .args(["componentize", "upper.js", "--wit"])
        .arg(wit(workspace))
        .args(["--world-name", WORLD])
        .args(["--backend", "quickjs", "--backend-qjs-disable-async"])
        .arg("--out")
        .arg(component)
        .current_dir(sources(workspace, "javascript"));
    process::must(&mut build)
}

/// Zig's C compiler, which brings a C library for WASI with it, and what makes a component of a
/// core module.
fn c(workspace: &Workspace, programs: &Path, folder: &Path) -> Result<(), String> {
    let core = folder.join("c-core.wasm");
    let mut compile = Command::new(programs.join("python"));
    compile
        .args(["-m", "ziglang", "cc", "-target", "wasm32-wasi"])
        .args(["-mexec-model=reactor", "-Os", "-Wall", "-Wextra", "-Werror"])
        .arg(sources(workspace, "c").join("upper.c"))
        .arg("-o")
        .arg(&core)
        .env("ZIG_GLOBAL_CACHE_DIR", workspace.clients().join("zig"))
        .env("ZIG_LOCAL_CACHE_DIR", workspace.clients().join("zig"));
    process::must(&mut compile)?;
    let typed = folder.join("c-typed.wasm");
    let mut embed = Command::new(programs.join("wasm-tools"));
    embed
        .args(["component", "embed", "--world", WORLD])
        .arg(wit(workspace))
        .arg(&core)
        .arg("--output")
        .arg(&typed);
    process::must(&mut embed)?;
    let mut new = Command::new(programs.join("wasm-tools"));
    new.args(["component", "new"])
        .arg(&typed)
        .arg("--output")
        .arg(folder.join("c.wasm"));
    process::must(&mut new)
}

fn wit(workspace: &Workspace) -> PathBuf {
    workspace.root.join("wit/0.1")
}

fn sources(workspace: &Workspace, language: &str) -> PathBuf {
    workspace.conformance().join("components").join(language)
}
