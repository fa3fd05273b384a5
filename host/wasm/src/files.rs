//! Reading files that somebody else may be writing, and writing files that somebody may read.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::refusal::Refusal;

/// What tells whether a file has changed: its length, its time of change and its place on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    length: u64,
    changed_at: ChangedAt,
    inode: u64,
}

/// When a file changed: seconds and nanoseconds since 1970.
pub(crate) type ChangedAt = (i64, i64);

/// When the file changed.
pub(crate) fn changed_at(metadata: &std::fs::Metadata) -> ChangedAt {
    (metadata.mtime(), metadata.mtime_nsec())
}

impl Stamp {
    pub(crate) fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            length: metadata.len(),
            changed_at: changed_at(metadata),
            inode: metadata.ino(),
        }
    }
}

/// The whole of a regular file of at most `bytes_max` bytes that does not change meanwhile. No
/// link is followed, and nothing that would block is opened.
pub(crate) fn read_whole(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Refusal> {
    let odd = |why: String| Refusal::ForGood(why).at(&file_name(path));
    let what = |why: String| Refusal::ForNow(why).at(&file_name(path));
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = openat(CWD, path, flags, Mode::empty());
    let mut file = File::from(opened.map_err(|error| what(error.to_string()))?);
    let metadata = |file: &File| file.metadata().map_err(|error| what(error.to_string()));
    let before = metadata(&file)?;
    if !before.is_file() {
        return Err(odd("is not a regular file".to_owned()));
    }
    if bytes_max < before.len() {
        let length = before.len();
        return Err(odd(format!("has {length} bytes, more than {bytes_max}")));
    }
    let mut bytes = Vec::new();
    let limit = bytes_max.saturating_add(1);
    let read = Read::by_ref(&mut file).take(limit).read_to_end(&mut bytes);
    read.map_err(|error| what(error.to_string()))?;
    match Stamp::of(&before) == Stamp::of(&metadata(&file)?) {
        true => Ok(bytes),
        false => Err(what("is still being written".to_owned())),
    }
}

/// Writes a file so that it is whole and durable or not there at all, at every moment.
pub(crate) fn write_whole(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let staged = path.with_extension("tmp");
    let mut file = File::create(&staged)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    std::fs::rename(&staged, path)?;
    File::open(folder)?.sync_all()
}

/// The last part of a path, for messages: where the folder lies is the operator's business.
pub(crate) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().escape_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_of_a_fitting_size_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        write_whole(&path, &[b"ab", b"c"]).unwrap();
        assert_eq!(read_whole(&path, 3).unwrap(), b"abc");
        assert!(
            read_whole(&path, 2)
                .unwrap_err()
                .to_string()
                .contains("has 3 bytes, more than 2")
        );
        let link = dir.path().join("link.wasm");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read_whole(&link, 9).is_err());
        assert!(
            read_whole(dir.path(), 9)
                .unwrap_err()
                .to_string()
                .contains("not a regular file")
        );
        assert!(read_whole(&dir.path().join("none"), 9).is_err());
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            2,
            "no file is left over"
        );
    }
}
