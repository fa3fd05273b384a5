//! The versions that were ever in force, in a folder that only the host writes. A delivery that
//! was begun with a version is finished with it, whatever has become of the plugins directory.
//!
//! ```text
//! <folder>/<hash>.wasm     the component
//! <folder>/<hash>.toml     its manifest, if it has one
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;
use crate::version::ContentHash;

/// Versions that are kept though nothing needs them, the newest ones.
const SPARE_VERSIONS_MAX: usize = 32;

/// A component with its manifest's text, as they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) manifest: Option<String>,
    pub(crate) component: Vec<u8>,
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
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Keeps a version, durably, unless it is there.
    pub(crate) fn save(&self, source: &Source) -> io::Result<()> {
        let hash = source.hash();
        if self.component(hash).exists() {
            return Ok(());
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
            files::read_whole(&path, u64::from(u32::MAX)).map_err(|refusal| refusal.to_string())
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
        };
        match source.hash() == hash {
            true => Ok(source),
            false => Err(format!("the kept files of {hash:?} were changed")),
        }
    }

    /// Forgets the oldest versions beyond those that may be spare and those in `needed`.
    pub(crate) fn prune(&self, needed: &[ContentHash]) -> io::Result<()> {
        let needed: Vec<PathBuf> = needed.iter().map(|hash| self.component(*hash)).collect();
        let mut spare: Vec<(Option<files::ChangedAt>, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "wasm") && !needed.contains(&path) {
                let metadata = fs::metadata(&path).ok();
                spare.push((metadata.as_ref().map(files::changed_at), path));
            }
        }
        spare.sort();
        let surplus = spare.len().saturating_sub(SPARE_VERSIONS_MAX);
        for (_, path) in spare.into_iter().take(surplus) {
            fs::remove_file(&path)?;
            match fs::remove_file(path.with_extension("toml")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn component(&self, hash: ContentHash) -> PathBuf {
        self.folder.join(format!("{hash}.wasm"))
    }

    fn manifest(&self, hash: ContentHash) -> PathBuf {
        self.folder.join(format!("{hash}.toml"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source {
            manifest: Some(text.to_owned()),
            component: text.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_version_comes_back_as_it_was_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::open(&dir.path().join("versions")).unwrap();
        let bare = Source {
            manifest: None,
            component: vec![1],
        };
        for source in [source("a"), bare] {
            kept.save(&source).unwrap();
            kept.save(&source).unwrap();
            assert_eq!(kept.load(source.hash()).unwrap(), source);
        }
        assert!(kept.load(source("b").hash()).is_err());
        let hash = source("a").hash();
        fs::write(kept.component(hash), "A").unwrap();
        assert!(kept.load(hash).unwrap_err().contains("were changed"));
    }

    #[test]
    fn what_a_delivery_needs_is_not_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::open(dir.path()).unwrap();
        let sources: Vec<Source> = (0..SPARE_VERSIONS_MAX + 5)
            .map(|number| source(&number.to_string()))
            .collect();
        for source in &sources {
            kept.save(source).unwrap();
        }
        let needed: Vec<_> = sources.iter().take(3).map(Source::hash).collect();
        kept.prune(&needed).unwrap();
        let left = sources
            .iter()
            .filter(|s| kept.load(s.hash()).is_ok())
            .count();
        assert_eq!(left, SPARE_VERSIONS_MAX + needed.len());
        assert!(needed.iter().all(|hash| kept.load(*hash).is_ok()));
    }
}
