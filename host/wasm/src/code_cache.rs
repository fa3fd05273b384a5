//! Compiled code, kept by the content that it was compiled from, in a folder that only the host
//! writes. Whoever loads machine code trusts it: each file carries a tag (HMAC-SHA256) made with
//! a key that lies in the store, and a file whose tag is not right is compiled anew.
//!
//! ```text
//! <folder>/<sha-256 of the component>-<compiler>.cwasm     tag, 32 bytes | wasmtime's image
//! ```

use std::collections::{HashMap, HashSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compiler::Compiler;
use crate::files;
use crate::hash::ContentHash;
use crate::limits::COMPILED_BYTES_MAX;
use crate::refusal::Refusal;
use crate::runtime::{Purpose, compiling_engine};

/// Bytes of the tag in front of an image.
const TAG_BYTES: usize = 32;
/// Bytes of a compiled file; a larger one is not ours.
const FILE_BYTES_MAX: u64 = TAG_BYTES as u64 + COMPILED_BYTES_MAX as u64;
/// Files that are kept though no version in force needs them, those that were used last. Others are
/// deleted, and made anew when they are needed.
const SPARE_FILES_MAX: usize = 64;

/// The folder of compiled code.
pub(crate) struct CodeCache {
    folder: PathBuf,
    key: [u8; 32],
    /// Tells compilers apart whose code is not the same.
    compiler: u64,
    /// Components that somebody only tries at the moment.
    tried: Mutex<HashMap<ContentHash, Asked>>,
}

/// Who asked for the code of a component since somebody began to try it.
#[derive(Clone, Copy, Default)]
struct Asked {
    times: u32,
    /// One of them compiled it.
    is_made: bool,
}

/// A component that somebody only tries: when this is dropped, its code is deleted, unless it was
/// there before or anybody else has asked for it meanwhile.
pub(crate) struct Tried<'a> {
    cache: &'a CodeCache,
    component: ContentHash,
    /// `false`: somebody else tries the same, and the code is left to those who prune.
    is_first: bool,
}

impl Drop for Tried<'_> {
    fn drop(&mut self) {
        let mut tried = self.cache.tried();
        if !self.is_first {
            return;
        }
        let asked = tried.remove(&self.component).unwrap_or_default();
        if asked.times != 1 || !asked.is_made {
            return;
        }
        // Under the lock: whoever asks from here on finds that it is not there.
        if let Err(error) = self.cache.forget(self.component) {
            tracing::warn!(%error, "delete the code of a plugin that was only tried");
        }
    }
}

impl CodeCache {
    /// For the code of engines like this one.
    pub(crate) fn open(folder: &Path, key: [u8; 32], engine: &Engine) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        files::delete_staged(folder)?;
        let mut compiler = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut compiler);
        Ok(Self {
            folder: folder.to_owned(),
            key,
            compiler: compiler.finish(),
            tried: Mutex::default(),
        })
    }

    /// The code of a component that was admitted, and whether it was there. If not, it is compiled:
    /// one at a time, and once for all who want the same.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        compiler: &Compiler,
        wasm: &[u8],
    ) -> Result<(Component, bool), Refusal> {
        let hash = ContentHash::of_component(wasm);
        let path = self.path(hash);
        let is_told = self.asks(hash);
        if let Some(component) = self.load(engine, &path) {
            return Ok((component, true));
        }
        let turn = compiler.turn()?;
        let is_told = is_told || self.asks(hash);
        // Who had the turn before may have compiled the same.
        if let Some(component) = self.load(engine, &path) {
            return Ok((component, true));
        }
        if path.exists() {
            tracing::warn!(
                file = %files::file_name(&path),
                "compiled code was changed on disk and is made anew"
            );
        }
        let image = turn.compile(engine, wasm)?;
        let component = deserialize(engine, &image).map_err(|error| not_taken(&image, &error))?;
        let tag = self.tag(&path, &image).finalize().into_bytes();
        if let Err(error) = files::write_whole(&path, &[&tag, &image]) {
            // The next start compiles again.
            tracing::warn!(file = %files::file_name(&path), %error, "keep compiled code");
        } else if is_told && let Some(asked) = self.tried().get_mut(&hash) {
            asked.is_made = true;
        }
        Ok((component, false))
    }

    /// Says that a component is only tried, for as long as the answer lives.
    pub(crate) fn tries(&self, component: ContentHash) -> Tried<'_> {
        let mut tried = self.tried();
        let is_first = !tried.contains_key(&component);
        tried.entry(component).or_default();
        Tried {
            cache: self,
            component,
            is_first,
        }
    }

    /// Notes that code is asked for. Whether anybody tries it at the moment.
    fn asks(&self, component: ContentHash) -> bool {
        let mut tried = self.tried();
        let asked = tried.get_mut(&component);
        asked.is_some_and(|asked| {
            asked.times = asked.times.saturating_add(1);
            true
        })
    }

    fn tried(&self) -> MutexGuard<'_, HashMap<ContentHash, Asked>> {
        // Each call under the lock leaves the map whole.
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is code of a component. Whether it is good is known once it is loaded.
    pub(crate) fn has(&self, component: ContentHash) -> bool {
        self.path(component).exists()
    }

    /// Deletes the code of a component; whoever needs it compiles it anew.
    fn forget(&self, component: ContentHash) -> io::Result<()> {
        match fs::remove_file(self.path(component)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn load(&self, engine: &Engine, path: &Path) -> Option<Component> {
        let file = files::read_own(path, FILE_BYTES_MAX).ok()?;
        let (tag, image) = file.split_at_checked(TAG_BYTES)?;
        self.tag(path, image).verify_slice(tag).ok()?;
        let component = deserialize(engine, image).ok()?;
        if let Err(error) = files::touch(path) {
            tracing::warn!(file = %files::file_name(path), %error, "note that code was used");
        }
        Some(component)
    }

    /// The tag of an image in the file of this name.
    fn tag(&self, path: &Path, image: &[u8]) -> Hmac<Sha256> {
        let mut tag = new_hmac(&self.key);
        tag.update(files::file_name(path).as_bytes());
        tag.update(image);
        tag
    }

    fn path(&self, component: ContentHash) -> PathBuf {
        let compiler = self.compiler;
        self.folder
            .join(format!("{component}-{compiler:016x}.cwasm"))
    }

    /// Whether some files are to be deleted if nothing but these components is needed.
    pub(crate) fn has_surplus(&self, needed: &HashSet<ContentHash>) -> io::Result<bool> {
        let spare = self.spare(needed)?;
        Ok(spare.len() > SPARE_FILES_MAX)
    }

    /// Deletes code beyond what may be spare, but none of the `needed` components.
    pub(crate) fn prune(&self, needed: &HashSet<ContentHash>) -> io::Result<()> {
        let mut spare = self.spare(needed)?;
        spare.sort();
        let surplus = spare.len().saturating_sub(SPARE_FILES_MAX);
        spare
            .into_iter()
            .take(surplus)
            .try_for_each(|(_, path)| fs::remove_file(path))
    }

    /// The files of all components that are not needed, with the times when they were used.
    fn spare(&self, needed: &HashSet<ContentHash>) -> io::Result<Vec<((i64, i64), PathBuf)>> {
        let needed: HashSet<PathBuf> = needed.iter().map(|hash| self.path(*hash)).collect();
        let mut spare = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // One that is being written has another ending.
            let is_code = entry.path().extension().is_some_and(|e| e == "cwasm");
            if is_code && !needed.contains(&entry.path()) {
                spare.push((files::used_at(&entry.metadata()?), entry.path()));
            }
        }
        Ok(spare)
    }
}

fn new_hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC's own rule for keys shorter than a block: zeros behind them.
    let mut block = [0; 64];
    for (place, byte) in block.iter_mut().zip(key) {
        *place = *byte;
    }
    Hmac::new(&block.into())
}

/// The one place where bytes become machine code: each time what another process gave, a compiler
/// just now or a server that kept what one gave. That process is trusted like this one; its limits
/// are for what it costs.
#[expect(
    unsafe_code,
    reason = "wasmtime cannot check machine code; the caller did"
)]
fn deserialize(engine: &Engine, image: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the image comes from `precompile_component`, called by this process or by the program
    // that it was told to compile with, or from a file whose HMAC says that a process with the same
    // key wrote it from the same.
    unsafe { Component::deserialize(engine, image) }
}

/// Why code that was just made is not taken. An engine without the pool takes what is of the right
/// compiler: then the component wants more than an instance may have, and always will. Anything
/// else says more of who compiled than of the component.
fn not_taken(image: &[u8], error: &wasmtime::Error) -> Refusal {
    let why = format!("{error:#}");
    let without_pool = |purpose| {
        let engine = compiling_engine(purpose);
        engine.is_ok_and(|engine| deserialize(&engine, image).is_ok())
    };
    if without_pool(Purpose::Production) || without_pool(Purpose::Metered) {
        Refusal::ForGood(why)
    } else {
        Refusal::ForNow(why)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::limits::Limits;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    /// Whoever put the same in force meanwhile compiled it anew after the next start.
    #[test]
    fn code_that_was_only_tried_goes_unless_anybody_else_has_asked_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let engine = compiling_engine(Purpose::Production).unwrap();
        let cache = CodeCache::open(dir.path(), [7; 32], &engine).unwrap();
        let compiler = Compiler::new(None, Purpose::Production, Limits::default()).unwrap();
        let ask = || cache.component(&engine, &compiler, EMPTY).unwrap().1;
        let component = ContentHash::of_component(EMPTY);

        let tried = cache.tries(component);
        assert!(!ask(), "it is compiled");
        drop(tried);
        assert!(!cache.has(component), "it was only tried");

        let tried = cache.tries(component);
        assert!(!ask());
        assert!(ask(), "another one is put in force");
        drop(tried);
        assert!(cache.has(component), "somebody needs it");

        let tried = cache.tries(component);
        assert!(ask());
        drop(tried);
        assert!(cache.has(component), "it was there before");
        assert!(cache.tried().is_empty());
    }

    #[test]
    fn two_who_try_the_same_leave_it_to_those_who_prune() {
        let dir = tempfile::tempdir().unwrap();
        let engine = compiling_engine(Purpose::Production).unwrap();
        let cache = CodeCache::open(dir.path(), [7; 32], &engine).unwrap();
        let compiler = Compiler::new(None, Purpose::Production, Limits::default()).unwrap();
        let component = ContentHash::of_component(EMPTY);
        let (first, second) = (cache.tries(component), cache.tries(component));
        for _ in 0..2 {
            cache.component(&engine, &compiler, EMPTY).unwrap();
        }
        drop((second, first));
        assert!(cache.has(component));
        assert!(cache.tried().is_empty());
    }

    /// Code of a version in force was deleted after others had been compiled often enough.
    #[test]
    fn code_that_is_needed_stays_and_of_the_rest_what_was_used_last() {
        let dir = tempfile::tempdir().unwrap();
        let engine = compiling_engine(Purpose::Production).unwrap();
        let cache = CodeCache::open(dir.path(), [7; 32], &engine).unwrap();
        let component = |number: usize| ContentHash::of_component(&number.to_be_bytes());
        let count = SPARE_FILES_MAX + 3;
        for number in 0..count {
            let file = fs::File::create(cache.path(component(number))).unwrap();
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64);
            file.set_modified(used).unwrap();
        }
        assert!(cache.has_surplus(&HashSet::new()).unwrap());
        cache.prune(&HashSet::from([component(0)])).unwrap();
        let gone = |number: &usize| !cache.path(component(*number)).exists();
        let gone: Vec<usize> = (0..count).filter(gone).collect();
        assert_eq!(gone, [1, 2]);
    }
}
