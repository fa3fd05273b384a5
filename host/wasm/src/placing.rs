//! Putting the files of a version into the plugins directory, all at once. At every moment, and
//! after every crash, the files of one version lie there, or will when the server starts again:
//!
//! ```text
//! <dir>/.deploy-<name>/   what is being written; nothing of it counts
//! <dir>/.placed-<name>/   the same once it is whole: from this rename on the version lies there
//! ```
//!
//! What is placed is laid where it belongs, which may take several steps (a folder takes the place
//! of a bare component, a component comes with its signature), and each may be done again. The
//! start does what a crash left undone.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::directory;
use crate::files;
use crate::kept::Source;
use crate::name::PluginName;
use crate::refusal::Refusal;
use crate::signature::SIGNATURE_FILE_BYTES_MAX;

const MANIFEST: &str = "plugin.toml";
const SIGNATURE: &str = "plugin.sig";
/// How what is written aside is called; the directory's own look passes over hidden names.
const ASIDE: &str = ".deploy-";
const PLACED: &str = ".placed-";

/// Whether the files of a plugin can be put here: nothing lies there that would be lost, and
/// nothing that somebody else puts there.
///
/// # Errors
/// What lies there, in words for whoever deploys.
pub(crate) fn check(directory: &Path, name: &PluginName, source: &Source) -> Result<(), Refusal> {
    let folder = directory.join(name.as_str());
    let odd = |what: String| Err(Refusal::ForGood(format!("in the plugins directory {what}")));
    let [component, signature] = bare(directory, name);
    for path in [&folder, &component, &signature] {
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
    let own = [MANIFEST, SIGNATURE, &format!("{name}.wasm")];
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let file = entry.map_err(failed)?.file_name();
        let file = file.to_string_lossy();
        if !own.contains(&&*file) {
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
/// Those of [`check`], and when they cannot be written: what was there before is there still, also
/// after the next start, or the error says otherwise.
pub(crate) fn put(directory: &Path, name: &PluginName, source: &Source) -> Result<(), Refusal> {
    check(directory, name, source)?;
    place(directory, name, source)
}

/// Lets lie there what lay there before, or nothing.
///
/// # Errors
/// When that cannot be: what was put there may lie there still.
pub(crate) fn withdraw(
    directory: &Path,
    name: &PluginName,
    before: Option<&Source>,
) -> Result<(), Refusal> {
    match before {
        Some(source) if source.manifest.is_some() => place(directory, name, source),
        before => {
            // A bare component has no folder beside it.
            let removed = remove_folder(&directory.join(name.as_str()));
            removed.map_err(|error| Refusal::ForNow(error.to_string()))?;
            if let Some(source) = before {
                return place(directory, name, source);
            }
            let removed = bare(directory, name).iter().try_for_each(|it| remove(it));
            let removed = removed.and_then(|()| File::open(directory)?.sync_all());
            removed.map_err(|error| Refusal::ForNow(error.to_string()))
        }
    }
}

/// Does what a crash left undone: lays what was placed, and deletes what was being written. Failing
/// that, it is left for the next start.
pub(crate) fn recover(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        // Whoever looks at the directory next says why.
        return;
    };
    for entry in entries.flatten() {
        let (file, path) = (entry.file_name(), entry.path());
        let file = file.to_string_lossy();
        let recovered = if let Some(name) = file.strip_prefix(PLACED) {
            recover_placed(directory, name, &path)
        } else if file.starts_with(ASIDE) {
            let is_folder = path.is_dir();
            let removed = if is_folder {
                remove_folder(&path)
            } else {
                remove(&path)
            };
            removed.map_err(|error| error.to_string())
        } else {
            Ok(())
        };
        if let Err(why) = recovered {
            let file = files::file_name(&path);
            tracing::warn!(file, why, "finish a deployment of before the start");
        }
    }
}

fn recover_placed(directory: &Path, name: &str, placed: &Path) -> Result<(), String> {
    let name = PluginName::parse(name).map_err(|error| error.to_string())?;
    let read = || -> Result<Source, Refusal> {
        let (manifest, signature) = (placed.join(MANIFEST), placed.join(SIGNATURE));
        let manifest = manifest.exists().then_some(manifest.as_path());
        let component = placed.join(format!("{name}.wasm"));
        let mut source = directory::read_source(&component, manifest, u64::from(u32::MAX))?;
        if signature.exists() {
            source.signature = Some(files::read_own(&signature, SIGNATURE_FILE_BYTES_MAX)?);
        }
        Ok(source)
    };
    let source = read().map_err(|refusal| refusal.to_string())?;
    // Somebody may have put a link there, or a folder with more than a plugin, while there was no
    // server.
    check(directory, &name, &source).map_err(|refusal| refusal.to_string())?;
    let laid = lay(directory, &name, &source).and_then(|()| remove_folder(placed));
    laid.map_err(|error| error.to_string())
}

fn place(directory: &Path, name: &PluginName, source: &Source) -> Result<(), Refusal> {
    let (aside, placed) = (
        hidden(directory, ASIDE, name),
        hidden(directory, PLACED, name),
    );
    let failed = |error: io::Error, then: &str| {
        let what = format!("write it to the plugins directory: {error}{then}");
        Err(Refusal::ForNow(what))
    };
    let written = write_folder(&aside, name, source)
        .and_then(|()| remove_folder(&placed))
        .and_then(|()| fs::rename(&aside, &placed))
        .and_then(|()| File::open(directory)?.sync_all());
    let laid = written.and_then(|()| lay(directory, name, source));
    // Only what is taken back cannot come into force later.
    match (laid, remove_folder(&placed)) {
        (Ok(()), Ok(())) => Ok(()),
        // It lies there; the next start does no more than that again.
        (Ok(()), Err(error)) => {
            tracing::warn!(plugin = %name, %error, "delete what a deployment left aside");
            Ok(())
        }
        (Err(error), Ok(())) => failed(error, ""),
        (Err(error), Err(_)) => failed(error, "; it may lie there when the server starts again"),
    }
}

/// Lays the files of a version where they belong. Done again, it comes to the same.
fn lay(directory: &Path, name: &PluginName, source: &Source) -> io::Result<()> {
    let [component, signature] = bare(directory, name);
    if source.manifest.is_some() {
        let (aside, folder) = (
            hidden(directory, ASIDE, name),
            directory.join(name.as_str()),
        );
        write_folder(&aside, name, source)?;
        if folder.exists() {
            renameat_with(CWD, &aside, CWD, &folder, RenameFlags::EXCHANGE)?;
            // What was there before is there now, and is kept by the host besides.
            remove_folder(&aside)?;
        } else {
            fs::rename(&aside, &folder)?;
        }
        // Both at once would be neither.
        remove(&component)?;
        remove(&signature)?;
    } else {
        match &source.signature {
            Some(text) => write_over(directory, (name, &signature), text)?,
            None => remove(&signature)?,
        }
        write_over(directory, (name, &component), &source.component)?;
    }
    File::open(directory)?.sync_all()
}

/// Writes a folder with all files of a version, durably, in the place of what a crash left there.
fn write_folder(folder: &Path, name: &PluginName, source: &Source) -> io::Result<()> {
    remove_folder(folder)?;
    fs::create_dir(folder)?;
    if let Some(manifest) = &source.manifest {
        files::write_whole(&folder.join(MANIFEST), &[manifest.as_bytes()])?;
    }
    if let Some(signature) = &source.signature {
        files::write_whole(&folder.join(SIGNATURE), &[signature])?;
    }
    files::write_whole(&folder.join(format!("{name}.wasm")), &[&source.component])
}

/// Lets a file hold this, whole and durably, at every moment that or what it held before.
fn write_over(
    directory: &Path,
    (name, file): (&PluginName, &Path),
    content: &[u8],
) -> io::Result<()> {
    let aside = hidden(directory, ASIDE, name).with_extension("tmp");
    files::write_whole(&aside, &[content])?;
    fs::rename(&aside, file)
}

/// A bare component and its signature.
fn bare(directory: &Path, name: &PluginName) -> [PathBuf; 2] {
    ["wasm", "wasm.sig"].map(|ending| directory.join(format!("{name}.{ending}")))
}

fn hidden(directory: &Path, prefix: &str, name: &PluginName) -> PathBuf {
    directory.join(format!("{prefix}{name}"))
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
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

    fn signed(source: Source, signature: &str) -> Source {
        Source {
            signature: Some(signature.into()),
            ..source
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
            signed(source(None, "bare again"), "signed"),
            source(None, "bare and not signed"),
            signed(source(None, "bare"), "signed"),
            source(Some("name = 'a'"), "one"),
            signed(source(Some("name = 'a' # 2"), "two"), "signed"),
            source(Some("name = 'a' # 3"), "three"),
        ] {
            put(dir.path(), &name(), &version).unwrap();
            assert_eq!(found(dir.path()), version);
            let entries = fs::read_dir(dir.path()).unwrap().count();
            let files = if version.manifest.is_none() && version.signature.is_some() {
                2
            } else {
                1
            };
            assert_eq!(entries, files, "nothing is left over");
        }
    }

    #[test]
    fn what_is_withdrawn_makes_room_for_what_lay_there_before() {
        let (folder, bare) = (source(Some("name = 'a'"), "one"), source(None, "bare"));
        let signed = signed(source(None, "bare"), "signed");
        for before in [&folder, &bare, &signed] {
            for after in [&folder, &bare] {
                let dir = tempfile::tempdir().unwrap();
                put(dir.path(), &name(), before).unwrap();
                if put(dir.path(), &name(), after).is_err() {
                    // A bare component does not take the place of a folder.
                    continue;
                }
                withdraw(dir.path(), &name(), Some(before)).unwrap();
                assert_eq!(&found(dir.path()), before);
                withdraw(dir.path(), &name(), None).unwrap();
                assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
            }
        }
    }

    /// Every state that a crash can leave between the rename that places a version and the end of
    /// it: none of it was recognised, and a folder lay beside the bare component that it replaces.
    #[test]
    fn a_start_finishes_what_a_crash_left_of_a_version_that_was_placed() {
        let before = signed(source(None, "bare"), "old");
        for after in [
            source(Some("name = 'a'"), "one"),
            source(None, "bare again"),
            signed(source(None, "bare again"), "new"),
        ] {
            for steps in 0..4 {
                let dir = tempfile::tempdir().unwrap();
                let root = dir.path();
                put(root, &name(), &before).unwrap();
                write_folder(&hidden(root, PLACED, &name()), &name(), &after).unwrap();
                let [component, signature] = bare(root, &name());
                match (&after.manifest, steps) {
                    (_, 0) => {}
                    (Some(_), step) => {
                        write_folder(&root.join("a"), &name(), &after).unwrap();
                        let left = [component, signature];
                        left.iter()
                            .take(step - 1)
                            .for_each(|it| fs::remove_file(it).unwrap());
                    }
                    (None, 1) => remove(&signature).unwrap(),
                    (None, step) => {
                        remove(&signature).unwrap();
                        if let Some(text) = &after.signature {
                            fs::write(&signature, text).unwrap();
                        }
                        if step == 3 {
                            fs::write(&component, &after.component).unwrap();
                        }
                    }
                }
                write_folder(&hidden(root, ASIDE, &name()), &name(), &before).unwrap();
                recover(root);
                assert_eq!(found(root), after, "step {steps}");
                let hidden = fs::read_dir(root).unwrap().flatten();
                let hidden = hidden.filter(|it| it.file_name().to_string_lossy().starts_with('.'));
                assert_eq!(hidden.count(), 0, "nothing is left over");
            }
        }
    }

    #[test]
    fn a_start_forgets_what_was_only_being_written() {
        let dir = tempfile::tempdir().unwrap();
        let (before, after) = (source(None, "bare"), source(Some("name = 'a'"), "one"));
        put(dir.path(), &name(), &before).unwrap();
        write_folder(&hidden(dir.path(), ASIDE, &name()), &name(), &after).unwrap();
        fs::write(dir.path().join(".deploy-b.tmp"), "half").unwrap();
        recover(dir.path());
        assert_eq!(found(dir.path()), before);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
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
