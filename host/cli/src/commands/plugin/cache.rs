//! What commands for authors keep between two runs, in a folder that is their user's alone:
//! compiled code, and tools that were installed.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use wasm::{Limits, Options, RolloutRules, SignatureRules};

use crate::commands::compile_worker;

/// Where the folder lies, unless it is where the system keeps such things.
const VARIABLE: &str = "MILLRACE_CACHE";
const FOLDER: &str = "millrace";
/// The file of the key that compiled code is signed with, and bytes of the key.
const KEY: &str = "key";
const KEY_BYTES: usize = 32;
/// Bits of a mode that let others than the owner write.
const OTHERS_WRITE: u32 = 0o022;

/// What engines of this user are opened with. Compiled code is machine code that is run, so it lies
/// where nobody else writes, and never in a project's folder, which may be somebody else's work.
///
/// # Errors
/// When there is no such folder and none can be made.
pub(super) fn options(limits: Limits) -> Result<Options, String> {
    let folder = folder()?;
    Ok(Options {
        directory: None,
        cache_key: key(&folder.join(KEY))?,
        keep: folder,
        limits,
        compiler: compile_worker::program(),
        rollout: RolloutRules::default(),
        signatures: SignatureRules::default(),
        grants: std::sync::Arc::default(),
    })
}

/// The folder, which is made if it is not there.
///
/// # Errors
/// When it cannot be made, or others may write to it.
pub(super) fn folder() -> Result<PathBuf, String> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = set(VARIABLE).map(PathBuf::from);
    let folder = folder.or_else(|| Some(Path::new(&set("XDG_CACHE_HOME")?).join(FOLDER)));
    let folder = folder.or_else(|| Some(Path::new(&set("HOME")?).join(".cache").join(FOLDER)));
    let folder =
        folder.ok_or_else(|| format!("set {VARIABLE} to a folder: there is no HOME for it"))?;
    let failed = |what: String| format!("{VARIABLE} {}: {what}", folder.display());
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(&folder);
    made.map_err(|error| failed(error.to_string()))?;
    let metadata = fs::metadata(&folder).map_err(|error| failed(error.to_string()))?;
    if metadata.uid() != geteuid().as_raw() || metadata.mode() & OTHERS_WRITE != 0 {
        let what = "others may write to it, and what lies there is run".to_owned();
        return Err(failed(what));
    }
    fs::canonicalize(&folder).map_err(|error| failed(error.to_string()))
}

/// The key in this file, which is made if it is not there.
fn key(path: &Path) -> Result<[u8; KEY_BYTES], String> {
    let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| failed(&error))?;
    // Whole or not there: two commands may start at the same time.
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut staged = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(&e))?;
    staged.write_all(&key).map_err(|error| failed(&error))?;
    match staged.persist_noclobber(path) {
        Ok(_) => return Ok(key),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(&error.error)),
    }
    let mut file = File::open(path).map_err(|error| failed(&error))?;
    file.read_exact(&mut key).map_err(|error| failed(&error))?;
    Ok(key)
}
