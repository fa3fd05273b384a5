//! Which calls fail, and how.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// What a system reads of a disk at once, at least.
const PAGE_BYTES: u64 = 4_096;

/// The kinds of calls that a [`crate::disk::Disk`] and a [`crate::disk::DiskFile`] take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the method of its name")]
pub enum Call {
    Lock,
    Open,
    Create,
    Remove,
    Rename,
    List,
    CreateDir,
    RemoveDir,
    SyncDir,
    SyncAll,
    Space,
    ReadAt,
    WriteAt,
    Length,
    SetLength,
    Reserve,
    Sync,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// EIO. The call has no effect, but for a `sync`: see [`AfterFailedSync`].
    Io,
    /// ENOSPC. The call has no effect.
    NoSpace,
    /// EDQUOT. The call has no effect.
    OverQuota,
    /// A read or write moves about half of its bytes. Other calls succeed.
    Short,
    /// The call panics, as code of ours does in which an invariant is broken.
    Panic,
}

/// What a failed sync does to what was written since the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailedSync {
    /// It waits for the next sync, which can still make it durable.
    StillDirty,
    /// It reads as written, but no later sync writes it: what reached the disk is chance. What
    /// Linux does on ext4 and XFS.
    CleanButLost,
    /// It is gone but for what reached the disk, and reads that way.
    Reverted,
}

/// Calls that will fail.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Only calls of this kind; `None`: of any.
    pub call: Option<Call>,
    /// Only calls that concern a path that begins with this; the empty path: all.
    pub under: PathBuf,
    /// The first call that fails: 1 is the next one that fits.
    pub nth: u64,
    /// How many calls fail from there on.
    pub times: u64,
    /// How they fail.
    pub failure: Failure,
}

impl Fault {
    /// The `nth` call from now on, of any kind, fails; the ones after it do not.
    pub fn at(nth: u64, failure: Failure) -> Self {
        Self {
            call: None,
            under: PathBuf::new(),
            nth,
            times: 1,
            failure,
        }
    }
}

/// The calls so far and the faults to come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    planned: Vec<Planned>,
    /// Stretches of files that are not given back.
    bad: Vec<(PathBuf, Range<u64>)>,
    counts: HashMap<Call, u64>,
    hits: u64,
}

#[derive(Debug)]
struct Planned {
    fault: Fault,
    fitting_calls: u64,
}

impl Faults {
    pub(super) fn plan(&mut self, fault: Fault) {
        let fitting_calls = 0;
        self.planned.push(Planned {
            fault,
            fitting_calls,
        });
    }

    pub(super) fn forget(&mut self) {
        self.planned.clear();
        self.bad.clear();
    }

    pub(super) fn spoil(&mut self, path: PathBuf, bytes: Range<u64>) {
        let start = bytes.start / PAGE_BYTES * PAGE_BYTES;
        let end = bytes.end.checked_next_multiple_of(PAGE_BYTES);
        self.bad.push((path, start..end.unwrap_or(u64::MAX)));
    }

    /// Whether a read of these bytes comes to some that are not given back.
    pub(super) fn is_bad(&self, path: &Path, wanted: &Range<u64>) -> bool {
        let meets = |bad: &Range<u64>| bad.start < wanted.end && wanted.start < bad.end;
        let mut here = self.bad.iter().filter(|(of, _)| of == path);
        here.any(|(_, bad)| meets(bad))
    }

    pub(super) fn hits(&self) -> u64 {
        self.hits
    }

    pub(super) fn count(&self, call: Option<Call>) -> u64 {
        match call {
            Some(call) => self.counts.get(&call).copied().unwrap_or(0),
            None => self.counts.values().sum(),
        }
    }

    /// Counts a call and says whether it fails.
    pub(super) fn check(&mut self, call: Call, path: &Path) -> Option<Failure> {
        *self.counts.entry(call).or_default() += 1;
        let mut failure = None;
        for planned in &mut self.planned {
            let fault = &planned.fault;
            let fits = fault.call.is_none_or(|kind| kind == call) && path.starts_with(&fault.under);
            planned.fitting_calls += u64::from(fits);
            let failing = fault.nth..fault.nth.saturating_add(fault.times);
            if fits && failing.contains(&planned.fitting_calls) {
                failure = Some(fault.failure);
            }
        }
        self.hits += u64::from(failure.is_some());
        failure
    }
}

impl Failure {
    /// The error of a call that fails this way; `None` if it succeeds, perhaps in part.
    pub(super) fn error(self) -> Option<io::Error> {
        match self {
            Self::Io => Some(Errno::IO.into()),
            Self::NoSpace => Some(Errno::NOSPC.into()),
            Self::OverQuota => Some(Errno::DQUOT.into()),
            Self::Short => None,
            Self::Panic => panic!("the simulated disk was told to panic here"),
        }
    }
}
