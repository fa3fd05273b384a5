//! What lanes did that are over because their logs are gone: one sum for each delivery stream,
//! however many lanes it had in its life.

use bincode::{Decode, Encode};
use store::{Engine, Expect, StoreError, TableWrite};
use streams::codec;

use crate::counts::{self, Counts, VersionCounts};
use crate::delivery_stream::DeliveryStreamId;
use crate::rows::Lane;
use crate::tables::{self, SUMS};

/// What became of the records of all lanes that are over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Sum {
    /// Of all records.
    pub counts: Counts,
    /// The same by version of the transform.
    pub by_version: Vec<VersionCounts>,
}

impl Sum {
    /// Adds a lane that is over.
    pub fn add(&mut self, lane: Lane) {
        self.counts = self.counts.and(lane.counts);
        for version in lane.by_version {
            counts::add_by_version(&mut self.by_version, Some(version));
        }
    }
}

/// The sum as it is kept, and what its row must be for another to take its place.
pub async fn load(engine: &dyn Engine, id: DeliveryStreamId) -> Result<(Sum, Expect), StoreError> {
    match engine.get(SUMS, &tables::sum_key(id)).await? {
        Some(row) => {
            let sum = codec::decode("sums of lanes", &row.value)?;
            Ok((sum, Expect::Version(row.version)))
        }
        None => Ok((Sum::default(), Expect::Absent)),
    }
}

/// The write of a sum.
pub fn write(id: DeliveryStreamId, sum: &Sum, expect: Expect) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        table: SUMS,
        key: tables::sum_key(id),
        value: Some(codec::encode(sum)?),
        expect,
    })
}

/// The removal of a sum.
pub fn removal(id: DeliveryStreamId) -> TableWrite {
    TableWrite {
        table: SUMS,
        key: tables::sum_key(id),
        value: None,
        expect: Expect::Any,
    }
}
