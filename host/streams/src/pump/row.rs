//! The rows that pumps keep, for those who own what a pump works on.

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::{Engine, Expect, Position, StoreError, TableWrite};

use crate::codec;
use crate::tables::PUMPS;

/// The row of a pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Row {
    pub(super) position: u64,
    /// Chosen by chance when the row is claimed: says whose the row is.
    pub(super) owner: u64,
}

/// Where the pump called `name` stands; `None` if none of that name was ever claimed.
///
/// # Errors
/// When its row cannot be read.
pub async fn position_of(engine: &dyn Engine, name: &str) -> Result<Option<Position>, StoreError> {
    let Some(row) = engine.get(PUMPS, name.as_bytes()).await? else {
        return Ok(None);
    };
    let row: Row = codec::decode("pumps", &row.value)?;
    Ok(Some(Position(row.position)))
}

/// The removal of the row of the pump called `name`, for whoever takes away what it worked on. A
/// pump that still runs is fenced off by it.
pub fn removal(name: &str) -> TableWrite {
    TableWrite {
        table: PUMPS,
        key: Bytes::copy_from_slice(name.as_bytes()),
        value: None,
        expect: Expect::Any,
    }
}
