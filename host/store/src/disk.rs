//! The disk below the engine: the few calls that the engine makes, so that a test can stand in
//! for the operating system with a disk that loses, tears, fails and fills up.

mod direct;
pub mod real;
pub mod simulated;

use std::io;
use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

/// Whether the system refused for want of room: of the disk's, or of what a quota allows.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// A data directory. Paths are relative to it and use `/`.
///
/// What a crash may undo, and so what the engine must sync: bytes written are durable after
/// [`DiskFile::sync`]; a file's length and existence after [`DiskFile::sync`] of the file and
/// [`Disk::sync_dir`] of its directory; everything after [`Disk::sync_all`].
pub trait Disk: Send + Sync {
    /// Takes the data directory for this process alone, until the guard is dropped. An error of
    /// kind `WouldBlock` means that another process has it, also after a moment for which this may
    /// block.
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>>;

    /// Opens a file that exists for reading and writing; kind `NotFound` if it does not.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes an empty file, or empties one that exists, and opens it.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Removes a file; kind `NotFound` if there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name in one step, replacing what had that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// The names in a directory, in no order; kind `NotFound` if there is none.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes a directory and those above it; one that exists is left as it is.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Removes a directory and all that is in it; one that does not exist is left so.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes everything on the disk durable.
    fn sync_all(&self) -> io::Result<()>;

    /// Bytes that may still be written, and bytes of the whole disk.
    fn space(&self) -> io::Result<Space>;
}

/// `bytes`, or what is `left` if that is less.
pub(crate) fn at_most(bytes: usize, left: u64) -> usize {
    // What cannot be counted in memory is more than anything in memory.
    usize::try_from(left).map_or(bytes, |left| left.min(bytes))
}

/// Room on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// An open file. Calls may come from several threads at once.
pub trait DiskFile: Send + Sync {
    /// Fills as much of `into` as there are bytes at `offset`; 0 at the end. May be short.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads at most `bytes` at `offset` onto the end of `into`; returns how many, 0 at the end.
    /// May be short. An implementation may save what zeroing the room first costs.
    fn read_onto(&self, into: &mut Vec<u8>, bytes: usize, offset: u64) -> io::Result<usize> {
        let start = into.len();
        into.resize(start + bytes, 0);
        let read = self.read_at(&mut into[start..], offset);
        // After an error nothing of it counts.
        into.truncate(start + *read.as_ref().unwrap_or(&0));
        read
    }

    /// Writes from the front of `from`, in order, at `offset`, growing the file as needed.
    /// Returns how many bytes were written, which may be fewer than there are.
    fn write_at(&self, from: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;

    /// Writes like [`DiskFile::write_at`] what will hardly be read soon: an implementation may
    /// keep it out of the operating system's cache, and begin to write it to the disk, so that the
    /// next sync has little to wait for.
    fn write_past_cache(&self, from: &[u8], offset: u64) -> io::Result<usize> {
        self.write_at(&[IoSlice::new(from)], offset)
    }

    /// Bytes from start to end.
    fn length(&self) -> io::Result<u64>;

    /// Cuts the file or fills it up with zeros.
    fn set_length(&self, bytes: u64) -> io::Result<()>;

    /// Grows the file to at least `bytes` and takes the room for it on the disk now, so that
    /// writing there later does not find the disk full. What was not written reads as zeros.
    fn reserve(&self, bytes: u64) -> io::Result<()>;

    /// Makes the file's bytes and length durable (fdatasync). After an error, what was written
    /// since the last success may be anything.
    fn sync(&self) -> io::Result<()>;
}
