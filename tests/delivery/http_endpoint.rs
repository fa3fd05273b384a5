//! An HTTP endpoint as a destination, over real sockets: requests are what AWS's contract says, and
//! what each answer does to the records.

use http::Method;
use millrace_tests::{BUCKET, ROLE, Service, Setting, base64};
use serde_json::{Value, json};
use wasm::HostPattern;

use crate::endpoint::{Endpoint, NAME, Says};
use crate::through;

const ARN: &str = "arn:aws:firehose:eu-central-1:000000000000:deliverystream/calls";

/// The lines of the error output.
fn lines(service: &Service) -> Vec<Value> {
    let objects = service.objects(BUCKET).into_iter();
    let lines = objects.flat_map(|object| {
        assert!(
            object.key.starts_with("http-endpoint-failed/"),
            "{}",
            object.key
        );
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

#[tokio::test]
async fn a_request_is_what_the_contract_says() {
    let endpoint = Endpoint::saying(&[]).await;
    let (_service, client) = endpoint.server().await;
    let attributes = json!([
        {"AttributeName": "team", "AttributeValue": "a \"b\" ü"},
        {"AttributeName": "empty", "AttributeValue": ""},
    ]);
    let more = json!({"RequestConfiguration": {"CommonAttributes": attributes}});
    endpoint.create(&client, more).await;
    client.put_delivery(NAME, &["one", "", "three\u{ff}"]).await;
    client.flush(NAME).await;
    let heard = endpoint.heard();
    let [request] = &heard[..] else {
        panic!("{heard:?}")
    };
    assert_eq!(request.path, "/take?all=yes");
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("content-encoding"), None);
    assert_eq!(header("x-amz-firehose-protocol-version"), Some("1.0"));
    assert_eq!(header("x-amz-firehose-source-arn"), Some(ARN));
    assert_eq!(header("x-amz-firehose-access-key"), Some("open sesame"));
    let attributes = header("x-amz-firehose-common-attributes").unwrap();
    let attributes: Value = serde_json::from_str(attributes).unwrap();
    let wanted = json!({"commonAttributes": {"team": "a \"b\" ü", "empty": ""}});
    assert_eq!(attributes, wanted);
    let body = request.json();
    assert_eq!(body["requestId"], request.id());
    assert_eq!(request.id().len(), 36);
    assert_eq!(body["timestamp"], 1_700_000_000_000_u64);
    let wanted = ["one", "", "three\u{ff}"].map(base64);
    assert_eq!(request.records(), wanted);
    let page = client.delivery(NAME).await;
    assert_eq!(counts(&page), [3, 3, 0, 0, 0]);
    assert_eq!(
        (&page["endpoint"], &page["objects"]),
        (&json!(endpoint.url()), &json!(1))
    );
    assert!(
        page["lastObject"].as_str().unwrap().contains(request.id()),
        "{page}"
    );
}

#[tokio::test]
async fn bodies_are_packed_where_that_is_configured() {
    let endpoint = Endpoint::saying(&[]).await;
    let (_service, client) = endpoint.server().await;
    let more = json!({"RequestConfiguration": {"ContentEncoding": "GZIP"}});
    endpoint.create(&client, more).await;
    client.put_delivery(NAME, &["one", "two"]).await;
    client.flush(NAME).await;
    let heard = endpoint.heard();
    assert_eq!(heard[0].headers["content-encoding"], "gzip");
    let mut body = String::new();
    let mut unpacking = flate2::read::GzDecoder::new(&heard[0].body[..]);
    std::io::Read::read_to_string(&mut unpacking, &mut body).unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["requestId"], heard[0].id());
    assert_eq!(body["records"].as_array().unwrap().len(), 2);
}

/// Each of them is no 200 that conforms; a redirect is followed nowhere.
#[tokio::test]
async fn whatever_is_no_conforming_200_is_sent_again_as_it_was() {
    let script = [
        Says::Status(500),
        Says::AnotherId,
        Says::Nothing,
        Says::Elsewhere,
    ];
    let endpoint = Endpoint::saying(&script).await;
    let (service, client) = endpoint.server().await;
    endpoint.create(&client, json!({})).await;
    client.put_delivery(NAME, &["one", "two"]).await;
    client.flush(NAME).await;
    let heard = endpoint.heard();
    assert_eq!(heard.len(), script.len() + 1);
    for again in &heard {
        let first = (heard[0].id(), &heard[0].path, &heard[0].body);
        assert_eq!((again.id(), &again.path, &again.body), first);
    }
    assert_eq!(service.objects(BUCKET), []);
    let page = client.delivery(NAME).await;
    assert_eq!(counts(&page), [2, 2, 0, 0, 0]);
    assert_eq!(page["retries"], 4);
}

#[tokio::test]
async fn what_the_endpoint_does_not_take_in_its_time_is_in_the_error_output() {
    for (says, code) in [
        (Says::Status(400), "HttpEndpoint.DestinationException"),
        (Says::Status(413), "HttpEndpoint.DestinationException"),
        (
            Says::WithoutLength,
            "HttpEndpoint.InvalidResponseFromDestination",
        ),
        (Says::TooMuch, "HttpEndpoint.ResponseTooLarge"),
        (Says::Nothing, "HttpEndpoint.ConnectionReset"),
    ] {
        let endpoint = Endpoint::saying(&[says]).await;
        let (service, client) = endpoint.server().await;
        endpoint
            .create(&client, json!({"RetryOptions": {"DurationInSeconds": 0}}))
            .await;
        client.put_delivery(NAME, &["one", "two"]).await;
        client.flush(NAME).await;
        let lines = lines(&service);
        assert_eq!(lines.len(), 2, "{says:?}");
        for (line, data) in lines.iter().zip(["one", "two"]) {
            assert_eq!(line["errorCode"], code, "{line}");
            assert_eq!(line["attemptsMade"], 1);
            assert_eq!(line["rawData"], base64(data));
            assert_eq!(line["attemptEndingTimestamp"], 1_700_000_000_000_u64);
        }
        let page = client.delivery(NAME).await;
        assert_eq!(counts(&page), [2, 0, 2, 0, 0], "{says:?}");
        client.put_delivery(NAME, &["three"]).await;
        client.flush(NAME).await;
        assert_eq!(counts(&client.delivery(NAME).await), [3, 1, 2, 0, 0]);
    }
}

/// The oracle is the endpoint: what it took before the restart is sent once more, as it was.
#[tokio::test]
async fn a_restart_sends_what_was_not_answered_once_more_by_the_same_id() {
    let endpoint = Endpoint::saying(&[Says::Later]).await;
    let (service, client) = endpoint.server().await;
    endpoint.create(&client, json!({})).await;
    client.put_delivery(NAME, &["one", "two"]).await;
    let hints = json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}});
    client
        .call(
            "Firehose.UpdateDestination",
            json!({
                "DeliveryStreamName": NAME, "CurrentDeliveryStreamVersionId": "1",
                "DestinationId": "destinationId-000000000001",
                "HttpEndpointDestinationUpdate": hints,
            }),
        )
        .await;
    while endpoint.heard().is_empty() {
        client.delivery(NAME).await;
    }
    let service = service.restart().await;
    let client = service.client();
    client.flush(NAME).await;
    let heard = endpoint.heard();
    assert_eq!(heard.len(), 2);
    assert_eq!(
        (heard[0].id(), &heard[0].body),
        (heard[1].id(), &heard[1].body)
    );
    client.put_delivery(NAME, &["three"]).await;
    client.flush(NAME).await;
    let heard = endpoint.heard();
    assert_ne!(heard[1].id(), heard[2].id());
    assert_eq!(counts(&client.delivery(NAME).await), [3, 3, 0, 0, 0]);
    endpoint.released.send_replace(true);
}

/// It keeps its request to the end, and the others are delivered meanwhile.
#[tokio::test]
async fn an_endpoint_that_hangs_holds_up_no_other_delivery_stream() {
    let endpoint = Endpoint::saying(&[Says::Later]).await;
    let (service, client) = endpoint.server().await;
    let at_once = json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}});
    endpoint.create(&client, at_once).await;
    client.create_delivery("other", json!({})).await;
    client.put_delivery(NAME, &["one"]).await;
    while endpoint.heard().is_empty() {
        client.delivery(NAME).await;
    }
    for round in 1..=3 {
        client.put_delivery("other", &["two"]).await;
        client.flush("other").await;
        assert_eq!(service.delivered().len(), round);
    }
    assert_eq!(counts(&client.delivery(NAME).await), [1, 0, 0, 0, 1]);
    endpoint.released.send_replace(true);
    client.flush(NAME).await;
    assert_eq!(counts(&client.delivery(NAME).await), [1, 1, 0, 0, 0]);
    assert_eq!(endpoint.heard().len(), 1);
}

/// Nobody could do anything about it for three minutes.
#[tokio::test]
async fn an_endpoint_that_hangs_is_shown_and_what_it_keeps_goes_elsewhere_when_somebody_says_so() {
    for order in [Some("move"), Some("retry"), None] {
        let endpoint = Endpoint::saying(&[Says::Later]).await;
        let (_service, client) = endpoint.server().await;
        let at_once = json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}});
        endpoint.create(&client, at_once).await;
        client.put_delivery(NAME, &["one"]).await;
        if let Some(order) = order {
            let told = |page: &Value| {
                let trouble = page["trouble"].as_str().unwrap_or_default();
                trouble.contains("the destination has not answered for ")
                    && trouble.contains("`millrace delivery move calls --lane direct`")
            };
            client.delivery_until(NAME, told).await;
            let page = format!("delivery-streams/{NAME}/{order}");
            let answer = client.page(Method::POST, &page).await;
            let answer: Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!(answer["lanes"][0]["outcome"], "done", "{answer}");
            assert_eq!(answer["lanes"][0]["objectsThatMayExist"], 1, "{answer}");
        } else {
            while endpoint.heard().is_empty() {
                client.delivery(NAME).await;
            }
            let changes = json!({
                "EndpointConfiguration": {"Url": endpoint.url(), "AccessKey": "another"},
            });
            let update = json!({
                "DeliveryStreamName": NAME, "CurrentDeliveryStreamVersionId": "1",
                "DestinationId": "destinationId-000000000001",
                "HttpEndpointDestinationUpdate": changes,
            });
            client.call("Firehose.UpdateDestination", update).await;
        }
        client.flush(NAME).await;
        let page = client.delivery(NAME).await;
        assert_eq!(counts(&page), [1, 1, 0, 0, 0]);
        assert_eq!(page["trouble"], Value::Null, "{page}");
        let heard = endpoint.heard();
        assert_eq!(heard.len(), 2);
        // What is moved becomes another delivery.
        assert_eq!(heard[0].id() == heard[1].id(), order != Some("move"));
        endpoint.released.send_replace(true);
    }
}

#[tokio::test]
async fn a_key_that_is_not_taken_pauses_until_another_one_is_configured() {
    for status in [401, 403, 404] {
        let endpoint = Endpoint::saying(&[Says::Status(status)]).await;
        let (service, client) = endpoint.server().await;
        endpoint
            .create(&client, json!({"RetryOptions": {"DurationInSeconds": 0}}))
            .await;
        endpoint
            .script
            .lock()
            .unwrap()
            .extend([Says::Status(status); 2]);
        client.put_delivery(NAME, &["one"]).await;
        let flushing = client.flush(NAME);
        let changing = async {
            let told = |page: &Value| {
                let trouble = page["trouble"].as_str().unwrap_or_default();
                trouble.contains(&format!("{status}: ")) && trouble.contains("Nothing is dropped")
            };
            let page = client.delivery_until(NAME, told).await;
            assert_eq!(counts(&page), [1, 0, 0, 0, 1]);
            let update = json!({
                "DeliveryStreamName": NAME, "CurrentDeliveryStreamVersionId": "1",
                "DestinationId": "destinationId-000000000001",
                "HttpEndpointDestinationUpdate": {
                    "EndpointConfiguration": {"Url": endpoint.url(), "AccessKey": "another"},
                },
            });
            client.call("Firehose.UpdateDestination", update).await;
        };
        tokio::join!(flushing, changing);
        assert_eq!(service.objects(BUCKET), []);
        let heard = endpoint.heard();
        let (first, last) = (&heard[0], heard.last().unwrap());
        assert_eq!(first.id(), last.id());
        assert_eq!(last.said, Says::Yes);
        assert_eq!(last.headers["x-amz-firehose-access-key"], "another");
    }
}

#[tokio::test]
async fn only_what_the_operator_names_is_called_plainly_or_nearby() {
    let endpoint = Endpoint::saying(&[]).await;
    let (_service, client) = endpoint.server().await;
    let input = |url: &str| {
        let more = json!({"EndpointConfiguration": {"Url": url}});
        json!({
            "DeliveryStreamName": NAME,
            "HttpEndpointDestinationConfiguration": endpoint.destination(more),
        })
    };
    for (url, told) in [
        (
            "http://example.com/",
            "[egress] allow = [\"example.com:80\"]",
        ),
        ("https://127.0.0.1/", "a loopback address"),
        ("https://10.0.0.1/", "a private address"),
        ("https://169.254.169.254/", "link-local"),
        ("https://[::1]:8443/", "[egress] allow = [\"[::1]:8443\"]"),
        ("https://user@example.com/", "a user or a password"),
    ] {
        let refused = client
            .refusal("Firehose.CreateDeliveryStream", input(url))
            .await;
        assert_eq!(refused.code, "InvalidArgumentException", "{url}");
        assert!(refused.message.contains(told), "{url}: {}", refused.message);
    }
    assert_eq!(endpoint.heard().len(), 0);
}

#[tokio::test]
async fn a_destination_is_described_and_updated_member_by_member() {
    let endpoint = Endpoint::saying(&[]).await;
    let (_service, client) = endpoint.server().await;
    let more = json!({
        "EndpointConfiguration": {"Url": endpoint.url(), "Name": "mine", "AccessKey": "key"},
    });
    endpoint.create(&client, more).await;
    let described = client.describe_delivery(NAME).await;
    let destination = &described["Destinations"][0];
    assert_eq!(destination["DestinationId"], "destinationId-000000000001");
    assert_eq!(destination.as_object().unwrap().len(), 2);
    let logging = json!({"Enabled": false});
    let wanted = json!({
        "EndpointConfiguration": {"Url": endpoint.url(), "Name": "mine"},
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 900},
        "CloudWatchLoggingOptions": logging,
        "RequestConfiguration": {"ContentEncoding": "NONE", "CommonAttributes": []},
        "RetryOptions": {"DurationInSeconds": 300},
        "S3BackupMode": "FailedDataOnly",
        "S3DestinationDescription": {
            "RoleARN": ROLE,
            "BucketARN": format!("arn:aws:s3:::{BUCKET}"),
            "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
            "CompressionFormat": "UNCOMPRESSED",
            "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
            "CloudWatchLoggingOptions": logging,
        },
    });
    assert_eq!(destination["HttpEndpointDestinationDescription"], wanted);
    let update = |version: &str, changes: Value| {
        json!({
            "DeliveryStreamName": NAME, "CurrentDeliveryStreamVersionId": version,
            "DestinationId": "destinationId-000000000001",
            "HttpEndpointDestinationUpdate": changes,
        })
    };
    let changes = json!({
        "RetryOptions": {"DurationInSeconds": 7200},
        "S3BackupMode": "AllData",
        "S3Update": {"Prefix": "all/", "BufferingHints": {"SizeInMBs": 9, "IntervalInSeconds": 1}},
    });
    client
        .call("Firehose.UpdateDestination", update("1", changes))
        .await;
    let described = client.describe_delivery(NAME).await;
    let now = &described["Destinations"][0]["HttpEndpointDestinationDescription"];
    assert_eq!(now["RetryOptions"]["DurationInSeconds"], 7200);
    assert_eq!(now["S3BackupMode"], "AllData");
    assert_eq!(now["BufferingHints"], wanted["BufferingHints"]);
    let s3 = &now["S3DestinationDescription"];
    assert_eq!(
        (&s3["Prefix"], &s3["BufferingHints"]["SizeInMBs"]),
        (&json!("all/"), &json!(9))
    );
    // The key is still there.
    client.put_delivery(NAME, &["one"]).await;
    client.flush(NAME).await;
    assert_eq!(
        endpoint.heard()[0].headers["x-amz-firehose-access-key"],
        "key"
    );
}

#[tokio::test]
async fn a_destination_does_not_become_one_of_another_kind() {
    let endpoint = Endpoint::saying(&[]).await;
    let (_service, client) = endpoint.server().await;
    endpoint.create(&client, json!({})).await;
    let s3 = json!({
        "DeliveryStreamName": NAME, "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "S3DestinationUpdate": {"Prefix": "b/"},
    });
    let refused = client.refusal("Firehose.UpdateDestination", s3).await;
    assert_eq!(refused.code, "InvalidArgumentException");
    assert!(
        refused.message.contains("cannot become S3"),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn numbers_and_words_are_held_to_the_model() {
    let endpoint = Endpoint::saying(&[]).await;
    let (_service, client) = endpoint.server().await;
    for (more, member) in [
        (
            json!({"BufferingHints": {"SizeInMBs": 65, "IntervalInSeconds": 1}}),
            "sizeInMBs",
        ),
        (
            json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 901}}),
            "intervalInSeconds",
        ),
        (
            json!({"RetryOptions": {"DurationInSeconds": 7201}}),
            "durationInSeconds",
        ),
        (json!({"S3BackupMode": "Enabled"}), "s3BackupMode"),
        (
            json!({"RequestConfiguration": {"ContentEncoding": "ZIP"}}),
            "contentEncoding",
        ),
        (
            json!({"EndpointConfiguration": {"Url": "ftp://a.example"}}),
            "url",
        ),
        (json!({"EndpointConfiguration": {}}), "url"),
        (json!({"S3Configuration": {"RoleARN": ROLE}}), "bucketARN"),
    ] {
        let input = json!({
            "DeliveryStreamName": NAME,
            "HttpEndpointDestinationConfiguration": endpoint.destination(more),
        });
        let refused = client.refusal("Firehose.CreateDeliveryStream", input).await;
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
}

#[tokio::test]
async fn records_go_through_a_transform_first() {
    let endpoint = Endpoint::saying(&[]).await;
    let files = crate::plugin_files::PluginFiles::with(&["redact-card-numbers"]);
    let allowed = HostPattern::parse(&format!("127.0.0.1:{}", endpoint.port)).unwrap();
    let service = Service::start_with(Setting {
        egress_allow: vec![allowed],
        plugins: Some(files.path().to_owned()),
        ..Setting::default()
    })
    .await;
    let client = service.client();
    let more = json!({
        "ProcessingConfiguration": through("redact-card-numbers"), "S3BackupMode": "AllData",
    });
    endpoint.create(&client, more).await;
    client.put_delivery(NAME, &["4111 1111 1111 1111"]).await;
    client.flush(NAME).await;
    assert_eq!(
        endpoint.heard()[0].records(),
        [base64("**** **** **** 1111")]
    );
    // The bucket has what came in.
    assert_eq!(service.delivered(), ["4111 1111 1111 1111"]);
}

#[tokio::test]
async fn refused_records_are_replayed_to_the_endpoint() {
    let endpoint = Endpoint::saying(&[Says::Status(413)]).await;
    let (service, client) = endpoint.server().await;
    endpoint.create(&client, json!({})).await;
    client.put_delivery(NAME, &["one", "two"]).await;
    client.flush(NAME).await;
    assert_eq!(lines(&service).len(), 2);
    let page = format!("delivery-streams/{NAME}/dead-letters");
    let letters = client.read_page(&page).await;
    let letter = &letters["deadLetters"][0];
    assert_eq!(
        (&letter["records"], &letter["state"]),
        (&json!(2), &json!("open")),
        "{letters}"
    );
    let object = letter["object"].as_str().unwrap();
    let replay = json!({"letter": object});
    let (status, answer) = client.post_page(&format!("{page}/replay"), &replay).await;
    assert_eq!((status, &answer["replayed"]), (200, &json!(2)), "{answer}");
    client.flush(NAME).await;
    let heard = endpoint.heard();
    assert_eq!(heard[0].records(), heard[1].records());
    assert_ne!(heard[0].id(), heard[1].id());
    let page = client.delivery(NAME).await;
    assert_eq!(
        (counts(&page), &page["replayed"]),
        ([4, 2, 2, 0, 0], &json!(2))
    );
}
