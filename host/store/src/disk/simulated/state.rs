//! What is on a simulated disk: what was written, what of it is durable, and what a power cut
//! may leave.
//!
//! A file is two images, as written and as durable, and the list of changes between them. A
//! change to a name is a list of paths with what they then stand for. Only what the docs of
//! [`crate::disk::Disk`] promise moves a change to the durable side; a power cut keeps any part
//! of the rest.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::image::{Image, in_memory};
use super::{AfterFailedSync, Random, Survival};

/// The unit that a disk writes whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// A file, whatever its name.
pub(super) type FileId = u64;

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File(FileId),
    Dir,
}

/// One change to the disk, in the order in which they took effect.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Create {
        path: PathBuf,
        file: FileId,
    },
    Remove {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    CreateDir {
        dir: PathBuf,
    },
    RemoveDir {
        dir: PathBuf,
    },
    Write {
        file: FileId,
        offset: u64,
        data: Bytes,
    },
    SetLength {
        file: FileId,
        bytes: u64,
    },
    Sync {
        file: FileId,
    },
    FailedSync {
        file: FileId,
        after: AfterFailedSync,
        seed: u64,
    },
    SyncDir {
        dir: PathBuf,
    },
    SyncAll,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, data: Bytes },
    SetLength { from: u64, to: u64 },
}

#[derive(Clone, Debug, Default)]
struct File {
    written: Image,
    durable: Image,
    /// What leads from `durable` to `written`.
    pending: Vec<Change>,
    /// How many handles there are.
    handles: u64,
    linked: bool,
}

/// Paths that change together, and what they stand for afterwards.
type NameChange = Vec<(PathBuf, Option<Entry>)>;

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    files: BTreeMap<FileId, File>,
    names: BTreeMap<PathBuf, Entry>,
    durable_names: BTreeMap<PathBuf, Entry>,
    pending_names: Vec<NameChange>,
}

impl State {
    pub(super) fn entry(&self, path: &Path) -> Option<Entry> {
        if path.as_os_str().is_empty() {
            return Some(Entry::Dir);
        }
        self.names.get(path).copied()
    }

    pub(super) fn names(&self) -> &BTreeMap<PathBuf, Entry> {
        &self.names
    }

    /// A number that no file has.
    pub(super) fn next_file(&self) -> FileId {
        self.files.keys().next_back().map_or(0, |last| last + 1)
    }

    pub(super) fn length(&self, file: FileId) -> u64 {
        self.files
            .get(&file)
            .map_or(0, |file| file.written.length())
    }

    pub(super) fn read_at(&self, file: FileId, into: &mut [u8], offset: u64) -> usize {
        let file = self.files.get(&file);
        file.map_or(0, |file| file.written.read_at(into, offset))
    }

    /// Bytes of all files that have a name or a handle.
    pub(super) fn used_bytes(&self) -> u64 {
        let kept = |file: &&File| file.linked || 0 < file.handles;
        let files = self.files.values().filter(kept);
        files.map(|file| file.written.length()).sum()
    }

    pub(super) fn opened(&mut self, file: FileId) {
        if let Some(file) = self.files.get_mut(&file) {
            file.handles += 1;
        }
    }

    pub(super) fn closed(&mut self, file: FileId) {
        if let Some(file) = self.files.get_mut(&file) {
            file.handles -= 1;
        }
    }

    /// The same disk after its process is gone: all is as written, nothing more is durable.
    pub(super) fn without_handles(&self) -> Self {
        let mut state = self.clone();
        for file in state.files.values_mut() {
            file.handles = 0;
        }
        state
    }

    /// Changes one byte, both as written and as durable.
    pub(super) fn flip(&mut self, file: FileId, offset: u64, mask: u8) {
        if let Some(file) = self.files.get_mut(&file) {
            for image in [&mut file.written, &mut file.durable] {
                let mut byte = [0];
                if image.read_at(&mut byte, offset) == 1 {
                    image.write_at(&[byte[0] ^ mask], offset);
                }
            }
        }
    }

    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { path, file } => {
                self.files.entry(*file).or_default();
                self.rename_all(vec![(path.clone(), Some(Entry::File(*file)))]);
            }
            Op::Remove { path } => self.rename_all(vec![(path.clone(), None)]),
            Op::Rename { from, to } => {
                let moved = self.names.get(from).copied();
                self.rename_all(vec![(from.clone(), None), (to.clone(), moved)]);
            }
            Op::CreateDir { dir } => self.rename_all(vec![(dir.clone(), Some(Entry::Dir))]),
            Op::RemoveDir { dir } => {
                let below = self.names.keys().filter(|path| path.starts_with(dir));
                // The deepest first, as a file system insists.
                let below: Vec<PathBuf> = below.rev().cloned().collect();
                for path in below {
                    self.rename_all(vec![(path, None)]);
                }
            }
            Op::Write { file, offset, data } => self.write(*file, *offset, data),
            Op::SetLength { file, bytes } => self.set_length(*file, *bytes),
            Op::Sync { file } => self.sync(*file),
            Op::FailedSync { file, after, seed } => self.fail_sync(*file, *after, *seed),
            Op::SyncDir { dir } => self.sync_names(|path| path.parent() == Some(dir)),
            Op::SyncAll => {
                let files: Vec<FileId> = self.files.keys().copied().collect();
                for file in files {
                    self.sync(file);
                }
                self.sync_names(|_| true);
            }
        }
    }

    fn rename_all(&mut self, change: NameChange) {
        for (path, entry) in &change {
            let old = match entry {
                Some(entry) => self.names.insert(path.clone(), *entry),
                None => self.names.remove(path),
            };
            for (entry, linked) in [(old, false), (*entry, true)] {
                if let Some(Entry::File(file)) = entry
                    && let Some(file) = self.files.get_mut(&file)
                {
                    file.linked = linked;
                }
            }
        }
        self.pending_names.push(change);
    }

    fn write(&mut self, file: FileId, offset: u64, data: &Bytes) {
        if let Some(file) = self.files.get_mut(&file) {
            file.written.write_at(data, offset);
            let data = data.clone();
            file.pending.push(Change::Write { offset, data });
        }
    }

    fn set_length(&mut self, file: FileId, to: u64) {
        if let Some(file) = self.files.get_mut(&file) {
            let from = file.written.length();
            file.written.set_length(to);
            file.pending.push(Change::SetLength { from, to });
        }
    }

    fn sync(&mut self, file: FileId) {
        if let Some(file) = self.files.get_mut(&file) {
            for change in std::mem::take(&mut file.pending) {
                let range = change.range();
                file.durable.take_pages(&file.written, range);
            }
            file.durable.set_length(file.written.length());
        }
    }

    fn fail_sync(&mut self, file: FileId, after: AfterFailedSync, seed: u64) {
        let Some(file) = self.files.get_mut(&file) else {
            return;
        };
        if after == AfterFailedSync::StillDirty {
            return;
        }
        file.durable = file.survivor(&mut Random::new(seed));
        file.pending.clear();
        if after == AfterFailedSync::Reverted {
            file.written = file.durable.clone();
        }
    }

    /// Makes the changes durable that touch a path that `is_synced` holds for.
    fn sync_names(&mut self, is_synced: impl Fn(&Path) -> bool) {
        let mut rest: Vec<NameChange> = Vec::new();
        for change in std::mem::take(&mut self.pending_names) {
            if !change.iter().any(|(path, _)| is_synced(path)) {
                rest.push(change);
                continue;
            }
            // An earlier change to the same path, in a directory that was not synced, must not
            // come after this one.
            for earlier in &mut rest {
                earlier.retain(|(path, _)| change.iter().all(|(durable, _)| path != durable));
            }
            set_names(&mut self.durable_names, &change);
        }
        self.pending_names = rest;
        self.forget_unreachable();
    }

    fn forget_unreachable(&mut self) {
        let pending = self.pending_names.iter().flatten();
        let entries = pending.filter_map(|(_, entry)| entry.as_ref());
        let entries = entries.chain(self.names.values());
        let reachable: HashSet<FileId> = entries
            .chain(self.durable_names.values())
            .filter_map(|entry| match entry {
                Entry::File(file) => Some(*file),
                Entry::Dir => None,
            })
            .collect();
        self.files
            .retain(|id, file| 0 < file.handles || reachable.contains(id));
    }

    /// The disk after a power cut.
    pub(super) fn after_power_cut(&self, random: &mut Random, survival: Survival) -> Self {
        let mut names = self.durable_names.clone();
        for change in &self.pending_names {
            let kept = match survival {
                Survival::Nothing => false,
                Survival::Everything => true,
                Survival::Random => random.one_in(2),
            };
            if kept {
                set_names(&mut names, change);
            }
        }
        let all = names.clone();
        names.retain(|path, _| {
            let mut above = path.ancestors().skip(1);
            above.all(|dir| dir.as_os_str().is_empty() || all.get(dir) == Some(&Entry::Dir))
        });
        let mut files = BTreeMap::new();
        for entry in names.values() {
            if let Entry::File(id) = entry
                && let Some(file) = self.files.get(id)
            {
                let image = match survival {
                    Survival::Nothing => file.durable.clone(),
                    Survival::Everything => file.written.clone(),
                    Survival::Random => file.survivor(random),
                };
                files.insert(*id, File::durable(image));
            }
        }
        Self {
            files,
            durable_names: names.clone(),
            names,
            pending_names: Vec::new(),
        }
    }
}

/// Applies one change of names. A directory takes with it what is below it.
fn set_names(names: &mut BTreeMap<PathBuf, Entry>, change: &NameChange) {
    for (path, entry) in change {
        match entry {
            Some(entry) => {
                names.insert(path.clone(), *entry);
            }
            None if names.get(path) == Some(&Entry::Dir) => {
                names.retain(|below, _| !below.starts_with(path));
            }
            None => {
                names.remove(path);
            }
        }
    }
}

impl Change {
    /// The bytes that the change touches.
    fn range(&self) -> Range<u64> {
        match self {
            Self::Write { offset, data } => *offset..offset + data.len() as u64,
            Self::SetLength { from, to } => *from.min(to)..*from.max(to),
        }
    }

    /// The bytes that the change gives another value: growth gives none.
    fn changed_range(&self) -> Range<u64> {
        match self {
            Self::SetLength { from, to } if from <= to => 0..0,
            _ => self.range(),
        }
    }

    /// The length of the file afterwards.
    fn length_after(&self, before: u64) -> u64 {
        match self {
            Self::Write { .. } => before.max(self.range().end),
            Self::SetLength { to, .. } => *to,
        }
    }
}

/// How much of one change reaches the disk.
enum Kept {
    Lost,
    Whole,
    Torn,
    /// From the front up to this sector.
    Front(u64),
}

impl File {
    fn durable(image: Image) -> Self {
        Self {
            written: image.clone(),
            durable: image,
            pending: Vec::new(),
            handles: 0,
            linked: true,
        }
    }

    /// What a power cut leaves: of every sector some earlier state since the last sync, of the
    /// length likewise, each on its own.
    fn survivor(&self, random: &mut Random) -> Image {
        match random.below(4) {
            0 => return self.durable.clone(),
            1 => return self.written.clone(),
            _ => {}
        }
        let mut image = self.durable.clone();
        let mut lengths = vec![self.durable.length()];
        // Sectors whose later changes are lost too: a sector is written as it is at that time.
        let mut stopped = HashSet::new();
        let mut length = self.durable.length();
        for change in &self.pending {
            length = change.length_after(length);
            lengths.push(length);
            let range = change.changed_range();
            let sectors = range.start / SECTOR_BYTES..range.end.div_ceil(SECTOR_BYTES);
            let kept = match random.below(4) {
                0 => Kept::Lost,
                1 => Kept::Whole,
                2 => Kept::Torn,
                _ => Kept::Front(sectors.start + random.below(sectors.end - sectors.start)),
            };
            for sector in sectors {
                let reached = match kept {
                    Kept::Lost => false,
                    Kept::Whole => true,
                    Kept::Torn => random.one_in(2),
                    Kept::Front(end) => sector < end,
                };
                if !reached {
                    stopped.insert(sector);
                } else if !stopped.contains(&sector) {
                    apply_sector(&mut image, change, sector);
                }
            }
        }
        image.set_length(random.pick(&lengths).copied().unwrap_or(length));
        image
    }
}

fn apply_sector(image: &mut Image, change: &Change, sector: u64) {
    let range = change.range();
    let start = range.start.max(sector * SECTOR_BYTES);
    let end = range.end.min((sector + 1) * SECTOR_BYTES);
    match change {
        Change::Write { offset, data } => {
            let (first, last) = (in_memory(start - offset), in_memory(end - offset));
            image.write_at(&data[first..last], start);
        }
        Change::SetLength { .. } => image.fill_with_zeros(start..end),
    }
}
