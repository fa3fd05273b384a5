//! The section of the configuration file about the tables that records become rows of.

use std::path::PathBuf;

use super::entry::{Entry, Wrong};

/// `[glue]`.
pub(super) fn glue(section: &Entry<'_>) -> Result<PathBuf, Wrong> {
    let mut directory = None;
    for entry in section.entries("[glue]", "directory")? {
        match entry.key {
            "directory" => match entry.string()? {
                "" => return Err(entry.wrong("is empty")),
                text => directory = Some(PathBuf::from(text)),
            },
            _ => return Err(entry.unread()),
        }
    }
    directory.ok_or_else(|| section.wrong("has no directory"))
}
