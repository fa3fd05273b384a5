//! The demo's own plugins directory: a copy, so that what is swapped in it is nobody else's.

use std::fs;
use std::path::{Path, PathBuf};

/// The plugin that the demo shows.
pub(super) const NAME: &str = "parse-access-log";
const MANIFEST: &str = "plugin.toml";
/// What the manifest of the version that is swapped in says.
const NEXT_VERSION: &str = "next";

/// A plugins directory with one plugin.
pub(super) struct PluginFolder {
    directory: PathBuf,
    first_version: String,
}

impl PluginFolder {
    /// Copies the plugin out of the directory `from` into a new one.
    pub(super) fn copied(from: &Path, directory: &Path) -> Result<Self, String> {
        let component = format!("{NAME}.wasm");
        let (source, folder) = (from.join(NAME), directory.join(NAME));
        let failed = |what: &Path, error: std::io::Error| format!("{}: {error}", what.display());
        fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        for file in [MANIFEST, &component] {
            let path = source.join(file);
            fs::copy(&path, folder.join(file)).map_err(|error| failed(&path, error))?;
        }
        let manifest = source.join(MANIFEST);
        let text = fs::read_to_string(&manifest).map_err(|error| failed(&manifest, error))?;
        let version = text
            .lines()
            .find_map(|line| line.strip_prefix("version = "));
        let first_version = match version {
            Some(version) => format!("{NAME} {}", version.trim_matches('"')),
            None => NAME.to_owned(),
        };
        Ok(Self {
            directory: directory.to_owned(),
            first_version,
        })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The version that is there first, as a person calls it.
    pub(super) fn first_version(&self) -> &str {
        &self.first_version
    }

    /// Puts another component in the place of the first, as an operator would: whole, by a rename.
    pub(super) fn swap(&self, component: &Path) -> Result<String, String> {
        let folder = self.directory.join(NAME);
        let failed = |error: std::io::Error| format!("swap the component: {error}");
        let manifest = format!("name = \"{NAME}\"\nversion = \"{NEXT_VERSION}\"\n");
        fs::write(folder.join(MANIFEST), manifest).map_err(failed)?;
        let staged = folder.join("next");
        fs::copy(component, &staged).map_err(failed)?;
        fs::rename(&staged, folder.join(format!("{NAME}.wasm"))).map_err(failed)?;
        Ok(format!("{NAME} {NEXT_VERSION}"))
    }
}
