//! Record format conversion to ORC files, where that is another matter than to Parquet files.

use millrace_tests::{BUCKET, over};
use serde_json::json;

use crate::conversion::{are_refused, assert_counts, lines, order, started, writes};
use crate::processing;

const UPDATE: &str = "Firehose.UpdateDestination";

/// It is an ORC file, and says in its end what it was made of.
#[track_caller]
fn assert_is_orc(content: &[u8]) {
    assert!(content.starts_with(b"ORC") && content[..content.len() - 1].ends_with(b"ORC"));
    let key = b"millrace.rows";
    assert!(content.windows(key.len()).any(|window| window == key));
}

#[tokio::test]
async fn rows_become_orc_files_where_these_are_asked_for_and_fail_as_ever() {
    let orc = json!({
        "StripeSizeBytes": 8_388_608, "BlockSizeBytes": 67_108_864, "RowIndexStride": 1_000,
        "EnablePadding": true, "PaddingTolerance": 0.25, "Compression": "ZLIB",
        "BloomFilterColumns": ["id"], "BloomFilterFalsePositiveProbability": 0.05,
        "DictionaryKeyThreshold": 1.0, "FormatVersion": "V0_11",
    });
    let (service, client) = started(writes(json!({"OrcSerDe": {}}))).await;
    let records = [order(1), json!({"id": "oops"}).to_string(), order(2)];
    client.put_delivery("events", &records).await;
    client.flush("events").await;
    let update = json!({
        "DeliveryStreamName": "events",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": writes(json!({"OrcSerDe": orc})),
    });
    client.call(UPDATE, update).await;
    let service = service.restart().await;
    let client = service.client();
    let input = json!({"DeliveryStreamName": "events"});
    let page = client.call("Firehose.DescribeDeliveryStream", input).await;
    let page = &page["DeliveryStreamDescription"]["Destinations"][0];
    let page = &page["ExtendedS3DestinationDescription"]["DataFormatConversionConfiguration"];
    assert_eq!(
        page["OutputFormatConfiguration"],
        json!({"Serializer": {"OrcSerDe": orc}})
    );
    client.put_delivery("events", &[order(3)]).await;
    client.flush("events").await;
    let objects = service.objects(BUCKET).into_iter();
    let files: Vec<_> = objects
        .filter(|object| !object.key.starts_with("failed/"))
        .collect();
    assert_eq!(files.len(), 2);
    for file in &files {
        assert!(file.key.ends_with(".orc"), "{}", file.key);
        assert_is_orc(&file.content);
    }
    let lines = lines(&service, "format-conversion-failed");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["rawData"], millrace_tests::base64(&records[1]));
    assert_counts(&client.delivery("events").await, [3, 1]);
    service.stop().await;
}

#[tokio::test]
async fn each_partition_is_an_orc_file() {
    let extraction = [
        ("MetadataExtractionQuery", "{id: .id}"),
        ("JsonParsingEngine", "JQ-1.6"),
    ];
    let partitioned = json!({
        "Prefix": "id=!{partitionKeyFromQuery:id}/",
        "DynamicPartitioningConfiguration": {"Enabled": true},
        "ProcessingConfiguration": processing(&[("MetadataExtraction", &extraction)]),
    });
    let (service, client) = started(over(partitioned, writes(json!({"OrcSerDe": {}})))).await;
    // It is in a partition and in no row: ORC has no such moment.
    let late = json!({"id": 2, "at": "1969-12-31T23:59:59.5Z"}).to_string();
    client
        .put_delivery("events", &[order(1), order(2), late.clone(), order(1)])
        .await;
    client.flush("events").await;
    let objects = service.objects(BUCKET).into_iter();
    let folders: Vec<String> = objects
        .filter(|object| !object.key.starts_with("failed/"))
        .map(|object| {
            assert_is_orc(&object.content);
            object.key.split_once('/').unwrap().0.to_owned()
        })
        .collect();
    assert_eq!(folders, ["id=1", "id=2"]);
    let lines = lines(&service, "format-conversion-failed");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["rawData"], millrace_tests::base64(&late));
    assert_counts(&client.delivery("events").await, [3, 1]);
    service.stop().await;
}

#[tokio::test]
async fn numbers_and_words_of_orc_files_are_held_to_the_model() {
    are_refused(
        "ValidationException",
        [
            (
                writes(json!({"OrcSerDe": {"StripeSizeBytes": 8_388_607}})),
                "Member must have value greater than or equal to 8388608",
            ),
            (
                writes(json!({"OrcSerDe": {"RowIndexStride": 999}})),
                "Member must have value greater than or equal to 1000",
            ),
            (
                writes(json!({"OrcSerDe": {"BlockSizeBytes": 1}})),
                "Member must have value greater than or equal to 67108864",
            ),
            (
                writes(json!({"OrcSerDe": {"PaddingTolerance": 1.5}})),
                "Member must have value less than or equal to 1",
            ),
            (
                writes(json!({"OrcSerDe": {"DictionaryKeyThreshold": -1}})),
                "Member must have value greater than or equal to 0",
            ),
            (
                writes(json!({"OrcSerDe": {"Compression": "GZIP"}})),
                "Member must satisfy enum value set: [NONE, ZLIB, SNAPPY]",
            ),
            (
                writes(json!({"OrcSerDe": {"FormatVersion": "V1"}})),
                "Member must satisfy enum value set: [V0_11, V0_12]",
            ),
            (
                writes(json!({"OrcSerDe": {"BloomFilterColumns": ["a b"]}})),
                "Member must satisfy constraint: [",
            ),
        ],
    )
    .await;
}
