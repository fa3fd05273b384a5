//! Rows that earlier builds wrote.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod support;

use bytes::Bytes;
use serde_json::json;
use store::{Expect, TableId, TableWrite, Transaction};
use support::World;
use types::AccountId;

const STREAMS: TableId = TableId(2);
const CONSUMERS: TableId = TableId(8);
const POLICIES: TableId = TableId(12);

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

impl World {
    /// Changes a word in the one row of a table to another of as many letters.
    async fn reword(&self, table: TableId, from: &str, to: &str) {
        assert_eq!(from.len(), to.len());
        let rows = self.engine.scan(table, Bytes::new(), None, 10).await;
        let [(key, row)] = &rows.unwrap()[..] else {
            panic!("one row");
        };
        let mut value = row.value.to_vec();
        let at = value
            .windows(from.len())
            .position(|part| part == from.as_bytes());
        let at = at.unwrap();
        value[at..at + to.len()].copy_from_slice(to.as_bytes());
        let write = TableWrite {
            table,
            key: key.clone(),
            value: Some(Bytes::from(value)),
            expect: Expect::Any,
        };
        let transaction = Transaction {
            writes: vec![write],
            ..Transaction::default()
        };
        self.engine.commit(transaction).await.unwrap();
    }
}

/// A build that is stricter than the one that took a policy could not start.
#[tokio::test]
async fn a_kept_policy_that_is_not_understood_shuts_what_it_is_about_and_nothing_else() {
    const OTHER: &str = "000000000007";
    let world = World::new().await;
    let own = world.caller.clone();
    let (account, region) = (own.account, own.region.clone());
    let arn = |name: &str| format!("arn:aws:kinesis:{region}:{account}:stream/{name}");
    world.stream("s", 1).await;
    world.stream("other", 1).await;
    let policy = json!({"Statement": [{
        "Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "*", "Resource": "*",
    }]});
    let made = ok!(
        world,
        register_stream_consumer,
        json!({"StreamARN": arn("s"), "ConsumerName": "c"})
    );
    let consumer = made["Consumer"]["ConsumerARN"].as_str().unwrap().to_owned();
    for resource in [&arn("s"), &consumer] {
        let input = json!({"ResourceARN": resource, "Policy": policy.to_string()});
        ok!(world, put_resource_policy, input);
    }
    world.reword(POLICIES, "Allow", "Later").await;
    world.reword(CONSUMERS, "Allow", "Later").await;

    let mut world = world.reopened().await;
    world.caller.account = AccountId::parse(OTHER).unwrap();
    let (code, _) = err!(world, list_shards, json!({"StreamARN": arn("s")}));
    assert_eq!(code, "AccessDeniedException");
    let by_consumer = json!({"ConsumerARN": consumer});
    let (code, _) = err!(world, describe_stream_consumer, by_consumer.clone());
    assert_eq!(code, "AccessDeniedException");
    world.caller = own;
    ok!(world, list_shards, json!({"StreamName": "s"}));
    ok!(world, list_shards, json!({"StreamName": "other"}));
    ok!(world, describe_stream_consumer, by_consumer);
    for resource in [&arn("s"), &consumer] {
        let by_arn = json!({"ResourceARN": resource});
        let shown = ok!(world, get_resource_policy, by_arn);
        let wanted = policy.to_string().replace("Allow", "Later");
        assert_eq!(shown["Policy"], wanted);
    }
    let input = json!({"ResourceARN": arn("s"), "Policy": policy.to_string()});
    ok!(world, put_resource_policy, input);
    ok!(
        world,
        delete_resource_policy,
        json!({"ResourceARN": consumer})
    );
    world.caller.account = AccountId::parse(OTHER).unwrap();
    ok!(world, list_shards, json!({"StreamARN": arn("s")}));
}
