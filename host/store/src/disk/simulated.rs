//! A disk in memory that loses, tears, fails and fills up when told to.
//!
//! Everything that the docs of [`Disk`] do not promise to be durable may be lost in a power cut:
//! each sector of 512 bytes keeps some state that it had since the last sync, a file's length
//! likewise, and of the changes to names any subset survives.

mod faults;
mod file;
mod image;
mod random;
mod state;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use self::faults::Faults;
pub use self::faults::{AfterFailedSync, Call, Failure, Fault};
use self::file::SimulatedFile;
pub use self::random::Random;
use self::state::{Entry, FileId, Op, State};
use super::{Disk, DiskFile, Space};

/// What a disk without a capacity says it has.
const UNLIMITED_BYTES: u64 = 1 << 50;

/// What a power cut leaves of all that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// All of it, as if every call had been synced.
    Everything,
    /// Chance decides for every sector, length and name.
    Random,
}

/// A disk in memory. Clones are the same disk, seen by another process: the lock of one keeps
/// out the other.
#[derive(Clone)]
pub struct SimulatedDisk {
    shared: Arc<Mutex<Machine>>,
}

struct Machine {
    state: State,
    files_made: FileId,
    random: Random,
    faults: Faults,
    after_failed_sync: AfterFailedSync,
    capacity_bytes: u64,
    /// Files that are open, and how many may be.
    open_files: u64,
    open_files_max: u64,
    bytes_read: u64,
    locked: bool,
    trace: Option<Trace>,
}

/// What was done to a disk from some moment on.
#[derive(Clone)]
pub struct Trace {
    start: State,
    ops: VecDeque<Op>,
}

impl SimulatedDisk {
    /// An empty disk. The seed decides what a failed sync loses.
    pub fn new(seed: u64) -> Self {
        Self::with_state(State::default(), seed)
    }

    fn with_state(state: State, seed: u64) -> Self {
        let machine = Machine {
            files_made: state.next_file(),
            state,
            random: Random::new(seed),
            faults: Faults::default(),
            after_failed_sync: AfterFailedSync::CleanButLost,
            capacity_bytes: UNLIMITED_BYTES,
            open_files: 0,
            open_files_max: u64::MAX,
            bytes_read: 0,
            locked: false,
            trace: None,
        };
        Self {
            shared: Arc::new(Mutex::new(machine)),
        }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        // Every change is made in one go, so a panic elsewhere leaves nothing half done.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new disk with what a power cut at this moment leaves. This one goes on.
    pub fn after_power_cut(&self, random: &mut Random, survival: Survival) -> Self {
        let state = self.machine().state.after_power_cut(random, survival);
        Self::with_state(state, random.number())
    }

    /// A new disk as the next process finds it when this one is killed at this moment but the
    /// machine runs on: all that was written is there, and still no more durable than it was.
    pub fn after_kill(&self) -> Self {
        let mut machine = self.machine();
        let state = machine.state.without_handles();
        Self::with_state(state, machine.random.number())
    }

    /// Makes calls fail.
    pub fn plan(&self, fault: Fault) {
        self.machine().faults.plan(fault);
    }

    /// Reads that come to a page of a file with any of these bytes fail with EIO, as of a sector
    /// that went bad, until [`SimulatedDisk::forget_faults`]. A copy of the disk is a good one.
    pub fn spoil(&self, path: &Path, bytes: Range<u64>) {
        self.machine().faults.spoil(path.to_path_buf(), bytes);
    }

    /// Lets all calls succeed from now on.
    pub fn forget_faults(&self) {
        self.machine().faults.forget();
    }

    /// How many calls failed or were short because of a [`Fault`].
    pub fn faults_hit(&self) -> u64 {
        self.machine().faults.hits()
    }

    /// How many calls there were, of a kind or of all kinds.
    pub fn calls(&self, call: Option<Call>) -> u64 {
        self.machine().faults.count(call)
    }

    /// What becomes of unsynced bytes when a sync fails; [`AfterFailedSync::CleanButLost`] until
    /// this is called.
    pub fn set_after_failed_sync(&self, after: AfterFailedSync) {
        self.machine().after_failed_sync = after;
    }

    /// How many bytes the disk holds. Growth past it is refused with ENOSPC.
    pub fn set_capacity(&self, bytes: u64) {
        self.machine().capacity_bytes = bytes;
    }

    /// How many files the process may have open. One more is refused with EMFILE.
    pub fn set_open_files_max(&self, files: u64) {
        self.machine().open_files_max = files;
    }

    /// How many bytes were read from files so far.
    pub fn bytes_read(&self) -> u64 {
        self.machine().bytes_read
    }

    /// Bytes of all files.
    pub fn used_bytes(&self) -> u64 {
        self.machine().state.used_bytes()
    }

    /// Every file with its length, in order of path.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let machine = self.machine();
        let names = machine.state.names().iter();
        names
            .filter_map(|(path, entry)| match entry {
                Entry::File(file) => Some((path.clone(), machine.state.length(*file))),
                Entry::Dir => None,
            })
            .collect()
    }

    /// Flips the bits of `mask` in one byte of a file, durably. False if there is no such byte.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) -> bool {
        let mut machine = self.machine();
        let Some(Entry::File(file)) = machine.state.entry(path) else {
            return false;
        };
        machine.state.flip(file, offset, mask);
        offset < machine.state.length(file)
    }

    /// Begins to record what is done to the disk, from what is there now.
    pub fn record(&self) {
        let mut machine = self.machine();
        machine.trace = Some(Trace {
            start: machine.state.clone(),
            ops: VecDeque::new(),
        });
    }

    /// How many changes were recorded so far.
    pub fn recorded(&self) -> usize {
        let machine = self.machine();
        machine.trace.as_ref().map_or(0, |trace| trace.ops.len())
    }

    /// What was recorded so far; `None` if [`SimulatedDisk::record`] was not called.
    pub fn trace(&self) -> Option<Trace> {
        self.machine().trace.clone()
    }
}

impl Trace {
    /// A replay from the start of the recording.
    pub fn replay(self) -> Replay {
        Replay {
            state: self.start,
            ops: self.ops,
            done: 0,
        }
    }
}

/// A recording being played again, one change at a time.
pub struct Replay {
    state: State,
    ops: VecDeque<Op>,
    done: usize,
}

impl Replay {
    /// How many changes were made so far.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Makes the next change; false at the end.
    pub fn advance(&mut self) -> bool {
        let Some(op) = self.ops.pop_front() else {
            return false;
        };
        self.state.apply(&op);
        self.done += 1;
        true
    }

    /// What the next process finds when this one is killed after the changes made so far.
    pub fn after_kill(&self, random: &mut Random) -> SimulatedDisk {
        SimulatedDisk::with_state(self.state.without_handles(), random.number())
    }

    /// What a power cut leaves after the changes made so far.
    pub fn after_power_cut(&self, random: &mut Random, survival: Survival) -> SimulatedDisk {
        let state = self.state.after_power_cut(random, survival);
        SimulatedDisk::with_state(state, random.number())
    }
}

impl Machine {
    /// Counts a call; an error if it is one that fails.
    fn enter(&mut self, call: Call, path: &Path) -> io::Result<Option<Failure>> {
        let failure = self.faults.check(call, path);
        match failure.and_then(Failure::error) {
            Some(error) => Err(error),
            None => Ok(failure),
        }
    }

    fn apply(&mut self, op: Op) {
        self.state.apply(&op);
        if let Some(trace) = &mut self.trace {
            trace.ops.push_back(op);
        }
    }

    fn check_open_files(&self) -> io::Result<()> {
        if self.open_files < self.open_files_max {
            Ok(())
        } else {
            Err(Errno::MFILE.into())
        }
    }

    fn free_bytes(&self) -> u64 {
        self.capacity_bytes.saturating_sub(self.state.used_bytes())
    }

    fn file(&self, path: &Path) -> io::Result<FileId> {
        match self.state.entry(path) {
            Some(Entry::File(file)) => Ok(file),
            Some(Entry::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn check_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent().and_then(|dir| self.state.entry(dir)) {
            Some(Entry::Dir) => Ok(()),
            Some(Entry::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The path without `.` parts; kind `InvalidInput` if it leads out of the data directory.
fn plain(path: &Path) -> io::Result<PathBuf> {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name),
            Component::CurDir => {}
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(parts)
}

struct Lock {
    disk: SimulatedDisk,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.disk.machine().locked = false;
    }
}

impl SimulatedDisk {
    fn handle(&self, machine: &mut Machine, path: PathBuf, file: FileId) -> Arc<dyn DiskFile> {
        machine.open_files += 1;
        machine.state.opened(file);
        let disk = self.clone();
        Arc::new(SimulatedFile { disk, path, file })
    }
}

impl Disk for SimulatedDisk {
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut machine = self.machine();
        machine.enter(Call::Lock, Path::new(""))?;
        if machine.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        machine.locked = true;
        let disk = self.clone();
        Ok(Box::new(Lock { disk }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let path = plain(path)?;
        let mut machine = self.machine();
        machine.enter(Call::Open, &path)?;
        machine.check_open_files()?;
        let file = machine.file(&path)?;
        Ok(self.handle(&mut machine, path, file))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let path = plain(path)?;
        let mut machine = self.machine();
        machine.enter(Call::Create, &path)?;
        machine.check_open_files()?;
        machine.check_parent(&path)?;
        let file = match machine.file(&path) {
            Ok(file) => {
                machine.apply(Op::SetLength { file, bytes: 0 });
                file
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = machine.files_made;
                machine.files_made += 1;
                let path = path.clone();
                machine.apply(Op::Create { path, file });
                file
            }
            Err(error) => return Err(error),
        };
        Ok(self.handle(&mut machine, path, file))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = plain(path)?;
        let mut machine = self.machine();
        machine.enter(Call::Remove, &path)?;
        machine.file(&path)?;
        machine.apply(Op::Remove { path });
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (plain(from)?, plain(to)?);
        let mut machine = self.machine();
        machine.enter(Call::Rename, &from)?;
        let file = machine.file(&from)?;
        machine.check_parent(&to)?;
        match machine.file(&to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(replaced) if replaced == file => Ok(()),
            _ => {
                machine.apply(Op::Rename { from, to });
                Ok(())
            }
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let dir = plain(dir)?;
        let mut machine = self.machine();
        machine.enter(Call::List, &dir)?;
        match machine.state.entry(&dir) {
            Some(Entry::Dir) => {}
            Some(Entry::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        let paths = machine.state.names().keys();
        let inside = paths.filter(|path| path.parent() == Some(&dir));
        let names = inside.filter_map(|path| path.file_name());
        Ok(names
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = plain(dir)?;
        let mut machine = self.machine();
        machine.enter(Call::CreateDir, &dir)?;
        let above: Vec<&Path> = dir.ancestors().collect();
        for dir in above.into_iter().rev() {
            match machine.state.entry(dir) {
                Some(Entry::Dir) => {}
                Some(Entry::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => {
                    let dir = dir.to_path_buf();
                    machine.apply(Op::CreateDir { dir });
                }
            }
        }
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = plain(dir)?;
        let mut machine = self.machine();
        machine.enter(Call::RemoveDir, &dir)?;
        match machine.state.entry(&dir) {
            Some(Entry::Dir) => machine.apply(Op::RemoveDir { dir }),
            Some(Entry::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            None => {}
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = plain(dir)?;
        let mut machine = self.machine();
        machine.enter(Call::SyncDir, &dir)?;
        match machine.state.entry(&dir) {
            Some(Entry::Dir) => machine.apply(Op::SyncDir { dir }),
            Some(Entry::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        let mut machine = self.machine();
        machine.enter(Call::SyncAll, Path::new(""))?;
        machine.apply(Op::SyncAll);
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        let mut machine = self.machine();
        machine.enter(Call::Space, Path::new(""))?;
        Ok(Space {
            free_bytes: machine.free_bytes(),
            total_bytes: machine.capacity_bytes,
        })
    }
}

#[cfg(test)]
mod tests;
