//! What lies in the plugins directory: `<dir>/<name>/plugin.toml` with `<name>.wasm` beside it, or
//! a bare `<dir>/<name>.wasm`. Anything else is passed over: the directory of a source tree is a
//! plugins directory, too.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::files::{self, Stamp};
use crate::kept::Source;
use crate::limits::MANIFEST_BYTES_MAX;
use crate::name::PluginName;
use crate::refusal::Refusal;

/// Entries that are looked at. What comes after so many, in the order of names, is passed over.
const ENTRIES_MAX: usize = 10_000;
const MANIFEST: &str = "plugin.toml";

/// The files of one plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) component: Option<(PathBuf, Stamp)>,
    pub(crate) manifest: Option<(PathBuf, Stamp)>,
    /// It lies in a folder, so it must have a manifest.
    in_folder: bool,
    /// Why it cannot be a plugin, whatever its files hold.
    pub(crate) oddity: Option<String>,
}

/// Every plugin that the directory holds, by name.
pub(crate) fn scan(dir: &Path) -> Result<BTreeMap<PluginName, Found>, String> {
    let mut all: BTreeMap<PluginName, Found> = BTreeMap::new();
    let walk = WalkDir::new(dir)
        .min_depth(1)
        .max_depth(2)
        .sort_by_file_name();
    for entry in walk.into_iter().take(ENTRIES_MAX) {
        match entry {
            Ok(entry) => note(&mut all, &entry),
            Err(error) if error.depth() > 0 && is_passed_over(error.io_error()) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    all.retain(|_, found| found.is_plugin());
    Ok(all)
}

/// A file that went away meanwhile is as good as one that was never there, and what we may not look
/// at is somebody else's. But what could not be looked at for want of anything is not gone.
fn is_passed_over(error: Option<&io::Error>) -> bool {
    error.is_none_or(|error| {
        matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
        )
    })
}

fn note(all: &mut BTreeMap<PluginName, Found>, entry: &DirEntry) {
    let file = entry.file_name().to_string_lossy();
    let (name, in_folder) = match entry.depth() {
        1 if entry.file_type().is_dir() => return,
        1 => (
            file.strip_suffix(".wasm").unwrap_or_default().to_owned(),
            false,
        ),
        _ => {
            let folder = entry.path().parent().and_then(Path::file_name);
            (
                folder.unwrap_or_default().to_string_lossy().into_owned(),
                true,
            )
        }
    };
    let Ok(name) = PluginName::parse(&name) else {
        return;
    };
    let is_component = file == format!("{name}.wasm");
    let is_manifest = in_folder && file == MANIFEST;
    if !is_component && !is_manifest {
        return;
    }
    let found = all.entry(name.clone()).or_default();
    if !entry.file_type().is_file() {
        found.oddity = Some(format!("{file} is not a regular file"));
        return;
    }
    let Ok(metadata) = entry.metadata() else {
        return;
    };
    let file = (entry.path().to_owned(), Stamp::of(&metadata));
    if is_manifest {
        found.in_folder = true;
        found.manifest = Some(file);
        return;
    }
    if found.component.is_some() {
        found.oddity = Some(format!("there is {name}.wasm and {name}/{name}.wasm"));
    }
    found.in_folder |= in_folder;
    found.component = Some(file);
}

impl Found {
    /// A folder that holds neither is somebody else's.
    fn is_plugin(&self) -> bool {
        self.component.is_some() || self.manifest.is_some() || self.oddity.is_some()
    }

    /// Reads the files.
    pub(crate) fn read(&self, name: &PluginName, bytes_max: u64) -> Result<Source, Refusal> {
        if let Some(oddity) = &self.oddity {
            return Err(Refusal::ForGood(oddity.clone()));
        }
        let Some((component, _)) = &self.component else {
            return Err(format!("{name}.wasm is not there: it is not built yet").into());
        };
        let manifest = match &self.manifest {
            None if self.in_folder => return Err(format!("{MANIFEST} is not there").into()),
            None => None,
            Some((path, _)) => {
                let bytes = files::read_whole(path, MANIFEST_BYTES_MAX)?;
                let text = String::from_utf8(bytes);
                Some(text.map_err(|_| format!("{MANIFEST} is not text"))?)
            }
        };
        Ok(Source {
            manifest,
            component: files::read_whole(component, bytes_max)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn name(text: &str) -> PluginName {
        PluginName::parse(text).unwrap()
    }

    #[test]
    fn folders_with_manifests_and_bare_components_are_found_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for folder in ["good/src", "no-manifest", "not-built", "other/x", "Bad"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in [
            "good/plugin.toml",
            "good/good.wasm",
            "good/src/good.wasm",
            "no-manifest/no-manifest.wasm",
            "not-built/plugin.toml",
            "other/good.wasm",
            "Bad/plugin.toml",
            "bare.wasm",
            "README.md",
            "twice.wasm",
        ] {
            fs::write(root.join(file), file).unwrap();
        }
        fs::create_dir(root.join("twice")).unwrap();
        fs::write(root.join("twice/twice.wasm"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("bare.wasm"), root.join("link.wasm")).unwrap();
        let found = scan(root).unwrap();
        let names: Vec<_> = found.keys().map(PluginName::as_str).collect();
        assert_eq!(
            names,
            ["bare", "good", "link", "no-manifest", "not-built", "twice"]
        );
        let read = |text: &str| found[&name(text)].read(&name(text), 100);
        assert_eq!(read("good").unwrap().manifest.unwrap(), "good/plugin.toml");
        assert_eq!(read("bare").unwrap().component, b"bare.wasm");
        for (bad, why) in [
            ("link", "not a regular file"),
            ("no-manifest", "plugin.toml is not there"),
            ("not-built", "not built yet"),
            ("twice", "there is twice.wasm and twice/twice.wasm"),
        ] {
            let refusal = read(bad).unwrap_err().to_string();
            assert!(refusal.contains(why), "{bad}: {refusal}");
        }
    }

    /// While there were too many open files, plugins in folders were taken out of force.
    #[test]
    fn a_folder_that_cannot_be_looked_at_for_want_of_anything_is_not_taken_for_empty() {
        use rustix::io::Errno;
        let is_passed_over = |errno: Errno| is_passed_over(Some(&errno.into()));
        for errno in [Errno::NOENT, Errno::NOTDIR, Errno::ACCESS] {
            assert!(is_passed_over(errno), "{errno}");
        }
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::IO] {
            assert!(!is_passed_over(errno), "{errno}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        assert!(scan(Path::new("no-such-directory")).is_err());
    }
}
