//! What is kept of how delivery streams are encrypted.

use std::collections::HashMap;

use bytes::Bytes;
use store::{Engine, Expect, StoreError, TableWrite};
use streams::encryption::Encryption;

use super::{damaged, scan};
use crate::delivery_stream::{DeliveryStream, DeliveryStreamId};
use crate::tables::{self, ENCRYPTIONS};

/// Reads what is kept of all delivery streams, by their numbers.
pub async fn load(
    engine: &dyn Engine,
) -> Result<HashMap<DeliveryStreamId, Encryption>, StoreError> {
    let rows = scan(engine, ENCRYPTIONS, Bytes::new(), None).await?;
    let rows = rows.into_iter().map(|(key, row)| {
        let id = tables::parse_encryption_key(&key);
        let id = id.ok_or_else(|| damaged("the key of an encryption"))?;
        Ok((id, Encryption::decode(&row.value)?))
    });
    rows.collect()
}

/// The write of how a delivery stream is encrypted; a removal if there is nothing to keep.
pub fn write(stream: &DeliveryStream) -> Result<TableWrite, StoreError> {
    Ok(TableWrite {
        value: stream.encryption.encode()?,
        ..removal(stream)
    })
}

/// The removal of it.
pub fn removal(stream: &DeliveryStream) -> TableWrite {
    TableWrite {
        table: ENCRYPTIONS,
        key: tables::encryption_key(stream.id),
        value: None,
        expect: Expect::Any,
    }
}
