//! The objects that the demo's records became, read back from the disk.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::deliver::{BUCKET, ERROR_PREFIX, PREFIX};
use crate::output;

/// Objects that are shown; of more, the first.
const SHOWN_MAX: usize = 8;
/// Characters of a line that are shown.
const LINE_CHARS_MAX: usize = 300;

/// What lies in the bucket.
pub(super) struct Found {
    objects: Vec<Object>,
    /// Lines of all delivered objects together, and of all failed ones.
    pub(super) delivered: u64,
    pub(super) failed: u64,
}

struct Object {
    name: String,
    bytes: usize,
    lines: u64,
    /// Empty in an object without lines.
    first_line: String,
}

/// Reads the bucket below `root`.
pub(super) fn read(root: &Path) -> Result<Found, String> {
    let bucket = root.join(BUCKET);
    let mut paths = Vec::new();
    collect(&bucket, &mut paths)?;
    paths.sort();
    let mut found = Found {
        objects: Vec::new(),
        delivered: 0,
        failed: 0,
    };
    for path in paths {
        let name = path.strip_prefix(&bucket).map_err(|e| e.to_string())?;
        let name = name.to_string_lossy().into_owned();
        let packed = fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
        let mut text = String::new();
        let unpacked = if name.ends_with(".gz") {
            GzDecoder::new(&packed[..]).read_to_string(&mut text)
        } else {
            (&packed[..]).read_to_string(&mut text)
        };
        unpacked.map_err(|error| format!("{name}: {error}"))?;
        let lines = text.lines().count() as u64;
        if name.starts_with(ERROR_PREFIX) {
            found.failed += lines;
        } else {
            found.delivered += lines;
        }
        found.objects.push(Object {
            bytes: packed.len(),
            lines,
            first_line: text.lines().next().unwrap_or_default().to_owned(),
            name,
        });
    }
    Ok(found)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

impl Found {
    /// No object, and counts as if there were some.
    #[cfg(test)]
    pub(super) fn counting(delivered: u64, failed: u64) -> Self {
        Self {
            objects: Vec::new(),
            delivered,
            failed,
        }
    }

    /// The objects with their sizes.
    pub(super) fn list(&self) -> String {
        let head = ["object", "bytes", "lines"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        let (failed, delivered): (Vec<_>, Vec<_>) = self
            .objects
            .iter()
            .partition(|object| object.name.starts_with(ERROR_PREFIX));
        for object in delivered.into_iter().chain(failed).take(SHOWN_MAX) {
            rows.push(vec![
                object.name.clone(),
                output::count(object.bytes as u64),
                output::count(object.lines),
            ]);
        }
        let mut table = output::table(&rows);
        let more = self.objects.len().saturating_sub(SHOWN_MAX);
        if more > 0 {
            table.push_str(&format!("  and {more} more\n"));
        }
        table
    }

    /// A line of the first object of delivered records.
    pub(super) fn first_line(&self) -> Option<String> {
        let object = self
            .objects
            .iter()
            .find(|object| object.name.starts_with(PREFIX))?;
        Some(object.first_line.chars().take(LINE_CHARS_MAX).collect())
    }
}
