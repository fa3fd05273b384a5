//! Why a master key is not to be had.

use std::fmt;
use std::path::PathBuf;

/// A file of keys that a server does not start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsOpenError {
    /// Which file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for KmsOpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key file {}: {}", self.file.display(), self.what)
    }
}

impl std::error::Error for KmsOpenError {}

/// What a client can do about a key that is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KmsFault {
    /// There is no such key.
    NotFound,
    /// It is disabled.
    Disabled,
    /// It is there, and is not what it was.
    InvalidState,
    /// It belongs to others, or its file may not be read.
    AccessDenied,
    /// A fault of ours or of the disk.
    Ours,
}

/// Why a key is not to be had, with the text for the client; of [`KmsFault::Ours`] for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsError {
    /// What it is.
    pub fault: KmsFault,
    /// A sentence.
    pub message: String,
}

impl KmsError {
    pub(super) fn new(fault: KmsFault, message: impl Into<String>) -> Self {
        Self {
            fault,
            message: message.into(),
        }
    }

    pub(super) fn ours(message: impl Into<String>) -> Self {
        Self::new(KmsFault::Ours, message)
    }
}

impl fmt::Display for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for KmsError {}
