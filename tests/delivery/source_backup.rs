//! S3BackupMode of an extended S3 destination: all records go into another bucket as they came in,
//! too.

use std::io::Read;

use flate2::read::GzDecoder;
use millrace_tests::{BUCKET, Client, ROLE, Service};
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::through;

const RAW: &str = "raw";
const UPDATE: &str = "Firehose.UpdateDestination";

/// A backup into the bucket `raw`, with these members over the usual ones.
fn backup(more: Value) -> Value {
    let usual = json!({"RoleARN": ROLE, "BucketARN": format!("arn:aws:s3:::{RAW}")});
    millrace_tests::over(usual, more)
}

fn update(version: &str, changes: Value) -> Value {
    json!({
        "DeliveryStreamName": "clicks",
        "CurrentDeliveryStreamVersionId": version,
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": changes,
    })
}

/// What the backup holds, in the order of the names, and the names.
fn backed_up(service: &Service) -> (String, Vec<String>) {
    let (mut text, mut names) = (String::new(), Vec::new());
    for object in service.objects(RAW) {
        if object.key.ends_with(".gz") {
            GzDecoder::new(&object.content[..])
                .read_to_string(&mut text)
                .unwrap();
        } else {
            text.push_str(object.text());
        }
        names.push(object.key);
    }
    (text, names)
}

async fn extended(client: &Client) -> Value {
    let described = client.describe_delivery("clicks").await;
    described["Destinations"][0]["ExtendedS3DestinationDescription"].clone()
}

#[tokio::test]
async fn all_records_as_they_came_in_are_in_the_backup_too_whatever_becomes_of_them() {
    let files = PluginFiles::with(&["parse-access-log"]);
    files.add_redaction_as("mask");
    let service = files.start().await;
    let client = service.client();
    let more = json!({
        "ProcessingConfiguration": through("mask"),
        "S3BackupMode": "Enabled",
        "S3BackupConfiguration": backup(json!({"Prefix": "in/", "CompressionFormat": "GZIP"})),
    });
    client.create_delivery("clicks", more).await;
    let records = ["a 4111 1111 1111 1111\n", "b\n", "c 5500 0000 0000 0004\n"];
    client.put_delivery("clicks", &records).await;
    client.flush("clicks").await;
    let (text, names) = backed_up(&service);
    assert_eq!(text, records.concat());
    assert_eq!(names.len(), 1);
    assert!(
        names[0].starts_with("in/2023/11/14/22/clicks-1-"),
        "{names:?}"
    );
    assert!(names[0].ends_with(".gz"), "{names:?}");
    let delivered = service.delivered().concat();
    assert!(
        delivered.contains('*') && !delivered.contains("4111"),
        "{delivered}"
    );

    // Records that fail are there as well, and not again when they are delivered once more.
    let changes = json!({
        "ProcessingConfiguration": through("parse-access-log"),
        "S3BackupUpdate": {"CompressionFormat": "UNCOMPRESSED", "Prefix": "out/"},
    });
    client.call(UPDATE, update("1", changes)).await;
    client.put_delivery("clicks", &["no line\n"]).await;
    client.flush("clicks").await;
    let (text, names) = backed_up(&service);
    assert_eq!(text, format!("{}no line\n", records.concat()));
    assert!(
        names[1].starts_with("out/2023/11/14/22/clicks-2-"),
        "{names:?}"
    );
    let page = client
        .read_page("delivery-streams/clicks/dead-letters")
        .await;
    let letter = json!({"letter": page["deadLetters"][0]["object"]});
    client
        .call(
            UPDATE,
            update("2", json!({"ProcessingConfiguration": {"Enabled": false}})),
        )
        .await;
    let replay = "delivery-streams/clicks/dead-letters/replay";
    assert_eq!(client.post_page(replay, &letter).await.0, 200);
    client.flush("clicks").await;
    assert!(service.delivered().concat().contains("no line\n"));
    assert_eq!(backed_up(&service).1, names);
    let page = client.delivery("clicks").await;
    let counts = ["recordsIn", "delivered", "failed", "lost"].map(|it| page[it].clone());
    assert_eq!(counts, [5, 4, 1, 0].map(|it| json!(it)));
    service.stop().await;
}

/// Neither of the two buckets has a record twice, and no put of one is taken for one of the other.
#[tokio::test]
async fn a_backup_that_is_not_taken_holds_up_the_delivery_until_it_is() {
    let service = Service::start().await;
    let client = service.client();
    let more = json!({"S3BackupMode": "Enabled", "S3BackupConfiguration": backup(json!({}))});
    client.create_delivery("clicks", more).await;
    // A file lies where the folder should be.
    let folder = service.buckets().join(RAW);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("2023"), "").unwrap();
    client.put_delivery("clicks", &["one", "two"]).await;
    let page = tokio::select! {
        page = client.delivery_until("clicks", |page| {
            page["trouble"].as_str().unwrap_or_default().contains("into raw is refused for good")
        }) => page,
        () = client.flush("clicks") => panic!("it was delivered"),
    };
    assert_eq!(page["waitingRecords"], 2, "{page}");
    let service = service
        .restart_after(|| std::fs::remove_file(folder.join("2023")).unwrap())
        .await;
    let client = service.client();
    client.flush("clicks").await;
    assert_eq!(service.delivered(), ["onetwo"]);
    assert_eq!(backed_up(&service).0, "onetwo");
    let page = client.delivery("clicks").await;
    assert_eq!(
        (&page["objects"], &page["delivered"]),
        (&json!(1), &json!(2))
    );
    service.stop().await;
}

#[tokio::test]
async fn a_backup_is_described_updated_by_members_and_never_switched_off() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    let before = extended(&client).await;
    assert_eq!(before["S3BackupMode"], "Disabled");
    assert_eq!(before["S3BackupDescription"], Value::Null);
    let wrong = [
        json!({"S3BackupMode": "Enabled"}),
        json!({"S3BackupMode": "Enabled", "S3BackupUpdate": {"Prefix": "p/"}}),
        json!({"S3BackupMode": "Enabled", "S3BackupUpdate": backup(json!({"Prefix": "a/../b/"}))}),
        json!({"S3BackupMode": "Enabled", "S3BackupUpdate": backup(json!({
            "EncryptionConfiguration": {"KMSEncryptionConfig": {"AWSKMSKeyARN": "arn:aws:kms:x"}},
        }))}),
    ];
    for changes in wrong {
        let code = client.code(UPDATE, update("1", changes.clone())).await;
        assert_eq!(code, "InvalidArgumentException", "{changes}");
    }
    // It says which of the two places it means.
    let long = "x".repeat(300);
    for (prefix, told) in [
        ("a/../b/", "In the backup, "),
        (long.as_str(), "The backup's Prefix: "),
    ] {
        let backup = backup(json!({"Prefix": prefix}));
        let changes = json!({"S3BackupMode": "Enabled", "S3BackupUpdate": backup});
        let refusal = client.refusal(UPDATE, update("1", changes)).await;
        assert!(refusal.message.starts_with(told), "{refusal:?}");
    }
    let changes = json!({"S3BackupMode": "Enabled", "S3BackupUpdate": backup(json!({}))});
    client.call(UPDATE, update("1", changes)).await;
    let changes = json!({"S3BackupUpdate": {"Prefix": "p/", "CompressionFormat": "Snappy"}});
    client.call(UPDATE, update("2", changes)).await;
    let now = extended(&client).await;
    assert_eq!(now["S3BackupMode"], "Enabled");
    let described = json!({
        "RoleARN": ROLE,
        "BucketARN": "arn:aws:s3:::raw",
        "Prefix": "p/",
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
        "CompressionFormat": "Snappy",
        "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        "CloudWatchLoggingOptions": {"Enabled": false},
    });
    assert_eq!(now["S3BackupDescription"], described);
    let off = json!({"S3BackupMode": "Disabled"});
    let refusal = client.refusal(UPDATE, update("3", off)).await;
    assert_eq!(refusal.code, "InvalidArgumentException");
    assert!(refusal.message.contains("S3BackupMode"), "{refusal:?}");
    // It is kept over a restart.
    let service = service.restart().await;
    let client = service.client();
    assert_eq!(extended(&client).await["S3BackupDescription"], described);
    client.put_delivery("clicks", &["one"]).await;
    client.flush("clicks").await;
    assert_eq!(service.objects(RAW).len(), 1);
    assert_eq!(service.objects(BUCKET).len(), 1);
    service.stop().await;
}
