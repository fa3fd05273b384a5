//! OpenSearch and Elasticsearch as destinations, over real sockets to a double of a cluster: each
//! document is there once by its id, and each that is refused is in the error output by itself.

use std::collections::BTreeSet;

use millrace_tests::{BUCKET, Client, ROLE, Service, base64};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Does, NAME};
use crate::processing;

const CREATE: &str = "Firehose.CreateDeliveryStream";

/// The lines of the error output.
fn lines_below(service: &Service, below: &str) -> Vec<Value> {
    let objects = service.objects(BUCKET).into_iter();
    let lines = objects.flat_map(|object| {
        assert!(object.key.starts_with(below), "{}", object.key);
        let lines = object.text().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<Value>>()
    });
    lines.collect()
}

fn lines(service: &Service) -> Vec<Value> {
    lines_below(service, "AmazonOpenSearchService-failed/")
}

fn counts(page: &Value) -> [u64; 5] {
    ["recordsIn", "delivered", "failed", "lost", "waitingRecords"]
        .map(|name| page[name].as_u64().unwrap())
}

fn retry(seconds: u32) -> Value {
    json!({"RetryOptions": {"DurationInSeconds": seconds}})
}

async fn with(script: &[Does], more: Value) -> (Cluster, Service, Client) {
    let cluster = Cluster::doing(script).await;
    let (service, client) = cluster.server().await;
    cluster.create(&client, more).await;
    (cluster, service, client)
}

#[tokio::test]
async fn each_record_is_a_document_of_the_index_of_its_day() {
    let (cluster, service, client) = with(&[], json!({})).await;
    let records = [r#"{"a":1}"#, "{\"a\":2}\n", r#"{"a":2}"#];
    client.put_delivery(NAME, &records).await;
    client.flush(NAME).await;
    assert_eq!(
        cluster.documents(),
        [r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":2}"#]
    );
    {
        let state = cluster.state();
        assert_eq!(state.sizes, [3]);
        let mut ids = BTreeSet::new();
        for action in &state.actions {
            // The clock of these tests.
            assert_eq!(action["create"]["_index"], "logs-2023-11-14");
            assert!(action["create"].get("_type").is_none());
            ids.insert(action["create"]["_id"].as_str().unwrap());
        }
        assert_eq!(ids.len(), 3);
    }
    let page = client.delivery(NAME).await;
    assert_eq!(
        (counts(&page), &page["endpoint"]),
        ([3, 3, 0, 0, 0], &json!(cluster.url()))
    );
    assert_eq!(service.objects(BUCKET), []);
}

/// The cluster took it and could not say so; then the process ends.
#[tokio::test]
async fn what_was_taken_and_not_answered_is_there_once_also_after_a_restart() {
    let (cluster, service, client) = with(&[Does::Nothing, Does::Status(503)], json!({})).await;
    client
        .put_delivery(NAME, &[r#"{"a":1}"#, r#"{"a":2}"#])
        .await;
    {
        let flushing = client.flush(NAME);
        let failed = client.delivery_until(NAME, |page| page["retries"].as_u64() > Some(1));
        tokio::pin!(flushing, failed);
        tokio::select! {
            _ = &mut failed => {}
            _ = &mut flushing => panic!("it is not delivered"),
        }
    }
    let service = service.restart().await;
    let client = service.client();
    client.flush(NAME).await;
    assert_eq!(cluster.documents(), [r#"{"a":1}"#, r#"{"a":2}"#]);
    assert_eq!(cluster.state().sizes, [2, 2]);
    assert_eq!(counts(&client.delivery(NAME).await), [2, 2, 0, 0, 0]);
}

#[tokio::test]
async fn a_document_that_does_not_fit_is_alone_in_the_error_output() {
    let (cluster, service, client) = with(&[], json!({})).await;
    let bad = r#"{"a":"text"}"#;
    client
        .put_delivery(NAME, &[r#"{"a":1}"#, bad, r#"{"a":3}"#])
        .await;
    client.flush(NAME).await;
    assert_eq!(cluster.documents(), [r#"{"a":1}"#, r#"{"a":3}"#]);
    // What was taken is not sent again.
    assert_eq!(cluster.state().sizes, [3]);
    let lines = lines(&service);
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(
        (&line["errorCode"], &line["attemptsMade"]),
        (&json!("400"), &json!(1))
    );
    assert_eq!(line["errorMessage"], "mapper_parsing_exception: so it is");
    assert_eq!(line["rawData"], base64(bad));
    let of_bad = cluster.state().actions[1]["create"].clone();
    assert_eq!(
        (
            &line["esDocumentId"],
            &line["esIndexName"],
            &line["esTypeName"]
        ),
        (&of_bad["_id"], &of_bad["_index"], &json!(""))
    );
    let page = client.delivery(NAME).await;
    assert_eq!(counts(&page), [3, 2, 1, 0, 0]);
    assert_eq!(
        (&page["objects"], &page["failedObjects"]),
        (&json!(1), &json!(1))
    );
    // It can be put right and replayed.
    let page = format!("delivery-streams/{NAME}/dead-letters");
    let letters = client.read_page(&page).await;
    assert_eq!(letters["deadLetters"][0]["codes"]["400"], 1, "{letters}");
}

#[tokio::test]
async fn what_there_is_no_room_for_is_tried_again_and_the_rest_is_there_once() {
    let (cluster, service, client) = with(&[Does::IsBusy(2)], json!({})).await;
    let records: Vec<String> = (0..5).map(|number| format!("{{\"a\":{number}}}")).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    client.put_delivery(NAME, &records).await;
    client.flush(NAME).await;
    assert_eq!(cluster.documents(), records);
    assert_eq!(cluster.state().sizes, [5, 5]);
    assert_eq!(service.objects(BUCKET), []);
    let page = client.delivery(NAME).await;
    assert_eq!(
        (counts(&page), &page["retries"]),
        ([5, 5, 0, 0, 0], &json!(1))
    );
}

#[tokio::test]
async fn only_what_is_not_taken_in_the_time_for_it_is_in_the_error_output() {
    let (cluster, service, client) = with(&[Does::IsBusy(2)], retry(0)).await;
    let records = [r#"{"a":1}"#, r#"{"a":"x"}"#, r#"{"a":3}"#, r#"{"a":4}"#];
    client.put_delivery(NAME, &records).await;
    client.flush(NAME).await;
    assert_eq!(cluster.documents(), [records[0]]);
    let codes: Vec<_> = lines(&service)
        .into_iter()
        .map(|line| (line["errorCode"].clone(), line["rawData"].clone()))
        .collect();
    let wanted = [
        ("400", records[1]),
        ("429", records[2]),
        ("429", records[3]),
    ];
    let wanted = wanted.map(|(code, data)| (json!(code), json!(base64(data))));
    assert_eq!(codes, wanted);
    assert_eq!(counts(&client.delivery(NAME).await), [4, 1, 3, 0, 0]);
    client.put_delivery(NAME, &[records[2]]).await;
    client.flush(NAME).await;
    assert_eq!(counts(&client.delivery(NAME).await), [5, 2, 3, 0, 0]);
}

#[tokio::test]
async fn a_request_none_of_which_is_taken_leaves_only_lines() {
    let (cluster, service, client) = with(&[Does::EachStatus(400)], json!({})).await;
    client
        .put_delivery(NAME, &[r#"{"a":1}"#, r#"{"a":2}"#])
        .await;
    client.flush(NAME).await;
    assert_eq!((cluster.documents().len(), lines(&service).len()), (0, 2));
    let page = client.delivery(NAME).await;
    assert_eq!(counts(&page), [2, 0, 2, 0, 0]);
    assert_eq!(
        (&page["objects"], &page["failedObjects"]),
        (&json!(0), &json!(1))
    );
}

#[tokio::test]
async fn a_whole_request_that_fails_is_judged_by_its_status() {
    for (does, code) in [
        (Does::Status(413), "OS.ServiceException"),
        (Does::Status(503), "OS.ServiceException"),
        (Does::Status(400), "OS.ServiceException"),
    ] {
        let (cluster, service, client) = with(&[does], retry(0)).await;
        client.put_delivery(NAME, &[r#"{"a":1}"#]).await;
        client.flush(NAME).await;
        assert_eq!(cluster.documents().len(), 0);
        assert_eq!(lines(&service)[0]["errorCode"], code, "{does:?}");
        assert_eq!(counts(&client.delivery(NAME).await), [1, 0, 1, 0, 0]);
    }
}

#[tokio::test]
async fn who_may_not_write_and_an_index_that_is_not_there_pause_and_drop_nothing() {
    for does in [
        Does::Status(401),
        Does::EachStatus(403),
        Does::EachStatus(404),
    ] {
        let (cluster, service, client) = with(&[does; 2], retry(0)).await;
        client.put_delivery(NAME, &[r#"{"a":1}"#]).await;
        let changing = async {
            let told = |page: &Value| {
                let trouble = page["trouble"].as_str().unwrap_or_default();
                trouble.contains("Nothing is dropped")
            };
            client.delivery_until(NAME, told).await;
            cluster.state().script.clear();
            let retry = format!("delivery-streams/{NAME}/retry");
            client.page(http::Method::POST, &retry).await;
        };
        tokio::join!(client.flush(NAME), changing);
        assert_eq!(cluster.documents(), [r#"{"a":1}"#], "{does:?}");
        assert_eq!(service.objects(BUCKET), []);
        assert_eq!(counts(&client.delivery(NAME).await), [1, 1, 0, 0, 0]);
    }
}

/// Documents that were taken counted as lost with the one that was not.
#[tokio::test]
async fn what_is_left_out_of_a_request_is_what_the_cluster_has_not_taken() {
    let (cluster, _service, client) = with(&[Does::IsBusy(1); 100], json!({})).await;
    let documents = [r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#];
    client.put_delivery(NAME, &documents).await;
    let leaving_out = async {
        let is_stuck = |page: &Value| page["stuck"][0]["records"] == 3;
        client.delivery_until(NAME, is_stuck).await;
        let order = format!("delivery-streams/{NAME}/leave-out");
        let answer = client.page(http::Method::POST, &order).await;
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(answer["lanes"][0]["outcome"], "done", "{answer}");
    };
    let flush = format!("delivery-streams/{NAME}/flush");
    let flushing = client.page(http::Method::POST, &flush);
    let (flushed, ()) = tokio::join!(flushing, leaving_out);
    assert_eq!(flushed.body(), "{\"delivered\":false,\"lost\":1}");
    assert_eq!(cluster.documents(), documents[..2]);
    let page = client.delivery(NAME).await;
    assert_eq!(counts(&page), [3, 2, 0, 1, 0]);
    assert_eq!(page["leftOut"], 1, "{page}");
}

/// What waited stayed with the index of its time, and only an order moved it.
#[tokio::test]
async fn another_index_is_enough_for_what_waits_where_nothing_of_it_is_there() {
    for does in [Does::Status(404), Does::EachStatus(404)] {
        let (cluster, service, client) = with(&[does; 100], retry(0)).await;
        client.put_delivery(NAME, &[r#"{"a":1}"#]).await;
        let changing = async {
            let told = |page: &Value| {
                let trouble = page["trouble"].as_str().unwrap_or_default();
                trouble.contains("Nothing is dropped")
            };
            client.delivery_until(NAME, told).await;
            let update = json!({
                "DeliveryStreamName": NAME, "CurrentDeliveryStreamVersionId": "1",
                "DestinationId": "destinationId-000000000001",
                "AmazonopensearchserviceDestinationUpdate": {"IndexName": "other"},
            });
            client.call("Firehose.UpdateDestination", update).await;
            // What was on its way by then went to the index of before.
            let page = client.delivery(NAME).await;
            let before = page["retries"].as_u64();
            let is_tried_anew = |page: &Value| page["retries"].as_u64() > before.map(|it| it + 1);
            client.delivery_until(NAME, is_tried_anew).await;
            cluster.state().script.clear();
        };
        tokio::join!(client.flush(NAME), changing);
        let last = cluster.state().actions.last().cloned().unwrap();
        assert_eq!(last["create"]["_index"], "other-2023-11-14", "{does:?}");
        assert_eq!(cluster.documents(), [r#"{"a":1}"#]);
        assert_eq!(service.objects(BUCKET), []);
        assert_eq!(counts(&client.delivery(NAME).await), [1, 1, 0, 0, 0]);
    }
}

/// The cluster takes none of a request for one that is no line of JSON.
#[tokio::test]
async fn what_is_no_document_is_never_sent() {
    let (cluster, service, client) = with(&[], json!({})).await;
    let bad = ["a line", "", "{\"a\":\n1}", "{\"a\":1}{\"a\":2}", "[1]"];
    client
        .put_delivery(NAME, &[&bad[..], &[r#"{"a":1}"#]].concat())
        .await;
    client.flush(NAME).await;
    assert_eq!(cluster.documents(), [r#"{"a":1}"#]);
    let lines = lines(&service);
    assert_eq!(lines.len(), bad.len());
    for (line, data) in lines.iter().zip(bad) {
        assert_eq!(line["errorCode"], "OS.MalformedData");
        assert_eq!(line["rawData"], base64(data));
    }
    assert_eq!(counts(&client.delivery(NAME).await), [6, 1, 5, 0, 0]);
}

#[tokio::test]
async fn more_documents_than_one_request_holds_are_several_requests() {
    let (cluster, service, client) = with(&[Does::Well, Does::IsBusy(100)], retry(0)).await;
    for _ in 0..21 {
        client.put_delivery(NAME, &[r#"{"a":1}"#; 500]).await;
    }
    client.flush(NAME).await;
    assert_eq!(cluster.state().sizes, [10_000, 500]);
    assert_eq!(cluster.documents().len(), 10_400);
    assert_eq!(lines(&service).len(), 100);
    assert_eq!(
        counts(&client.delivery(NAME).await),
        [10_500, 10_400, 100, 0, 0]
    );
}

#[tokio::test]
async fn elasticsearch_has_words_of_its_own_and_documents_without_ids() {
    let cluster = Cluster::doing(&[]).await;
    let (service, client) = cluster.server().await;
    let more = json!({
        "TypeName": "line",
        "IndexRotationPeriod": "NoRotation",
        "DocumentIdOptions": {"DefaultDocumentIdFormat": "NO_DOCUMENT_ID"},
        "S3BackupMode": "AllDocuments",
        "ProcessingConfiguration": processing(&[("AppendDelimiterToRecord", &[])]),
    });
    let input = json!({
        "DeliveryStreamName": NAME,
        "ElasticsearchDestinationConfiguration": cluster.destination(more),
    });
    client.call(CREATE, input).await;
    client.delivery_is_active(NAME).await;
    client.put_delivery(NAME, &[r#"{"a":1}"#, "no"]).await;
    client.flush(NAME).await;
    let wanted = json!({"index": {"_index": "logs", "_type": "line"}});
    assert_eq!(cluster.state().actions, [wanted]);
    let objects = service.objects(BUCKET);
    let (failed, all): (Vec<_>, Vec<_>) = objects
        .iter()
        .partition(|object| object.key.starts_with("elasticsearch-failed/"));
    assert_eq!((failed.len(), all.len()), (1, 1));
    let line: Value = serde_json::from_str(failed[0].text().trim()).unwrap();
    assert_eq!(
        (&line["errorCode"], &line["esTypeName"]),
        (&json!("ES.MalformedData"), &json!("line"))
    );
    assert_eq!(all[0].text(), "{\"a\":1}no");
}

#[tokio::test]
async fn a_destination_is_described_and_updated_member_by_member() {
    let (cluster, _service, client) = with(&[], json!({})).await;
    let described = client.describe_delivery(NAME).await;
    let destination = &described["Destinations"][0];
    assert_eq!(destination.as_object().unwrap().len(), 2);
    let logging = json!({"Enabled": false});
    let wanted = json!({
        "RoleARN": ROLE,
        "ClusterEndpoint": cluster.url(),
        "IndexName": "logs",
        "IndexRotationPeriod": "OneDay",
        "BufferingHints": {"SizeInMBs": 100, "IntervalInSeconds": 900},
        "RetryOptions": {"DurationInSeconds": 300},
        "S3BackupMode": "FailedDocumentsOnly",
        "S3DestinationDescription": {
            "RoleARN": ROLE,
            "BucketARN": format!("arn:aws:s3:::{BUCKET}"),
            "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
            "CompressionFormat": "UNCOMPRESSED",
            "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
            "CloudWatchLoggingOptions": logging,
        },
        "CloudWatchLoggingOptions": logging,
        "DocumentIdOptions": {"DefaultDocumentIdFormat": "FIREHOSE_DEFAULT"},
    });
    let member = "AmazonopensearchserviceDestinationDescription";
    assert_eq!(destination[member], wanted);
    let update = |changes: Value| {
        json!({
            "DeliveryStreamName": NAME, "CurrentDeliveryStreamVersionId": "1",
            "DestinationId": "destinationId-000000000001",
            "AmazonopensearchserviceDestinationUpdate": changes,
        })
    };
    let changes = json!({"IndexName": "other", "IndexRotationPeriod": "OneWeek"});
    client
        .call("Firehose.UpdateDestination", update(changes))
        .await;
    let described = client.describe_delivery(NAME).await;
    let now = &described["Destinations"][0][member];
    assert_eq!(
        (&now["IndexName"], &now["IndexRotationPeriod"]),
        (&json!("other"), &json!("OneWeek"))
    );
    assert_eq!(now["BufferingHints"], wanted["BufferingHints"]);
    client.put_delivery(NAME, &[r#"{"a":1}"#]).await;
    client.flush(NAME).await;
    assert_eq!(
        cluster.state().actions[0]["create"]["_index"],
        "other-2023-w46"
    );
    let other = json!({
        "DeliveryStreamName": NAME, "CurrentDeliveryStreamVersionId": "2",
        "DestinationId": "destinationId-000000000001",
        "ElasticsearchDestinationUpdate": {"IndexName": "b"},
    });
    let refused = client.refusal("Firehose.UpdateDestination", other).await;
    assert!(
        refused.message.contains("cannot become Elasticsearch"),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn numbers_and_words_are_held_to_the_model_and_what_is_not_served_is_refused() {
    let cluster = Cluster::doing(&[]).await;
    let (_service, client) = cluster.server().await;
    let input = |more: Value| {
        json!({
            "DeliveryStreamName": NAME,
            "AmazonopensearchserviceDestinationConfiguration": cluster.destination(more),
        })
    };
    for (more, member) in [
        (json!({"BufferingHints": {"SizeInMBs": 101}}), "sizeInMBs"),
        (
            json!({"BufferingHints": {"IntervalInSeconds": 901}}),
            "intervalInSeconds",
        ),
        (retry(7_201), "durationInSeconds"),
        (
            json!({"IndexRotationPeriod": "OneYear"}),
            "indexRotationPeriod",
        ),
        (json!({"S3BackupMode": "AllData"}), "s3BackupMode"),
        (json!({"IndexName": ""}), "indexName"),
        (json!({"RoleARN": null}), "roleARN"),
        (json!({"ClusterEndpoint": "ftp://a"}), "clusterEndpoint"),
        (json!({"DomainARN": "arn:aws:es:x"}), "domainARN"),
        (json!({"DocumentIdOptions": {}}), "defaultDocumentIdFormat"),
    ] {
        let refused = client.refusal(CREATE, input(more)).await;
        assert_eq!(
            refused.code, "ValidationException",
            "{member}: {}",
            refused.message
        );
        assert!(
            refused.message.contains(member),
            "{member}: {}",
            refused.message
        );
    }
    let domain = "arn:aws:es:eu-central-1:000000000000:domain/logs";
    for (more, told) in [
        (json!({"DomainARN": domain}), "DomainARN is not supported"),
        (
            json!({"ClusterEndpoint": null}),
            "ClusterEndpoint must be provided",
        ),
        (
            json!({"ClusterEndpoint": "http://10.0.0.1"}),
            "[egress] allow",
        ),
        (
            json!({"ClusterEndpoint": format!("{}/?a=b", cluster.url())}),
            "has a query",
        ),
        (
            json!({"VpcConfiguration": {}}),
            "VpcConfiguration is not supported",
        ),
    ] {
        let refused = client.refusal(CREATE, input(more)).await;
        assert_eq!(refused.code, "InvalidArgumentException", "{told}");
        assert!(
            refused.message.contains(told),
            "{told}: {}",
            refused.message
        );
    }
}

#[tokio::test]
async fn a_name_that_no_index_can_have_is_refused() {
    let cluster = Cluster::doing(&[]).await;
    let (_service, client) = cluster.server().await;
    let long = "\u{1d41a}".repeat(80);
    for (name, told) in [
        ("Logs", "IndexName Logs is none"),
        ("_logs", "IndexName _logs is none"),
        // A letter of titles, which is no capital one.
        ("\u{1c5}", "is none that an index can have"),
        ("a*", "IndexName a* is none"),
        (&long, "IndexName has 334 bytes"),
    ] {
        let more = json!({"IndexName": name, "IndexRotationPeriod": "OneHour"});
        let input = json!({
            "DeliveryStreamName": NAME,
            "AmazonopensearchserviceDestinationConfiguration": cluster.destination(more),
        });
        let refused = client.refusal(CREATE, input).await;
        assert_eq!(refused.code, "InvalidArgumentException", "{told}");
        let message = &refused.message;
        assert!(message.contains(told), "{told}: {message}");
    }
}
