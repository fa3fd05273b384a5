//! What lies in the plugins directory: `<dir>/<name>/plugin.toml` with `<name>.wasm` beside it, or
//! a bare `<dir>/<name>.wasm`; and the signature of either, `plugin.sig` in the folder or
//! `<name>.wasm.sig`. Anything else is passed over: the directory of a source tree is a
//! plugins directory, too.
//!
//! Each of these may be a link, and a link may lead anywhere: a ConfigMap of Kubernetes and
//! git-sync put links to the files of a version. As only these paths are looked at, there is no way
//! to go round in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirEntry, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::files::{self, Stamp};
use crate::kept::Source;
use crate::limits::MANIFEST_BYTES_MAX;
use crate::name::PluginName;
use crate::printable::printable;
use crate::refusal::Refusal;
use crate::registry::Ignored;
use crate::signature::SIGNATURE_FILE_BYTES_MAX;

/// Entries of the directory itself that are looked at. Where there are more, plugins may not be
/// seen, which is told; none that was seen before is taken away for it.
const ENTRIES_MAX: usize = 100_000;
/// Entries that are shown as ignored. More are ignored all the same.
const IGNORED_MAX: usize = 100;
/// Bytes of a file's name that are shown.
const NAME_BYTES_MAX: usize = 255;
const MANIFEST: &str = "plugin.toml";
const COMPONENT: &str = ".wasm";
const SIGNATURE: &str = "plugin.sig";
/// What follows the name of a bare component's file.
const SIGNATURE_ENDING: &str = ".sig";

/// What a look at the directory found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Every plugin that is there, by name.
    pub(crate) plugins: BTreeMap<PluginName, Found>,
    /// Those that may be there or not: why they could not be looked at.
    pub(crate) unreadable: BTreeMap<PluginName, String>,
    /// What looks like a plugin and cannot be one.
    pub(crate) ignored: BTreeSet<Ignored>,
    /// Not all entries were looked at: what was not found may be there.
    pub(crate) is_cut_off: bool,
}

/// The files of one plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    component: Option<(PathBuf, Stamp)>,
    manifest: Option<(PathBuf, Stamp)>,
    signature: Option<(PathBuf, Stamp)>,
    /// It lies in a folder, so it must have a manifest.
    in_folder: bool,
    /// Why it cannot be a plugin, whatever its files hold.
    oddity: Option<String>,
}

/// Looks at the whole directory.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn scan(dir: &Path) -> Result<Scan, String> {
    scan_up_to(dir, ENTRIES_MAX)
}

fn scan_up_to(dir: &Path, entries_max: usize) -> Result<Scan, String> {
    let failed = |error: io::Error| format!("{}: {error}", dir.display());
    let mut scan = Scan::default();
    let mut entries = fs::read_dir(dir).map_err(failed)?;
    for entry in entries.by_ref().take(entries_max) {
        scan.note(&entry.map_err(failed)?);
    }
    if entries.next().is_some() {
        scan.is_cut_off = true;
        let what = dir.file_name().unwrap_or(dir.as_os_str());
        let why = format!("it has more than {entries_max} entries, of which some were not seen");
        scan.ignore(&what.to_string_lossy(), why);
    }
    Ok(scan)
}

/// Looks at one plugin of the directory.
pub(crate) fn look_at(dir: &Path, name: &PluginName) -> Result<Option<Found>, String> {
    let mut scan = Scan::default();
    scan.note_file(&dir.join(format!("{name}{COMPONENT}")), name);
    scan.note_folder(&dir.join(name.as_str()), name);
    match scan.unreadable.remove(name) {
        Some(why) => Err(why),
        None => Ok(scan.plugins.remove(name)),
    }
}

impl Scan {
    /// Whether a plugin that was not found is certainly not there.
    pub(crate) fn is_without(&self, name: &PluginName) -> bool {
        !self.is_cut_off && !self.plugins.contains_key(name) && !self.unreadable.contains_key(name)
    }

    /// Why a plugin that was not found may be there all the same.
    pub(crate) fn doubt(&self, name: &PluginName) -> Option<&str> {
        if self.plugins.contains_key(name) {
            return None;
        }
        let unreadable = self.unreadable.get(name).map(String::as_str);
        let cut_off = "the plugins directory has too many entries";
        unreadable.or_else(|| self.is_cut_off.then_some(cut_off))
    }

    fn note(&mut self, entry: &DirEntry) {
        let file = entry.file_name();
        let file = file.to_string_lossy();
        let path = entry.path();
        let is_component = file.ends_with(COMPONENT);
        if !is_component && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            return;
        }
        // A link is asked for what it leads to.
        let is_folder = fs::metadata(&path).is_ok_and(|it| it.is_dir());
        match file.strip_suffix(COMPONENT) {
            Some(name) if !is_folder => match PluginName::parse(name) {
                Ok(_) if path.is_symlink() && leads_nowhere(&path) => {
                    let why = "it is a link to a file that is not there";
                    self.ignore(&file, why.to_owned());
                }
                Ok(name) => self.note_file(&path, &name),
                Err(why) => self.ignore(&file, why.to_string()),
            },
            // What is hidden is nobody's plugin: `..data`, `.git`.
            _ if file.starts_with('.') => {}
            _ => match PluginName::parse(&file) {
                Ok(name) => self.note_folder(&path, &name),
                Err(why) if is_folder && path.join(MANIFEST).exists() => {
                    self.ignore(&file, why.to_string());
                }
                Err(_) => {}
            },
        }
    }

    /// A bare component.
    fn note_file(&mut self, path: &Path, name: &PluginName) {
        match stat(path) {
            Ok(None) => {}
            // A folder of this name may hold a plugin of another.
            Ok(Some(it)) if it.is_dir() => {}
            Ok(Some(metadata)) => {
                self.add_component(path, name, &metadata, false);
                let mut signature = path.to_owned().into_os_string();
                signature.push(SIGNATURE_ENDING);
                self.note_signature(Path::new(&signature), name);
            }
            Err(error) => self.cannot_read(path, name, &error),
        }
    }

    /// The signature of a plugin that was found.
    fn note_signature(&mut self, path: &Path, name: &PluginName) {
        match stat(path) {
            Ok(None) => {}
            Ok(Some(metadata)) => {
                if let Some(found) = self.plugins.get_mut(name) {
                    found.signature = Some((path.to_owned(), Stamp::of(&metadata)));
                }
            }
            Err(error) => self.cannot_read(path, name, &error),
        }
    }

    /// A folder with a manifest and a component.
    fn note_folder(&mut self, folder: &Path, name: &PluginName) {
        let component = folder.join(format!("{name}{COMPONENT}"));
        match stat(&component) {
            Ok(None) => {}
            Ok(Some(metadata)) => self.add_component(&component, name, &metadata, true),
            Err(error) => self.cannot_read(&component, name, &error),
        }
        let manifest = folder.join(MANIFEST);
        match stat(&manifest) {
            Ok(None) => {}
            Ok(Some(metadata)) => {
                let found = self.plugins.entry(name.clone()).or_default();
                found.in_folder = true;
                if metadata.is_file() {
                    found.manifest = Some((manifest, Stamp::of(&metadata)));
                } else {
                    found.oddity = Some(format!("{MANIFEST} is not a regular file"));
                }
            }
            Err(error) => self.cannot_read(&manifest, name, &error),
        }
        self.note_signature(&folder.join(SIGNATURE), name);
    }

    fn add_component(
        &mut self,
        path: &Path,
        name: &PluginName,
        metadata: &Metadata,
        in_folder: bool,
    ) {
        let found = self.plugins.entry(name.clone()).or_default();
        found.in_folder |= in_folder;
        if !metadata.is_file() {
            found.oddity = Some(format!("{name}{COMPONENT} is not a regular file"));
        } else if let Some((before, _)) = &found.component {
            let both = format!("there is {name}{COMPONENT} and {name}/{name}{COMPONENT}");
            found.oddity = Some(both);
            // The same of both whichever was seen first: else it would look changed each time.
            if path < before {
                found.component = Some((path.to_owned(), Stamp::of(metadata)));
            }
        } else {
            found.component = Some((path.to_owned(), Stamp::of(metadata)));
        }
    }

    fn cannot_read(&mut self, path: &Path, name: &PluginName, error: &io::Error) {
        let why = format!("{}: {error}", files::file_name(path));
        self.unreadable.insert(name.clone(), why);
    }

    fn ignore(&mut self, file: &str, why: String) {
        if self.ignored.len() < IGNORED_MAX {
            let file = printable(file, NAME_BYTES_MAX);
            self.ignored.insert(Ignored { file, why });
        }
    }
}

/// Whether a link leads to nothing, and not in a circle or where nobody may look.
fn leads_nowhere(link: &Path) -> bool {
    fs::metadata(link).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// What lies at a path, links followed; `None` when nothing does.
fn stat(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(None),
            _ => Err(error),
        },
    }
}

impl Found {
    /// Whether nothing is left of what was there before, so that no part of the change is still to
    /// come.
    pub(crate) fn is_other_than(&self, before: Option<&Self>) -> bool {
        let Some(before) = before else {
            return self.component.is_some() && (self.manifest.is_some() || !self.in_folder);
        };
        self.component.is_some()
            && self.component != before.component
            && (!self.in_folder || self.manifest != before.manifest)
    }

    /// A component that lies beside the manifest under another name.
    fn other_component(&self) -> Option<String> {
        let (manifest, _) = self.manifest.as_ref()?;
        let entries = fs::read_dir(manifest.parent()?).ok()?;
        let names = entries.flatten().take(ENTRIES_MAX);
        let mut names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let other = names.find(|name| name.ends_with(COMPONENT))?;
        Some(printable(&other, NAME_BYTES_MAX))
    }

    /// Reads the files.
    pub(crate) fn read(&self, name: &PluginName, component_max: u64) -> Result<Source, Refusal> {
        if let Some(oddity) = &self.oddity {
            return Err(Refusal::ForGood(oddity.clone()));
        }
        let Some((component, _)) = &self.component else {
            let missing = format!("{name}{COMPONENT} is not there");
            return Err(match self.other_component() {
                None => format!("{missing}: it is not built yet").into(),
                Some(other) => {
                    format!("{missing}, and {other} is: a component is called as its folder").into()
                }
            });
        };
        let manifest = match &self.manifest {
            None if self.in_folder => {
                return Err(format!(
                    "{MANIFEST} is not there: a component in a folder has one, and one without it \
                     lies in the plugins directory itself"
                )
                .into());
            }
            None => None,
            Some((path, _)) => Some(path.as_path()),
        };
        let mut source = read_source(component, manifest, component_max)?;
        if let Some((path, _)) = &self.signature {
            let signature = files::read_operators(path, SIGNATURE_FILE_BYTES_MAX, "")?;
            source.signature = Some(signature);
        }
        Ok(source)
    }
}

/// Reads a component and its manifest, wherever they lie, without a signature.
pub(crate) fn read_source(
    component: &Path,
    manifest: Option<&Path>,
    component_max: u64,
) -> Result<Source, Refusal> {
    let manifest = match manifest {
        None => None,
        Some(path) => {
            let bytes = files::read_operators(path, MANIFEST_BYTES_MAX as u64, "")?;
            let text = String::from_utf8(bytes);
            Some(text.map_err(|_| format!("{MANIFEST} is not text"))?)
        }
    };
    let limit = format!(" (component_mib = {})", component_max / (1024 * 1024));
    Ok(Source {
        manifest,
        component: files::read_operators(component, component_max, &limit)?,
        signature: None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn name(text: &str) -> PluginName {
        PluginName::parse(text).unwrap()
    }

    fn names(scan: &Scan) -> Vec<&str> {
        scan.plugins.keys().map(PluginName::as_str).collect()
    }

    fn put(path: impl AsRef<Path>, content: &str) {
        fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn folders_with_manifests_and_bare_components_are_found_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("other/x")).unwrap();
        for file in [
            "good/plugin.toml",
            "good/good.wasm",
            "good/src/good.wasm",
            "no-manifest/no-manifest.wasm",
            "not-built/plugin.toml",
            "other/good.wasm",
            "Capital_1/plugin.toml",
            "bare.wasm",
            "README.md",
            "twice.wasm",
            "twice/twice.wasm",
        ] {
            put(root.join(file), file);
        }
        let scan = scan(root).unwrap();
        let wanted = [
            "Capital_1",
            "bare",
            "good",
            "no-manifest",
            "not-built",
            "twice",
        ];
        assert_eq!(names(&scan), wanted);
        assert!(scan.ignored.is_empty() && !scan.is_cut_off);
        let read = |text: &str| scan.plugins[&name(text)].read(&name(text), 100);
        assert_eq!(read("good").unwrap().manifest.unwrap(), "good/plugin.toml");
        assert_eq!(read("bare").unwrap().component, b"bare.wasm");
        for (bad, why) in [
            ("no-manifest", "plugin.toml is not there"),
            ("not-built", "not built yet"),
            ("twice", "there is twice.wasm and twice/twice.wasm"),
        ] {
            let refusal = read(bad).unwrap_err().to_string();
            assert!(refusal.contains(why), "{bad}: {refusal}");
        }
    }

    /// It looked changed at each look, and was loading for ever.
    #[test]
    fn a_plugin_that_is_there_twice_is_found_alike_whichever_is_seen_first() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("a.wasm"), dir.path().join("a"));
        put(&file, "bare");
        put(folder.join("a.wasm"), "in a folder");
        let (mut first, mut last) = (Scan::default(), Scan::default());
        first.note_file(&file, &name("a"));
        first.note_folder(&folder, &name("a"));
        last.note_folder(&folder, &name("a"));
        last.note_file(&file, &name("a"));
        assert_eq!(first.plugins, last.plugins);
        assert!(first.plugins[&name("a")].read(&name("a"), 100).is_err());
    }

    #[test]
    fn what_looks_like_a_plugin_and_has_no_name_for_one_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let ignored = [
            "-v.wasm",
            "a b.wasm",
            "a.b.wasm",
            ".wasm",
            "é.wasm",
            "x.y/plugin.toml",
        ];
        for file in ignored
            .iter()
            .chain(&["notes.txt", ".git/plugin.toml", "x.z/a.wasm"])
        {
            put(dir.path().join(file), "");
        }
        let scan = scan(dir.path()).unwrap();
        assert!(scan.plugins.is_empty());
        let listed: BTreeSet<&str> = scan.ignored.iter().map(|it| it.file.as_str()).collect();
        let wanted = ["-v.wasm", ".wasm", "a b.wasm", "a.b.wasm", "x.y", "é.wasm"];
        assert_eq!(listed, BTreeSet::from(wanted));
        assert!(
            scan.ignored
                .iter()
                .all(|it| it.why.contains("a plugin's name"))
        );
    }

    /// As a ConfigMap is mounted: all links go through `..data`, which is replaced at once.
    #[test]
    fn links_to_files_and_to_folders_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for version in ["1", "2"] {
            put(root.join(format!("..{version}/bare.wasm")), version);
            put(root.join(format!("..{version}/plugin.toml")), version);
            put(root.join(format!("..{version}/kept.wasm")), "the same");
        }
        symlink("..1", root.join("..data")).unwrap();
        symlink("..data/bare.wasm", root.join("bare.wasm")).unwrap();
        symlink("..data", root.join("kept")).unwrap();
        let before = scan(root).unwrap();
        assert_eq!(names(&before), ["bare", "kept"]);
        symlink("..2", root.join("..new")).unwrap();
        fs::rename(root.join("..new"), root.join("..data")).unwrap();
        let after = scan(root).unwrap();
        for (plugin, content) in [("bare", "2"), ("kept", "the same")] {
            let plugin = name(plugin);
            let found = &after.plugins[&plugin];
            assert!(found.is_other_than(before.plugins.get(&plugin)));
            let source = found.read(&plugin, 100).unwrap();
            assert_eq!(source.component, content.as_bytes());
        }
    }

    #[test]
    fn links_in_a_circle_lead_nowhere_and_take_nothing_away() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["round", "bare.wasm"] {
            symlink(file, dir.path().join(file)).unwrap();
        }
        symlink(".", dir.path().join("self")).unwrap();
        let scan = scan(dir.path()).unwrap();
        assert!(scan.plugins.is_empty());
        for plugin in ["round", "bare"] {
            assert!(!scan.is_without(&name(plugin)));
            let why = scan.doubt(&name(plugin)).unwrap();
            assert!(why.contains("ymbolic links"), "{why}");
            assert!(look_at(dir.path(), &name(plugin)).is_err());
        }
        assert!(scan.is_without(&name("self")));
    }

    /// Ten thousand foreign files hid a plugin, which was taken out of force for it.
    #[test]
    fn what_was_not_seen_among_too_many_entries_is_not_taken_for_gone() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..20 {
            put(dir.path().join(format!("{number}.txt")), "");
        }
        put(dir.path().join("plugin.wasm"), "");
        let scan = scan_up_to(dir.path(), 20).unwrap();
        assert!(scan.is_cut_off && !scan.is_without(&name("gone")));
        assert!(
            scan.doubt(&name("gone"))
                .unwrap()
                .contains("too many entries")
        );
        assert_eq!(scan.ignored.len(), 1);
        assert!(!scan_up_to(dir.path(), 21).unwrap().is_cut_off);
        assert!(look_at(dir.path(), &name("plugin")).unwrap().is_some());
    }

    #[test]
    fn a_change_of_one_file_of_two_may_be_half_of_one() {
        let dir = tempfile::tempdir().unwrap();
        let found = |plugin: &str| look_at(dir.path(), &name(plugin)).unwrap().unwrap();
        put(dir.path().join("bare.wasm"), "1");
        assert!(found("bare").is_other_than(None));
        put(dir.path().join("pair/pair.wasm"), "1");
        assert!(!found("pair").is_other_than(None));
        put(dir.path().join("pair/plugin.toml"), "1");
        assert!(found("pair").is_other_than(None));
        let (bare, pair) = (found("bare"), found("pair"));
        put(dir.path().join("bare.wasm"), "22");
        assert!(found("bare").is_other_than(Some(&bare)));
        put(dir.path().join("pair/plugin.toml"), "22");
        assert!(!found("pair").is_other_than(Some(&pair)));
        put(dir.path().join("pair/pair.wasm"), "22");
        assert!(found("pair").is_other_than(Some(&pair)));
        fs::remove_file(dir.path().join("pair/pair.wasm")).unwrap();
        assert!(!found("pair").is_other_than(Some(&pair)));
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        assert!(scan(Path::new("no-such-directory")).is_err());
    }
}
