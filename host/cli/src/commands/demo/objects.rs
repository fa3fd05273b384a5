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
        let name = path.strip_prefix(&bucket).unwrap_or(&path);
        let name = name.to_string_lossy().into_owned();
        let packed = fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
        let mut text = String::new();
        let unpacked = match name.ends_with(".gz") {
            true => GzDecoder::new(&packed[..]).read_to_string(&mut text),
            false => (&packed[..]).read_to_string(&mut text),
        };
        unpacked.map_err(|error| format!("{name}: {error}"))?;
        let lines = u64::try_from(text.lines().count()).unwrap_or(u64::MAX);
        match name.starts_with(ERROR_PREFIX) {
            true => found.failed += lines,
            false => found.delivered += lines,
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
        match path.is_dir() {
            true => collect(&path, paths)?,
            false => paths.push(path),
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
            let bytes = u64::try_from(object.bytes).unwrap_or(u64::MAX);
            rows.push(vec![
                object.name.clone(),
                output::count(bytes),
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
