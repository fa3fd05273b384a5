//! Components to measure, each in a plugins directory of its own, and the host's plugins opened on
//! it without a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use types::SystemClock;
use wasm::{Limits, Options, PluginName, Plugins, RolloutRules, SignatureRules, Version};

use crate::Failure;
use crate::bench::Bench;

/// What compiled code is signed with here.
const CACHE_KEY: [u8; 32] = [7; 32];

/// One of the repository's plugins, as it was built.
pub fn built(bench: &Bench, name: &str) -> Result<Vec<u8>, Failure> {
    let path = bench
        .options
        .plugins
        .join(name)
        .join(format!("{name}.wasm"));
    fs::read(&path).map_err(|error| {
        let hint = "build it with `cargo xtask plugins`";
        format!("read {}: {error}; {hint}", path.display()).into()
    })
}

/// A component that does the same and has another content: a section with a number behind it.
pub fn numbered(component: &[u8], number: usize) -> Vec<u8> {
    // A custom section: its length, the length of its name, its name, and the number.
    let mut section = vec![0, 10, 1, b'n'];
    section.extend_from_slice(&(number as u64).to_le_bytes());
    [component, &section].concat()
}

/// A directory with a plugins directory in it, and beside it what a host keeps.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// With one bare component.
    pub fn with(bench: &Bench, name: &str, component: &[u8]) -> Result<Self, Failure> {
        let folder = Self(bench.fresh_dir()?);
        fs::create_dir(folder.plugins())?;
        fs::write(folder.file(name), component)?;
        Ok(folder)
    }

    /// With so many bare components, each made of its place.
    pub fn of_many(
        bench: &Bench,
        names: &[String],
        component: impl Fn(usize) -> Vec<u8>,
    ) -> Result<Self, Failure> {
        let folder = Self(bench.fresh_dir()?);
        fs::create_dir(folder.plugins())?;
        for (place, name) in names.iter().enumerate() {
            fs::write(folder.file(name), component(place))?;
        }
        Ok(folder)
    }

    /// The plugins directory.
    pub fn plugins(&self) -> PathBuf {
        self.0.path().join("plugins")
    }

    /// Puts another component in the place of the first: whole, by a rename.
    pub fn replace(&self, name: &str, component: &[u8]) -> Result<(), Failure> {
        let staged = self.0.path().join("staged");
        fs::write(&staged, component)?;
        fs::rename(staged, self.file(name))?;
        Ok(())
    }

    /// Takes what lies there, as a server that starts.
    pub fn open(&self) -> Result<Plugins, Failure> {
        open(Some(self.plugins()), &self.0.path().join("keep"))
    }

    /// Opens the directory for one version. The plugins are closed when it is dropped with them.
    pub fn version(&self, name: &str) -> Result<(Plugins, Arc<Version>), Failure> {
        let plugins = self.open()?;
        let version = version(&plugins, name)?;
        Ok((plugins, version))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.plugins().join(format!("{name}.wasm"))
    }
}

/// Opens plugins that are kept in `keep`.
pub fn open(directory: Option<PathBuf>, keep: &Path) -> Result<Plugins, Failure> {
    let options = Options {
        directory,
        keep: keep.to_owned(),
        limits: Limits::default(),
        rollout: RolloutRules::default(),
        signatures: SignatureRules::default(),
        grants: std::sync::Arc::default(),
        cache_key: CACHE_KEY,
        compiler: None,
    };
    Ok(Plugins::open(options, Arc::new(SystemClock))?)
}

/// The version in force; an error that says why there is none.
pub fn version(plugins: &Plugins, name: &str) -> Result<Arc<Version>, Failure> {
    let name = PluginName::parse(name).map_err(|error| error.to_string())?;
    if let Some(version) = plugins.current(&name) {
        return Ok(version);
    }
    let refused = plugins.find(&name).and_then(|plugin| plugin.refused);
    let why = refused.map_or("it is not there".to_owned(), |refused| refused.why);
    Err(format!("no version of {name}: {why}").into())
}
