//! The life of every plugin, in a folder that only the host writes. A server that starts beside
//! files that it has to refuse, or that were set aside, goes on with the version in force.
//!
//! ```text
//! <folder>/<plugin>     see `life/text`
//! ```
//!
//! A change is a whole file in the place of the one before, so that a crash leaves the one or the
//! other: nothing of it is announced before. A file stays when its plugin is taken away, as its
//! numbers must not be given again.
//!
//! Earlier builds noted the version in force alone, as two hashes in a folder `in-force`. Such a
//! note becomes a life with one version, and is deleted then.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use types::Timestamp;

use crate::files;
use crate::hash::ContentHash;
use crate::life::{Coming, Course, How, Life};
use crate::name::PluginName;

/// Bytes of a file: several times what the versions, events and aliases that are kept can take. A
/// longer one is not ours.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The folder, and what it holds.
#[derive(Debug)]
pub(crate) struct Lives {
    folder: PathBuf,
    all: Mutex<BTreeMap<PluginName, Arc<Life>>>,
    /// Plugins whose file cannot be read, and why. Nothing of them changes until an operator takes
    /// the file away: numbers would be given twice.
    unreadable: BTreeMap<PluginName, String>,
    /// Held while something changes: what is noted is announced before the next thing is noted.
    turn: Mutex<()>,
}

/// A change of one plugin's life that nobody else makes one beside. It counts once it is kept.
pub(crate) struct Change<'a> {
    /// What it will be.
    pub(crate) life: Life,
    name: PluginName,
    lives: &'a Lives,
    _turn: MutexGuard<'a, ()>,
}

impl Lives {
    /// Opens the folder. `noted` is where earlier builds noted versions in force.
    pub(crate) fn open(folder: &Path, noted: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        files::delete_staged(folder)?;
        let (mut all, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let file = files::file_name(&path);
            let Ok(name) = PluginName::parse(&file) else {
                tracing::warn!(file, "what is no life of a plugin is passed over");
                continue;
            };
            match read(&path) {
                Ok(life) => {
                    all.insert(name, Arc::new(life));
                }
                Err(why) => {
                    tracing::error!(plugin = %name, why, "the life of a plugin cannot be read");
                    unreadable.insert(name, why);
                }
            }
        }
        let lives = Self {
            folder: folder.to_owned(),
            all: Mutex::new(all),
            unreadable,
            turn: Mutex::default(),
        };
        lives.take_over(noted)?;
        Ok(lives)
    }

    /// Makes lives of what an earlier build noted.
    fn take_over(&self, noted: &Path) -> io::Result<()> {
        let entries = match fs::read_dir(noted) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        files::delete_staged(noted)?;
        for entry in entries {
            let path = entry?.path();
            let (name, coming) = match read_noted(&path) {
                Ok(noted) => noted,
                // One that was being written is deleted by now.
                Err(_) if !path.exists() => continue,
                Err(why) => {
                    // Its plugin is as one that was never in force.
                    let file = files::file_name(&path);
                    tracing::warn!(file, why, "a note of a version in force is passed over");
                    continue;
                }
            };
            if self.of(&name).is_none() && !self.unreadable.contains_key(&name) {
                let at = fs::metadata(&path)?.modified()?;
                let since = at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                let at = u64::try_from(since.as_millis()).map_err(io::Error::other)?;
                let mut change = self.change(&name).map_err(io::Error::other)?;
                change.life.take(coming, How::File, Timestamp(at));
                change.keep()?;
            }
            fs::remove_file(&path)?;
        }
        File::open(noted)?.sync_all()
    }

    /// The life of a plugin, if it ever was in force.
    pub(crate) fn of(&self, name: &PluginName) -> Option<Arc<Life>> {
        self.lock().get(name).cloned()
    }

    /// All lives.
    pub(crate) fn all(&self) -> BTreeMap<PluginName, Arc<Life>> {
        self.lock().clone()
    }

    /// How far a plugin has come.
    pub(crate) fn course(&self, name: &PluginName) -> Course {
        self.of(name)
            .map_or_else(Course::default, |life| life.course())
    }

    /// The plugins of which a version is in force.
    pub(crate) fn in_force(&self) -> Vec<PluginName> {
        let all = self.lock();
        let there = all.iter().filter(|(_, life)| life.in_force.is_some());
        there.map(|(name, _)| name.clone()).collect()
    }

    /// The content of the version of a plugin that is in force.
    pub(crate) fn hash_in_force(&self, name: &PluginName) -> Option<ContentHash> {
        Some(self.of(name)?.in_force()?.hash)
    }

    /// Begins a change, once it is its turn.
    ///
    /// # Errors
    /// When nothing of this plugin may change, with what an operator can do about it.
    pub(crate) fn change(&self, name: &PluginName) -> Result<Change<'_>, String> {
        if let Some(why) = self.unreadable.get(name) {
            return Err(format!(
                "its history cannot be read ({why}): bring the file {name} of the folder {} back, \
                 or take it away and begin with version 1, and start the server anew",
                files::file_name(&self.folder)
            ));
        }
        // It guards no value: whoever panicked with it left nothing half done.
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let life = self.of(name);
        Ok(Change {
            life: life.map_or_else(Life::default, |life| Life::clone(&life)),
            name: name.clone(),
            lives: self,
            _turn: turn,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PluginName, Arc<Life>>> {
        // Each statement under the lock leaves the map whole.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change<'_> {
    /// Keeps the change durably. Nobody may have been told of it before; while this value lives,
    /// nobody else changes anything.
    ///
    /// # Errors
    /// When it cannot be kept: then it is as if it had not been made.
    pub(crate) fn keep(&mut self) -> io::Result<()> {
        let file = self.lives.folder.join(self.name.as_str());
        files::write_whole(&file, &[self.life.to_text().as_bytes()])?;
        let life = Arc::new(self.life.clone());
        self.lives.lock().insert(self.name.clone(), life);
        Ok(())
    }
}

fn read(path: &Path) -> Result<Life, String> {
    let bytes = files::read_own(path, FILE_BYTES_MAX).map_err(|refusal| refusal.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not text")?;
    Life::of_text(&text)
}

/// Reads what an earlier build noted.
fn read_noted(path: &Path) -> Result<(PluginName, Coming), String> {
    let name = PluginName::parse(&files::file_name(path)).map_err(|error| error.to_string())?;
    let bytes = files::read_own(path, 256).map_err(|refusal| refusal.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not text")?;
    let hashes = text.trim_end().split_once(' ').ok_or("it is cut off")?;
    let parse = |digits| ContentHash::parse(digits).ok_or("it holds no hash");
    let coming = Coming {
        hash: parse(hashes.0)?,
        component: parse(hashes.1)?,
        label: String::new(),
    };
    Ok((name, coming))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PluginName {
        PluginName::parse(text).unwrap()
    }

    fn coming(byte: u8) -> Coming {
        Coming {
            hash: ContentHash([byte; 32]),
            component: ContentHash([byte + 1; 32]),
            label: format!("version {byte}"),
        }
    }

    fn open(dir: &tempfile::TempDir) -> Lives {
        let folder = dir.path().join("lives");
        Lives::open(&folder, &dir.path().join("in-force")).unwrap()
    }

    fn take(lives: &Lives, plugin: &str, byte: u8) {
        let mut change = lives.change(&name(plugin)).unwrap();
        change.life.take(coming(byte), How::File, Timestamp(1));
        change.keep().unwrap();
    }

    #[test]
    fn what_is_kept_is_known_after_the_next_start_and_what_is_not_never_was() {
        let dir = tempfile::tempdir().unwrap();
        let lives = open(&dir);
        for (plugin, byte) in [("a", 1), ("b", 3), ("A", 5), ("a", 7)] {
            take(&lives, plugin, byte);
        }
        let mut change = lives.change(&name("b")).unwrap();
        change.life.in_force = None;
        change.keep().unwrap();
        drop(change);
        let mut change = lives.change(&name("a")).unwrap();
        change.life.take(coming(9), How::File, Timestamp(2));
        drop(change);
        for lives in [&lives, &open(&dir)] {
            let in_force = lives.in_force();
            assert_eq!(in_force, [name("A"), name("a")]);
            let a = lives.of(&name("a")).unwrap();
            assert_eq!(a.in_force().unwrap().number, 2);
            assert_eq!(lives.of(&name("b")).unwrap().versions().len(), 1);
        }
    }

    /// Every state that a crash in a change can leave: the new file is not there, half there, or
    /// in the place of the old one.
    #[test]
    fn a_crash_leaves_the_life_before_or_the_one_after() {
        let dir = tempfile::tempdir().unwrap();
        take(&open(&dir), "a", 1);
        let file = dir.path().join("lives/a");
        let before = fs::read(&file).unwrap();
        take(&open(&dir), "a", 3);
        let after = fs::read(&file).unwrap();
        let staged = file.with_extension("tmp");
        for length in [0, 1, after.len() / 2, after.len() - 1, after.len()] {
            fs::write(&file, &before).unwrap();
            fs::write(&staged, &after[..length]).unwrap();
            let lives = open(&dir);
            let in_force = lives.hash_in_force(&name("a"));
            assert_eq!(
                in_force,
                Some(coming(1).hash),
                "{length} bytes were written"
            );
            assert!(!staged.exists());
        }
        fs::write(&file, &after).unwrap();
        assert_eq!(open(&dir).hash_in_force(&name("a")), Some(coming(3).hash));
    }

    #[test]
    fn a_file_that_was_changed_is_told_and_no_number_of_its_plugin_is_given() {
        let dir = tempfile::tempdir().unwrap();
        take(&open(&dir), "a", 1);
        take(&open(&dir), "b", 1);
        let file = dir.path().join("lives/a");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("last 1", "last 0")).unwrap();
        let lives = open(&dir);
        let why = lives.change(&name("a")).err().unwrap();
        assert!(
            why.contains("its lines are not those that were written"),
            "{why}"
        );
        assert!(lives.change(&name("b")).is_ok());
        assert!(file.exists(), "it is the operator's to take away");
    }

    #[test]
    fn what_an_earlier_build_noted_is_version_1() {
        let dir = tempfile::tempdir().unwrap();
        let noted = dir.path().join("in-force");
        fs::create_dir(&noted).unwrap();
        let Coming {
            hash, component, ..
        } = coming(1);
        fs::write(noted.join("a"), format!("{hash} {component}\n")).unwrap();
        fs::write(noted.join("half"), format!("{hash}")).unwrap();
        fs::write(noted.join("b.tmp"), "").unwrap();
        for _ in 0..2 {
            let lives = open(&dir);
            assert_eq!(lives.in_force(), [name("a")]);
            let life = lives.of(&name("a")).unwrap();
            assert_eq!(life.in_force().unwrap().component, component);
            assert_eq!(life.in_force().unwrap().number, 1);
        }
        assert!(!noted.join("a").exists());
        assert!(noted.join("half").exists());
    }
}
