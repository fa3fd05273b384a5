//! What is kept of the consumers that are registered with a stream.

use std::collections::HashMap;
use std::sync::Arc;

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::{Engine, Expect, StoreError, TableWrite, key_after};
use types::{ConsumerName, Timestamp};
use wire::iam::ResourcePolicy;

use super::ROWS_PER_SCAN;
use crate::codec::{self, damaged};
use crate::consumer::{Consumer, Consumers};
use crate::stream::{Stream, StreamId};
use crate::tables::{self, CONSUMERS};

#[derive(Encode, Decode)]
struct ConsumerRow {
    created_at_ms: u64,
    tags: Vec<(String, String)>,
    policy: Option<String>,
}

/// Reads the consumers of all streams, by the streams' numbers.
pub async fn load(engine: &dyn Engine) -> Result<HashMap<StreamId, Consumers>, StoreError> {
    let mut all: HashMap<_, Consumers> = HashMap::new();
    let mut from = Bytes::new();
    loop {
        let rows = engine.scan(CONSUMERS, from, None, ROWS_PER_SCAN).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(all);
        };
        from = key_after(last);
        for (key, row) in &rows {
            let parsed = tables::parse_consumer_key(key);
            let (stream, name) = parsed.ok_or_else(|| damaged("the key of a consumer"))?;
            let row: ConsumerRow = codec::decode("consumers", &row.value)?;
            let consumer = Consumer {
                name: name.clone(),
                created_at: Timestamp(row.created_at_ms),
                tags: row.tags.into_iter().collect(),
                policy: row.policy.map(|text| Arc::new(ResourcePolicy::kept(text))),
                counts: Arc::default(),
            };
            let of_stream = all.entry(stream).or_default();
            of_stream.insert(name, Arc::new(consumer));
        }
    }
}

/// The write of a consumer's row.
pub fn write(stream: &Stream, consumer: &Consumer) -> Result<TableWrite, StoreError> {
    let row = ConsumerRow {
        created_at_ms: consumer.created_at.0,
        tags: consumer.tags.clone().into_iter().collect(),
        policy: consumer
            .policy
            .as_ref()
            .map(|policy| policy.text().to_owned()),
    };
    Ok(TableWrite {
        value: Some(codec::encode(&row)?),
        ..removal(stream, &consumer.name)
    })
}

/// The removal of a consumer's row.
pub fn removal(stream: &Stream, name: &ConsumerName) -> TableWrite {
    TableWrite {
        table: CONSUMERS,
        key: tables::consumer_key(stream.id, name),
        value: None,
        expect: Expect::Any,
    }
}
