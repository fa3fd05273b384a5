//! An open file of a simulated disk.

use std::io;
use std::io::IoSlice;
use std::path::PathBuf;

use bytes::BytesMut;
use rustix::io::Errno;

use super::state::{FileId, Op};
use super::{Call, DiskFile, Failure, Machine, SimulatedDisk};
use crate::disk::at_most;

pub(super) struct SimulatedFile {
    pub(super) disk: SimulatedDisk,
    /// The name under which it was opened.
    pub(super) path: PathBuf,
    pub(super) file: FileId,
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        let mut machine = self.disk.machine();
        machine.open_files -= 1;
        machine.state.closed(self.file);
    }
}

/// How many of `bytes` a call moves. A short one moves at least one, as the system does.
fn moved(bytes: usize, failure: Option<Failure>) -> usize {
    match failure {
        Some(Failure::Short) => bytes.div_ceil(2),
        _ => bytes,
    }
}

impl SimulatedFile {
    /// Changes the length if there is room.
    fn resize(&self, machine: &mut Machine, bytes: u64) -> io::Result<()> {
        let file = self.file;
        let growth = bytes.saturating_sub(machine.state.length(file));
        if machine.free_bytes() < growth {
            return Err(Errno::NOSPC.into());
        }
        machine.apply(Op::SetLength { file, bytes });
        Ok(())
    }
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut machine = self.disk.machine();
        let failure = machine.enter(Call::ReadAt, &self.path)?;
        let bytes = moved(into.len(), failure);
        if machine
            .faults
            .is_bad(&self.path, &(offset..offset + bytes as u64))
        {
            return Err(Errno::IO.into());
        }
        let read = machine.state.read_at(self.file, &mut into[..bytes], offset);
        machine.bytes_read += read as u64;
        Ok(read)
    }

    fn write_at(&self, from: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let mut data = BytesMut::new();
        for slice in from {
            data.extend_from_slice(slice);
        }
        let mut machine = self.disk.machine();
        let failure = machine.enter(Call::WriteAt, &self.path)?;
        data.truncate(moved(data.len(), failure));
        // What lies within the file needs no room; past its end there may be some for a part.
        let limit = machine.state.length(self.file).max(offset);
        let room = limit.saturating_add(machine.free_bytes()) - offset;
        data.truncate(at_most(data.len(), room));
        let written = data.len();
        if written == 0 && from.iter().any(|slice| !slice.is_empty()) {
            return Err(Errno::NOSPC.into());
        }
        machine.apply(Op::Write {
            file: self.file,
            offset,
            data: data.freeze(),
        });
        Ok(written)
    }

    fn length(&self) -> io::Result<u64> {
        let mut machine = self.disk.machine();
        machine.enter(Call::Length, &self.path)?;
        Ok(machine.state.length(self.file))
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        let mut machine = self.disk.machine();
        machine.enter(Call::SetLength, &self.path)?;
        self.resize(&mut machine, bytes)
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        let mut machine = self.disk.machine();
        machine.enter(Call::Reserve, &self.path)?;
        if machine.state.length(self.file) < bytes {
            self.resize(&mut machine, bytes)?;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut machine = self.disk.machine();
        let file = self.file;
        match machine.enter(Call::Sync, &self.path) {
            Ok(_) => {
                machine.apply(Op::Sync { file });
                Ok(())
            }
            Err(error) => {
                let after = machine.after_failed_sync;
                let seed = machine.random.number();
                machine.apply(Op::FailedSync { file, after, seed });
                Err(error)
            }
        }
    }
}
