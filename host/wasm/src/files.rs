//! Reading files that somebody else may be writing, and writing files that somebody may read.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{
    CWD, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens, openat,
};

use crate::refusal::Refusal;

/// How the name of a file ends that is being written.
const STAGED: &str = "tmp";

/// What tells whether a file has changed: its length, when it changed and which one it is. A tool
/// may set the time of change (`cp -p`), but not the time of the inode's change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    length: u64,
    content_changed_at: Moment,
    inode_changed_at: Moment,
    inode: (u64, u64),
}

/// Seconds and nanoseconds since 1970.
type Moment = (i64, i64);

/// When the file was used last: writing it and [`touch`] set this.
pub(crate) fn used_at(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

/// Notes that a file of the host's own was used.
pub(crate) fn touch(path: &Path) -> io::Result<()> {
    let at = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps {
        last_access: at(UTIME_OMIT),
        last_modification: at(UTIME_NOW),
    };
    Ok(futimens(File::open(path)?, &times)?)
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            content_changed_at: (metadata.mtime(), metadata.mtime_nsec()),
            inode_changed_at: (metadata.ctime(), metadata.ctime_nsec()),
            inode: (metadata.dev(), metadata.ino()),
        }
    }
}

/// The whole of a file of the host's own, which is no link.
pub(crate) fn read_own(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Refusal> {
    read_whole(path, OFlags::NOFOLLOW, (bytes_max, ""))
}

/// The whole of an operator's file, where links may lead to it. `limit` is what `bytes_max` is
/// called.
pub(crate) fn read_operators(path: &Path, bytes_max: u64, limit: &str) -> Result<Vec<u8>, Refusal> {
    read_whole(path, OFlags::empty(), (bytes_max, limit))
}

/// The whole of a regular file of a bounded size that does not change meanwhile. Nothing that would
/// block is opened.
fn read_whole(path: &Path, how: OFlags, limit: (u64, &str)) -> Result<Vec<u8>, Refusal> {
    let odd = |why: String| Refusal::ForGood(why).at(&file_name(path));
    let what = |why: String| Refusal::ForNow(why).at(&file_name(path));
    let flags = how | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = openat(CWD, path, flags, Mode::empty());
    let mut file = File::from(opened.map_err(|error| what(error.to_string()))?);
    let metadata = |file: &File| file.metadata().map_err(|error| what(error.to_string()));
    let before = metadata(&file)?;
    if !before.is_file() {
        return Err(odd("is not a regular file".to_owned()));
    }
    let (bytes_max, limit) = limit;
    if before.len() > bytes_max {
        let length = before.len();
        return Err(odd(format!(
            "has {length} bytes, more than {bytes_max}{limit}"
        )));
    }
    let mut bytes = Vec::new();
    let read = Read::by_ref(&mut file)
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes);
    read.map_err(|error| what(error.to_string()))?;
    if Stamp::of(&before) != Stamp::of(&metadata(&file)?) {
        return Err(what("is still being written".to_owned()));
    }
    Ok(bytes)
}

/// Writes a file so that it is whole and durable or not there at all, at every moment.
pub(crate) fn write_whole(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let staged = path.with_extension(STAGED);
    let mut file = File::create(&staged)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    std::fs::rename(&staged, path)?;
    File::open(folder)?.sync_all()
}

/// Deletes what a crash left of files that [`write_whole`] was writing in a folder.
pub(crate) fn delete_staged(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == STAGED)
        {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
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
        assert_eq!(read_own(&path, 3).unwrap(), b"abc");
        let too_long = read_operators(&path, 2, " (a_limit = 2)").unwrap_err();
        let why = "a.wasm: has 3 bytes, more than 2 (a_limit = 2)";
        assert_eq!(too_long.to_string(), why);
        let folder = read_own(dir.path(), 9).unwrap_err().to_string();
        assert!(folder.contains("not a regular file"), "{folder}");
        assert!(read_own(&dir.path().join("none"), 9).is_err());
        let count = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(count, 1, "no file is left over");
    }

    #[test]
    fn a_link_leads_to_an_operators_file_and_to_none_of_the_hosts_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        write_whole(&path, &[b"abc"]).unwrap();
        let link = dir.path().join("link.wasm");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read_own(&link, 9).is_err());
        assert_eq!(read_operators(&link, 9, "").unwrap(), b"abc");
        let zeros = dir.path().join("zeros.wasm");
        std::os::unix::fs::symlink("/dev/zero", &zeros).unwrap();
        let why = read_operators(&zeros, 9, "").unwrap_err().to_string();
        assert_eq!(why, "zeros.wasm: is not a regular file");
    }

    /// A file of equal length that `cp -p` gave the time of the one before was never read.
    #[test]
    fn a_file_is_another_though_its_length_and_its_time_of_change_are_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        std::fs::write(&path, "one").unwrap();
        let before = std::fs::metadata(&path).unwrap();
        let stamp = Stamp::of(&before);
        // The clock of a file system ticks every few milliseconds.
        let mut after = stamp;
        while after == stamp {
            std::fs::write(&path, "two").unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(before.modified().unwrap()).unwrap();
            let metadata = std::fs::metadata(&path).unwrap();
            assert_eq!(used_at(&metadata), used_at(&before));
            after = Stamp::of(&metadata);
        }
    }
}
