//! Putting the files of a version into the plugins directory, all at once: they are written aside,
//! and one rename lets them take the place of those before. At every moment, and after every crash,
//! the files of one version lie there.
//!
//! ```text
//! <dir>/.deploy-<name>/{plugin.toml, <name>.wasm}   written, then exchanged with <dir>/<name>/
//! <dir>/.deploy-<name>.tmp                          a bare component, then renamed
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::files;
use crate::kept::Source;
use crate::name::PluginName;
use crate::refusal::Refusal;

const MANIFEST: &str = "plugin.toml";
/// How what is written aside is called; the directory's own look passes over hidden names.
const ASIDE: &str = ".deploy-";

/// Whether the files of a plugin can be put here: nothing lies there that would be lost, and
/// nothing that somebody else puts there.
///
/// # Errors
/// What lies there, in words for whoever deploys.
pub(crate) fn check(directory: &Path, name: &PluginName, source: &Source) -> Result<(), Refusal> {
    let folder = directory.join(name.as_str());
    let component = format!("{name}.wasm");
    let odd = |what: String| Err(Refusal::ForGood(format!("in the plugins directory {what}")));
    for path in [&folder, &directory.join(&component)] {
        if path.is_symlink() {
            let what = files::file_name(path);
            return odd(format!(
                "{what} is a link: who made it puts new versions where it leads to"
            ));
        }
    }
    if !folder.exists() {
        return Ok(());
    }
    if source.manifest.is_none() {
        return odd(format!(
            "{name} has a manifest: deploy the component with its own"
        ));
    }
    let failed = |error: io::Error| Refusal::ForNow(format!("read {name}: {error}"));
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let file = entry.map_err(failed)?.file_name();
        let file = file.to_string_lossy();
        if file != MANIFEST && *file != component {
            return odd(format!(
                "{name} holds more than a plugin ({}), which would be lost",
                files::file_name(Path::new(&*file))
            ));
        }
    }
    Ok(())
}

/// Puts the files there, durably.
///
/// # Errors
/// Those of [`check`], and when they cannot be written: what was there before is there still.
pub(crate) fn put(directory: &Path, name: &PluginName, source: &Source) -> Result<(), Refusal> {
    check(directory, name, source)?;
    let placed = match &source.manifest {
        Some(manifest) => put_folder(directory, name, manifest, &source.component),
        None => put_bare(directory, name, &source.component),
    };
    let placed = placed.and_then(|()| File::open(directory)?.sync_all());
    placed.map_err(|error| Refusal::ForNow(format!("write it to the plugins directory: {error}")))
}

fn put_folder(
    directory: &Path,
    name: &PluginName,
    manifest: &str,
    component: &[u8],
) -> io::Result<()> {
    let aside = aside(directory, name);
    // A crash may have left it.
    remove_folder(&aside)?;
    fs::create_dir(&aside)?;
    files::write_whole(&aside.join(MANIFEST), &[manifest.as_bytes()])?;
    files::write_whole(&aside.join(format!("{name}.wasm")), &[component])?;
    let folder = directory.join(name.as_str());
    if folder.exists() {
        renameat_with(CWD, &aside, CWD, &folder, RenameFlags::EXCHANGE)?;
        // What was there before is there now, and is kept by the host besides.
        remove_folder(&aside)?;
    } else {
        fs::rename(&aside, &folder)?;
    }
    // Both at once would be neither.
    match fs::remove_file(directory.join(format!("{name}.wasm"))) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn put_bare(directory: &Path, name: &PluginName, component: &[u8]) -> io::Result<()> {
    let aside = aside(directory, name).with_extension("tmp");
    files::write_whole(&aside, &[component])?;
    fs::rename(&aside, directory.join(format!("{name}.wasm")))
}

fn aside(directory: &Path, name: &PluginName) -> PathBuf {
    directory.join(format!("{ASIDE}{name}"))
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::directory;

    fn name() -> PluginName {
        PluginName::parse("a").unwrap()
    }

    fn source(manifest: Option<&str>, component: &str) -> Source {
        Source {
            manifest: manifest.map(str::to_owned),
            component: component.into(),
            signature: None,
        }
    }

    /// What a look at the directory finds; it holds nothing else that can be seen.
    fn found(directory: &Path) -> Source {
        let scan = directory::scan(directory).unwrap();
        assert!(scan.ignored.is_empty() && scan.plugins.len() == 1);
        scan.plugins[&name()].read(&name(), 1_000).unwrap()
    }

    #[test]
    fn each_version_takes_the_place_of_the_one_before_whole() {
        let dir = tempfile::tempdir().unwrap();
        for version in [
            source(None, "bare"),
            source(None, "bare again"),
            source(Some("name = 'a'"), "one"),
            source(Some("name = 'a' # 2"), "two"),
        ] {
            put(dir.path(), &name(), &version).unwrap();
            assert_eq!(found(dir.path()), version);
            let entries = fs::read_dir(dir.path()).unwrap().count();
            assert_eq!(entries, 1, "nothing is left over");
        }
    }

    #[test]
    fn what_a_crash_left_aside_is_no_hindrance() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".deploy-a")).unwrap();
        fs::write(dir.path().join(".deploy-a/plugin.toml"), "half").unwrap();
        fs::write(dir.path().join(".deploy-a.tmp"), "half").unwrap();
        let version = source(Some("name = 'a'"), "one");
        put(dir.path(), &name(), &version).unwrap();
        assert_eq!(found(dir.path()), version);
    }

    #[test]
    fn nothing_is_put_over_what_would_be_lost_or_is_put_there_by_others() {
        let dir = tempfile::tempdir().unwrap();
        let (version, bare) = (source(Some("name = 'a'"), "one"), source(None, "one"));
        let refused = |source: &Source| put(dir.path(), &name(), source).unwrap_err().to_string();
        let folder = dir.path().join("a");
        fs::create_dir(&folder).unwrap();
        assert!(refused(&bare).contains("a has a manifest"));
        fs::write(folder.join("Cargo.toml"), "").unwrap();
        assert!(refused(&version).contains("(Cargo.toml), which would be lost"));
        assert!(folder.join("Cargo.toml").exists());
        fs::remove_dir_all(&folder).unwrap();
        symlink("elsewhere", &folder).unwrap();
        assert!(refused(&version).contains("a is a link"));
        assert!(folder.is_symlink());
    }
}
