//! The row of a delivery stream.

use bincode::{Decode, Encode};
use store::{Expect, LogId, StoreError, TableWrite};
use streams::codec;
use streams::encryption::Encryption;
use types::{Invalid, StreamArn, Timestamp};

use super::damaged;
use super::destination_1::FirstDestination;
use super::destination_2::SecondDestination;
use super::destination_3::ThirdDestination;
use super::destination_4::FourthDestination;
use crate::arn::DeliveryStreamArn;
use crate::delivery_stream::{DeliveryStream, DeliveryStreamId, Destination, Origin, Status};
use crate::tables::{self, DELIVERY_STREAMS};

const TABLE: &str = "delivery streams";
/// The layout in which rows are written. The secret of the destination is in it.
const LAYOUT: u8 = 5;
/// Those before it, which are read, too. The second has the destination's kind, the third how
/// records are divided, the fourth how they are converted.
const FIRST_LAYOUT: u8 = 1;
const SECOND_LAYOUT: u8 = 2;
const THIRD_LAYOUT: u8 = 3;
const FOURTH_LAYOUT: u8 = 4;

#[derive(Encode, Decode)]
struct StreamRow {
    id: u64,
    status: u8,
    created_at_ms: u64,
    updated_at_ms: Option<u64>,
    version_id: u64,
    origin: OriginRow,
    destination: Destination,
    tags: Vec<(String, String)>,
}

#[derive(Encode, Decode)]
enum OriginRow {
    DirectPut { log: u64 },
    Stream { arn: String, role_arn: String },
}

/// A row whose destination lies in a layout of its own.
#[derive(Decode)]
struct OldStreamRow<D> {
    id: u64,
    status: u8,
    created_at_ms: u64,
    updated_at_ms: Option<u64>,
    version_id: u64,
    origin: OriginRow,
    destination: D,
    tags: Vec<(String, String)>,
}

impl<D> OldStreamRow<D> {
    /// The same in the layout that is written.
    fn in_force(self, destination: impl FnOnce(D) -> Destination) -> StreamRow {
        StreamRow {
            id: self.id,
            status: self.status,
            created_at_ms: self.created_at_ms,
            updated_at_ms: self.updated_at_ms,
            version_id: self.version_id,
            origin: self.origin,
            destination: destination(self.destination),
            tags: self.tags,
        }
    }
}

/// Reads the row of a delivery stream, in whichever layout it lies.
pub(super) fn read_stream(
    arn: DeliveryStreamArn,
    versioned: &store::Versioned,
) -> Result<DeliveryStream, StoreError> {
    let value = &versioned.value;
    let row: StreamRow = match codec::layout_of(value) {
        Some(FIRST_LAYOUT) => {
            let row: OldStreamRow<FirstDestination> = codec::decode_in(FIRST_LAYOUT, TABLE, value)?;
            row.in_force(FirstDestination::in_force)
        }
        Some(SECOND_LAYOUT) => {
            let row: OldStreamRow<SecondDestination> =
                codec::decode_in(SECOND_LAYOUT, TABLE, value)?;
            row.in_force(SecondDestination::in_force)
        }
        Some(THIRD_LAYOUT) => {
            let row: OldStreamRow<ThirdDestination> = codec::decode_in(THIRD_LAYOUT, TABLE, value)?;
            row.in_force(ThirdDestination::in_force)
        }
        Some(FOURTH_LAYOUT) => {
            let row: OldStreamRow<FourthDestination> =
                codec::decode_in(FOURTH_LAYOUT, TABLE, value)?;
            row.in_force(FourthDestination::in_force)
        }
        _ => codec::decode_in(LAYOUT, TABLE, value)?,
    };
    let plan = row
        .destination
        .plan()
        .map_err(|Invalid(what)| damaged(&what))?;
    Ok(DeliveryStream {
        id: DeliveryStreamId(row.id),
        arn,
        status: match row.status {
            0 => Status::Creating,
            1 => Status::Active,
            2 => Status::Deleting,
            _ => return Err(damaged("a status")),
        },
        created_at: Timestamp(row.created_at_ms),
        updated_at: row.updated_at_ms.map(Timestamp),
        version_id: row.version_id,
        origin: match row.origin {
            OriginRow::DirectPut { log } => Origin::DirectPut { log: LogId(log) },
            OriginRow::Stream { arn, role_arn } => Origin::Stream {
                arn: StreamArn::parse(&arn).map_err(|Invalid(what)| damaged(&what))?,
                role_arn,
            },
        },
        plan,
        destination: row.destination,
        tags: row.tags.into_iter().collect(),
        encryption: Encryption::default(),
        row_version: versioned.version,
    })
}

/// The write of a delivery stream's row.
pub fn stream_write(stream: &DeliveryStream, expect: Expect) -> Result<TableWrite, StoreError> {
    let row = StreamRow {
        id: stream.id.0,
        status: match stream.status {
            Status::Creating => 0,
            Status::Active => 1,
            Status::Deleting => 2,
        },
        created_at_ms: stream.created_at.0,
        updated_at_ms: stream.updated_at.map(|at| at.0),
        version_id: stream.version_id,
        origin: match &stream.origin {
            Origin::DirectPut { log } => OriginRow::DirectPut { log: log.0 },
            Origin::Stream { arn, role_arn } => OriginRow::Stream {
                arn: arn.to_string(),
                role_arn: role_arn.clone(),
            },
        },
        destination: stream.destination.clone(),
        tags: stream.tags.clone().into_iter().collect(),
    };
    Ok(TableWrite {
        table: DELIVERY_STREAMS,
        key: tables::stream_key(&stream.arn),
        value: Some(codec::encode_in(LAYOUT, &row)?),
        expect,
    })
}
