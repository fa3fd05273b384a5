//! The second layout of lanes' rows. It knows no aggregates: a cut that it holds is delivered as it
//! was decided, each aggregate as one record.

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

pub(super) const LAYOUT: u8 = 2;

#[derive(Decode)]
pub(super) struct SecondLaneRow {
    next_cut: u64,
    open: Option<SecondCutRow>,
    settled: Settled,
    /// Where they end, and what was put of them.
    moved: Option<(u64, Before)>,
    counts: Counts,
    by_version: Vec<VersionCounts>,
}

#[derive(Decode)]
struct SecondCutRow {
    number: u64,
    from: u64,
    to: u64,
    oldest_ms: u64,
    decided_at_ms: u64,
    records: u64,
    bytes: u64,
    version_id: u64,
    plugin: Option<PinsRow>,
    destination: FirstDestination,
    way: Way,
    objects: u32,
    put: FirstPut,
    before: Before,
}

impl SecondLaneRow {
    /// The same in the layout that is written.
    pub(super) fn in_force(self) -> LaneRow {
        LaneRow {
            next_cut: self.next_cut,
            open: self.open.map(SecondCutRow::in_force),
            settled: self.settled,
            moved: self.moved.map(|(to, before)| MovedRow {
                to,
                extra: 0,
                before,
            }),
            let_go: Vec::new(),
            counts: self.counts,
            by_version: self.by_version,
        }
    }
}

impl SecondCutRow {
    fn in_force(self) -> CutRow {
        CutRow {
            number: self.number,
            from: self.from,
            to: self.to,
            oldest_ms: self.oldest_ms,
            decided_at_ms: self.decided_at_ms,
            records: self.records,
            unpacked: None,
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
