//! The folder of a plugin's sources: `plugin.toml`, and beside it what it is built from and what it
//! is built to.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;
use types::Invalid;
use wasm::{Files, Limits, PluginName};

const MANIFEST: &str = "plugin.toml";

/// A folder with a manifest.
#[derive(Clone, Debug)]
pub(super) struct Project {
    pub(super) dir: PathBuf,
    pub(super) name: PluginName,
    pub(super) language: Language,
    pub(super) world: World,
    /// Whether it hands on what it keeps in its memory.
    pub(super) state: bool,
}

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Language {
    Rust,
    Js,
    Python,
    C,
}

/// What a plugin is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum World {
    /// Records of delivery streams: in, and out as they are to be delivered
    #[default]
    Transform,
    /// Records of a stream: tables and other streams are written
    Consumer,
}

/// What this program reads of a manifest; the server reads the rest.
#[derive(Deserialize)]
struct Manifest {
    name: String,
    #[serde(default)]
    build: Build,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    language: Option<Language>,
    #[serde(default)]
    world: World,
    #[serde(default)]
    state: bool,
}

impl Project {
    /// The project in this folder.
    ///
    /// # Errors
    /// When there is no manifest, or it says no name and nothing says which language it is in.
    pub(super) fn open(dir: &Path) -> Result<Self, String> {
        let path = dir.join(MANIFEST);
        let failed = |what: &str| format!("{}: {what}", path.display());
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(no_project(dir)),
            Err(error) => return Err(failed(&error.to_string())),
        };
        let manifest: Manifest =
            toml::from_str(&text).map_err(|error| failed(error.to_string().trim_end()))?;
        let name = PluginName::parse(&manifest.name).map_err(|error| failed(&error.to_string()))?;
        let is_crate = || dir.join("Cargo.toml").is_file();
        let language = match manifest.build.language {
            Some(language) => language,
            None if is_crate() => Language::Rust,
            None => {
                return Err(failed(
                    "says nothing of what it is built from: [build] language = \"rust\", \"js\", \
                     \"python\" or \"c\"",
                ));
            }
        };
        let Build { world, state, .. } = manifest.build;
        if state && world == World::Transform {
            return Err(failed(
                "[build] state = true is for world = \"consumer\": a transform keeps no state",
            ));
        }
        Ok(Self {
            dir: dir.to_owned(),
            name,
            language,
            world,
            state,
        })
    }

    /// The world that a component of a language without an SDK of its own shapes is built for.
    pub(super) fn simple_world(&self) -> &'static str {
        match (self.world, self.state) {
            (World::Transform, _) => "transformer-simple",
            (World::Consumer, false) => "consumer-simple",
            (World::Consumer, true) => "stateful-consumer-simple",
        }
    }

    /// The interfaces, as they lie in the folder.
    pub(super) fn wit(&self) -> PathBuf {
        self.dir.join("millrace/wit/0.1")
    }

    /// Where what is built on the way lies.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(super) fn workshop(&self) -> Result<PathBuf, String> {
        let folder = self.dir.join(".millrace");
        let made = fs::create_dir_all(&folder);
        made.map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder)
    }

    pub(super) fn manifest(&self) -> PathBuf {
        self.dir.join(MANIFEST)
    }

    /// Where its component lies once it is built.
    pub(super) fn component(&self) -> PathBuf {
        self.dir.join(format!("{}.wasm", self.name))
    }

    /// What was built last, with the manifest.
    pub(super) fn files(&self, limits: &Limits) -> Result<Files, String> {
        let component = self.component();
        if !component.exists() {
            let dir = self.dir.display();
            return Err(format!(
                "{} is not there: `millrace plugin build {dir}` builds it",
                component.display()
            ));
        }
        Files::read(&component, Some(&self.manifest()), limits)
    }
}

/// A plugin as a command is given it: a project's folder, or a component.
pub(super) struct Given {
    pub(super) name: PluginName,
    pub(super) files: Files,
}

impl Given {
    /// Reads it. A component `a/b.wasm` is called `b`, and has the manifest `a/plugin.toml` if that
    /// says so.
    ///
    /// # Errors
    /// [`Unreadable`] when it cannot be read, and what a server would say of its sizes.
    pub(super) fn read(path: &Path, limits: &Limits) -> Result<Self, Unreadable> {
        if path.is_dir() {
            return Self::of_folder(path, limits);
        }
        if !path.is_file() {
            let what = format!(
                "{}: is neither a component nor a folder, or not there",
                path.display()
            );
            return Err(Unreadable::Missing(what));
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = PluginName::parse(&stem).map_err(|e| Unreadable::Refused(e.to_string()))?;
        let manifest = path.with_file_name(MANIFEST);
        let manifest = manifest
            .is_file()
            .then_some(manifest.as_path())
            .filter(|it| declared_name(it).as_deref() == Some(name.as_str()));
        let files = Files::read(path, manifest, limits).map_err(Unreadable::Refused)?;
        Ok(Self { name, files })
    }

    fn of_folder(dir: &Path, limits: &Limits) -> Result<Self, Unreadable> {
        let name = match declared_name(&dir.join(MANIFEST)) {
            Some(name) => {
                PluginName::parse(&name).map_err(|e| Unreadable::Refused(e.to_string()))?
            }
            // The server's words for a manifest without a name follow once it is loaded.
            None => return Self::of_folder_by_its_name(dir, limits),
        };
        Self::in_folder(dir, name, limits)
    }

    fn of_folder_by_its_name(dir: &Path, limits: &Limits) -> Result<Self, Unreadable> {
        if !dir.join(MANIFEST).is_file() {
            return Err(Unreadable::Missing(no_project(dir)));
        }
        let whole = fs::canonicalize(dir).map_err(|e| Unreadable::Missing(e.to_string()))?;
        let name = whole.file_name().unwrap_or_default().to_string_lossy();
        let name = PluginName::parse(&name).map_err(|e| Unreadable::Refused(e.to_string()))?;
        Self::in_folder(dir, name, limits)
    }

    fn in_folder(dir: &Path, name: PluginName, limits: &Limits) -> Result<Self, Unreadable> {
        let component = dir.join(format!("{name}.wasm"));
        if !component.is_file() {
            return Err(Unreadable::Missing(format!(
                "{} is not there: `millrace plugin build {}` builds it",
                component.display(),
                dir.display()
            )));
        }
        let files = Files::read(&component, Some(&dir.join(MANIFEST)), limits);
        let files = files.map_err(Unreadable::Refused)?;
        Ok(Self { name, files })
    }
}

/// What is said of a folder that is none of a plugin's sources.
fn no_project(dir: &Path) -> String {
    format!(
        "{}: holds no {MANIFEST}: name the folder of a plugin's sources, or make one with \
         `millrace plugin new NAME`",
        dir.display()
    )
}

/// A plugin's name as it is typed for a command.
///
/// # Errors
/// Which rule it does not keep.
pub(super) fn plugin_name(text: &str) -> Result<String, Invalid> {
    PluginName::parse(text).map(|name| name.as_str().to_owned())
}

/// Why files cannot be had.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// They are not there.
    Missing(String),
    /// A server would not take them.
    Refused(String),
}

impl From<Unreadable> for String {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Missing(what) | Unreadable::Refused(what) => what,
        }
    }
}

/// The name that a manifest says, if it can be read at all.
fn declared_name(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let manifest: toml::Table = toml::from_str(&text).ok()?;
    Some(manifest.get("name")?.as_str()?.to_owned())
}
