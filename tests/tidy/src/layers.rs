//! The layout is the architecture: a crate uses only crates of lower layers, and every member of
//! the workspace keeps the workspace's lints.

use toml::{Table, Value};

use crate::repository::{File, Repository};

/// The directories below `host/` with their layers, lowest first. A new crate is a line here.
const LAYERS: [(&str, u8); 13] = [
    ("types", 0),
    ("wire", 1),
    ("store", 1),
    ("wasm", 1),
    ("formats", 1),
    ("sql", 1),
    ("streams", 2),
    ("tables", 2),
    ("delivery", 3),
    ("consumers", 3),
    ("analytics", 4),
    ("server", 5),
    ("cli", 6),
];

/// What the package in `host/<directory>` may be called in a manifest.
const PACKAGE_PREFIX: &str = "millrace-";

/// Uses of a crate of the same or a higher layer, and crates that have no layer.
pub fn upward_dependencies(repository: &Repository) -> Vec<String> {
    let mut found = Vec::new();
    for (file, directory) in host_manifests(repository) {
        let Some(layer) = layer(directory) else {
            found.push(format!(
                "{}: has no line in tidy's table of layers",
                file.path
            ));
            continue;
        };
        let Ok(manifest) = file.text.parse::<Table>() else {
            found.push(format!("{}: is not TOML", file.path));
            continue;
        };
        let upward = dependencies(&manifest)
            .into_iter()
            .filter(|used| self::layer(used).is_some_and(|used| layer <= used));
        found.extend(
            upward.map(|used| format!("{}: uses {used}, which is not below it", file.path)),
        );
    }
    found
}

/// Packages that stand apart from the workspace, so that they cannot take its lints.
const APART: [&str; 2] = ["tests/conformance/rust/", "tests/fuzz/"];

/// Members without `[lints] workspace = true`.
pub fn members_without_lints(repository: &Repository) -> Vec<String> {
    let manifests = repository
        .files()
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
        .filter(|file| !APART.iter().any(|folder| file.path.starts_with(folder)));
    let without = manifests.filter(|file| {
        let manifest = file.text.parse::<Table>().unwrap_or_default();
        let lints = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"));
        lints.and_then(Value::as_bool) != Some(true)
    });
    without
        .map(|file| format!("{}: does not take the workspace's lints", file.path))
        .collect()
}

/// Dependencies of the workspace without the reason beside them.
pub fn unexplained_dependencies(repository: &Repository) -> Vec<String> {
    let Some(file) = repository.file("Cargo.toml") else {
        return vec!["Cargo.toml: is missing".to_owned()];
    };
    file.text
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.contains('=') && !line.contains("path =") && !line.contains(" # "))
        .map(|line| format!("Cargo.toml: `{line}` has no reason beside it"))
        .collect()
}

fn host_manifests(repository: &Repository) -> impl Iterator<Item = (&File, &str)> {
    repository.files().iter().filter_map(|file| {
        let rest = file.path.strip_prefix("host/")?;
        Some((file, rest.strip_suffix("/Cargo.toml")?))
    })
}

fn layer(name: &str) -> Option<u8> {
    let name = name.strip_prefix(PACKAGE_PREFIX).unwrap_or(name);
    let name = if name == "millrace" { "cli" } else { name };
    let known = LAYERS.iter().find(|(directory, _)| *directory == name);
    known.map(|(_, layer)| *layer)
}

/// Every package that a manifest names, under its key and under its real name.
fn dependencies(manifest: &Table) -> Vec<String> {
    let mut tables: Vec<&Table> = ["dependencies", "dev-dependencies", "build-dependencies"]
        .iter()
        .filter_map(|kind| manifest.get(*kind)?.as_table())
        .collect();
    let targets = manifest.get("target").and_then(Value::as_table);
    for target in targets.into_iter().flat_map(Table::values) {
        tables.extend(
            target
                .as_table()
                .into_iter()
                .flat_map(Table::values)
                .filter_map(Value::as_table),
        );
    }
    let mut names = Vec::new();
    for (key, value) in tables.into_iter().flatten() {
        let renamed = value.get("package").and_then(Value::as_str);
        names.push(renamed.unwrap_or(key).to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assertions::{finds, holds};

    #[test]
    fn every_crate_uses_only_lower_layers() {
        holds(upward_dependencies);
    }

    #[test]
    fn a_dependency_upwards_sideways_or_renamed_is_found() {
        let manifest = "[dependencies]\ntypes.workspace = true\nstreams = \"1\"\n\
            [dev-dependencies]\nw = { package = \"millrace-wire\", path = \"../wire\" }\n\
            [target.'cfg(unix)'.dependencies]\nserver = \"1\"\n";
        finds(
            upward_dependencies,
            3,
            &[("host/store/Cargo.toml", manifest)],
        );
    }

    #[test]
    fn a_crate_that_has_no_layer_is_found() {
        finds(
            upward_dependencies,
            1,
            &[("host/new/Cargo.toml", "[package]\n")],
        );
    }

    #[test]
    fn every_member_takes_the_lints_of_the_workspace() {
        holds(members_without_lints);
        let bare = [("host/a/Cargo.toml", "[package]\nname = \"a\"\n")];
        finds(members_without_lints, 1, &bare);
        let off = [("host/a/Cargo.toml", "[lints]\nworkspace = false\n")];
        finds(members_without_lints, 1, &off);
    }

    #[test]
    fn every_dependency_says_why_it_is_there() {
        holds(unexplained_dependencies);
        let text = "[workspace.dependencies]\na = \"1\" # why\nb = \"2\"\n[profile]\nc = 1\n";
        finds(unexplained_dependencies, 1, &[("Cargo.toml", text)]);
    }
}
