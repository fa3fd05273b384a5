//! The fourth layout of lanes' rows. It knows no destination that takes one record of a request and
//! refuses another, and takes no record apart but an aggregate.

use bincode::Decode;

use super::destination_2::SecondDestination;
use super::lane_row::{CutRow, LaneRow, LetGoRow, MovedRow};
use super::object_bytes;
use crate::answers::{Answers, Refused, Trying};
use crate::counts::{Counts, VersionCounts};
use crate::open_cut::{Before, Put, Way};
use crate::pins::PinsRow;
use crate::settled::Settled;
use crate::zone::Clocks;

pub(super) const LAYOUT: u8 = 4;

#[derive(Decode)]
pub(super) struct FourthLaneRow {
    next_cut: u64,
    open: Option<FourthCutRow>,
    settled: Settled,
    moved: Option<MovedRow>,
    let_go: Option<LetGoRow>,
    counts: Counts,
    by_version: Vec<VersionCounts>,
}

#[derive(Decode)]
struct FourthCutRow {
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
    destination: SecondDestination,
    clocks: Clocks,
    way: Way,
    objects: u32,
    put: Put,
    before: Before,
    answers: FourthAnswers,
}

#[derive(Decode)]
struct FourthAnswers {
    refused: Vec<Refused>,
    trying: Option<Trying>,
}

impl FourthLaneRow {
    /// The same in the layout that is written.
    pub(super) fn in_force(self) -> LaneRow {
        LaneRow {
            next_cut: self.next_cut,
            open: self.open.map(FourthCutRow::in_force),
            settled: self.settled,
            moved: self.moved,
            let_go: self.let_go.into_iter().collect(),
            counts: self.counts,
            by_version: self.by_version,
        }
    }
}

impl FourthCutRow {
    fn in_force(self) -> CutRow {
        let destination = self.destination.in_force();
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
            object_bytes_max: object_bytes::of(self.bytes, &destination),
            version_id: self.version_id,
            plugin: self.plugin,
            destination,
            clocks: self.clocks,
            way: self.way,
            objects: self.objects,
            put: self.put,
            before: self.before,
            answers: Answers {
                refused: self.answers.refused,
                trying: self.answers.trying,
                records: Vec::new(),
            },
        }
    }
}
