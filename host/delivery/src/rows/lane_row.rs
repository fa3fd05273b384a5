//! The row of a lane.

use bincode::{Decode, Encode};
use store::{Expect, Position, StoreError, TableWrite};
use streams::codec;
use types::Timestamp;
use wasm::ContentHash;

use super::layout_1::{self, FirstLaneRow};
use super::layout_2::{self, SecondLaneRow};
use super::layout_3::{self, ThirdLaneRow};
use super::layout_4::{self, FourthLaneRow};
use super::layout_5::{self, FifthLaneRow};
use super::layout_6::{self, SixthLaneRow};
use super::{Lane, damaged};
use crate::answers::Answers;
use crate::counts::{Counts, VersionCounts};
use crate::cut::Cut;
use crate::delivery_stream::Destination;
use crate::let_go::{AllLetGo, LetGo};
use crate::open_cut::{Before, Moved, OpenCut, Put, Way};
use crate::pins::PinsRow;
use crate::settled::Settled;
use crate::tables::{LANES, LaneKey};
use crate::zone::Clocks;

#[derive(Encode, Decode)]
pub(super) struct LaneRow {
    pub(super) next_cut: u64,
    pub(super) open: Option<CutRow>,
    pub(super) settled: Settled,
    pub(super) moved: Option<MovedRow>,
    pub(super) let_go: Vec<LetGoRow>,
    pub(super) counts: Counts,
    pub(super) by_version: Vec<VersionCounts>,
}

#[derive(Encode, Decode)]
pub(super) struct MovedRow {
    pub(super) to: u64,
    pub(super) extra: u64,
    pub(super) before: Before,
}

#[derive(Encode, Decode)]
pub(super) struct LetGoRow {
    version: [u8; 32],
    to: u64,
}

#[derive(Encode, Decode)]
pub(super) struct CutRow {
    pub(super) number: u64,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) oldest_ms: u64,
    pub(super) decided_at_ms: u64,
    pub(super) records: u64,
    pub(super) unpacked: Option<u64>,
    pub(super) divided: u64,
    pub(super) bytes: u64,
    pub(super) object_bytes_max: u64,
    pub(super) version_id: u64,
    pub(super) plugin: Option<PinsRow>,
    pub(super) destination: Destination,
    pub(super) clocks: Clocks,
    pub(super) way: Way,
    pub(super) objects: u32,
    pub(super) put: Put,
    pub(super) before: Before,
    pub(super) answers: Answers,
}

/// The layout in which lanes' rows are written. Those of the ones before it are read, too.
const LANE_LAYOUT: u8 = 7;
const _: () = assert!(LANE_LAYOUT > layout_6::LAYOUT && layout_6::LAYOUT > layout_5::LAYOUT);
const _: () = assert!(layout_5::LAYOUT > layout_4::LAYOUT);
const _: () = assert!(layout_4::LAYOUT > layout_3::LAYOUT);
const _: () = assert!(layout_3::LAYOUT > layout_2::LAYOUT);
const _: () = assert!(layout_2::LAYOUT > layout_1::LAYOUT);

/// Reads the row of a lane, in whichever layout it lies.
pub(super) fn read_lane(row: &[u8]) -> Result<Lane, StoreError> {
    const TABLE: &str = "lanes";
    let row: LaneRow = match codec::layout_of(row) {
        Some(layout_1::LAYOUT) => {
            codec::decode_in::<FirstLaneRow>(layout_1::LAYOUT, TABLE, row)?.in_force()
        }
        Some(layout_2::LAYOUT) => {
            codec::decode_in::<SecondLaneRow>(layout_2::LAYOUT, TABLE, row)?.in_force()
        }
        Some(layout_3::LAYOUT) => {
            codec::decode_in::<ThirdLaneRow>(layout_3::LAYOUT, TABLE, row)?.in_force()
        }
        Some(layout_4::LAYOUT) => {
            codec::decode_in::<FourthLaneRow>(layout_4::LAYOUT, TABLE, row)?.in_force()
        }
        Some(layout_5::LAYOUT) => {
            codec::decode_in::<FifthLaneRow>(layout_5::LAYOUT, TABLE, row)?.in_force()
        }
        Some(layout_6::LAYOUT) => {
            codec::decode_in::<SixthLaneRow>(layout_6::LAYOUT, TABLE, row)?.in_force()
        }
        _ => codec::decode_in(LANE_LAYOUT, TABLE, row)?,
    };
    Ok(Lane {
        next_cut: row.next_cut,
        open: row.open.map(CutRow::read).transpose()?,
        settled: row.settled,
        moved: row.moved.map(|moved| Moved {
            to: Position(moved.to),
            extra: moved.extra,
            before: moved.before,
        }),
        let_go: AllLetGo::kept(row.let_go.iter().map(LetGoRow::read).collect()),
        counts: row.counts,
        by_version: row.by_version,
    })
}

impl LetGoRow {
    fn of(let_go: &LetGo) -> Self {
        Self {
            version: let_go.version.0,
            to: let_go.to.0,
        }
    }

    fn read(&self) -> LetGo {
        LetGo {
            version: ContentHash(self.version),
            to: Position(self.to),
        }
    }
}

impl CutRow {
    fn of(open: &OpenCut) -> Result<Self, StoreError> {
        let cut = &open.cut;
        let pins = cut.plugin.as_ref().map(PinsRow::of).transpose();
        Ok(Self {
            number: cut.number,
            from: cut.from.0,
            to: cut.to.0,
            oldest_ms: cut.oldest.0,
            decided_at_ms: cut.decided_at.0,
            records: cut.records,
            unpacked: cut.unpacked,
            divided: cut.divided,
            bytes: cut.bytes,
            object_bytes_max: cut.object_bytes_max,
            version_id: cut.version_id,
            plugin: pins.map_err(|error| damaged(&format!("a limit: {error}")))?,
            destination: open.destination.clone(),
            clocks: open.clocks,
            way: open.way.clone(),
            objects: open.objects,
            put: open.put,
            before: open.before,
            answers: open.answers.clone(),
        })
    }

    fn read(self) -> Result<OpenCut, StoreError> {
        let pins = self.plugin.map(PinsRow::read).transpose();
        let cut = Cut {
            number: self.number,
            from: Position(self.from),
            to: Position(self.to),
            oldest: Timestamp(self.oldest_ms),
            decided_at: Timestamp(self.decided_at_ms),
            records: self.records,
            unpacked: self.unpacked,
            divided: self.divided,
            bytes: self.bytes,
            object_bytes_max: self.object_bytes_max,
            version_id: self.version_id,
            plugin: pins.map_err(|error| damaged(&format!("a limit: {error}")))?,
        };
        Ok(OpenCut {
            cut,
            destination: self.destination,
            clocks: self.clocks,
            way: self.way,
            objects: self.objects,
            put: self.put,
            before: self.before,
            answers: self.answers,
        })
    }
}

/// The write of a lane's row. Only its pump writes it, and one pump runs at a time.
pub fn lane_write(key: LaneKey, lane: &Lane) -> Result<TableWrite, StoreError> {
    let row = LaneRow {
        next_cut: lane.next_cut,
        open: lane.open.as_ref().map(CutRow::of).transpose()?,
        settled: lane.settled.clone(),
        moved: lane.moved.map(|moved| MovedRow {
            to: moved.to.0,
            extra: moved.extra,
            before: moved.before,
        }),
        let_go: lane.let_go.all().iter().map(LetGoRow::of).collect(),
        counts: lane.counts,
        by_version: lane.by_version.clone(),
    };
    Ok(TableWrite {
        table: LANES,
        key: key.row(),
        value: Some(codec::encode_in(LANE_LAYOUT, &row)?),
        expect: Expect::Any,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery_stream::DeliveryStreamId;
    use crate::secrets::NamedSecret;
    use crate::zone::Zone;

    #[test]
    fn a_lane_with_all_that_it_may_have_is_read_as_it_was_written() {
        let cut = Cut {
            number: 7,
            from: Position(1 << 40),
            to: Position((1 << 40) + 5),
            oldest: Timestamp(1),
            decided_at: Timestamp(2),
            records: 6,
            unpacked: Some(1),
            divided: 2,
            bytes: 3,
            object_bytes_max: 4,
            version_id: 5,
            plugin: None,
        };
        let mut let_go = AllLetGo::default();
        for number in [1, 2] {
            let version = ContentHash([number; 32]);
            let to = Position(u64::from(number) << 40);
            assert_eq!(let_go.add(LetGo { version, to }), None);
        }
        let lane = Lane {
            next_cut: 7,
            open: Some(OpenCut::decided(cut, Destination::blank(), &Zone::utc())),
            moved: Some(Moved {
                to: Position(9),
                extra: 1,
                before: Before::default(),
            }),
            let_go,
            ..Lane::default()
        };
        let key = LaneKey {
            delivery_stream: DeliveryStreamId(1),
            stream: 2,
            shard: 3,
        };
        let write = lane_write(key, &lane).unwrap();
        assert_eq!(read_lane(&write.value.unwrap()).unwrap(), lane);
    }

    /// A row of that build is one of this without the byte that says that no secret is named.
    #[test]
    fn a_cut_of_a_build_that_knew_no_secrets_is_read() {
        let cut = Cut {
            number: 7,
            from: Position(3),
            to: Position(5),
            oldest: Timestamp(1),
            decided_at: Timestamp(2),
            records: 2,
            unpacked: None,
            divided: 0,
            bytes: 3,
            object_bytes_max: 4,
            version_id: 5,
            plugin: None,
        };
        let named = NamedSecret {
            is_enabled: true,
            arn: None,
            role_arn: None,
        };
        let lanes = [None, Some(named)].map(|secret| {
            let destination = Destination {
                secret,
                ..Destination::blank()
            };
            let open = OpenCut::decided(cut.clone(), destination, &Zone::utc());
            Lane {
                open: Some(open),
                ..Lane::default()
            }
        });
        let key = LaneKey {
            delivery_stream: DeliveryStreamId(1),
            stream: 2,
            shard: 3,
        };
        let rows = lanes.each_ref().map(|lane| {
            let write = lane_write(key, lane).unwrap();
            write.value.unwrap().to_vec()
        });
        let mut pairs = rows[0].iter().zip(&rows[1]);
        let at = pairs.position(|(without, with)| without != with).unwrap();
        let mut row = rows[0].clone();
        assert_eq!((row.remove(at), row[0]), (0, LANE_LAYOUT));
        row[0] = layout_6::LAYOUT;
        assert_eq!(read_lane(&row).unwrap(), lanes[0]);
    }
}
