//! The versions that were in force, in a folder that only the host writes. A delivery that was
//! begun with a version is finished with it, whatever has become of the plugins directory.
//!
//! ```text
//! <folder>/<hash>.wasm     the component; its time of change is when the version was used last
//! <folder>/<hash>.toml     its manifest, if it has one
//! <folder>/<hash>.sig      its signature, if it has one
//! ```

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;
use crate::hash::ContentHash;

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
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Keeps a version, durably, unless it is there. It is used by that.
    pub(crate) fn save(&self, source: &Source) -> io::Result<()> {
        let hash = source.hash();
        let kept_signature = self.signature(hash);
        if let Some(signature) = &source.signature
            // One that was not signed when it was kept may be so by now.
            && !fs::read(&kept_signature).is_ok_and(|kept| kept == *signature)
        {
            files::write_whole(&kept_signature, &[signature])?;
        }
        if self.component(hash).exists() {
            return self.touch(hash);
        }
        if let Some(manifest) = &source.manifest {
            files::write_whole(&self.manifest(hash), &[manifest.as_bytes()])?;
        }
        // Last: a version with a component is whole.
        files::write_whole(&self.component(hash), &[&source.component])
    }

    /// A version that was kept, if its files are still what they were.
    pub(crate) fn load(&self, hash: ContentHash) -> Result<Source, String> {
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
        let signature = match self.signature(hash) {
            path if path.exists() => Some(read(path)?),
            _ => None,
        };
        let source = Source {
            manifest,
            component,
            signature,
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
        for (_, path) in spare.into_iter().take(surplus) {
            fs::remove_file(&path)?;
            for other in ["toml", "sig"] {
                match fs::remove_file(path.with_extension(other)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
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

    fn signature(&self, hash: ContentHash) -> PathBuf {
        self.folder.join(format!("{hash}.sig"))
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

    #[test]
    fn a_version_comes_back_as_it_was_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::open(&dir.path().join("versions")).unwrap();
        let bare = Source {
            manifest: None,
            component: vec![1],
            signature: Some(vec![2]),
        };
        for source in [source("a"), bare] {
            kept.save(&source).unwrap();
            kept.save(&source).unwrap();
            assert_eq!(kept.load(source.hash()).unwrap(), source);
        }
        let signed = Source {
            signature: Some(vec![3]),
            ..source("a")
        };
        kept.save(&signed).unwrap();
        assert_eq!(kept.load(signed.hash()).unwrap(), signed);
        assert!(kept.load(source("b").hash()).is_err());
        let hash = source("a").hash();
        fs::write(kept.component(hash), "A").unwrap();
        assert!(kept.load(hash).unwrap_err().contains("were changed"));
    }

    #[test]
    fn what_is_needed_stays_and_of_the_rest_what_was_used_last() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::open(dir.path()).unwrap();
        let sources: Vec<Source> = (0..SPARE_VERSIONS_MAX + 5)
            .map(|number| source(&number.to_string()))
            .collect();
        for (number, source) in sources.iter().enumerate() {
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
    }
}
