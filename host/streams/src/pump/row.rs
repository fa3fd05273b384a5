//! The rows that pumps keep, for those who own what a pump works on.

use std::sync::Arc;

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::{Engine, Expect, Position, StoreError, TableWrite, Version, Versioned, key_after};

use crate::codec;
use crate::tables::PUMPS;

/// Rows that are read at once.
const ROWS_PER_SCAN: usize = 256;
/// The owner of a row that no pump has claimed.
const NOBODY: u64 = 0;

/// The row of a pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Row {
    pub(super) position: u64,
    /// Chosen by chance when the row is claimed: says whose the row is.
    pub(super) owner: u64,
}

/// A number by which a pump knows its row.
pub(super) fn new_owner() -> Result<u64, StoreError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Io {
        doing: "choose a number for a pump".to_owned(),
        source: Arc::new(std::io::Error::other(error.to_string())),
    })?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Where the pump called `name` stands, and the version of its row; `None` if there is none.
///
/// # Errors
/// When its row cannot be read.
pub async fn position_of(
    engine: &dyn Engine,
    name: &str,
) -> Result<Option<(Position, Version)>, StoreError> {
    let row = engine.get(PUMPS, name.as_bytes()).await?;
    row.as_ref().map(position_in).transpose()
}

fn position_in(versioned: &Versioned) -> Result<(Position, Version), StoreError> {
    let row: Row = codec::decode("pumps", &versioned.value)?;
    Ok((Position(row.position), versioned.version))
}

/// Where all pumps stand whose names begin so, with the versions of their rows.
///
/// # Errors
/// When a row cannot be read.
pub async fn positions_of(
    engine: &dyn Engine,
    names: &str,
) -> Result<Vec<(String, Position, Version)>, StoreError> {
    let rows = rows_of(engine, names).await?.into_iter();
    let positions = rows.map(|(name, versioned)| {
        let (position, version) = position_in(&versioned)?;
        Ok((name, position, version))
    });
    positions.collect()
}

/// The names of all pumps that begin so, whether or not it can be read where they stand.
///
/// # Errors
/// When a name cannot be read.
pub async fn names_of(engine: &dyn Engine, names: &str) -> Result<Vec<String>, StoreError> {
    let rows = rows_of(engine, names).await?.into_iter();
    Ok(rows.map(|(name, _)| name).collect())
}

async fn rows_of(engine: &dyn Engine, names: &str) -> Result<Vec<(String, Versioned)>, StoreError> {
    let mut all = Vec::new();
    let mut from = Bytes::copy_from_slice(names.as_bytes());
    loop {
        let rows = engine.scan(PUMPS, from, None, ROWS_PER_SCAN).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(all);
        };
        from = key_after(last);
        for (key, versioned) in rows {
            if !key.starts_with(names.as_bytes()) {
                return Ok(all);
            }
            let name = String::from_utf8(key.to_vec())
                .map_err(|_| codec::damaged("the name of a pump"))?;
            all.push((name, versioned));
        }
    }
}

/// The row of a pump called `name` that begins at a position, for whoever decides that before the
/// pump is claimed. It goes through only if there is none.
///
/// # Errors
/// When the row cannot be made.
pub fn beginning(name: &str, position: Position) -> Result<TableWrite, StoreError> {
    let row = Row {
        position: position.0,
        owner: NOBODY,
    };
    Ok(TableWrite {
        table: PUMPS,
        key: Bytes::copy_from_slice(name.as_bytes()),
        value: Some(codec::encode(&row)?),
        expect: Expect::Absent,
    })
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

/// The same if the pump stands at a position that was read before, and is not claimed since.
pub fn removal_of(name: &str, version: Version) -> TableWrite {
    TableWrite {
        expect: Expect::Version(version),
        ..removal(name)
    }
}
