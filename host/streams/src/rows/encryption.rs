//! What is kept of how streams are encrypted: see `encryption`.

use std::collections::HashMap;

use bytes::Bytes;
use store::{Engine, Expect, StoreError, TableWrite, key_after};

use super::ROWS_PER_SCAN;
use crate::codec::damaged;
use crate::encryption::Encryption;
use crate::stream::{Stream, StreamId};
use crate::tables::{self, ENCRYPTIONS};

/// Reads what is kept of all streams, by their numbers.
pub async fn load(engine: &dyn Engine) -> Result<HashMap<StreamId, Encryption>, StoreError> {
    let mut all = HashMap::new();
    let mut from = Bytes::new();
    loop {
        let rows = engine.scan(ENCRYPTIONS, from, None, ROWS_PER_SCAN).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(all);
        };
        from = key_after(last);
        for (key, row) in &rows {
            let id = tables::parse_encryption_key(key);
            let id = id.ok_or_else(|| damaged("the key of an encryption"))?;
            all.insert(id, Encryption::decode(&row.value)?);
        }
    }
}

/// The write of how a stream is encrypted; a removal if there is nothing to keep.
pub fn write(stream: &Stream) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        value: stream.encryption.encode()?,
        ..removal(stream)
    })
}

/// The removal of it.
pub fn removal(stream: &Stream) -> TableWrite {
    TableWrite {
        table: ENCRYPTIONS,
        key: tables::encryption_key(stream.id),
        value: None,
        expect: Expect::Any,
    }
}
