//! Rows that earlier builds wrote.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod support;

use bytes::Bytes;
use serde_json::json;
use store::{Expect, TableId, TableWrite, Transaction};
use support::World;

const STREAMS: TableId = TableId(2);

/// `layout 1 | id 0 | ACTIVE | mode | created | 48 hours | expired before | 2 MiB | team=mill`, as
/// builds wrote it before modes had settings: numbers below 251 are one byte, larger ones follow
/// the number of their bytes.
fn first_layout(mode: u8) -> Vec<u8> {
    let mut row = vec![1, 0, 1, mode, 253];
    row.extend_from_slice(&1_700_000_000_000_u64.to_le_bytes());
    row.extend_from_slice(&[48, 0, 252]);
    row.extend_from_slice(&(2_u32 << 20).to_le_bytes());
    row.extend_from_slice(b"\x01\x04team\x04mill");
    row
}

#[tokio::test]
async fn a_stream_in_the_first_layout_is_what_it_was_and_can_be_changed() {
    for (mode, word) in [(0, "PROVISIONED"), (1, "ON_DEMAND")] {
        let world = World::new().await;
        world.stream("s", 2).await;
        let rows = world.engine.scan(STREAMS, Bytes::new(), None, 10).await;
        let [(key, _)] = &rows.unwrap()[..] else {
            panic!("one stream");
        };
        let write = TableWrite {
            table: STREAMS,
            key: key.clone(),
            value: Some(Bytes::from(first_layout(mode))),
            expect: Expect::Any,
        };
        let transaction = Transaction {
            writes: vec![write],
            ..Transaction::default()
        };
        world.engine.commit(transaction).await.unwrap();

        let world = world.reopened().await;
        let summary = ok!(world, describe_stream_summary, json!({"StreamName": "s"}));
        let summary = &summary["StreamDescriptionSummary"];
        assert_eq!(summary["StreamStatus"], "ACTIVE");
        assert_eq!(summary["StreamModeDetails"]["StreamMode"], word);
        assert_eq!(summary["RetentionPeriodHours"], 48);
        assert_eq!(summary["MaxRecordSizeInKiB"], 2_048);
        assert_eq!(
            summary["EnhancedMonitoring"],
            json!([{"ShardLevelMetrics": []}])
        );
        assert_eq!(summary["OpenShardCount"], 2);
        let tags = ok!(world, list_tags_for_stream, json!({"StreamName": "s"}));
        assert_eq!(tags["Tags"], json!([{"Key": "team", "Value": "mill"}]));

        let metrics = json!({"StreamName": "s", "ShardLevelMetrics": ["IncomingBytes"]});
        ok!(world, enable_enhanced_monitoring, metrics);
        let world = world.reopened().await;
        let summary = ok!(world, describe_stream_summary, json!({"StreamName": "s"}));
        let summary = &summary["StreamDescriptionSummary"];
        assert_eq!(summary["RetentionPeriodHours"], 48);
        assert_eq!(
            summary["EnhancedMonitoring"],
            json!([{"ShardLevelMetrics": ["IncomingBytes"]}])
        );
    }
}
