//! Splunk as a destination, over real sockets to a double of its event collector: requests are what
//! its protocol says, nothing counts as delivered that was not acknowledged, and what each answer
//! does to the records.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Method;
use millrace_tests::{BUCKET, Client, ROLE, Service, Setting, base64};
use serde_json::{Value, json};

use crate::collector::{Collector, Does, NAME, TOKEN, update};
use crate::{processing, through};

/// Longer than any acknowledgement is waited for here.
const TOO_LONG: Duration = Duration::from_secs(181);

/// The lines of the error output.
fn lines(service: &Service) -> Vec<Value> {
    let objects = service.objects(BUCKET).into_iter();
    let lines = objects.flat_map(|object| {
        assert!(object.key.starts_with("splunk-failed/"), "{}", object.key);
        let lines = object.text().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<Value>>()
    });
    lines.collect()
}

fn counts(page: &Value) -> [u64; 5] {
    ["recordsIn", "delivered", "failed", "lost", "waitingRecords"]
        .map(|name| page[name].as_u64().unwrap())
}

fn retry(seconds: u32) -> Value {
    json!({"RetryOptions": {"DurationInSeconds": seconds}})
}

async fn refused(client: &Client, input: Value) -> String {
    let refused = client.refusal("Firehose.CreateDeliveryStream", input).await;
    assert_eq!(refused.code, "InvalidArgumentException");
    refused.message
}

#[tokio::test]
async fn records_are_sent_as_they_are_and_count_once_they_are_acknowledged() {
    let collector = Collector::doing(&[]).await;
    let (service, client) = collector.server(Setting::default()).await;
    collector.create(&client, json!({})).await;
    client.put_delivery(NAME, &["one\n", "", "two\u{ff}"]).await;
    client.flush(NAME).await;
    let taken = collector.taken();
    let [request] = &taken[..] else {
        panic!("{taken:?}")
    };
    assert_eq!((&*request.what, &*request.body), ("raw", "one\ntwo\u{ff}"));
    assert_eq!(request.headers["authorization"], format!("Splunk {TOKEN}"));
    let page = client.delivery(NAME).await;
    assert_eq!(counts(&page), [3, 3, 0, 0, 0]);
    assert_eq!(page["endpoint"], collector.url());
    // Numbers of one request are none of another's.
    client.put_delivery(NAME, &["three"]).await;
    client.flush(NAME).await;
    assert_ne!(collector.taken()[1].channel, request.channel);
    assert!(collector.state().codes.is_empty());
    assert_eq!(service.objects(BUCKET), []);
}

#[tokio::test]
async fn records_without_a_byte_are_no_request() {
    let collector = Collector::doing(&[]).await;
    let (_service, client) = collector.server(Setting::default()).await;
    collector.create(&client, json!({})).await;
    client.put_delivery(NAME, &["", ""]).await;
    client.flush(NAME).await;
    assert_eq!(counts(&client.delivery(NAME).await), [2, 2, 0, 0, 0]);
    assert_eq!(collector.bodies(), Vec::<String>::new());
    assert!(collector.state().codes.is_empty());
}

/// The collector refuses all events of a request for one that is none.
#[tokio::test]
async fn a_record_that_is_no_event_is_alone_in_the_error_output() {
    let collector = Collector::doing(&[]).await;
    let (service, client) = collector.server(Setting::default()).await;
    let lines_of = json!({
        "HECEndpointType": "Event",
        "ProcessingConfiguration": processing(&[("AppendDelimiterToRecord", &[])]),
    });
    collector.create(&client, lines_of).await;
    let one = r#"{"event":"one","sourcetype":"s"}"#;
    let two = r#"{"event":{"a":2}}{"event":"three"}"#;
    let bad = ["a line", r#"{"event":""}"#, r#"{"message":"m"}"#];
    client
        .put_delivery(NAME, &[one, bad[0], two, bad[1], bad[2]])
        .await;
    client.flush(NAME).await;
    let taken = collector.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].what, "event");
    assert_eq!(taken[0].body, format!("{one}\n{two}\n"));
    let lines = lines(&service);
    assert_eq!(lines.len(), bad.len());
    for (line, data) in lines.iter().zip(bad) {
        assert_eq!(line["errorCode"], "Splunk.InvalidDataFormat");
        assert_eq!(
            (&line["rawData"], &line["attemptsMade"]),
            (&json!(base64(data)), &json!(1))
        );
    }
    let page = client.delivery(NAME).await;
    assert_eq!(counts(&page), [5, 2, 3, 0, 0]);
    assert_eq!(
        (&page["objects"], &page["failedObjects"]),
        (&json!(1), &json!(1))
    );
    // Nothing but such records: no request.
    client.put_delivery(NAME, &bad).await;
    client.flush(NAME).await;
    assert_eq!(collector.taken().len(), 1);
    assert_eq!(counts(&client.delivery(NAME).await), [8, 2, 6, 0, 0]);
}

#[tokio::test]
async fn what_is_not_acknowledged_in_its_time_is_sent_again() {
    let collector = Collector::doing(&[Does::LoseAck]).await;
    let (service, client) = collector.server(Setting::default()).await;
    collector.create(&client, json!({})).await;
    client.put_delivery(NAME, &["one", "two"]).await;
    let passing = async {
        collector.until_asked_about(&client, 1).await;
        assert_eq!(counts(&client.delivery(NAME).await), [2, 0, 0, 0, 2]);
        service.pass(TOO_LONG);
    };
    tokio::join!(client.flush(NAME), passing);
    assert_eq!(collector.bodies(), ["onetwo", "onetwo"]);
    let page = client.delivery(NAME).await;
    assert_eq!(counts(&page), [2, 2, 0, 0, 0]);
    assert_eq!(page["retries"], 1);
    assert_eq!(service.objects(BUCKET), []);
}

/// Whoever restarts has forgotten all numbers, and counts from the first again.
#[tokio::test]
async fn a_collector_that_restarts_gets_once_more_what_it_has_not_acknowledged() {
    let collector = Collector::doing(&[Does::Index, Does::LoseAck]).await;
    let (service, client) = collector.server(Setting::default()).await;
    collector.create(&client, json!({})).await;
    client.put_delivery(NAME, &["one"]).await;
    client.flush(NAME).await;
    client.put_delivery(NAME, &["two"]).await;
    let passing = async {
        collector.until_asked_about(&client, 2).await;
        collector.restarts();
        service.pass(TOO_LONG);
    };
    tokio::join!(client.flush(NAME), passing);
    assert_eq!(collector.bodies(), ["one", "two", "two"]);
    assert_eq!(counts(&client.delivery(NAME).await), [2, 2, 0, 0, 0]);
}

#[tokio::test]
async fn what_is_not_taken_or_acknowledged_in_the_time_for_it_is_in_the_error_output() {
    for (does, code, is_passed) in [
        (Does::LoseAck, "Splunk.AckTimeout", true),
        (Does::NoNumber, "Splunk.AcknowledgementsDisabled", false),
        (Does::Nothing, "Splunk.ConnectionClosed", false),
        (Does::Refuse(503, 9), "Splunk.IndexerBusy", false),
        (Does::Refuse(500, 8), "Splunk.ServerError", false),
        (Does::Html(200), "Splunk.InvalidHecResponseCharacter", false),
        (Does::Html(413), "Splunk.ServerError.ContentTooLarge", false),
        (Does::Refuse(400, 6), "Splunk.InvalidDataFormat", false),
    ] {
        let collector = Collector::doing(&[does]).await;
        let (service, client) = collector.server(Setting::default()).await;
        collector.create(&client, retry(0)).await;
        client.put_delivery(NAME, &["one", "two"]).await;
        let passing = async {
            if is_passed {
                collector.until_asked_about(&client, 1).await;
                service.pass(TOO_LONG);
            }
        };
        tokio::join!(client.flush(NAME), passing);
        let lines = lines(&service);
        assert_eq!(lines.len(), 2, "{does:?}");
        for (line, data) in lines.iter().zip(["one", "two"]) {
            assert_eq!(line["errorCode"], code, "{line}");
            assert_eq!(line["attemptsMade"], 1);
            assert_eq!(line["rawData"], base64(data));
        }
        assert_eq!(
            counts(&client.delivery(NAME).await),
            [2, 0, 2, 0, 0],
            "{does:?}"
        );
        client.put_delivery(NAME, &["three"]).await;
        client.flush(NAME).await;
        assert_eq!(collector.bodies().last().unwrap(), "three");
        assert_eq!(counts(&client.delivery(NAME).await), [3, 1, 2, 0, 0]);
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let script = [Does::Refuse(503, 9), Does::Html(502)];
    let collector = Collector::doing(&script).await;
    let (service, client) = collector.server(Setting::default()).await;
    collector.create(&client, json!({})).await;
    client.put_delivery(NAME, &["one"]).await;
    client.flush(NAME).await;
    assert_eq!(collector.bodies(), ["one"]);
    assert_eq!(service.objects(BUCKET), []);
    let page = client.delivery(NAME).await;
    assert_eq!(
        (counts(&page), &page["retries"]),
        ([1, 1, 0, 0, 0], &json!(2))
    );
}

/// Records would be indexed again and again where nothing acknowledges them.
#[tokio::test]
async fn a_token_that_does_not_do_pauses_until_that_is_changed_here_or_there() {
    type Turn = fn(&Collector, bool);
    let turns: [(&str, Turn); 3] = [
        ("Splunk.DisabledToken", |it, is| it.state().is_disabled = is),
        ("Splunk.DisabledAck", |it, is| it.state().acknowledges = !is),
        ("Splunk.InvalidToken", |it, is| {
            it.state().token = (if is { "another" } else { TOKEN }).to_owned();
        }),
    ];
    for (code, turn) in turns {
        let collector = Collector::doing(&[]).await;
        let (service, client) = collector.server(Setting::default()).await;
        collector.create(&client, retry(0)).await;
        turn(&collector, true);
        client.put_delivery(NAME, &["one"]).await;
        let changing = async {
            let told = |page: &Value| {
                let trouble = page["trouble"].as_str().unwrap_or_default();
                trouble.contains(code) && trouble.contains("Nothing is dropped")
            };
            let page = client.delivery_until(NAME, told).await;
            assert_eq!(counts(&page), [1, 0, 0, 0, 1]);
            if code == "Splunk.InvalidToken" {
                let changes = json!({"HECToken": "another"});
                collector.update(&client, "1", changes).await;
            } else {
                turn(&collector, false);
                let retry = format!("delivery-streams/{NAME}/retry");
                client.page(Method::POST, &retry).await;
            }
        };
        tokio::join!(client.flush(NAME), changing);
        assert_eq!(collector.bodies(), ["one"], "{code}");
        assert_eq!(service.objects(BUCKET), []);
        assert_eq!(counts(&client.delivery(NAME).await), [1, 1, 0, 0, 0]);
    }
}

/// More than the ten thousand records of one request, and the second one is not acknowledged.
#[tokio::test]
async fn a_restart_sends_once_more_only_what_was_not_acknowledged() {
    let collector = Collector::doing(&[Does::Index, Does::LoseAck]).await;
    let (service, client) = collector.server(Setting::default()).await;
    collector.create(&client, json!({})).await;
    for _ in 0..21 {
        client.put_delivery(NAME, &["x"; 500]).await;
    }
    {
        let flushing = client.flush(NAME);
        let taken = collector.until_taken(&client, 2);
        tokio::pin!(flushing, taken);
        tokio::select! {
            () = &mut taken => {}
            _ = &mut flushing => panic!("it is not acknowledged"),
        }
    }
    let service = service.restart().await;
    let client = service.client();
    client.flush(NAME).await;
    let sizes: Vec<_> = collector.bodies().iter().map(String::len).collect();
    assert_eq!(sizes, [10_000, 500, 500]);
    assert_eq!(
        counts(&client.delivery(NAME).await),
        [10_500, 10_500, 0, 0, 0]
    );
    assert_eq!(service.objects(BUCKET), []);
}

/// Numbers of one channel say nothing of those of another.
#[tokio::test]
async fn each_lane_has_a_channel_of_its_own() {
    let collector = Collector::doing(&[]).await;
    let (service, client) = collector.server(Setting::default()).await;
    client.create("orders", 4).await;
    let input = json!({
        "DeliveryStreamName": NAME,
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {
            "KinesisStreamARN": client.summary("orders").await["StreamARN"],
            "RoleARN": ROLE,
        },
        "SplunkDestinationConfiguration": collector.destination(json!({})),
    });
    client.call("Firehose.CreateDeliveryStream", input).await;
    client.delivery_is_active(NAME).await;
    service.pass(Duration::from_millis(10));
    for key in 0..40 {
        let record = json!({
            "StreamName": "orders", "Data": base64("x"), "PartitionKey": key.to_string(),
        });
        client.call("PutRecord", record).await;
    }
    client.flush(NAME).await;
    let channels = collector.taken().into_iter().map(|taken| taken.channel);
    assert_eq!(channels.collect::<BTreeSet<_>>().len(), 4);
    assert_eq!(counts(&client.delivery(NAME).await), [40, 40, 0, 0, 0]);
}

/// Only the server that took events knows their numbers.
#[tokio::test]
async fn all_requests_of_an_exchange_go_to_the_server_that_a_load_balancer_chose() {
    let collector = Collector::doing(&[]).await;
    collector.state().nodes = 3;
    let (_service, client) = collector.server(Setting::default()).await;
    collector.create(&client, json!({})).await;
    for round in 1..=3 {
        client.put_delivery(NAME, &["one"]).await;
        client.flush(NAME).await;
        assert_eq!(collector.taken().len(), round);
    }
}

/// The node that is asked instead of one that is gone has indexed another request by the same
/// number, and nobody has asked for that: it is no answer.
#[tokio::test]
async fn what_another_server_says_of_a_number_of_its_own_acknowledges_nothing() {
    let collector = Collector::doing(&[Does::IndexUnheard, Does::Die]).await;
    collector.state().nodes = 2;
    let (service, client) = collector.server(Setting::default()).await;
    collector.create(&client, json!({})).await;
    client.put_delivery(NAME, &["one"]).await;
    let passing = async {
        collector.until_asked_about(&client, 2).await;
        assert_eq!(counts(&client.delivery(NAME).await), [1, 0, 0, 0, 1]);
        service.pass(TOO_LONG);
    };
    tokio::join!(client.flush(NAME), passing);
    assert_eq!(collector.bodies(), ["one", "one", "one"]);
    assert_eq!(counts(&client.delivery(NAME).await), [1, 1, 0, 0, 0]);
}

#[tokio::test]
async fn a_token_that_an_answer_repeats_is_in_nothing_that_is_shown() {
    let collector = Collector::doing(&[Does::Repeat(500), Does::Repeat(403)]).await;
    let (service, client) = collector.server(Setting::default()).await;
    let at_once = json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}});
    collector.create(&client, at_once).await;
    client.put_delivery(NAME, &["one"]).await;
    let refused = |page: &Value| {
        page["trouble"]
            .as_str()
            .is_some_and(|it| it.contains("403"))
    };
    let page = client.delivery_until(NAME, refused).await;
    let logs = client
        .read_page(&format!("delivery-streams/{NAME}/logs"))
        .await;
    for shown in [page, logs] {
        let shown = shown.to_string();
        assert!(shown.contains("you said Splunk [secret]"), "{shown}");
        assert!(!shown.contains(TOKEN), "{shown}");
    }
    drop(service);
}

#[tokio::test]
async fn what_is_not_acknowledged_for_long_is_shown_and_goes_elsewhere_when_somebody_says_so() {
    let collector = Collector::doing(&[Does::LoseAck]).await;
    let (service, client) = collector.server(Setting::default()).await;
    let at_once = json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}});
    collector.create(&client, at_once).await;
    client.put_delivery(NAME, &["one"]).await;
    collector.until_asked_about(&client, 1).await;
    assert_eq!(client.delivery(NAME).await["trouble"], Value::Null);
    service.pass(Duration::from_secs(61));
    let told = |page: &Value| {
        let trouble = page["trouble"].as_str().unwrap_or_default();
        trouble.contains("not acknowledged it for 6")
            && trouble.contains("`millrace delivery move events --lane direct`")
    };
    client.delivery_until(NAME, told).await;
    let page = format!("delivery-streams/{NAME}/move");
    let answer = client.page(Method::POST, &page).await;
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(answer["lanes"][0]["outcome"], "done", "{answer}");
    assert_eq!(answer["lanes"][0]["objectsThatMayExist"], 1, "{answer}");
    client.flush(NAME).await;
    let page = client.delivery(NAME).await;
    assert_eq!(
        (counts(&page), &page["trouble"]),
        ([1, 1, 0, 0, 0], &Value::Null)
    );
    assert_eq!(collector.bodies(), ["one", "one"]);
}

#[tokio::test]
async fn refused_records_are_replayed() {
    let collector = Collector::doing(&[Does::Refuse(400, 6)]).await;
    let (service, client) = collector.server(Setting::default()).await;
    collector.create(&client, json!({})).await;
    client.put_delivery(NAME, &["one", "two"]).await;
    client.flush(NAME).await;
    assert_eq!(lines(&service).len(), 2);
    let page = format!("delivery-streams/{NAME}/dead-letters");
    let letters = client.read_page(&page).await;
    let letter = &letters["deadLetters"][0];
    assert_eq!(letter["codes"]["Splunk.InvalidDataFormat"], 2, "{letters}");
    let replay = json!({"letter": letter["object"].as_str().unwrap()});
    let (status, answer) = client.post_page(&format!("{page}/replay"), &replay).await;
    assert_eq!((status, &answer["replayed"]), (200, &json!(2)), "{answer}");
    client.flush(NAME).await;
    assert_eq!(collector.bodies(), ["onetwo"]);
    assert_eq!(counts(&client.delivery(NAME).await), [4, 2, 2, 0, 0]);
}

#[tokio::test]
async fn records_go_through_a_transform_and_as_they_came_in_into_the_bucket() {
    let collector = Collector::doing(&[]).await;
    let files = crate::plugin_files::PluginFiles::with(&["redact-card-numbers"]);
    let setting = Setting {
        plugins: Some(files.path().to_owned()),
        ..Setting::default()
    };
    let (service, client) = collector.server(setting).await;
    let more = json!({
        "ProcessingConfiguration": through("redact-card-numbers"), "S3BackupMode": "AllEvents",
    });
    collector.create(&client, more).await;
    client.put_delivery(NAME, &["4111 1111 1111 1111"]).await;
    client.flush(NAME).await;
    assert_eq!(collector.bodies(), ["**** **** **** 1111"]);
    assert_eq!(service.delivered(), ["4111 1111 1111 1111"]);
    let described = client.describe_delivery(NAME).await;
    let described = &described["Destinations"][0]["SplunkDestinationDescription"];
    let parameters = &described["ProcessingConfiguration"]["Processors"][0]["Parameters"];
    let size = json!({"ParameterName": "BufferSizeInMBs", "ParameterValue": "0.25"});
    assert!(
        parameters.as_array().unwrap().contains(&size),
        "{parameters}"
    );
    // It is a one-way switch.
    let back = update("1", json!({"S3BackupMode": "FailedEventsOnly"}));
    let refused = client.refusal("Firehose.UpdateDestination", back).await;
    assert!(
        refused.message.contains("AllEvents cannot be changed"),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn a_destination_is_described_and_updated_member_by_member() {
    let collector = Collector::doing(&[]).await;
    let (_service, client) = collector.server(Setting::default()).await;
    let mut usual = collector.destination(json!({}));
    usual.as_object_mut().unwrap().remove("BufferingHints");
    let input = json!({"DeliveryStreamName": NAME, "SplunkDestinationConfiguration": usual});
    client.call("Firehose.CreateDeliveryStream", input).await;
    client.delivery_is_active(NAME).await;
    let described = client.describe_delivery(NAME).await;
    let destination = &described["Destinations"][0];
    assert_eq!(destination.as_object().unwrap().len(), 2);
    let logging = json!({"Enabled": false});
    let wanted = json!({
        "HECEndpoint": collector.url(),
        "HECEndpointType": "Raw",
        "HECToken": TOKEN,
        "HECAcknowledgmentTimeoutInSeconds": 180,
        "RetryOptions": {"DurationInSeconds": 3600},
        "S3BackupMode": "FailedEventsOnly",
        "S3DestinationDescription": {
            "RoleARN": ROLE,
            "BucketARN": format!("arn:aws:s3:::{BUCKET}"),
            "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
            "CompressionFormat": "UNCOMPRESSED",
            "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
            "CloudWatchLoggingOptions": logging,
        },
        "CloudWatchLoggingOptions": logging,
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60},
    });
    assert_eq!(destination["SplunkDestinationDescription"], wanted);
    let changes = json!({
        "HECEndpointType": "Event",
        "HECAcknowledgmentTimeoutInSeconds": 600,
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        "S3Update": {"Prefix": "all/"},
    });
    collector.update(&client, "1", changes).await;
    let described = client.describe_delivery(NAME).await;
    let now = &described["Destinations"][0]["SplunkDestinationDescription"];
    assert_eq!(
        (&now["HECEndpointType"], &now["HECToken"]),
        (&json!("Event"), &json!(TOKEN))
    );
    assert_eq!(now["HECAcknowledgmentTimeoutInSeconds"], 600);
    assert_eq!(now["BufferingHints"]["IntervalInSeconds"], 0);
    assert_eq!(now["RetryOptions"], wanted["RetryOptions"]);
    assert_eq!(now["S3DestinationDescription"]["Prefix"], "all/");
    client.put_delivery(NAME, &[r#"{"event":1}"#]).await;
    client.flush(NAME).await;
    assert_eq!(collector.taken()[0].what, "event");
    let s3 = json!({
        "DeliveryStreamName": NAME, "CurrentDeliveryStreamVersionId": "2",
        "DestinationId": "destinationId-000000000001",
        "S3DestinationUpdate": {"Prefix": "b/"},
    });
    let refused = client.refusal("Firehose.UpdateDestination", s3).await;
    assert_eq!(refused.code, "InvalidArgumentException");
    assert!(
        refused.message.contains("is Splunk and cannot become S3"),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn numbers_and_words_are_held_to_the_model_and_what_is_not_served_is_refused() {
    let collector = Collector::doing(&[]).await;
    let (_service, client) = collector.server(Setting::default()).await;
    let input = |more: Value| {
        json!({
            "DeliveryStreamName": NAME,
            "SplunkDestinationConfiguration": collector.destination(more),
        })
    };
    for (more, member) in [
        (json!({"BufferingHints": {"SizeInMBs": 6}}), "sizeInMBs"),
        (
            json!({"BufferingHints": {"IntervalInSeconds": 61}}),
            "intervalInSeconds",
        ),
        (retry(7_201), "durationInSeconds"),
        (
            json!({"HECAcknowledgmentTimeoutInSeconds": 179}),
            "hECAcknowledgmentTimeoutInSeconds",
        ),
        (
            json!({"HECAcknowledgmentTimeoutInSeconds": 601}),
            "hECAcknowledgmentTimeoutInSeconds",
        ),
        (json!({"S3BackupMode": "AllData"}), "s3BackupMode"),
        (json!({"HECEndpointType": "raw"}), "hECEndpointType"),
        (json!({"HECEndpoint": null}), "hECEndpoint"),
        (json!({"S3Configuration": {"RoleARN": ROLE}}), "bucketARN"),
    ] {
        let refused = client
            .refusal("Firehose.CreateDeliveryStream", input(more))
            .await;
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
    for (more, told) in [
        (json!({"HECToken": ""}), "HECToken must be provided"),
        (
            json!({"HECToken": "a\u{1}"}),
            "HECToken has a control character",
        ),
        (json!({"HECEndpoint": ""}), "HECEndpoint: "),
        (json!({"HECEndpoint": "http://10.0.0.1"}), "[egress] allow"),
        (
            json!({"HECEndpoint": format!("{}/?a=b", collector.url())}),
            "HECEndpoint has a query",
        ),
        (
            json!({"SecretsManagerConfiguration": {"Enabled": true}}),
            "SecretARN must be provided",
        ),
    ] {
        let message = refused(&client, input(more)).await;
        assert!(message.contains(told), "{told}: {message}");
    }
}
