//! Where plugins come from and what they may use, and why they cannot be had.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::grant_book::GrantBook;
use crate::limits::Limits;
use crate::rollout::RolloutRules;
use crate::signature::SignatureRules;

/// Where plugins come from, and what they may use.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory that operators put plugins into; `None`: there are none.
    pub directory: Option<PathBuf>,
    /// A directory of the host's own: versions that were in force, which ones are, and compiled
    /// code.
    pub keep: PathBuf,
    /// What every plugin may use.
    pub limits: Limits,
    /// How carefully versions take the place of others.
    pub rollout: RolloutRules,
    /// Whose plugins are taken.
    pub signatures: SignatureRules,
    /// What plugins are granted by name: secrets. An author's workbench goes by the manifest
    /// alone.
    pub grants: Arc<GrantBook>,
    /// What compiled code on disk is signed with.
    pub cache_key: [u8; 32],
    /// The program that compiles, started as `millrace compile-worker` is: it calls
    /// [`crate::compile_worker`], and must be of the same build as this process. `None`: components
    /// are compiled in this process, whatever time and memory that takes.
    pub compiler: Option<PathBuf>,
}

/// Why plugins cannot be had at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenError(pub(crate) String);

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OpenError {}
