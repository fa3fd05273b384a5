//! The sixth layout of lanes' rows. Its destinations name no secrets.

use bincode::Decode;

use super::destination_4::FourthDestination;
use super::lane_row::{CutRow, LaneRow, LetGoRow, MovedRow};
use crate::answers::Answers;
use crate::counts::{Counts, VersionCounts};
use crate::open_cut::{Before, Put, Way};
use crate::pins::PinsRow;
use crate::settled::Settled;
use crate::zone::Clocks;

pub(super) const LAYOUT: u8 = 6;

#[derive(Decode)]
pub(super) struct SixthLaneRow {
    next_cut: u64,
    open: Option<SixthCutRow>,
    settled: Settled,
    moved: Option<MovedRow>,
    let_go: Vec<LetGoRow>,
    counts: Counts,
    by_version: Vec<VersionCounts>,
}

#[derive(Decode)]
struct SixthCutRow {
    number: u64,
    from: u64,
    to: u64,
    oldest_ms: u64,
    decided_at_ms: u64,
    records: u64,
    unpacked: Option<u64>,
    divided: u64,
    bytes: u64,
    object_bytes_max: u64,
    version_id: u64,
    plugin: Option<PinsRow>,
    destination: FourthDestination,
    clocks: Clocks,
    way: Way,
    objects: u32,
    put: Put,
    before: Before,
    answers: Answers,
}

impl SixthLaneRow {
    /// The same in the layout that is written.
    pub(super) fn in_force(self) -> LaneRow {
        LaneRow {
            next_cut: self.next_cut,
            open: self.open.map(SixthCutRow::in_force),
            settled: self.settled,
            moved: self.moved,
            let_go: self.let_go,
            counts: self.counts,
            by_version: self.by_version,
        }
    }
}

impl SixthCutRow {
    fn in_force(self) -> CutRow {
        CutRow {
            number: self.number,
            from: self.from,
            to: self.to,
            oldest_ms: self.oldest_ms,
            decided_at_ms: self.decided_at_ms,
            records: self.records,
            unpacked: self.unpacked,
            divided: self.divided,
            bytes: self.bytes,
            object_bytes_max: self.object_bytes_max,
            version_id: self.version_id,
            plugin: self.plugin,
            destination: self.destination.in_force(),
            clocks: self.clocks,
            way: self.way,
            objects: self.objects,
            put: self.put,
            before: self.before,
            answers: self.answers,
        }
    }
}
