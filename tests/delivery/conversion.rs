//! Record format conversion: records of JSON become rows of Parquet files, by a table that lies in
//! a directory of the server's. What is in the files is read by the conformance tests and by those
//! of `formats`; here it counts which records go where.

use millrace_tests::{BUCKET, Client, ROLE, Service, over};
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::{processing, through};

const CREATE: &str = "Firehose.CreateDeliveryStream";
const UPDATE: &str = "Firehose.UpdateDestination";
const COLUMNS: [(&str, &str); 3] = [("id", "bigint"), ("name", "string"), ("at", "timestamp")];

/// `DataFormatConversionConfiguration` by the table `shop.orders`.
pub fn conversion() -> Value {
    json!({
        "SchemaConfiguration": {
            "RoleARN": ROLE, "DatabaseName": "shop", "TableName": "orders", "Region": "eu-west-1",
        },
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
        "Enabled": true,
    })
}

pub fn converting(more: Value) -> Value {
    let members = json!({
        "Prefix": "orders/",
        "ErrorOutputPrefix": "failed/!{firehose:error-output-type}/",
        "DataFormatConversionConfiguration": conversion(),
    });
    over(members, more)
}

pub async fn started(more: Value) -> (Service, Client) {
    let service = Service::start().await;
    service.write_table("shop", "orders", &COLUMNS);
    let client = service.client();
    client.create_delivery("events", converting(more)).await;
    (service, client)
}

pub fn order(id: u64) -> String {
    json!({"id": id, "name": format!("order {id}"), "at": 1_700_000_000 + id}).to_string()
}

/// The keys of Parquet files. Each says in its end what it was made of.
fn files(service: &Service) -> Vec<String> {
    let objects = service.objects(BUCKET).into_iter();
    let files = objects.filter(|object| !object.key.starts_with("failed/"));
    let files = files.map(|object| {
        assert!(object.content.starts_with(b"PAR1") && object.content.ends_with(b"PAR1"));
        let key = b"millrace.rows";
        assert!(
            object
                .content
                .windows(key.len())
                .any(|window| window == key)
        );
        object.key
    });
    files.collect()
}

/// Lines of failed records below a folder.
pub fn lines(service: &Service, folder: &str) -> Vec<Value> {
    let folder = format!("failed/{folder}/");
    let objects = service.objects(BUCKET).into_iter();
    let objects = objects.filter(|object| object.key.starts_with(&folder));
    let lines = objects.flat_map(|object| {
        let lines = object.text().lines();
        let lines = lines.map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<Value>>()
    });
    lines.collect()
}

#[track_caller]
pub fn assert_counts(page: &Value, [delivered, failed]: [u64; 2]) {
    for (name, wanted) in [
        ("recordsIn", delivered + failed),
        ("delivered", delivered),
        ("dropped", 0),
        ("failed", failed),
        ("lost", 0),
        ("waitingRecords", 0),
    ] {
        assert_eq!(page[name], wanted, "{name}: {page}");
    }
}

#[tokio::test]
async fn records_become_one_file_and_those_that_do_not_fit_become_lines_by_themselves() {
    let (service, client) = started(json!({})).await;
    let records = [
        order(1),
        "no json".to_owned(),
        order(2),
        json!({"id": "oops"}).to_string(),
        order(3) + &order(4),
    ];
    client.put_delivery("events", &records).await;
    client.flush("events").await;
    let files = files(&service);
    let [file] = &files[..] else {
        panic!("{files:?}");
    };
    assert!(file.starts_with("orders/2023/11/14/22/events-1-"), "{file}");
    assert!(file.ends_with(".parquet"), "{file}");
    let lines = lines(&service, "format-conversion-failed");
    assert_eq!(lines.len(), 2);
    let table = json!({
        "databaseName": "shop", "tableName": "orders", "region": "eu-west-1",
        "versionId": "LATEST", "roleArn": ROLE,
    });
    for (line, record, code, message) in [
        (
            &lines[0],
            1,
            "DataFormatConversion.ParseError",
            "Encountered malformed JSON.",
        ),
        (
            &lines[1],
            3,
            "DataFormatConversion.MalformedData",
            "For input string: \"oops\"",
        ),
    ] {
        assert_eq!(line["lastErrorCode"], code);
        let told = line["lastErrorMessage"].as_str().unwrap();
        assert!(told.contains(message), "{told}");
        assert_eq!(line["rawData"], millrace_tests::base64(&records[record]));
        assert_eq!(line["dataCatalogTable"], table);
        assert_eq!(line["attemptsMade"], 1);
        assert_eq!(line["arrivalTimestamp"], 1_700_000_000_000_u64);
        assert!(line["attemptEndingTimestamp"].is_u64());
    }
    let page = client.delivery("events").await;
    assert_counts(&page, [3, 2]);
    assert_eq!(
        (&page["objects"], &page["failedObjects"]),
        (&json!(1), &json!(1))
    );
    service.stop().await;
}

#[tokio::test]
async fn a_file_ends_as_the_configuration_says_and_nothing_comes_of_failed_records_alone() {
    let (service, client) = started(json!({"FileExtension": ".pq"})).await;
    client.put_delivery("events", &["x".to_owned()]).await;
    client.flush("events").await;
    assert_eq!(files(&service), [""; 0]);
    client.put_delivery("events", &[order(1)]).await;
    client.flush("events").await;
    assert!(files(&service)[0].ends_with(".pq"));
    assert_counts(&client.delivery("events").await, [1, 1]);
    service.stop().await;
}

#[tokio::test]
async fn each_partition_is_a_file_and_what_is_taken_apart_is_told_apart() {
    let extraction = [
        ("MetadataExtractionQuery", "{id: .id}"),
        ("JsonParsingEngine", "JQ-1.6"),
    ];
    let (service, client) = started(json!({
        "Prefix": "id=!{partitionKeyFromQuery:id}/",
        "DynamicPartitioningConfiguration": {"Enabled": true},
        "ProcessingConfiguration": processing(&[
            ("RecordDeAggregation", &[("SubRecordType", "JSON")]),
            ("MetadataExtraction", &extraction),
        ]),
    }))
    .await;
    let wrong = json!({"id": 2, "at": "then"}).to_string();
    let records = [order(1) + &order(2) + &wrong, order(1), "[]".to_owned()];
    client.put_delivery("events", &records).await;
    client.flush("events").await;
    let folders: Vec<String> = files(&service)
        .iter()
        .map(|key| key.split_once('/').unwrap().0.to_owned())
        .collect();
    assert_eq!(folders, ["id=1", "id=2"]);
    let lines = lines(&service, "format-conversion-failed");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["rawData"], millrace_tests::base64(&wrong));
    let page = client.delivery("events").await;
    assert_eq!(
        (&page["delivered"], &page["waitingRecords"]),
        (&json!(3), &json!(0)),
        "{page}"
    );
    service.stop().await;
}

#[tokio::test]
async fn what_a_plugin_makes_of_a_record_becomes_rows_and_what_came_in_is_backed_up_and_failed() {
    let plugins = PluginFiles::with(&["parse-access-log"]);
    let service = plugins.start().await;
    let columns = [("path", "string"), ("status", "int"), ("bytes", "tinyint")];
    service.write_table("shop", "orders", &columns);
    let client = service.client();
    let more = json!({
        "ProcessingConfiguration": through("parse-access-log"),
        "S3BackupMode": "Enabled",
        "S3BackupConfiguration": {
            "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::raw", "Prefix": "raw/",
        },
    });
    client.create_delivery("events", converting(more)).await;
    let line = |bytes: u32| {
        format!(
            "127.0.0.1 - - [14/Nov/2023:22:13:20 +0000] \"GET /a HTTP/1.1\" 200 {bytes} \"-\" \"x\""
        )
    };
    let records = [line(1), "no line".to_owned(), line(100_000)];
    client.put_delivery("events", &records).await;
    client.flush("events").await;
    assert_eq!(files(&service).len(), 1);
    let raw = service.objects("raw");
    assert_eq!(raw[0].text(), records.concat());
    assert_eq!(lines(&service, "processing-failed").len(), 1);
    let lines = lines(&service, "format-conversion-failed");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["rawData"], millrace_tests::base64(&records[2]));
    assert_counts(&client.delivery("events").await, [1, 2]);
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_waits_for_its_table_and_goes_by_what_that_is_then() {
    let (service, client) = started(json!({})).await;
    service.remove_table("shop", "orders");
    client.put_delivery("events", &[order(1)]).await;
    service.pass(std::time::Duration::from_secs(901));
    let page = client
        .delivery_until("events", |page| page.to_string().contains("is not there"))
        .await;
    assert_eq!(page["waitingRecords"], 1, "{page}");
    let told = "The table shop.orders (version LATEST) is not there";
    assert!(page.to_string().contains(told), "{page}");
    service.write_table("shop", "orders", &[("id", "string")]);
    client.flush("events").await;
    assert_counts(&client.delivery("events").await, [1, 0]);
    service.write_table("shop", "orders", &[("id", "boolean")]);
    client.put_delivery("events", &[order(2)]).await;
    client.flush("events").await;
    assert_counts(&client.delivery("events").await, [1, 1]);
    service.stop().await;
}

#[tokio::test]
async fn dead_letters_of_a_conversion_are_listed_and_replayed_once_the_table_fits() {
    let (service, client) = started(json!({})).await;
    let record = json!({"id": "A-1"}).to_string();
    client.put_delivery("events", &[record]).await;
    client.flush("events").await;
    let page = client
        .read_page("delivery-streams/events/dead-letters")
        .await;
    let letter = &page["deadLetters"][0];
    assert_eq!(letter["records"], 1, "{page}");
    assert_eq!(
        letter["codes"]["DataFormatConversion.MalformedData"], 1,
        "{page}"
    );
    service.write_table("shop", "orders", &[("id", "string")]);
    let replay = json!({"letter": letter["object"]});
    let page = "delivery-streams/events/dead-letters/replay";
    let (status, answer) = client.post_page(page, &replay).await;
    assert_eq!(status, 200, "{answer}");
    client.flush("events").await;
    assert_eq!(files(&service).len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn a_conversion_is_described_as_it_was_given_and_its_members_are_changed_one_by_one() {
    let (service, client) = started(json!({"BufferingHints": null})).await;
    let described = |page: &Value| {
        let destinations = &page["DeliveryStreamDescription"]["Destinations"];
        destinations[0]["ExtendedS3DestinationDescription"].clone()
    };
    let describe = "Firehose.DescribeDeliveryStream";
    let input = json!({"DeliveryStreamName": "events"});
    let page = described(&client.call(describe, input.clone()).await);
    assert_eq!(page["DataFormatConversionConfiguration"], conversion());
    assert_eq!(page["BufferingHints"]["SizeInMBs"], 128);
    let update = |version: u32, conversion: Value| {
        json!({
            "DeliveryStreamName": "events",
            "CurrentDeliveryStreamVersionId": version.to_string(),
            "DestinationId": "destinationId-000000000001",
            "ExtendedS3DestinationUpdate": {"DataFormatConversionConfiguration": conversion},
        })
    };
    let parquet = json!({
        "BlockSizeBytes": 67_108_864, "PageSizeBytes": 65_536, "Compression": "GZIP",
        "EnableDictionaryCompression": false, "MaxPaddingBytes": 0, "WriterVersion": "V2",
    });
    let hive = json!({"TimestampFormats": ["millis", "yyyy-MM-dd"]});
    service.write_table("shop", "other", &COLUMNS);
    let change = json!({
        "SchemaConfiguration": {"TableName": "other"},
        "InputFormatConfiguration": {"Deserializer": {"HiveJsonSerDe": hive}},
        "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": parquet}},
    });
    client.call(UPDATE, update(1, change.clone())).await;
    let mut wanted = over(conversion(), change);
    wanted["SchemaConfiguration"] = over(
        conversion()["SchemaConfiguration"].clone(),
        json!({"TableName": "other"}),
    );
    let page = described(&client.call(describe, input.clone()).await);
    assert_eq!(page["DataFormatConversionConfiguration"], wanted);
    client
        .call(UPDATE, update(2, json!({"Enabled": false})))
        .await;
    wanted["Enabled"] = json!(false);
    let page = described(&client.call(describe, input).await);
    assert_eq!(page["DataFormatConversionConfiguration"], wanted);
    client.put_delivery("events", &["plain".to_owned()]).await;
    client.flush("events").await;
    assert_eq!(service.delivered(), ["plain"]);
    let service = service.restart().await;
    let client = service.client();
    client
        .call(UPDATE, update(3, json!({"Enabled": true})))
        .await;
    client.put_delivery("events", &[order(1)]).await;
    client.flush("events").await;
    assert_eq!(service.objects(BUCKET).len(), 2);
    service.stop().await;
}

/// The members that make a conversion, with `more` over the usual ones.
fn with(more: Value) -> Value {
    json!({"DataFormatConversionConfiguration": over(conversion(), more)})
}

fn without(name: &str) -> Value {
    let mut conversion = conversion();
    conversion.as_object_mut().unwrap().remove(name);
    json!({"DataFormatConversionConfiguration": conversion})
}

/// The same with another member of the schema.
fn schema(name: &str, value: Value) -> Value {
    let mut schema = conversion()["SchemaConfiguration"].clone();
    schema[name] = value;
    with(json!({"SchemaConfiguration": schema}))
}

fn reads(deserializer: Value) -> Value {
    with(json!({"InputFormatConfiguration": {"Deserializer": deserializer}}))
}

pub fn writes(serializer: Value) -> Value {
    with(json!({"OutputFormatConfiguration": {"Serializer": serializer}}))
}

/// A server with tables knows none of these for a conversion, and says why.
pub async fn are_refused<const N: usize>(code: &str, cases: [(Value, &str); N]) {
    let service = Service::start().await;
    service.write_table("shop", "orders", &COLUMNS);
    service.write_table("shop", "wrong", &[("a", "uniontype<int,string>")]);
    let client = service.client();
    for (more, told) in cases {
        let input = json!({
            "DeliveryStreamName": "events",
            "ExtendedS3DestinationConfiguration": millrace_tests::destination(converting(more)),
        });
        let refusal = client.refusal(CREATE, input).await;
        assert_eq!(refusal.code, code, "{told}");
        assert!(refusal.message.contains(told), "{}", refusal.message);
    }
    service.stop().await;
}

#[tokio::test]
async fn members_that_make_no_conversion_are_refused_when_it_is_asked_for() {
    are_refused("InvalidArgumentException", [
        (
            json!({"CompressionFormat": "GZIP"}),
            "The S3 destination's compression format must be set to UNCOMPRESSED when data format \
             conversion is enabled.",
        ),
        (
            json!({"BufferingHints": {"SizeInMBs": 63, "IntervalInSeconds": 60}}),
            "BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled.",
        ),
        (
            without("InputFormatConfiguration"),
            "InputFormatConfiguration must not be null",
        ),
        (
            without("OutputFormatConfiguration"),
            "OutputFormatConfiguration must not be null",
        ),
        (
            without("SchemaConfiguration"),
            "SchemaConfiguration must not be null",
        ),
        (reads(json!({})), "Deserializer must not be null"),
        (writes(json!({})), "Serializer must not be null"),
        (
            reads(json!({"OpenXJsonSerDe": {}, "HiveJsonSerDe": {}})),
            "More than one deserializer specified. Only one may be chosen.",
        ),
        (
            writes(json!({"OrcSerDe": {}, "ParquetSerDe": {}})),
            "More than one serializer specified. Only one may be chosen.",
        ),
        (
            reads(json!({"HiveJsonSerDe": {"TimestampFormats": ["yyyy-ww"]}})),
            "TimestampFormats: the pattern yyyy-ww has the letter w",
        ),
    ]).await;
}

#[tokio::test]
async fn a_table_that_rows_cannot_be_made_by_is_refused_when_it_is_asked_for() {
    are_refused(
        "InvalidArgumentException",
        [
            (
                schema("RoleARN", Value::Null),
                "SchemaConfiguration.RoleArn must not be null or empty",
            ),
            (
                schema("DatabaseName", Value::Null),
                "SchemaConfiguration.DatabaseName must not be null or empty",
            ),
            (
                schema("TableName", Value::Null),
                "SchemaConfiguration.TableName must not be null or empty",
            ),
            (
                schema("TableName", json!("none")),
                "The table shop.none (version LATEST) is not there.",
            ),
            (
                schema("VersionId", json!("7")),
                "The table shop.orders (version 7) is not there.",
            ),
            (
                schema("DatabaseName", json!("../shop")),
                "has no name of 1 to 200 bytes",
            ),
            (
                schema("TableName", json!("wrong")),
                "has a column a of type uniontype<int,string>, which is not known",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn numbers_and_words_of_a_conversion_are_held_to_the_model() {
    are_refused(
        "ValidationException",
        [
            (
                writes(json!({"ParquetSerDe": {"BlockSizeBytes": 1}})),
                "Member must have value greater than or equal to 67108864",
            ),
            (
                writes(json!({"ParquetSerDe": {"PageSizeBytes": 1}})),
                "Member must have value greater than or equal to 65536",
            ),
            (
                writes(json!({"ParquetSerDe": {"Compression": "ZSTD"}})),
                "Member must satisfy enum value set",
            ),
            (
                schema("TableName", json!("a b")),
                "Member must satisfy regular expression pattern: ^\\S+$",
            ),
        ],
    )
    .await;
}
