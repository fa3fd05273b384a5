//! The versions that were in force, in a folder that only the host writes. A delivery that was
//! begun with a version is finished with it, whatever has become of the plugins directory.
//!
//! ```text
//! <folder>/<hash>.wasm            the component; its time of change is its last use
//! <folder>/<hash>.toml            its manifest, if it has one
//! <folder>/<hash>.<plugin>.sig    its signature as a version of this plugin, if it has one
//! <folder>/<hash>.sig             the same of an earlier build, of whichever plugin
//! ```
//!
//! Plugins of one content share its files, but not its signatures: each covers a plugin's name.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;
use crate::hash::ContentHash;
use crate::name::PluginName;
use crate::signature::SIGNATURE_FILE_BYTES_MAX;

/// How the names of signatures end.
const SIGNATURE: &str = "sig";
/// Versions that are kept though nothing needs them, those that were used last. Others are deleted.
const SPARE_VERSIONS_MAX: usize = 32;

/// A component with its manifest's text and its signature, as they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) manifest: Option<String>,
    pub(crate) component: Vec<u8>,
    /// No part of what tells versions apart.
    pub(crate) signature: Option<Vec<u8>>,
}

impl Source {
    pub(crate) fn hash(&self) -> ContentHash {
        ContentHash::of(self.manifest.as_deref(), &self.component)
    }
}

/// The folder of versions.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    folder: PathBuf,
}

impl Kept {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        files::delete_staged(folder)?;
        let kept = Self {
            folder: folder.to_owned(),
        };
        kept.delete_orphans()?;
        Ok(kept)
    }

    /// Deletes what a crash left of a version whose component was deleted, or not yet written.
    fn delete_orphans(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = files::file_name(&path);
            let hash = name.split_once('.').and_then(|it| ContentHash::parse(it.0));
            if hash.is_some_and(|hash| !self.has(hash)) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Whether a version is kept.
    pub(crate) fn has(&self, hash: ContentHash) -> bool {
        self.component(hash).exists()
    }

    /// Keeps the signature of a version as one of this plugin, durably, in the place of the one
    /// before.
    pub(crate) fn sign(
        &self,
        name: &PluginName,
        hash: ContentHash,
        signature: &[u8],
    ) -> io::Result<()> {
        let path = self.signature_file(name, hash);
        if fs::read(&path).is_ok_and(|kept| kept == signature) {
            return Ok(());
        }
        files::write_whole(&path, &[signature])
    }

    /// Keeps a version without its signature, durably, unless it is there. It is used by that.
    pub(crate) fn save(&self, source: &Source) -> io::Result<()> {
        let hash = source.hash();
        if self.has(hash) {
            return self.touch(hash);
        }
        if let Some(manifest) = &source.manifest {
            files::write_whole(&self.manifest(hash), &[manifest.as_bytes()])?;
        }
        // Last: a version with a component is whole.
        files::write_whole(&self.component(hash), &[&source.component])
    }

    /// The signature of a version as one of this plugin.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(crate) fn signature(
        &self,
        name: &PluginName,
        hash: ContentHash,
    ) -> Result<Option<Vec<u8>>, String> {
        let own = self.signature_file(name, hash);
        let earlier = self.folder.join(format!("{hash}.{SIGNATURE}"));
        let Some(path) = [own, earlier].into_iter().find(|path| path.exists()) else {
            return Ok(None);
        };
        let read = files::read_own(&path, SIGNATURE_FILE_BYTES_MAX);
        read.map(Some).map_err(|refusal| refusal.to_string())
    }

    /// A version of a plugin that was kept, with its signature, if its files are still what they
    /// were.
    pub(crate) fn load(&self, name: &PluginName, hash: ContentHash) -> Result<Source, String> {
        let read = |path: PathBuf| {
            files::read_own(&path, u64::from(u32::MAX)).map_err(|refusal| refusal.to_string())
        };
        let component = read(self.component(hash))?;
        let manifest = match self.manifest(hash) {
            path if path.exists() => Some(
                String::from_utf8(read(path)?)
                    .map_err(|_| format!("the kept manifest of {hash:?} is not text"))?,
            ),
            _ => None,
        };
        let source = Source {
            manifest,
            component,
            signature: self.signature(name, hash)?,
        };
        if source.hash() != hash {
            return Err(format!("the kept files of {hash:?} were changed"));
        }
        self.used(hash);
        Ok(source)
    }

    /// Notes that a version was used until now. Failing that, it may be deleted too early, but not
    /// while it is needed.
    pub(crate) fn used(&self, hash: ContentHash) {
        if let Err(error) = self.touch(hash) {
            tracing::warn!(version = ?hash, %error, "note that a kept version was used");
        }
    }

    fn touch(&self, hash: ContentHash) -> io::Result<()> {
        files::touch(&self.component(hash))
    }

    /// Whether some are to be deleted if nothing but these is needed.
    pub(crate) fn has_surplus(&self, needed: &HashSet<ContentHash>) -> io::Result<bool> {
        let spare = self.spare(needed)?;
        Ok(spare.len() > SPARE_VERSIONS_MAX)
    }

    /// Deletes versions that are not `needed` beyond those that may be spare, those first that were
    /// used longest ago.
    pub(crate) fn prune(&self, needed: &HashSet<ContentHash>) -> io::Result<()> {
        let mut spare = self.spare(needed)?;
        spare.sort();
        let surplus = spare.len().saturating_sub(SPARE_VERSIONS_MAX);
        let deleted: Vec<PathBuf> = spare.into_iter().take(surplus).map(|it| it.1).collect();
        // First: a version without a component is none.
        deleted.iter().try_for_each(fs::remove_file)?;
        if deleted.is_empty() {
            return Ok(());
        }
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let component = files::file_name(&path);
            let component = component.split_once('.').map(|it| format!("{}.wasm", it.0));
            if component.is_some_and(|it| deleted.contains(&self.folder.join(it))) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// The components of all versions that are not needed, with the times when they were used.
    fn spare(&self, needed: &HashSet<ContentHash>) -> io::Result<Vec<((i64, i64), PathBuf)>> {
        let needed: HashSet<PathBuf> = needed.iter().map(|hash| self.component(*hash)).collect();
        let mut spare = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "wasm") && !needed.contains(&path) {
                spare.push((files::used_at(&entry.metadata()?), path));
            }
        }
        Ok(spare)
    }

    fn component(&self, hash: ContentHash) -> PathBuf {
        self.folder.join(format!("{hash}.wasm"))
    }

    fn signature_file(&self, name: &PluginName, hash: ContentHash) -> PathBuf {
        // No plugin's name has a dot.
        self.folder.join(format!("{hash}.{name}.{SIGNATURE}"))
    }

    fn manifest(&self, hash: ContentHash) -> PathBuf {
        self.folder.join(format!("{hash}.toml"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn source(text: &str) -> Source {
        Source {
            manifest: Some(text.to_owned()),
            component: text.as_bytes().to_vec(),
            signature: None,
        }
    }

    fn name(text: &str) -> PluginName {
        PluginName::parse(text).unwrap()
    }

    #[test]
    fn a_version_comes_back_as_it_was_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::open(&dir.path().join("versions")).unwrap();
        let bare = Source {
            manifest: None,
            component: vec![1],
            signature: None,
        };
        for source in [source("a"), bare] {
            kept.save(&source).unwrap();
            kept.save(&source).unwrap();
            assert_eq!(kept.load(&name("a"), source.hash()).unwrap(), source);
        }
        assert!(kept.load(&name("a"), source("b").hash()).is_err());
        let hash = source("a").hash();
        fs::write(kept.component(hash), "A").unwrap();
        let why = kept.load(&name("a"), hash).unwrap_err();
        assert!(why.contains("were changed"), "{why}");
    }

    /// One lay under the content alone: the other plugin's took its place, and neither could be
    /// gone back to where signatures are required.
    #[test]
    fn plugins_of_one_content_have_a_signature_each() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::open(dir.path()).unwrap();
        let (source, hash) = (source("same"), source("same").hash());
        for (plugin, signature) in [("a", b"of a"), ("b", b"of b"), ("b", b"newb")] {
            kept.sign(&name(plugin), hash, signature).unwrap();
        }
        kept.save(&source).unwrap();
        let signature = |plugin: &str| kept.load(&name(plugin), hash).unwrap().signature;
        assert_eq!(signature("a").as_deref(), Some(&b"of a"[..]));
        assert_eq!(signature("b").as_deref(), Some(&b"newb"[..]));
        assert_eq!(signature("c"), None);
        fs::write(dir.path().join(format!("{hash}.sig")), "earlier").unwrap();
        assert_eq!(signature("c").as_deref(), Some(&b"earlier"[..]));
        assert_eq!(signature("a").as_deref(), Some(&b"of a"[..]));
        // What a crash leaves of a version that is being deleted is deleted at the next start.
        fs::remove_file(kept.component(hash)).unwrap();
        Kept::open(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_needed_stays_and_of_the_rest_what_was_used_last() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::open(dir.path()).unwrap();
        let sources: Vec<Source> = (0..SPARE_VERSIONS_MAX + 5)
            .map(|number| source(&number.to_string()))
            .collect();
        for (number, source) in sources.iter().enumerate() {
            kept.sign(&name("a"), source.hash(), b"by a").unwrap();
            kept.save(source).unwrap();
            // The oldest first, whatever the clock of the file system resolves.
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64);
            let file = fs::File::options()
                .write(true)
                .open(kept.component(source.hash()));
            file.unwrap().set_modified(used).unwrap();
        }
        assert!(kept.has_surplus(&HashSet::new()).unwrap());
        let needed: HashSet<_> = sources.iter().take(3).map(Source::hash).collect();
        kept.used(sources[3].hash());
        kept.prune(&needed).unwrap();
        let gone: Vec<usize> = (0..sources.len())
            .filter(|number| !kept.component(sources[*number].hash()).exists())
            .collect();
        assert_eq!(gone, [4, 5], "{} are spare", SPARE_VERSIONS_MAX);
        let files = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(files, 3 * (sources.len() - 2), "nothing is left of those");
    }
}
