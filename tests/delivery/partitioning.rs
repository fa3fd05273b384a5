//! Dynamic partitioning: records go to partitions by keys that a query finds in them, or that their
//! plugin gives; several that come in one are taken apart before.

use std::collections::BTreeMap;

use millrace_tests::{BUCKET, Client, ROLE, Service, base64, destination, over};
use serde_json::{Value, json};

use crate::processing;

const CREATE: &str = "Firehose.CreateDeliveryStream";
const UPDATE: &str = "Firehose.UpdateDestination";
const QUERY: &str = "{customer: .customer, year: (.at | strftime(\"%Y\"))}";
const PREFIX: &str = "c=!{partitionKeyFromQuery:customer}/y=!{partitionKeyFromQuery:year}/";
const DEAGGREGATION: (&str, &[(&str, &str)]) =
    ("RecordDeAggregation", &[("SubRecordType", "JSON")]);
const DELIMITER: (&str, &[(&str, &str)]) = ("AppendDelimiterToRecord", &[]);

fn extraction(query: &str) -> Vec<(&str, &str)> {
    vec![
        ("MetadataExtractionQuery", query),
        ("JsonParsingEngine", "JQ-1.6"),
    ]
}

/// Members of a destination with partitions, whose processors are these besides the query.
fn partitioned(prefix: &str, query: &str, more: &[(&str, &[(&str, &str)])]) -> Value {
    let extraction = extraction(query);
    let mut processors = more.to_vec();
    processors.push(("MetadataExtraction", &extraction));
    json!({
        "Prefix": prefix,
        "ErrorOutputPrefix": "failed/!{firehose:error-output-type}/",
        "DynamicPartitioningConfiguration": {"Enabled": true},
        "ProcessingConfiguration": processing(&processors),
    })
}

async fn started(destination: Value) -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("events", destination).await;
    (service, client)
}

fn event(customer: &str, at: u64) -> String {
    json!({"customer": customer, "at": at}).to_string()
}

/// What lies in each folder of delivered objects.
fn by_folder(service: &Service) -> BTreeMap<String, Vec<String>> {
    let mut folders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for object in service.objects(BUCKET) {
        let (folder, name) = object.key.rsplit_once('/').unwrap();
        if !folder.starts_with("failed") {
            assert!(name.starts_with("events-1-"), "{name}");
            let texts = folders.entry(folder.to_owned()).or_default();
            texts.push(object.text().to_owned());
        }
    }
    folders
}

fn failed(service: &Service) -> Vec<Value> {
    let objects = service.objects(BUCKET).into_iter();
    let failed = objects.filter(|object| object.key.starts_with("failed/processing-failed/"));
    failed
        .flat_map(|object| {
            let lines = object.text().lines();
            let lines = lines.map(|line| serde_json::from_str(line).unwrap());
            lines.collect::<Vec<Value>>()
        })
        .collect()
}

#[track_caller]
fn assert_counts(page: &Value, [delivered, dropped, failed]: [u64; 3]) {
    for (name, wanted) in [
        ("recordsIn", delivered + dropped + failed),
        ("delivered", delivered),
        ("dropped", dropped),
        ("failed", failed),
        ("lost", 0),
        ("waitingRecords", 0),
    ] {
        assert_eq!(page[name], wanted, "{name}: {page}");
    }
}

const IN_2015: u64 = 1_425_599_621;
const IN_2020: u64 = 1_577_880_000;

#[tokio::test]
async fn records_lie_below_the_keys_that_a_query_finds_in_them_an_object_each() {
    let (service, client) = started(partitioned(PREFIX, QUERY, &[DELIMITER])).await;
    let records = [
        event("a", IN_2015),
        event("b", IN_2015),
        event("a", IN_2020),
        event("a", IN_2015),
        event("b/c", IN_2015),
    ];
    client.put_delivery("events", &records).await;
    client.flush("events").await;
    let text = |places: &[usize]| {
        let lines = places.iter().map(|place| format!("{}\n", records[*place]));
        vec![lines.collect::<String>()]
    };
    let wanted = BTreeMap::from([
        ("c=a/y=2015".to_owned(), text(&[0, 3])),
        ("c=a/y=2020".to_owned(), text(&[2])),
        ("c=b/y=2015".to_owned(), text(&[1])),
        ("c=b/c/y=2015".to_owned(), text(&[4])),
    ]);
    assert_eq!(by_folder(&service), wanted);
    let page = client.delivery("events").await;
    assert_counts(&page, [5, 0, 0]);
    assert_eq!(page["objects"], 4, "{page}");
    service.stop().await;
}

#[tokio::test]
async fn a_record_whose_keys_cannot_be_had_is_kept_with_awss_code_and_the_others_go_on() {
    let (service, client) = started(partitioned(PREFIX, QUERY, &[])).await;
    let records = [
        "no json".to_owned(),
        json!({"at": IN_2015}).to_string(),
        json!({"customer": null, "at": IN_2015}).to_string(),
        json!({"customer": "", "at": IN_2015}).to_string(),
        json!({"customer": "a", "at": "then"}).to_string(),
        json!({"customer": ["a"], "at": IN_2015}).to_string(),
        json!({"customer": "a\nb", "at": IN_2015}).to_string(),
        event("a", IN_2015),
        event("a", IN_2015).repeat(2),
    ];
    client.put_delivery("events", &records).await;
    client.flush("events").await;
    let missing = "partitionKeys values must not be null or empty";
    let extraction = "DynamicPartitioning.MetadataExtractionFailed";
    let told = [
        (0, extraction, "the record is no JSON"),
        (1, extraction, missing),
        (2, extraction, missing),
        (3, extraction, missing),
        (
            4,
            extraction,
            "the query fails: strftime/1 requires parsed datetime inputs",
        ),
        (
            5,
            extraction,
            "partition key customer is an array or an object",
        ),
        (
            6,
            "Millrace.PartitionNotNamed",
            "the prefix has a control character",
        ),
        (8, extraction, "the record is more than one value of JSON"),
    ];
    let lines = failed(&service);
    assert_eq!(lines.len(), told.len());
    for (line, (place, code, message)) in lines.iter().zip(told) {
        assert_eq!(
            (&line["errorCode"], &line["errorMessage"], &line["rawData"]),
            (
                &json!(code),
                &json!(message),
                &json!(base64(&records[place]))
            ),
        );
        assert_eq!(line["attemptsMade"], 1);
    }
    let folders = by_folder(&service);
    assert_eq!(folders["c=a/y=2015"], [records[7].clone()], "{folders:?}");
    assert_eq!(folders.len(), 1);
    assert_counts(&client.delivery("events").await, [1, 0, 8]);
    service.stop().await;
}

/// Who knows what an object is called stopped the lane of all others with it.
#[tokio::test]
async fn a_record_whose_partition_would_lie_below_an_object_fails_alone() {
    let (service, client) = started(partitioned(PREFIX, QUERY, &[DELIMITER])).await;
    client.put_delivery("events", &[event("a", IN_2015)]).await;
    client.flush("events").await;
    let object = service.objects(BUCKET).remove(0).key;
    let below = object.strip_prefix("c=").unwrap();
    let records = [event(below, IN_2015), event("b", IN_2015)];
    client.put_delivery("events", &records).await;
    client.flush("events").await;
    assert_counts(&client.delivery("events").await, [2, 0, 1]);
    let line = failed(&service).remove(0);
    assert_eq!(line["errorCode"], "Millrace.PartitionNotNamed");
    assert_eq!(line["rawData"], base64(&records[0]));
    assert_eq!(by_folder(&service).len(), 2);
    service.stop().await;
}

#[tokio::test]
async fn records_that_come_several_in_one_count_and_are_delivered_each_for_itself() {
    let more = partitioned(PREFIX, QUERY, &[DEAGGREGATION, DELIMITER]);
    let (service, client) = started(more).await;
    let records = [
        [
            event("a", IN_2015),
            event("b", IN_2015),
            event("a", IN_2020),
        ]
        .concat(),
        format!("{}\n{}\n", event("b", IN_2015), "{}"),
        "\n".to_owned(),
        format!("[{}]", event("a", IN_2015)),
        event("a", IN_2015).repeat(501),
    ];
    client.put_delivery("events", &records).await;
    client.flush("events").await;
    let line = |customer, at| format!("{}\n", event(customer, at));
    let wanted = BTreeMap::from([
        ("c=a/y=2015".to_owned(), vec![line("a", IN_2015)]),
        ("c=a/y=2020".to_owned(), vec![line("a", IN_2020)]),
        ("c=b/y=2015".to_owned(), vec![line("b", IN_2015).repeat(2)]),
    ]);
    assert_eq!(by_folder(&service), wanted);
    let lines = failed(&service);
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["errorCode"].as_str().unwrap(), line["rawData"].clone()))
        .collect();
    // What fails after it was taken apart is kept as that.
    let apart = "Millrace.DeAggregationFailed";
    assert_eq!(told.len(), 3);
    assert!(told.contains(&(apart, json!(base64(&records[3])))));
    assert!(told.contains(&(apart, json!(base64(&records[4])))));
    let extraction = "DynamicPartitioning.MetadataExtractionFailed";
    assert!(told.contains(&(extraction, json!(base64("{}")))));
    assert_counts(&client.delivery("events").await, [4, 1, 3]);
    service.stop().await;
}

#[tokio::test]
async fn a_stream_gives_its_records_and_each_shard_has_objects_of_its_partitions() {
    let service = Service::start().await;
    let client = service.client();
    client.create("source", 1).await;
    let more = partitioned(PREFIX, QUERY, &[DEAGGREGATION, DELIMITER]);
    client.create_delivery_of("events", "source", more).await;
    let both = [event("a", IN_2015), event("b", IN_2015)].concat();
    for record in [&both, &event("a", IN_2015)] {
        client.put("source", &base64(record)).await;
    }
    client.flush("events").await;
    let line = |customer| format!("{}\n", event(customer, IN_2015));
    let wanted = BTreeMap::from([
        ("c=a/y=2015".to_owned(), vec![line("a").repeat(2)]),
        ("c=b/y=2015".to_owned(), vec![line("b")]),
    ]);
    assert_eq!(by_folder(&service), wanted);
    assert_counts(&client.delivery("events").await, [3, 0, 0]);
    service.stop().await;
}

fn change(version: &str, more: Value) -> Value {
    json!({
        "DeliveryStreamName": "events",
        "CurrentDeliveryStreamVersionId": version,
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": more,
    })
}

/// Changes of a delivery stream with partitions, and what is said of each.
fn refused_changes() -> [(Value, &'static str); 4] {
    [
        (
            json!({"DynamicPartitioningConfiguration": {"Enabled": false}}),
            "cannot be disabled",
        ),
        (
            json!({"Prefix": "plain/"}),
            "S3 Prefix should contain Dynamic Partitioning",
        ),
        (
            json!({"ProcessingConfiguration": {"Enabled": false}}),
            "!{partitionKeyFromQuery:customer}",
        ),
        (
            json!({"BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60}}),
            "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.",
        ),
    ]
}

#[tokio::test]
async fn what_was_configured_is_described_and_partitioning_is_neither_begun_nor_ended_later() {
    let mut more = partitioned(PREFIX, QUERY, &[DEAGGREGATION]);
    more["DynamicPartitioningConfiguration"]["RetryOptions"] = json!({"DurationInSeconds": 60});
    let service = Service::start().await;
    let client = service.client();
    let made = json!({
        "DeliveryStreamName": "events",
        "ExtendedS3DestinationConfiguration": over(
            json!({"RoleARN": ROLE, "BucketARN": format!("arn:aws:s3:::{BUCKET}")}),
            more,
        ),
    });
    client.call(CREATE, made).await;
    client.delivery_is_active("events").await;
    let described = async || {
        let description = client.describe_delivery("events").await;
        description["Destinations"][0]["ExtendedS3DestinationDescription"].clone()
    };
    let destination = described().await;
    let partitioning =
        |seconds: u32| json!({"Enabled": true, "RetryOptions": {"DurationInSeconds": seconds}});
    assert_eq!(
        destination["DynamicPartitioningConfiguration"],
        partitioning(60)
    );
    assert_eq!(destination["BufferingHints"]["SizeInMBs"], 64);
    let longer = json!({"DynamicPartitioningConfiguration": {
        "RetryOptions": {"DurationInSeconds": 7_200}
    }});
    client.call(UPDATE, change("1", longer)).await;
    let destination = described().await;
    assert_eq!(
        destination["DynamicPartitioningConfiguration"],
        partitioning(7_200)
    );
    for (more, told) in refused_changes() {
        let refusal = client.refusal(UPDATE, change("2", more.clone())).await;
        assert_eq!(refusal.code, "InvalidArgumentException", "{more}");
        assert!(refusal.message.contains(told), "{more}: {refusal:?}");
    }
    client.create_delivery("plain", json!({})).await;
    let mut later = change(
        "1",
        json!({"DynamicPartitioningConfiguration": {"Enabled": true}}),
    );
    later["DeliveryStreamName"] = json!("plain");
    let refusal = client.refusal(UPDATE, later).await;
    assert!(
        refusal.message.contains("can only be enabled when"),
        "{refusal:?}"
    );
    let plain = client.describe_delivery("plain").await;
    let plain = &plain["Destinations"][0]["ExtendedS3DestinationDescription"];
    assert!(plain.get("DynamicPartitioningConfiguration").is_none());
    service.stop().await;
}

const ONE_KEY: &str = "!{partitionKeyFromQuery:a}/";

fn with(prefix: &str, processors: &[(&str, &[(&str, &str)])]) -> Value {
    json!({
        "Prefix": prefix,
        "ErrorOutputPrefix": "failed/",
        "DynamicPartitioningConfiguration": {"Enabled": true},
        "ProcessingConfiguration": processing(processors),
    })
}

/// Prefixes and queries that do not fit, and what is said of each.
fn refused_prefixes() -> Vec<(Value, &'static str)> {
    let query = extraction("{a: .a}");
    let extracts = ("MetadataExtraction", &query[..]);
    let one = ONE_KEY;
    let more_keys = extraction("{a: .a, b: .b}");
    let mut no_error_prefix = with(one, &[extracts]);
    no_error_prefix
        .as_object_mut()
        .unwrap()
        .remove("ErrorOutputPrefix");
    vec![
        (
            with("plain/", &[extracts]),
            "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is \
             enabled",
        ),
        (no_error_prefix, "ErrorOutputPrefix cannot be null or empty"),
        (
            with(one, &[]),
            "!{partitionKeyFromQuery:a}, and no MetadataExtraction processor",
        ),
        (
            with(&format!("{one}!{{partitionKeyFromQuery:b}}/"), &[extracts]),
            "!{partitionKeyFromQuery:b}, and no MetadataExtraction processor",
        ),
        (
            with(&format!("{one}!{{partitionKeyFromLambda:b}}/"), &[extracts]),
            "!{partitionKeyFromLambda:b}, and no Lambda processor",
        ),
        (
            with(one, &[("MetadataExtraction", &more_keys)]),
            "MetaDataExtraction JQ Query can't contain keys that are not present in the S3 Prefix \
             expression",
        ),
    ]
}

/// Processors that cannot be, and what is said of each.
fn refused_processors() -> Vec<(Value, &'static str)> {
    let query = extraction("{a: .a}");
    let extracts = ("MetadataExtraction", &query[..]);
    let one = ONE_KEY;
    let delimited = |text| [("SubRecordType", "DELIMITED"), ("Delimiter", text)];
    let (good, bad) = (delimited("IyMjIw=="), delimited("####"));
    let long = "IyMj".repeat(342);
    let long = delimited(&long);
    let other_engine = [
        ("MetadataExtractionQuery", "."),
        ("JsonParsingEngine", "JQ-1.7"),
    ];
    let of_engine = [("JsonParsingEngine", "JQ-1.6")];
    let (wrong, unknown) = (extraction("{a: .a"), extraction("{a: now}"));
    vec![
        (
            with(one, &[("MetadataExtraction", &other_engine)]),
            "MetaDataExtraction JSON Parsing Engine has to be one of JQ-1.6",
        ),
        (
            with(one, &[("MetadataExtraction", &of_engine)]),
            "MetadataExtractionQuery is required",
        ),
        (
            with(one, &[("MetadataExtraction", &wrong)]),
            "MetadataExtractionQuery ends too early.",
        ),
        (
            with(one, &[("MetadataExtraction", &unknown)]),
            "MetadataExtractionQuery uses now/0, which is not supported.",
        ),
        (
            with(one, &[extracts, extracts]),
            "Cannot have more than 1 MetadataExtraction",
        ),
        (
            with(one, &[extracts, ("RecordDeAggregation", &[])]),
            "SubRecordType has to be one of JSON, DELIMITED",
        ),
        (
            with(
                one,
                &[
                    extracts,
                    ("RecordDeAggregation", &[("SubRecordType", "DELIMITED")]),
                ],
            ),
            "Delimiter should be present for DELIMITED",
        ),
        (
            with(one, &[extracts, ("RecordDeAggregation", &bad)]),
            "Delimiter must be one or more bytes in base64",
        ),
        (
            with(one, &[extracts, ("RecordDeAggregation", &long)]),
            "Delimiter is longer than 1024 bytes.",
        ),
        (
            with(
                one,
                &[
                    extracts,
                    ("RecordDeAggregation", &good),
                    ("Decompression", &[]),
                ],
            ),
            "RecordDeAggregation beside Decompression is not supported.",
        ),
    ]
}

#[tokio::test]
async fn partitions_that_cannot_be_found_are_refused_before_there_is_a_record() {
    let service = Service::start().await;
    let client = service.client();
    for (more, told) in [refused_prefixes(), refused_processors()].concat() {
        let input = json!({
            "DeliveryStreamName": "new",
            "ExtendedS3DestinationConfiguration": destination(more.clone()),
        });
        let refusal = client.refusal(CREATE, input).await;
        assert_eq!(
            (refusal.status, &*refusal.code),
            (400, "InvalidArgumentException")
        );
        assert!(refusal.message.contains(told), "{more}: {refusal:?}");
    }
    let list = client.call("Firehose.ListDeliveryStreams", json!({})).await;
    assert_eq!(list["DeliveryStreamNames"], json!([]));
    service.stop().await;
}

/// AWS has a quota of 500 partitions, beyond which records go to the error output.
#[tokio::test]
async fn any_number_of_partitions_is_delivered_and_none_goes_to_the_error_output() {
    let query = "{customer: .customer, year: 1}";
    let (service, client) = started(partitioned(PREFIX, query, &[DEAGGREGATION, DELIMITER])).await;
    let events: Vec<String> = (0..1_600)
        .map(|n| event(&(n % 800).to_string(), n))
        .collect();
    let records: Vec<String> = events.chunks(400).map(|some| some.concat()).collect();
    client.put_delivery("events", &records).await;
    client.flush("events").await;
    let folders = by_folder(&service);
    assert_eq!(folders.len(), 800);
    for number in [0, 7, 799] {
        let wanted = [number, number + 800].map(|n| events[n].clone() + "\n");
        assert_eq!(folders[&format!("c={number}/y=1")], [wanted.concat()]);
    }
    assert_counts(&client.delivery("events").await, [1_600, 0, 0]);
    service.stop().await;
}

/// A record of several that fails is replayed as that one, into the partition that it has by then.
#[tokio::test]
async fn what_fails_is_replayed_into_its_partition_and_counted_once_more() {
    let more = partitioned(PREFIX, QUERY, &[DEAGGREGATION, DELIMITER]);
    let (service, client) = started(more).await;
    let other = json!({"client": "b", "at": IN_2015}).to_string();
    let record = format!("{}{other}", event("a", IN_2015));
    client.put_delivery("events", &[&record]).await;
    client.flush("events").await;
    let objects = service.objects(BUCKET);
    let letter = objects.iter().find(|it| it.key.starts_with("failed/"));
    let letter = letter.unwrap().key.clone();
    let second = extraction("{customer: .client, year: (.at | strftime(\"%Y\"))}");
    let processors = [DEAGGREGATION, DELIMITER, ("MetadataExtraction", &second)];
    let change = json!({
        "DeliveryStreamName": "events",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": {"ProcessingConfiguration": processing(&processors)},
    });
    client.call(UPDATE, change).await;
    let page = "delivery-streams/events/dead-letters/replay";
    let (status, answer) = client.post_page(page, &json!({"letter": letter})).await;
    assert_eq!((status, &answer["now"]), (200, &json!(1)), "{answer}");
    client.flush("events").await;
    let objects = service.objects(BUCKET);
    let texts = objects
        .iter()
        .filter(|it| it.key.starts_with("c=b/y=2015/events-2-"))
        .map(|it| it.text().to_owned());
    assert_eq!(texts.collect::<Vec<_>>(), [format!("{other}\n")]);
    assert_counts(&client.delivery("events").await, [2, 0, 1]);
    service.stop().await;
}

#[tokio::test]
async fn another_query_finds_the_partitions_of_what_comes_after_it() {
    let (service, client) = started(partitioned(PREFIX, QUERY, &[DELIMITER])).await;
    let record = json!({"client": "a", "at": IN_2015}).to_string();
    client.put_delivery("events", &[&record]).await;
    client.flush("events").await;
    assert_eq!(failed(&service).len(), 1);
    let other = extraction("{customer: .client, year: (.at | strftime(\"%Y\"))}");
    let change = json!({
        "DeliveryStreamName": "events",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": {"ProcessingConfiguration": processing(&[
            DELIMITER,
            ("MetadataExtraction", &other),
        ])},
    });
    client.call(UPDATE, change).await;
    client.put_delivery("events", &[&record]).await;
    client.flush("events").await;
    let objects = service.objects(BUCKET);
    let below = objects
        .iter()
        .filter(|object| object.key.starts_with("c=a/y=2015/events-2-"));
    let texts: Vec<&str> = below.map(|object| object.text()).collect();
    assert_eq!(texts, [format!("{record}\n")]);
    service.stop().await;
}
