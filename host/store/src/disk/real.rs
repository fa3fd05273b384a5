//! The operating system's files as a [`Disk`].

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::io::IoSlice;
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, FallocateFlags};
use rustix::io::Errno;

use super::direct::{self, WritePath};
use super::{Disk, DiskFile, Space, at_most};

/// The file whose lock says that a process has the data directory.
const LOCK_FILE: &str = "LOCK";
/// How long another process may keep the lock before it is taken for one that works. One that was
/// killed may have been about to start a program: until that is there, it holds all that the killed
/// one held.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Time between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Slices that one `pwritev` takes: IOV_MAX on Linux and the BSDs. More are a short write.
const SLICES_PER_CALL_MAX: usize = 1_024;

/// Bytes that one call writes where room must be taken by writing.
const ZEROS_PER_CALL: usize = 64 * 1_024;

/// Records are their producers' secrets: only the owner of the process reads the directory.
const DIRECTORY_MODE: u32 = 0o700;

/// A directory of the machine's file system.
///
/// Every path is refused (kind `InvalidInput`) that is absolute or has a `..` in it.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
    /// The root itself, for the calls that ask about the file system under it.
    root_handle: File,
}

impl RealDisk {
    /// The directory `dir`, which is made, with those above it, if it does not exist.
    pub fn new(dir: PathBuf) -> io::Result<Self> {
        let root = std::path::absolute(dir)?;
        create_durably(&root)?;
        let root_handle = File::open(&root)?;
        Ok(Self { root, root_handle })
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if path.components().all(inside) {
            return Ok(self.root.join(path));
        }
        let what = format!("{} leads out of the data directory", path.display());
        Err(io::Error::new(io::ErrorKind::InvalidInput, what))
    }
}

/// Makes a directory and those above it, and their names durable: else a crash could take away
/// the directory in which everything was synced.
fn create_durably(dir: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(dir)?;
    for parent in missing.iter().filter_map(|dir| dir.parent()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

impl Disk for RealDisk {
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.root.join(LOCK_FILE))?;
        // The lock goes with the open file, so it ends with the guard or with the process.
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Box::new(file)),
                Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_WAIT => {
                    thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.resolve(path)?;
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Arc::new(RealFile { file }))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.resolve(path)?)?;
        Ok(Arc::new(RealFile { file }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(self.resolve(path)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(self.resolve(from)?, self.resolve(to)?)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.resolve(dir)?)? {
            // A name that is not UTF-8 is none of ours; it is still listed, so that it is seen.
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(self.resolve(dir)?)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        match std::fs::remove_dir_all(self.resolve(dir)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(self.resolve(dir)?)?.sync_all()
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.root_handle)?)
    }

    fn space(&self) -> io::Result<Space> {
        let disk = rustix::fs::fstatvfs(&self.root_handle)?;
        Ok(Space {
            free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            total_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
        })
    }
}

#[derive(Debug)]
struct RealFile {
    file: File,
}

impl DiskFile for RealFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(into, offset)
    }

    fn read_onto(&self, into: &mut Vec<u8>, bytes: usize, offset: u64) -> io::Result<usize> {
        into.reserve(bytes);
        let start = into.len();
        // The system fills all the room there is, wanted or not.
        if bytes < (into.capacity() - start) / 2 {
            into.resize(start + bytes, 0);
            let read = self.read_at(&mut into[start..], offset);
            // After an error nothing of it counts.
            into.truncate(start + *read.as_ref().unwrap_or(&0));
            return read;
        }
        rustix::io::pread(&self.file, rustix::buffer::spare_capacity(into), offset)?;
        into.truncate(start + bytes);
        Ok(into.len() - start)
    }

    fn write_at(&self, from: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        // Empty slices in front could fill a whole call, and 0 would look like a refusal.
        let filled = from.iter().position(|slice| !slice.is_empty());
        let from = filled.map_or(&[][..], |first| &from[first..]);
        let slices = &from[..from.len().min(SLICES_PER_CALL_MAX)];
        Ok(rustix::io::pwritev(&self.file, slices, offset)?)
    }

    fn write_past_cache(&self, from: &[u8], offset: u64) -> io::Result<usize> {
        let count = match WritePath::of(from.len(), offset) {
            WritePath::Cached(count) => count,
            WritePath::Direct(count) => match direct::write(&self.file, &from[..count], offset)? {
                Some(written) => return Ok(written),
                None => count,
            },
        };
        let written = self.file.write_at(&from[..count], offset)?;
        // This advice has the system begin to write. Where it is not taken, the next sync waits
        // longer, and nothing else is different.
        let length = NonZeroU64::new(written as u64);
        let _ = rustix::fs::fadvise(&self.file, offset, length, Advice::DontNeed);
        Ok(written)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, bytes) {
            Err(Errno::OPNOTSUPP) => fill_with_zeros(&self.file, bytes),
            outcome => Ok(outcome?),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Takes room by writing it, for file systems that cannot reserve any.
fn fill_with_zeros(file: &File, bytes: u64) -> io::Result<()> {
    let zeros = [0; ZEROS_PER_CALL];
    let mut offset = file.metadata()?.len();
    while offset < bytes {
        let piece = &zeros[..at_most(zeros.len(), bytes - offset)];
        file.write_all_at(piece, offset)?;
        offset += piece.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (tempfile::TempDir, RealDisk) {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(dir.path().join("a/b")).unwrap();
        (dir, disk)
    }

    /// A server that was started at once after a kill found the directory taken.
    #[test]
    fn a_lock_that_is_let_go_in_a_moment_is_waited_for() {
        let (_dir, disk) = disk();
        let taken = disk.lock().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            let disk = &disk;
            let other = scope.spawn(move || {
                tell.send(()).unwrap();
                disk.lock().map(drop)
            });
            told.recv().unwrap();
            drop(taken);
            other.join().unwrap().unwrap();
        });
        let _taken = disk.lock().unwrap();
        let refused = disk.lock().err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn what_was_written_in_slices_is_read_back_in_one() {
        let (_dir, disk) = disk();
        let file = disk.create(Path::new("f")).unwrap();
        let slices = [IoSlice::new(b""), IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert_eq!(file.write_at(&slices, 3).unwrap(), 4);
        file.sync().unwrap();
        assert_eq!(file.length().unwrap(), 7);
        let mut into = [9; 10];
        assert_eq!(file.read_at(&mut into, 0).unwrap(), 7);
        assert_eq!(&into, b"\0\0\0abcd\x09\x09\x09");
        assert_eq!(file.read_at(&mut into, 7).unwrap(), 0);
    }

    #[test]
    fn what_is_written_past_the_cache_joins_what_lies_beside_it() {
        let (_dir, disk) = disk();
        let file = disk.create(Path::new("f")).unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let mut at = 0;
        for length in [64, 1_500_000, 5, 200_000, 131_072, 1_168_859] {
            let end = at + length;
            while at < end {
                at += file.write_past_cache(&bytes[at..end], at as u64).unwrap();
            }
        }
        file.sync().unwrap();
        let mut into = vec![0; bytes.len() + 1];
        assert_eq!(file.read_at(&mut into, 0).unwrap(), bytes.len());
        assert!(into[..bytes.len()] == bytes);
    }

    #[test]
    fn more_slices_than_the_system_takes_are_a_short_write() {
        let (_dir, disk) = disk();
        let file = disk.create(Path::new("f")).unwrap();
        let slices: Vec<IoSlice<'_>> = (0..2_000).map(|_| IoSlice::new(b"xy")).collect();
        let written = file.write_at(&slices, 0).unwrap();
        assert_eq!(written, 2 * SLICES_PER_CALL_MAX);
        let empty: Vec<IoSlice<'_>> = (0..2_000).map(|_| IoSlice::new(b"")).collect();
        assert_eq!(file.write_at(&empty, 0).unwrap(), 0);
        let late = [&empty[..], &[IoSlice::new(b"z")]].concat();
        assert_eq!(file.write_at(&late, 0).unwrap(), 1);
    }

    #[test]
    fn reserved_room_reads_as_zeros_and_keeps_what_is_there() {
        let (_dir, disk) = disk();
        let file = disk.create(Path::new("f")).unwrap();
        file.write_at(&[IoSlice::new(b"ab")], 0).unwrap();
        file.reserve(0).unwrap();
        file.reserve(8).unwrap();
        file.reserve(4).unwrap();
        let mut into = [9; 10];
        assert_eq!(file.read_at(&mut into, 0).unwrap(), 8);
        assert_eq!(&into[..8], b"ab\0\0\0\0\0\0");

        let plain = File::options()
            .read(true)
            .write(true)
            .open(disk.root.join("f"))
            .unwrap();
        fill_with_zeros(&plain, 100_000).unwrap();
        fill_with_zeros(&plain, 5).unwrap();
        assert_eq!(file.length().unwrap(), 100_000);
        assert_eq!(file.read_at(&mut into, 0).unwrap(), 10);
        assert_eq!(&into, b"ab\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn names_behave_as_the_trait_says() {
        let (_dir, disk) = disk();
        let kind = |error: io::Error| error.kind();
        let missing = io::ErrorKind::NotFound;
        assert_eq!(disk.open(Path::new("x")).err().map(kind), Some(missing));
        assert_eq!(disk.remove(Path::new("x")).err().map(kind), Some(missing));
        assert_eq!(disk.list(Path::new("d")).err().map(kind), Some(missing));
        disk.remove_dir(Path::new("d")).unwrap();
        disk.create_dir(Path::new("d/e")).unwrap();
        disk.create_dir(Path::new("d/e")).unwrap();
        disk.create(Path::new("d/e/f")).unwrap();
        disk.create(Path::new("d/e/g")).unwrap();
        disk.rename(Path::new("d/e/f"), Path::new("d/e/g")).unwrap();
        disk.sync_dir(Path::new("d/e")).unwrap();
        assert_eq!(disk.list(Path::new("d/e")).unwrap(), ["g"]);
        assert_eq!(disk.list(Path::new("")).unwrap(), ["d"]);
        disk.remove_dir(Path::new("d")).unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        disk.sync_all().unwrap();
        assert!(disk.list(Path::new("")).unwrap().is_empty());
    }

    #[test]
    fn a_path_that_leads_out_of_the_directory_is_refused() {
        let (_dir, disk) = disk();
        for path in ["../x", "a/../../x", "/etc/passwd", "a/.."] {
            let refused = disk.create(Path::new(path)).err().map(|error| error.kind());
            assert_eq!(refused, Some(io::ErrorKind::InvalidInput), "{path}");
        }
    }

    #[test]
    fn a_second_opener_of_the_directory_is_refused_until_the_first_lets_go() {
        let (dir, first) = disk();
        let second = RealDisk::new(dir.path().join("a/b")).unwrap();
        let guard = first.lock().unwrap();
        let refused = second.lock().err().map(|error| error.kind());
        assert_eq!(refused, Some(io::ErrorKind::WouldBlock));
        drop(guard);
        second.lock().unwrap();
    }

    #[test]
    fn a_disk_has_no_more_free_than_it_has() {
        let (_dir, disk) = disk();
        let space = disk.space().unwrap();
        assert!(0 < space.total_bytes);
        assert!(space.free_bytes <= space.total_bytes);
    }
}
