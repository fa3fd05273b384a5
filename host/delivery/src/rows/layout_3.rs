//! The third layout of lanes' rows. It knows one kind of destination, and nothing that one could
//! have said of a piece besides that it is there. It knows no time zones either: the names of a cut
//! that it holds are in UTC.

use bincode::Decode;

use super::destination_1::FirstDestination;
use super::lane_row::{CutRow, LaneRow, MovedRow};
use super::object_bytes;
use super::put_1::FirstPut;
use crate::answers::Answers;
use crate::counts::{Counts, VersionCounts};
use crate::open_cut::{Before, Way};
use crate::pins::PinsRow;
use crate::settled::Settled;
use crate::zone::Clocks;

pub(super) const LAYOUT: u8 = 3;

#[derive(Decode)]
pub(super) struct ThirdLaneRow {
    next_cut: u64,
    open: Option<ThirdCutRow>,
    settled: Settled,
    moved: Option<MovedRow>,
    counts: Counts,
    by_version: Vec<VersionCounts>,
}

#[derive(Decode)]
struct ThirdCutRow {
    number: u64,
    from: u64,
    to: u64,
    oldest_ms: u64,
    decided_at_ms: u64,
    records: u64,
    unpacked: Option<u64>,
    bytes: u64,
    version_id: u64,
    plugin: Option<PinsRow>,
    destination: FirstDestination,
    way: Way,
    objects: u32,
    put: FirstPut,
    before: Before,
}

impl ThirdLaneRow {
    /// The same in the layout that is written.
    pub(super) fn in_force(self) -> LaneRow {
        LaneRow {
            next_cut: self.next_cut,
            open: self.open.map(ThirdCutRow::in_force),
            settled: self.settled,
            moved: self.moved,
            let_go: Vec::new(),
            counts: self.counts,
            by_version: self.by_version,
        }
    }
}

impl ThirdCutRow {
    fn in_force(self) -> CutRow {
        CutRow {
            number: self.number,
            from: self.from,
            to: self.to,
            oldest_ms: self.oldest_ms,
            decided_at_ms: self.decided_at_ms,
            records: self.records,
            unpacked: self.unpacked,
            divided: 0,
            bytes: self.bytes,
            object_bytes_max: object_bytes::without_backup(self.bytes),
            version_id: self.version_id,
            plugin: self.plugin,
            destination: self.destination.in_force(),
            clocks: Clocks::UTC,
            way: self.way,
            objects: self.objects,
            put: self.put.in_force(),
            before: self.before,
            answers: Answers::default(),
        }
    }
}
