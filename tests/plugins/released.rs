//! Released versions of `wit/` do not change: components that were built with them are out of
//! reach.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")
}

/// The digests of files by their names, as `sha256sum` writes them.
fn listed() -> BTreeMap<String, String> {
    let text = fs::read_to_string(wit().join("released.sha256")).unwrap();
    let lines = text.lines().map(|line| line.split_once("  ").unwrap());
    lines
        .map(|(digest, file)| (file.to_owned(), digest.to_owned()))
        .collect()
}

/// The digests of all files of a version.
fn files_of(version: &str) -> BTreeMap<String, String> {
    let entries = fs::read_dir(wit().join(version)).unwrap();
    let files = entries.map(|entry| {
        let path = entry.unwrap().path();
        let digest = Sha256::digest(fs::read(&path).unwrap());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = path.file_name().unwrap().to_str().unwrap();
        (format!("{version}/{name}"), digest)
    });
    files.collect()
}

/// The versions that the README calls released.
fn versions() -> Vec<String> {
    let readme = fs::read_to_string(wit().join("README.md")).unwrap();
    let rows = readme.lines().filter(|line| line.contains("| released: "));
    let versions = rows.map(|row| row.split('`').nth(1).unwrap().to_owned());
    versions.collect()
}

#[test]
fn the_files_of_released_versions_are_what_they_were_when_they_were_released() {
    let versions = versions();
    assert_eq!(versions, ["0.1"]);
    let now: BTreeMap<_, _> = versions.iter().flat_map(|it| files_of(it)).collect();
    let changed: Vec<_> = listed()
        .into_iter()
        .filter(|(file, digest)| now.get(file) != Some(digest))
        .map(|(file, _)| file)
        .collect();
    assert!(
        changed.is_empty(),
        "{changed:?} belong to a released version: what changes is a new version, in a folder of \
         its own (wit/README.md)"
    );
    let new: Vec<_> = now
        .keys()
        .filter(|file| !listed().contains_key(*file))
        .collect();
    assert!(
        new.is_empty(),
        "{new:?} are new beside released files: if nothing requires them (wit/README.md), add \
         their lines of `sha256sum` to wit/released.sha256"
    );
}
