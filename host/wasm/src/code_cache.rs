//! Compiled code, kept by the content that it was compiled from, in a folder that only the host
//! writes. Whoever loads machine code trusts it: each file carries a code (HMAC-SHA256) made with
//! a key that lies in the store, and a file whose code is not right is compiled anew.
//!
//! ```text
//! <folder>/<sha-256 of the component>-<compiler>.cwasm     code, 32 bytes | wasmtime's image
//! ```

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compiler::Compiler;
use crate::files;
use crate::limits::COMPILED_BYTES_MAX;
use crate::refusal::Refusal;
use crate::version::ContentHash;

/// Bytes of the code in front of an image.
const CODE_BYTES: usize = 32;
/// Bytes of a compiled file; a larger one is not ours.
const FILE_BYTES_MAX: u64 = CODE_BYTES as u64 + COMPILED_BYTES_MAX as u64;
/// Files that are kept, the newest ones.
const FILES_MAX: usize = 64;

/// The folder of compiled code.
pub(crate) struct CodeCache {
    folder: PathBuf,
    key: [u8; 32],
}

impl CodeCache {
    pub(crate) fn open(folder: &Path, key: [u8; 32]) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let cache = Self {
            folder: folder.to_owned(),
            key,
        };
        cache.prune()?;
        Ok(cache)
    }

    /// The code of a component that was admitted, and whether it was there. If not, it is compiled:
    /// one at a time, and once for all who want the same.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        compiler: &Compiler,
        wasm: &[u8],
    ) -> Result<(Component, bool), Refusal> {
        let path = self.path(engine, wasm);
        if let Some(component) = self.load(engine, &path) {
            return Ok((component, true));
        }
        let turn = compiler.turn()?;
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
        // It says more of who compiled than of the component.
        let component =
            deserialize(engine, &image).map_err(|error| Refusal::ForNow(format!("{error:#}")))?;
        let code = self.code(&path, &image).finalize().into_bytes();
        if let Err(error) = files::write_whole(&path, &[&code, &image]) {
            // The next start compiles again.
            tracing::warn!(file = %files::file_name(&path), %error, "keep compiled code");
        }
        Ok((component, false))
    }

    fn load(&self, engine: &Engine, path: &Path) -> Option<Component> {
        let file = files::read_whole(path, FILE_BYTES_MAX).ok()?;
        let (code, image) = file.split_at_checked(CODE_BYTES)?;
        self.code(path, image).verify_slice(code).ok()?;
        deserialize(engine, image).ok()
    }

    /// The code of an image in the file of this name.
    fn code(&self, path: &Path, image: &[u8]) -> Hmac<Sha256> {
        let mut code = new_hmac(&self.key);
        code.update(files::file_name(path).as_bytes());
        code.update(image);
        code
    }

    fn path(&self, engine: &Engine, wasm: &[u8]) -> PathBuf {
        let content = ContentHash(Sha256::digest(wasm).into());
        let mut compiler = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut compiler);
        let compiler = compiler.finish();
        self.folder.join(format!("{content}-{compiler:016x}.cwasm"))
    }

    fn prune(&self) -> io::Result<()> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            all.push((files::changed_at(&entry.metadata()?), entry.path()));
        }
        all.sort();
        let surplus = all.len().saturating_sub(FILES_MAX);
        all.into_iter()
            .take(surplus)
            .try_for_each(|(_, path)| fs::remove_file(path))
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
