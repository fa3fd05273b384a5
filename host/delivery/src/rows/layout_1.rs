//! The first layout of lanes' rows. It says nothing of which objects are known to be there, so that
//! none is: what is left out of such a cut counts as lost.

use bincode::Decode;

use super::destination_1::FirstDestination;
use super::lane_row::{CutRow, LaneRow};
use super::object_bytes;
use crate::answers::Answers;
use crate::counts::{Counts, VersionCounts};
use crate::open_cut::{Before, Put, Skip, Way};
use crate::pins::PinsRow;
use crate::settled::Settled;
use crate::zone::Clocks;

pub(super) const LAYOUT: u8 = 1;

#[derive(Decode)]
pub(super) struct FirstLaneRow {
    next_cut: u64,
    open: Option<FirstCutRow>,
    settled: Settled,
    counts: Counts,
    by_version: Vec<VersionCounts>,
}

#[derive(Decode)]
struct FirstCutRow {
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
    way: FirstWay,
    objects: u32,
}

#[derive(Decode)]
enum FirstWay {
    Deliver,
    Skip { why: String, object_bytes_max: u64 },
}

impl FirstLaneRow {
    /// The same in the layout that is written.
    pub(super) fn in_force(self) -> LaneRow {
        LaneRow {
            next_cut: self.next_cut,
            open: self.open.map(FirstCutRow::in_force),
            settled: self.settled,
            moved: None,
            let_go: Vec::new(),
            counts: self.counts,
            by_version: self.by_version,
        }
    }
}

impl FirstCutRow {
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
            way: match self.way {
                FirstWay::Deliver => Way::Deliver,
                FirstWay::Skip {
                    why,
                    object_bytes_max,
                } => Way::Skip(Skip::new(&why, object_bytes_max)),
            },
            objects: self.objects,
            put: Put::default(),
            before: Before::default(),
            answers: Answers::default(),
        }
    }
}
