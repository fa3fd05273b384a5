//! StartStreamEncryption.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use millrace_tests::keys::{KeyFiles, ONE, TWO};
use millrace_tests::{ACCOUNT, Client, OTHER_ACCOUNT, REGION, Service, Setting, base64, shard_id};
use serde_json::{Value, json};
use streams::kms::MasterKeySetting;
use types::limits::ENCRYPTION_CHANGES_PER_DAY_MAX;
use types::{AccountId, Timestamp};

use crate::OVER_A_DAY;

/// The key that the service has by itself.
pub const OWN: &str = "alias/aws/kinesis";

fn input(stream: &str, key: &str) -> Value {
    json!({"StreamName": stream, "EncryptionType": "KMS", "KeyId": key})
}

/// Encrypts a stream with a key.
pub async fn start(client: &Client, stream: &str, key: &str) {
    let answer = client.call("StartStreamEncryption", input(stream, key));
    assert_eq!(answer.await, Value::Null);
    client.until_active(stream).await;
}

fn arn(account: &str, resource: &str) -> String {
    format!("arn:aws:kms:{REGION}:{account}:{resource}")
}

async fn records(client: &Client, stream: &str) -> Vec<Value> {
    let answer = client.read(stream).await;
    answer["Records"].as_array().unwrap().clone()
}

/// The code that reading a stream from its oldest record on is refused with.
async fn read_code(client: &Client, stream: &str) -> String {
    let oldest = json!({"ShardIteratorType": "TRIM_HORIZON"});
    let iterator = client.iterator(stream, oldest).await;
    let input = json!({"ShardIterator": iterator});
    client.code("GetRecords", input).await
}

async fn put_code(client: &Client, stream: &str) -> String {
    let record = json!({"Data": "eA==", "PartitionKey": "a"});
    let many = json!({"StreamName": stream, "Records": [record]});
    let one = json!({"StreamName": stream, "Data": "eA==", "PartitionKey": "a"});
    let code = client.code("PutRecord", one).await;
    assert_eq!(client.code("PutRecords", many).await, code);
    code
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn records_are_sealed_from_then_on_and_every_answer_says_so() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create("orders", 1).await;
    let landed = client.put("orders", "AAAA").await;
    assert_eq!(landed.get("EncryptionType"), None);
    let before = client.summary("orders").await;
    assert_eq!(before["EncryptionType"], "NONE");
    assert_eq!(before.get("KeyId"), None);
    start(&client, "orders", OWN).await;
    assert_eq!(mode(&files.path("of services/aws-kinesis.key")), 0o600);
    let landed = client.put("orders", "AAAB").await;
    assert_eq!(landed["EncryptionType"], "KMS");
    let record = json!({"Data": "AAAC", "PartitionKey": "b"});
    let many = json!({"StreamName": "orders", "Records": [record]});
    let landed = client.call("PutRecords", many).await;
    assert_eq!(landed["EncryptionType"], "KMS");
    assert_eq!(landed["FailedRecordCount"], 0);
    for service in [service.restart().await] {
        let client = service.client();
        let described = client.call("DescribeStream", json!({"StreamName": "orders"}));
        let described = described.await["StreamDescription"].clone();
        for shown in [client.summary("orders").await, described] {
            assert_eq!(shown["EncryptionType"], "KMS");
            assert_eq!(shown["KeyId"], OWN);
            assert_eq!(shown["StreamStatus"], "ACTIVE");
        }
        let read = records(&client, "orders").await;
        let told: Vec<_> = read
            .iter()
            .map(|record| {
                (
                    record["Data"].as_str().unwrap(),
                    record.get("EncryptionType"),
                )
            })
            .collect();
        let sealed = json!("KMS");
        let expected = [
            ("AAAA", None),
            ("AAAB", Some(&sealed)),
            ("AAAC", Some(&sealed)),
        ];
        assert_eq!(told, expected);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_key_is_named_by_id_alias_and_either_arn_and_shown_as_it_was_named() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create("orders", 1).await;
    let key_arn = arn(ACCOUNT, &format!("key/{TWO}"));
    let alias_arn = arn(ACCOUNT, "alias/one");
    for (name, data) in [
        (ONE, "AAAA"),
        ("alias/two", "AAAB"),
        (&alias_arn, "AAAC"),
        (&key_arn, "AAAD"),
    ] {
        start(&client, "orders", name).await;
        assert_eq!(client.summary("orders").await["KeyId"], name);
        client.put("orders", data).await;
    }
    assert_eq!(
        client.data("orders").await,
        ["AAAA", "AAAB", "AAAC", "AAAD"]
    );
    service.stop().await;
}

#[tokio::test]
async fn a_key_that_is_not_to_be_had_is_refused_in_the_words_of_the_key_service() {
    let files = KeyFiles::new();
    files.write("broken", b"no key");
    let mut settings = files.without_two();
    let other = MasterKeySetting {
        account: AccountId::parse(OTHER_ACCOUNT).ok(),
        ..files.key("of-others", "alias/of-others")
    };
    settings.keys.extend([
        files.key("broken", "alias/broken"),
        files.key("gone", "alias/gone"),
        other,
    ]);
    let setting = Setting {
        kms: settings,
        ..Setting::default()
    };
    let service = Service::start_with(setting).await;
    let client = service.client();
    client.create("orders", 1).await;
    let mine = |resource: &str| arn(ACCOUNT, resource);
    let elsewhere = format!("arn:aws:kms:eu-north-1:{ACCOUNT}:key/{ONE}");
    let not_there = |resource: &str| format!("Key '{}' does not exist", mine(resource));
    for (key, code, message) in [
        ("no-such", "KMSNotFoundException", not_there("key/no-such")),
        (
            "alias/no-such",
            "KMSNotFoundException",
            format!("Alias {} is not found.", mine("alias/no-such")),
        ),
        // It is configured, and its file is gone.
        ("alias/gone", "KMSNotFoundException", not_there("key/gone")),
        // Nobody is told of keys of others.
        (
            "of-others",
            "KMSNotFoundException",
            not_there("key/of-others"),
        ),
        (
            &elsewhere,
            "KMSNotFoundException",
            "Invalid arn eu-north-1".to_owned(),
        ),
        (
            &arn(OTHER_ACCOUNT, "key/of-others"),
            "KMSAccessDeniedException",
            "The ciphertext refers to a customer master key that does not exist, does not exist \
             in this region, or you are not allowed to access."
                .to_owned(),
        ),
        (
            "alias/two",
            "KMSDisabledException",
            format!("{} is disabled.", mine(&format!("key/{TWO}"))),
        ),
        (
            "alias/broken",
            "KMSInvalidStateException",
            format!("{} is unavailable.", mine("key/broken")),
        ),
    ] {
        let refusal = client.refusal("StartStreamEncryption", input("orders", key));
        let refusal = refusal.await;
        assert_eq!(
            (refusal.status, refusal.code.as_str()),
            (400, code),
            "{key}"
        );
        assert_eq!(refusal.message, message, "{key}");
    }
    assert_eq!(client.summary("orders").await["EncryptionType"], "NONE");
    service.stop().await;
}

#[tokio::test]
async fn what_is_no_encryption_and_what_is_no_active_stream_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    let none = json!({"StreamName": "orders", "EncryptionType": "NONE", "KeyId": OWN});
    let refusal = client.refusal("StartStreamEncryption", none.clone()).await;
    assert_eq!(refusal.code, "ResourceNotFoundException");
    client.create("orders", 1).await;
    let refusal = client.refusal("StartStreamEncryption", none).await;
    assert_eq!(refusal.code, "InvalidArgumentException");
    let unknown = json!({"StreamName": "orders", "EncryptionType": "AES", "KeyId": ""});
    let refusal = client.refusal("StartStreamEncryption", unknown).await;
    assert_eq!(refusal.code, "ValidationException");
    assert!(refusal.message.contains("'encryptionType'"), "{refusal:?}");
    assert!(refusal.message.contains("'keyId'"), "{refusal:?}");
    let missing = client.refusal("StartStreamEncryption", json!({"StreamName": "orders"}));
    assert_eq!(missing.await.code, "ValidationException");
    service.stop().await;
}

#[tokio::test]
async fn the_key_in_force_changes_nothing_and_25_others_are_all_within_a_day() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create("orders", 1).await;
    for number in 0..ENCRYPTION_CHANGES_PER_DAY_MAX {
        let key = ["alias/one", "alias/two"][number % 2];
        start(&client, "orders", key).await;
        start(&client, "orders", key).await;
    }
    let service = service.restart().await;
    let client = service.client();
    start(&client, "orders", "alias/one").await;
    for operation in ["StartStreamEncryption", "StopStreamEncryption"] {
        let refusal = client.refusal(operation, input("orders", "alias/two"));
        let refusal = refusal.await;
        assert_eq!(refusal.code, "LimitExceededException");
        assert_eq!(
            refusal.message,
            format!(
                "The encryption of stream orders under account {ACCOUNT} was changed 25 times \
                 within 24 hours, which is the most."
            )
        );
    }
    service.pass(OVER_A_DAY);
    start(&client, "orders", "alias/two").await;
    service.stop().await;
}

#[tokio::test]
async fn without_a_key_its_records_are_refused_and_all_else_goes_on() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    for stream in ["orders", "clicks", "plain"] {
        client.create(stream, 1).await;
    }
    start(&client, "orders", "alias/one").await;
    client.put("orders", "AAAA").await;
    start(&client, "orders", "alias/two").await;
    client.put("orders", "AAAB").await;
    start(&client, "clicks", "alias/two").await;
    client.put("clicks", "AAAC").await;
    client.put("plain", "AAAD").await;

    let service = service.restart_with_keys(files.without_two(), || {}).await;
    let client = service.client();
    assert_eq!(service.client().health().await.0, 200);
    let disabled = "KMSDisabledException";
    for stream in ["orders", "clicks"] {
        assert_eq!(put_code(&client, stream).await, disabled);
    }
    assert_eq!(read_code(&client, "clicks").await, disabled);
    // What lies before is read, and the reader that comes back is told.
    let oldest = json!({"ShardIteratorType": "TRIM_HORIZON"});
    let iterator = client.iterator("orders", oldest).await;
    let read = client.call("GetRecords", json!({"ShardIterator": iterator}));
    let read = read.await;
    assert_eq!(read["Records"][0]["Data"], "AAAA");
    assert_eq!(read["Records"].as_array().unwrap().len(), 1);
    let next = json!({"ShardIterator": read["NextShardIterator"]});
    let refusal = client.refusal("GetRecords", next).await;
    assert_eq!(refusal.code, disabled);
    let key = arn(ACCOUNT, &format!("key/{TWO}"));
    assert_eq!(refusal.message, format!("{key} is disabled."));
    client.put("plain", "AAAE").await;
    assert_eq!(client.data("plain").await, ["AAAD", "AAAE"]);
    // A stream whose key is disabled gets another, or none.
    start(&client, "orders", "alias/one").await;
    client.put("orders", "AAAF").await;

    let service = service.restart_with_keys(files.settings(), || {}).await;
    let client = service.client();
    assert_eq!(client.data("orders").await, ["AAAA", "AAAB", "AAAF"]);
    assert_eq!(client.data("clicks").await, ["AAAC"]);
    service.stop().await;
}

/// It went on working for everybody who had used it before.
#[tokio::test]
async fn a_key_that_is_given_to_another_account_is_of_no_use_to_those_who_had_it() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create("orders", 1).await;
    start(&client, "orders", "alias/two").await;
    client.put("orders", "AAAA").await;
    let two_for = |account| {
        let mut settings = files.settings();
        settings.keys[1].account = Some(AccountId::parse(account).unwrap());
        settings
    };
    let service = service
        .restart_with_keys(two_for(OTHER_ACCOUNT), || {})
        .await;
    let client = service.client();
    let denied = "KMSAccessDeniedException";
    assert_eq!(put_code(&client, "orders").await, denied);
    assert_eq!(read_code(&client, "orders").await, denied);
    let service = service.restart_with_keys(two_for(ACCOUNT), || {}).await;
    assert_eq!(service.client().data("orders").await, ["AAAA"]);
    service.stop().await;
}

/// Finds so many data keys not to be had among the metrics, and told by `/healthz` if there are
/// any.
async fn says_refused(client: &Client, expected: &[(&str, usize)]) {
    let metrics = client.metrics_of_all().await;
    for (why, count) in expected {
        let line = format!("millrace_encryption_keys_refused{{why=\"{why}\"}} {count}");
        assert!(metrics.lines().any(|it| it == line), "{line}");
    }
    let all: usize = expected.iter().map(|(_, count)| count).sum();
    let told = format!("{all} data keys of encrypted streams are not to be had");
    assert_eq!(client.health().await.1.contains(&told), all > 0);
}

/// The promise that makes the destruction of a key the destruction of what it sealed.
#[tokio::test]
async fn once_a_master_key_is_destroyed_nobody_reads_what_it_sealed() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    for (stream, key) in [
        ("orders", "alias/two"),
        ("clicks", OWN),
        ("plain", "alias/one"),
    ] {
        client.create(stream, 1).await;
        start(&client, stream, key).await;
        client.put(stream, "AAAA").await;
    }
    let of_service = files.path("of services/aws-kinesis.key");
    let kept = fs::read(&of_service).unwrap();
    let destroy = || {
        fs::remove_file(files.path(TWO)).unwrap();
        fs::remove_file(&of_service).unwrap();
    };
    let service = service.restart_with_keys(files.settings(), destroy).await;
    let client = service.client();
    says_refused(&client, &[("absent", 2), ("unfit", 0)]).await;
    let gone = "KMSNotFoundException";
    for stream in ["orders", "clicks"] {
        assert_eq!(read_code(&client, stream).await, gone);
        assert_eq!(put_code(&client, stream).await, gone);
    }
    assert_eq!(client.data("plain").await, ["AAAA"]);
    // The service's own key is not made anew under the name of the one that is gone.
    client.create("new", 1).await;
    let refusal = client.refusal("StartStreamEncryption", input("new", OWN));
    assert_eq!(refusal.await.code, gone);
    assert!(!of_service.exists());

    // Another key in its place opens nothing.
    let replace = || files.write(TWO, &[3; 32]);
    let service = service.restart_with_keys(files.settings(), replace).await;
    let client = service.client();
    says_refused(&client, &[("absent", 1), ("unfit", 1)]).await;
    let other = "KMSInvalidStateException";
    assert_eq!(read_code(&client, "orders").await, other);
    assert_eq!(put_code(&client, "orders").await, other);
    // The same bytes from a copy that somebody kept do.
    let restore = || {
        files.write(TWO, "02".repeat(32).as_bytes());
        files.write("of services/aws-kinesis.key", &kept);
    };
    let service = service.restart_with_keys(files.settings(), restore).await;
    for stream in ["orders", "clicks"] {
        assert_eq!(service.client().data(stream).await, ["AAAA"]);
    }
    let client = service.client();
    says_refused(&client, &[("absent", 0), ("unfit", 0)]).await;
    assert_eq!(client.health().await, (200, "ok\n".to_owned()));
    service.stop().await;
}

#[tokio::test]
async fn the_children_of_a_split_shard_seal_with_the_key_of_their_stream() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create("orders", 1).await;
    start(&client, "orders", "alias/one").await;
    client.put("orders", "AAAA").await;
    let middle = (u128::MAX / 2 + 1).to_string();
    let split = json!({
        "StreamName": "orders", "ShardToSplit": shard_id(0), "NewStartingHashKey": middle,
    });
    client.call("SplitShard", split).await;
    client.until_active("orders").await;
    let landed = client.put("orders", "AAAB").await;
    assert_ne!(landed["ShardId"], shard_id(0));
    assert_eq!(landed["EncryptionType"], "KMS");
    let mut settings = files.settings();
    settings.keys[0].enabled = false;
    let service = service.restart_with_keys(settings, || {}).await;
    let client = service.client();
    assert_eq!(put_code(&client, "orders").await, "KMSDisabledException");
    let service = service.restart_with_keys(files.settings(), || {}).await;
    assert_eq!(service.client().data("orders").await, ["AAAA"]);
    service.stop().await;
}

#[tokio::test]
async fn a_key_of_one_account_is_no_key_of_another() {
    let files = KeyFiles::new();
    let mut settings = files.settings();
    settings.keys[0].account = AccountId::parse(OTHER_ACCOUNT).ok();
    let setting = Setting {
        kms: settings,
        ..Setting::default()
    };
    let service = Service::start_with(setting).await;
    let (mine, theirs) = (service.client(), service.other_client());
    for client in [&mine, &theirs] {
        client.create("orders", 1).await;
    }
    start(&theirs, "orders", "alias/one").await;
    let refusal = mine.refusal("StartStreamEncryption", input("orders", "alias/one"));
    assert_eq!(refusal.await.code, "KMSNotFoundException");
    service.stop().await;
}

/// What lies on the disk while the server runs is what a killed one leaves.
#[tokio::test]
async fn no_file_holds_data_or_partition_key_of_an_encrypted_stream() {
    let data = "what nobody else may know";
    let encoded = base64(data);
    let key = "whose it is, nobody else may know either";
    let record = json!({"Data": encoded, "PartitionKey": key});
    let many = vec![record; 400];
    for is_encrypted in [true, false] {
        let service = Service::start().await;
        let client = service.client();
        client.create("orders", 2).await;
        if is_encrypted {
            start(&client, "orders", OWN).await;
        }
        let put = json!({"StreamName": "orders", "Data": encoded, "PartitionKey": key});
        client.call("PutRecord", put).await;
        // Enough to be flushed to segments, and some that is not.
        for _ in 0..60 {
            let put = json!({"StreamName": "orders", "Records": many});
            client.call("PutRecords", put).await;
        }
        let found = service.files_with(&[data, key, &encoded]);
        assert_eq!(found.is_empty(), is_encrypted, "{found:?}");
        let service = service.restart().await;
        let found = service.files_with(&[data, key, &encoded]);
        assert_eq!(found.is_empty(), is_encrypted, "{found:?}");
        let in_segments = found
            .iter()
            .filter(|path| path.extension() == Some("seg".as_ref()));
        assert_eq!(in_segments.count() > 0, !is_encrypted);
        service.stop().await;
    }
}

/// The second key was made at an earlier moment than the first, as the clock has it.
#[tokio::test]
async fn a_clock_that_is_set_back_between_two_keys_takes_no_record_that_is_kept() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create("orders", 1).await;
    let begun = service.now();
    service.set_clock(Timestamp(begun.0 + 300_000));
    start(&client, "orders", ONE).await;
    service.set_clock(begun);
    start(&client, "orders", TWO).await;
    for _ in 0..4 {
        service.pass(OVER_A_DAY);
    }
    client.put("orders", "AAAB").await;
    let stop = json!({"StreamName": "orders", "EncryptionType": "KMS", "KeyId": TWO});
    client.call("StopStreamEncryption", stop).await;
    client.until_active("orders").await;
    assert_eq!(client.data("orders").await, ["AAAB"]);
}
