//! What is kept of the policies of streams: their text, which is understood anew at each start. One
//! that this build does not understand keeps its stream shut, and nothing else.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use store::{Engine, Expect, StoreError, TableWrite, key_after};
use wire::iam::ResourcePolicy;

use super::ROWS_PER_SCAN;
use crate::codec::{self, damaged};
use crate::stream::{Stream, StreamId};
use crate::tables::{self, POLICIES};

/// Reads the policies of all streams, by their numbers.
pub async fn load(
    engine: &dyn Engine,
) -> Result<HashMap<StreamId, Arc<ResourcePolicy>>, StoreError> {
    let mut all = HashMap::new();
    let mut from = Bytes::new();
    loop {
        let rows = engine.scan(POLICIES, from, None, ROWS_PER_SCAN).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(all);
        };
        from = key_after(last);
        for (key, row) in &rows {
            let id = tables::parse_policy_key(key);
            let id = id.ok_or_else(|| damaged("the key of a policy"))?;
            let text: String = codec::decode("policies", &row.value)?;
            all.insert(id, Arc::new(ResourcePolicy::kept(text)));
        }
    }
}

/// Says which policies of a stream and of its consumers are not understood.
pub fn tell_faults(stream: &Stream) {
    let tell = |of: &dyn fmt::Display, policy: &Option<Arc<ResourcePolicy>>| {
        if let Some(fault) = policy.as_ref().and_then(|policy| policy.fault()) {
            tracing::error!(
                of = %of,
                %fault,
                "a policy is kept that this build does not understand: everything is denied but to \
                 the root of its account, until the policy is put anew or deleted"
            );
        }
    };
    tell(&stream.arn, &stream.policy);
    for consumer in stream.consumers.values() {
        tell(&consumer.arn(&stream.arn), &consumer.policy);
    }
}

/// The write of a stream's policy after a change of the stream, if it is another one.
pub fn changes(before: &Stream, after: &Stream) -> Result<Vec<TableWrite>, StoreError> {
    if before.policy == after.policy {
        return Ok(Vec::new());
    }
    let Some(policy) = &after.policy else {
        return Ok(vec![removal(after)]);
    };
    Ok(vec![TableWrite {
        value: Some(codec::encode(&policy.text().to_owned())?),
        ..removal(after)
    }])
}

/// The removal of a stream's policy, whether or not it has one.
pub fn removal(stream: &Stream) -> TableWrite {
    TableWrite {
        table: POLICIES,
        key: tables::policy_key(stream.id),
        value: None,
        expect: Expect::Any,
    }
}
