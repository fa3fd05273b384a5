//! Which version of each plugin was in force last, in a folder that only the host writes. A server
//! that starts beside files that it has to refuse goes on with that version.
//!
//! ```text
//! <folder>/<plugin>     <hash of the version> <hash of its component>\n
//! ```
//!
//! A file is there from before its version is announced until its plugin was taken away.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::files;
use crate::hash::ContentHash;
use crate::name::PluginName;

/// Bytes of a file; a longer one is not ours.
const FILE_BYTES_MAX: u64 = 256;

/// What is known of the version that was in force last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) version: ContentHash,
    /// What its compiled code is kept by.
    pub(crate) component: ContentHash,
}

/// The folder, and what it holds.
#[derive(Debug)]
pub(crate) struct InForce {
    folder: PathBuf,
    all: Mutex<BTreeMap<PluginName, Noted>>,
}

impl InForce {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        files::delete_staged(folder)?;
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            match read(&path) {
                Ok((name, noted)) => {
                    all.insert(name, noted);
                }
                // Its plugin is as one that was never in force.
                Err(why) => {
                    let file = files::file_name(&path);
                    tracing::warn!(file, why, "a note of a version in force is passed over");
                }
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            all: Mutex::new(all),
        })
    }

    /// The version of a plugin that was in force last.
    pub(crate) fn of(&self, name: &PluginName) -> Option<Noted> {
        self.lock().get(name).copied()
    }

    /// The version in force of every plugin that has one.
    pub(crate) fn all(&self) -> BTreeMap<PluginName, Noted> {
        self.lock().clone()
    }

    /// Notes durably that a version comes into force.
    pub(crate) fn note(&self, name: &PluginName, noted: Noted) -> io::Result<()> {
        let Noted { version, component } = noted;
        let line = format!("{version} {component}\n");
        files::write_whole(&self.file(name), &[line.as_bytes()])?;
        self.lock().insert(name.clone(), noted);
        Ok(())
    }

    /// Forgets a plugin that was taken away.
    pub(crate) fn forget(&self, name: &PluginName) -> io::Result<()> {
        match fs::remove_file(self.file(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.lock().remove(name);
        File::open(&self.folder)?.sync_all()
    }

    fn file(&self, name: &PluginName) -> PathBuf {
        self.folder.join(name.as_str())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PluginName, Noted>> {
        // Each statement under the lock leaves the map whole.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<(PluginName, Noted), String> {
    let name = PluginName::parse(&files::file_name(path)).map_err(|error| error.to_string())?;
    let bytes = files::read_own(path, FILE_BYTES_MAX).map_err(|refusal| refusal.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not text")?;
    let hashes = text.trim_end().split_once(' ').ok_or("it is cut off")?;
    let parse = |digits| ContentHash::parse(digits).ok_or("it holds no hash");
    let noted = Noted {
        version: parse(hashes.0)?,
        component: parse(hashes.1)?,
    };
    Ok((name, noted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PluginName {
        PluginName::parse(text).unwrap()
    }

    fn noted(byte: u8) -> Noted {
        Noted {
            version: ContentHash([byte; 32]),
            component: ContentHash([byte + 1; 32]),
        }
    }

    #[test]
    fn the_version_noted_last_is_known_after_the_next_start_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let in_force = InForce::open(dir.path()).unwrap();
        for (plugin, byte) in [("a", 1), ("b", 3), ("A", 5), ("a", 7)] {
            in_force.note(&name(plugin), noted(byte)).unwrap();
        }
        in_force.forget(&name("b")).unwrap();
        in_force.forget(&name("never-there")).unwrap();
        let wanted = BTreeMap::from([(name("A"), noted(5)), (name("a"), noted(7))]);
        assert_eq!(in_force.all(), wanted);
        assert_eq!(InForce::open(dir.path()).unwrap().all(), wanted);
    }

    #[test]
    fn a_file_that_is_no_note_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let in_force = InForce::open(dir.path()).unwrap();
        in_force.note(&name("a"), noted(1)).unwrap();
        let whole = fs::read(dir.path().join("a")).unwrap();
        for (file, content) in [
            ("half", &whole[..40]),
            ("empty", b""),
            ("words", b"no hash at all"),
        ] {
            fs::write(dir.path().join(file), content).unwrap();
        }
        let all = InForce::open(dir.path()).unwrap().all();
        assert_eq!(all, BTreeMap::from([(name("a"), noted(1))]));
    }
}
