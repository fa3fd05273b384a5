//! The plugins of this repository as components: each `<name>.wasm` beside its manifest, and those
//! that only tests deploy beside their crate's.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process;
use crate::workspace::Workspace;

/// What components are built for.
const TARGET: &str = "wasm32-wasip2";
/// The profile of the workspace that they are built with, and the name of its directory.
const PROFILE: &str = "plugin";
/// A plugin of the tests.
const TEST_PLUGIN: &str = "panics";
/// The plugin that the demo changes to a version with another feature.
const DEMO_PLUGIN: &str = "parse-access-log";
const DEMO_FEATURE: &str = "without-bots";

/// Builds all plugins and puts each beside its manifest.
pub fn build(workspace: &Workspace) -> Result<(), String> {
    let names = names(&workspace.plugins())?;
    add_target(workspace)?;
    let of_tests = [TEST_PLUGIN.to_owned()];
    build_components(workspace, &[&names[..], &of_tests].concat(), None)?;
    for name in &names {
        put(workspace, name, &format!("plugins/{name}/{name}.wasm"))?;
    }
    let to = format!("tests/plugins/{TEST_PLUGIN}/{TEST_PLUGIN}.wasm");
    put(workspace, TEST_PLUGIN, &to)
}

/// Puts a component that was built where it belongs in the repository.
fn put(workspace: &Workspace, name: &str, to: &str) -> Result<(), String> {
    let file = workspace.root.join(to);
    copy_whole(&component(workspace, name), &file)?;
    let failed = |e| format!("look at {}: {e}", file.display());
    let bytes = fs::metadata(&file).map_err(failed)?.len();
    println!("{to}: {bytes} bytes");
    Ok(())
}

/// Builds the version that the demo changes to while records flow. Returns its file.
pub fn build_for_demo(workspace: &Workspace) -> Result<PathBuf, String> {
    let folder = workspace.target.join("demo");
    fs::create_dir_all(&folder).map_err(|e| format!("create {}: {e}", folder.display()))?;
    build_components(workspace, &[DEMO_PLUGIN.to_owned()], Some(DEMO_FEATURE))?;
    let file = folder.join(format!("{DEMO_PLUGIN}-{DEMO_FEATURE}.wasm"));
    copy_whole(&component(workspace, DEMO_PLUGIN), &file)?;
    Ok(file)
}

/// The folders that hold a manifest and the source of a plugin, in order. A plugin that someone
/// put there as a component alone has no source to build.
fn names(plugins: &Path) -> Result<Vec<String>, String> {
    let failed = |e| format!("read {}: {e}", plugins.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(plugins).map_err(failed)? {
        let folder = entry.map_err(failed)?.path();
        let is_ours = ["plugin.toml", "Cargo.toml"]
            .iter()
            .all(|file| folder.join(file).is_file());
        if let (true, Some(name)) = (is_ours, folder.file_name().and_then(|name| name.to_str())) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    if names.is_empty() {
        return Err(format!("{}: holds no plugin", plugins.display()));
    }
    Ok(names)
}

/// Installs the standard library of the target, unless it is there.
fn add_target(workspace: &Workspace) -> Result<(), String> {
    let library = ["--print", "target-libdir", "--target", TARGET];
    let is_there = process::answer("rustc", &library).is_some_and(|path| Path::new(&path).is_dir());
    if is_there {
        return Ok(());
    }
    let mut add = std::process::Command::new("rustup");
    add.args(["target", "add", TARGET])
        .current_dir(&workspace.root);
    process::must(&mut add)
}

fn build_components(
    workspace: &Workspace,
    names: &[String],
    feature: Option<&str>,
) -> Result<(), String> {
    let mut build = workspace.cargo(&["build", "--target", TARGET, "--profile", PROFILE]);
    for name in names {
        build.args(["--package", name]);
    }
    if let Some(feature) = feature {
        build.args(["--features", feature]);
    }
    process::must(&mut build)
}

/// Where cargo puts a plugin's component.
fn component(workspace: &Workspace, name: &str) -> PathBuf {
    let file = format!("{}.wasm", name.replace('-', "_"));
    workspace.target.join(TARGET).join(PROFILE).join(file)
}

/// Copies a file so that it is there whole or not at all: a server may watch the folder.
fn copy_whole(from: &Path, to: &Path) -> Result<(), String> {
    let part = to.with_extension("wasm.part");
    fs::copy(from, &part).map_err(|e| format!("copy {}: {e}", from.display()))?;
    fs::rename(&part, to).map_err(|e| format!("rename to {}: {e}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_with_a_manifest_and_a_crate_is_a_plugin() {
        let workspace = Workspace::find().unwrap();
        let names = names(&workspace.plugins()).unwrap();
        assert!(names.is_sorted() && names.iter().any(|name| name == DEMO_PLUGIN));
        for name in &names {
            let members = fs::read_to_string(workspace.root.join("Cargo.toml")).unwrap();
            assert!(
                members.contains(&format!("\"plugins/{name}\"")),
                "{name} is no member"
            );
        }
    }

    #[test]
    fn a_manifest_has_the_name_and_version_of_its_crate() {
        let workspace = Workspace::find().unwrap();
        for name in names(&workspace.plugins()).unwrap() {
            let path = workspace.plugins().join(&name).join("plugin.toml");
            let manifest = fs::read_to_string(path).unwrap();
            assert!(
                manifest.starts_with(&format!("name = \"{name}\"\n")),
                "{name}"
            );
            // All crates of the workspace have one version, this one's.
            let version = format!("\nversion = \"{}\"\n", env!("CARGO_PKG_VERSION"));
            assert!(manifest.contains(&version), "{name}");
        }
    }
}
