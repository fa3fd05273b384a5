//! What the settings of an S3 destination may not say, when it is made as when it is changed: each
//! is refused by name, and nothing comes of it.

use millrace_tests::{ACCOUNT, Client, OTHER_ACCOUNT, REGION, ROLE, Refusal, Service, destination};
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::{function, processing, through};

const CREATE: &str = "Firehose.CreateDeliveryStream";
const UPDATE: &str = "Firehose.UpdateDestination";
/// AWS's text, with its typo.
const NO_ERROR_PREFIX: &str = "Ths supplied prefix(es) do not satisfy the following constraint: \
    ErrorOutputPrefix cannot be null or empty when Prefix contains expressions";

/// A creation and a change whose destinations say `more`.
fn saying(more: &Value) -> [(&'static str, Value); 2] {
    let creation = json!({
        "DeliveryStreamName": "new",
        "ExtendedS3DestinationConfiguration": destination(more.clone()),
    });
    let change = json!({
        "DeliveryStreamName": "old",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": more,
    });
    [(CREATE, creation), (UPDATE, change)]
}

/// The two refusals of settings that say `more`.
async fn refusals(client: &Client, more: &Value) -> [Refusal; 2] {
    let [(create, creation), (update, change)] = saying(more);
    [
        client.refusal(create, creation).await,
        client.refusal(update, change).await,
    ]
}

async fn are_refused(client: &Client, more: Value, code: &str, told: &str) {
    for refusal in refusals(client, &more).await {
        assert_eq!((refusal.status, &*refusal.code), (400, code), "{more}");
        assert!(refusal.message.contains(told), "{more}: {refusal:?}");
    }
}

async fn with_old() -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("old", json!({})).await;
    (service, client)
}

/// Nothing was made and nothing was changed.
async fn end(service: Service) {
    let client = service.client();
    let list = client.call("Firehose.ListDeliveryStreams", json!({})).await;
    assert_eq!(list["DeliveryStreamNames"], json!(["old"]));
    let old = client.describe_delivery("old").await;
    assert_eq!(old["VersionId"], "1");
    assert!(old.get("LastUpdateTimestamp").is_none());
    service.stop().await;
}

#[tokio::test]
async fn roles_and_buckets_that_cannot_be_are_refused() {
    let (service, client) = with_old().await;
    for (member, value) in [
        ("RoleARN", ""),
        ("RoleARN", "delivery"),
        ("RoleARN", "arn:aws:iam::0:role/delivery"),
        ("BucketARN", ""),
        ("BucketARN", "logs"),
        ("BucketARN", "arn:aws:s3:::"),
        ("BucketARN", "arn:aws:s3:::a/b"),
    ] {
        let told = "Member must satisfy regular expression pattern";
        are_refused(&client, json!({member: value}), "ValidationException", told).await;
    }
    for name in ["Logs", "ab", "a..b", "-logs", "logs.", "lo_gs"] {
        let arn = format!("arn:aws:s3:::{name}");
        let told = format!("'{arn}' is not the ARN of a bucket");
        let more = json!({"BucketARN": arn});
        are_refused(&client, more, "InvalidArgumentException", &told).await;
    }
    for (left_out, told) in [
        ("RoleARN", "'extendedS3DestinationConfiguration.roleARN'"),
        (
            "BucketARN",
            "'extendedS3DestinationConfiguration.bucketARN'",
        ),
    ] {
        let mut input = saying(&json!({}))[0].1.clone();
        let members = input["ExtendedS3DestinationConfiguration"].as_object_mut();
        members.unwrap().remove(left_out);
        let refusal = client.refusal(CREATE, input).await;
        assert_eq!(refusal.code, "ValidationException");
        let wanted = format!("Value null at {told} failed to satisfy constraint");
        assert!(refusal.message.contains(&wanted), "{refusal:?}");
    }
    end(service).await;
}

#[tokio::test]
async fn prefixes_that_name_nothing_are_refused() {
    let (service, client) = with_old().await;
    let both = |prefix: &str, error: &str| json!({"Prefix": prefix, "ErrorOutputPrefix": error});
    for (more, told) in [
        (
            both("!{what:ever}/", "e/"),
            "'!{what:ever}' in a prefix names nothing",
        ),
        (
            both("!{timestamp:nope}/", "e/"),
            "is not a pattern of a time that is known here",
        ),
        (both("!{timestamp:yyyy", "e/"), "has no end"),
        (
            both("!{firehose:error-output-type}/", "e/"),
            "can be used in ErrorOutputPrefix only",
        ),
        (
            both("!{partitionKeyFromQuery:customer}/", "e/"),
            "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic \
             Partitioning is enabled.",
        ),
        (
            both("a/", "!{what:ever}/"),
            "'!{what:ever}' in a prefix names nothing",
        ),
        (
            both("a/", "!{timestamp:yyyy}/"),
            "Ths supplied prefix(es) do not satisfy the following constraint: ErrorOutputPrefix \
             must include at least one instance of !{firehose:error-output-type}",
        ),
        (json!({"Prefix": "!{timestamp:yyyy}/"}), NO_ERROR_PREFIX),
        (both("!{firehose:random-string}/", ""), NO_ERROR_PREFIX),
        (
            both("!{timestamp:yyyy}/", "!{firehose:random-string}/"),
            "must include at least one instance of !{firehose:error-output-type}",
        ),
        (
            both("/a/", "e/"),
            "begins with '/' or has '//', which no file's name can",
        ),
        (both("a/", "e//"), "begins with '/' or has '//'"),
        (both("a/../", "e/"), "has a folder '.' or '..'"),
    ] {
        are_refused(&client, more, "InvalidArgumentException", told).await;
    }
    for more in [
        json!({"Prefix": "x".repeat(1_025)}),
        json!({"Prefix": "a\nb"}),
        json!({"ErrorOutputPrefix": "x".repeat(1_025)}),
    ] {
        are_refused(&client, more, "ValidationException", "Member must").await;
    }
    end(service).await;
}

#[tokio::test]
async fn hints_and_words_beyond_the_model_are_refused() {
    let (service, client) = with_old().await;
    for more in [
        json!({"BufferingHints": {"SizeInMBs": 0}}),
        json!({"BufferingHints": {"SizeInMBs": 129}}),
        json!({"BufferingHints": {"IntervalInSeconds": -1}}),
        json!({"BufferingHints": {"IntervalInSeconds": 901}}),
        json!({"CompressionFormat": "gzip"}),
        json!({"CompressionFormat": "zstd"}),
        json!({"CompressionFormat": "SNAPPY"}),
        json!({"S3BackupMode": "Sometimes"}),
        json!({"FileExtension": "json"}),
        json!({"FileExtension": ".JSON"}),
        json!({"CustomTimeZone": "UTC+1"}),
        json!({"EncryptionConfiguration": {"NoEncryptionConfig": "None"}}),
        json!({"CloudWatchLoggingOptions": {"LogStreamName": "a:b"}}),
        json!({"ProcessingConfiguration": {"Processors": [{"Type": "Magic"}]}}),
        json!({"ProcessingConfiguration": {"Processors": [{}]}}),
    ] {
        are_refused(
            &client,
            more,
            "ValidationException",
            "failed to satisfy constraint",
        )
        .await;
    }
    end(service).await;
}

#[tokio::test]
async fn what_names_no_time_zone_is_refused() {
    let (service, client) = with_old().await;
    for zone in ["Europe/Atlantis", "europe/berlin", "EST", "/"] {
        let told = format!("'{zone}' is no time zone that is known here");
        let more = json!({"CustomTimeZone": zone});
        are_refused(&client, more, "InvalidArgumentException", &told).await;
    }
    end(service).await;
}

#[tokio::test]
async fn what_is_not_served_is_refused_by_name_and_not_ignored() {
    let (service, client) = with_old().await;
    for (more, what) in [(
        json!({"EncryptionConfiguration": {"KMSEncryptionConfig": {"AWSKMSKeyARN": "x"}}}),
        "KMSEncryptionConfig",
    )] {
        let told = format!("{what} is not supported.");
        are_refused(&client, more, "InvalidArgumentException", &told).await;
    }
    for kind in ["RecordDeAggregation", "MetadataExtraction"] {
        let more = json!({"ProcessingConfiguration": processing(&[(kind, &[])])});
        let told = format!(
            "class com.amazonaws.services.firehose.internal.model.{kind}Processor can only be \
             present when Dynamic Partitioning is enabled."
        );
        are_refused(&client, more, "InvalidArgumentException", &told).await;
    }
    end(service).await;
}

#[tokio::test]
async fn decompression_and_extraction_that_cannot_be_are_refused() {
    let (service, client) = with_old().await;
    let gzip = ("Decompression", &[("CompressionFormat", "GZIP")][..]);
    let extracts = |value| {
        (
            "CloudWatchLogProcessing",
            [("DataMessageExtraction", value)],
        )
    };
    let (yes, no, other) = (extracts("true"), extracts("false"), extracts("True"));
    let none = ("CloudWatchLogProcessing", &[][..]);
    for (processors, told) in [
        (
            vec![("Decompression", &[("CompressionFormat", "gzip")][..])],
            "CompressionFormat must be GZIP.",
        ),
        (
            vec![("Decompression", &[("DataMessageExtraction", "true")])],
            "A processor of type Decompression has no parameter DataMessageExtraction.",
        ),
        (
            vec![gzip, gzip],
            "Cannot have more than 1 Decompression processor.",
        ),
        (
            vec![gzip, (yes.0, &yes.1), (no.0, &no.1)],
            "Cannot have more than 1 CloudWatchLogProcessing processor.",
        ),
        (
            vec![gzip, none],
            "DataMessageExtraction is required when CloudWatchLogProcessing processor is used.",
        ),
        (
            vec![gzip, (other.0, &other.1)],
            "DataMessageExtraction must be true or false.",
        ),
        (
            vec![gzip, (yes.0, &[("CompressionFormat", "GZIP")])],
            "A processor of type CloudWatchLogProcessing has no parameter CompressionFormat.",
        ),
        (
            vec![(yes.0, &yes.1)],
            "CloudWatchLogProcessing processor requires Decompression processor.",
        ),
        (
            vec![(
                "Decompression",
                &[("CompressionFormat", "GZIP"), ("CompressionFormat", "GZIP")],
            )],
            "Duplicate ProcessorParameter passed to ProcessingConfiguration.",
        ),
    ] {
        let mut processing = processing(&processors);
        for enabled in [true, false] {
            processing["Enabled"] = json!(enabled);
            let more = json!({"ProcessingConfiguration": processing});
            are_refused(&client, more, "InvalidArgumentException", told).await;
        }
    }
    end(service).await;
}

#[tokio::test]
async fn what_is_not_served_may_be_switched_off_in_words() {
    let (service, client) = with_old().await;
    let off = json!({
        "S3BackupMode": "Disabled",
        "CustomTimeZone": "UTC",
        "DataFormatConversionConfiguration": {"Enabled": false},
        "DynamicPartitioningConfiguration": {"Enabled": false},
        "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        "ProcessingConfiguration": {
            "Enabled": false,
            "Processors": [{"Type": "MetadataExtraction"}],
        },
    });
    for (operation, input) in saying(&off) {
        client.call(operation, input).await;
    }
    for name in ["new", "old"] {
        client.delivery_is_active(name).await;
        client.put_delivery(name, &["as it is"]).await;
        client.flush(name).await;
        let description = client.describe_delivery(name).await;
        let destination = &description["Destinations"][0]["ExtendedS3DestinationDescription"];
        let kept = json!({
            "Enabled": false,
            "Processors": [{"Type": "MetadataExtraction", "Parameters": []}],
        });
        assert_eq!(destination["ProcessingConfiguration"], kept);
    }
    assert_eq!(service.delivered(), ["as it is", "as it is"]);
    service.stop().await;
}

#[tokio::test]
async fn a_function_that_is_no_plugin_here_is_refused() {
    let (service, client) = with_old().await;
    let lambda = |arn: &str| {
        let parameters = [("LambdaArn", arn)];
        json!({"ProcessingConfiguration": processing(&[("Lambda", &parameters)])})
    };
    let arn = function("gone");
    let told = format!("Lambda function {arn} does not exist. There is no plugin of that name.");
    are_refused(&client, lambda(&arn), "InvalidArgumentException", &told).await;
    for arn in [
        "gone".to_owned(),
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:layer:gone"),
        format!("arn:aws-cn:lambda:{REGION}:{ACCOUNT}:function:gone"),
        function("../gone"),
        function("go ne"),
        function("gone:"),
        function("gone:a.b"),
        function(&"x".repeat(65)),
    ] {
        let [creation, change] = refusals(&client, &lambda(&arn)).await;
        assert_eq!(creation.message, "Invalid lambda ARN.", "{arn}");
        assert_eq!(change, creation, "{arn}");
        assert_eq!(change.code, "InvalidArgumentException", "{arn}");
    }
    for arn in [
        format!("arn:aws:lambda:{REGION}:{OTHER_ACCOUNT}:function:gone"),
        format!("arn:aws:lambda:mars-north-1:{ACCOUNT}:function:gone"),
    ] {
        let told = "is not of the account and the region of the delivery stream";
        are_refused(&client, lambda(&arn), "InvalidArgumentException", told).await;
    }
    let more = json!({"ProcessingConfiguration": processing(&[("Lambda", &[("LambdaArn", " ")])])});
    are_refused(&client, more, "ValidationException", "parameterValue").await;
    end(service).await;
}

#[tokio::test]
async fn the_reason_why_a_component_was_refused_is_told_to_who_wants_it() {
    let files = PluginFiles::with(&["drop-bots"]);
    files.write("drop-bots", "plugin.toml", "name = 'drop-bots'\n");
    files.write("broken", "plugin.toml", "name = 'broken'\nversion = '1'\n");
    files.write("broken", "broken.wasm", "no component");
    let service = files.start().await;
    let client = service.client();
    client.create_delivery("old", json!({})).await;
    for (name, why) in [
        ("drop-bots", "plugin.toml line 1: missing field `version`."),
        ("broken", "Its component was refused: "),
    ] {
        let more = json!({"ProcessingConfiguration": through(name)});
        are_refused(&client, more, "InvalidArgumentException", why).await;
    }
    end(service).await;
}

#[tokio::test]
async fn processors_that_contradict_each_other_or_themselves_are_refused() {
    let files = PluginFiles::with(&["drop-bots"]);
    let service = files.start().await;
    let client = service.client();
    client.create_delivery("old", json!({})).await;
    let arn = function("drop-bots");
    let lambda = [("LambdaArn", &*arn)];
    let twice = processing(&[("Lambda", &lambda), ("Lambda", &lambda)]);
    let told = "Cannot have more than 1 Lambda processor.";
    let more = json!({"ProcessingConfiguration": twice});
    are_refused(&client, more, "InvalidArgumentException", told).await;
    for retries in ["301", "-1", "often"] {
        let parameters = [("LambdaArn", &*arn), ("NumberOfRetries", retries)];
        let more = json!({"ProcessingConfiguration": processing(&[("Lambda", &parameters)])});
        let told = "NumberOfRetries must be a number from 0 to 300.";
        are_refused(&client, more, "InvalidArgumentException", told).await;
    }
    for (delimiter, told) in [
        ("\\x", "Delimiter '\\x' has an unknown escape."),
        (&*"-".repeat(51), "Delimiter is longer than 50 characters."),
    ] {
        let parameters = [("Delimiter", delimiter)];
        let delimited = processing(&[("AppendDelimiterToRecord", &parameters)]);
        let more = json!({"ProcessingConfiguration": delimited});
        are_refused(&client, more, "InvalidArgumentException", told).await;
    }
    end(service).await;
}

/// AWS's texts, in the order in which it looks: what each processor says twice, how many there are,
/// then what a Lambda processor says. They hold whether or not the processing is enabled.
#[tokio::test]
async fn a_lambda_processor_is_refused_in_awss_words() {
    let files = PluginFiles::with(&["drop-bots"]);
    let service = files.start().await;
    let client = service.client();
    client.create_delivery("old", json!({})).await;
    let arn = function("drop-bots");
    let duplicate = "Duplicate ProcessorParameter passed to ProcessingConfiguration.";
    let no_arn = "LambdaArn is required when Lambda processor is used.";
    let half = "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure \
        buffering for lambda processor.";
    let lambda: &[(&str, &str)] = &[("LambdaArn", &arn)];
    let none: &[(&str, &str)] = &[];
    let retries = ("NumberOfRetries", "2");
    let size = ("BufferSizeInMBs", "2");
    let interval = ("BufferIntervalInSeconds", "70");
    for (processors, told) in [
        (vec![("Lambda", none)], no_arn),
        (vec![("Lambda", &[retries])], no_arn),
        (vec![("Lambda", &[retries, retries])], duplicate),
        (vec![("Lambda", &[lambda[0], lambda[0]])], duplicate),
        (
            vec![("Lambda", lambda), ("Lambda", &[size, size])],
            duplicate,
        ),
        (
            vec![("Lambda", none), ("Lambda", &[("LambdaArn", "x")])],
            "Cannot have more than 1 Lambda processor.",
        ),
        (
            vec![("Lambda", &[size, ("LambdaArn", "x")])],
            "Invalid lambda ARN.",
        ),
        (vec![("Lambda", &[lambda[0], size])], half),
        (vec![("Lambda", &[lambda[0], interval])], half),
    ] {
        for enabled in [true, false] {
            let mut configuration = processing(&processors);
            configuration["Enabled"] = json!(enabled);
            let more = json!({"ProcessingConfiguration": configuration});
            let [creation, change] = refusals(&client, &more).await;
            assert_eq!(creation.code, "InvalidArgumentException", "{more}");
            assert_eq!(creation.message, told, "{more}");
            assert_eq!(change, creation, "{more}");
        }
    }
    for (said, told) in [
        (
            vec![lambda[0], ("Delimiter", "|")],
            "A processor of type Lambda has no parameter Delimiter.",
        ),
        (
            vec![lambda[0], ("BufferSizeInMBs", "3.5"), interval],
            "BufferSizeInMBs must be a number from 0.2 to 3.",
        ),
        (
            vec![lambda[0], size, ("BufferIntervalInSeconds", "901")],
            "BufferIntervalInSeconds must be a number from 0 to 900.",
        ),
    ] {
        let more = json!({"ProcessingConfiguration": processing(&[("Lambda", &said)])});
        are_refused(&client, more, "InvalidArgumentException", told).await;
    }
    end(service).await;
}

#[tokio::test]
async fn a_qualifier_that_names_no_version_is_refused() {
    let files = PluginFiles::with(&["drop-bots"]);
    let service = files.start().await;
    let client = service.client();
    client.create_delivery("old", json!({})).await;
    for (qualifier, told) in [
        ("prod", "does not exist: the plugin has no alias prod."),
        ("2", "does not exist: the plugin has no version 2."),
        ("01", "does not exist: there is no version 01."),
    ] {
        let arn = function(&format!("drop-bots:{qualifier}"));
        let parameters = [("LambdaArn", &*arn)];
        let more = json!({"ProcessingConfiguration": processing(&[("Lambda", &parameters)])});
        are_refused(&client, more, "InvalidArgumentException", told).await;
    }
    // The newest version is the one in force.
    for qualifier in ["$LATEST", "1"] {
        let more = json!({"ProcessingConfiguration": through(&format!("drop-bots:{qualifier}"))});
        client.create_delivery("new", more).await;
        client.delete_delivery("new").await;
    }
    end(service).await;
}

#[tokio::test]
async fn the_older_s3_destination_is_held_to_the_same() {
    let (service, client) = with_old().await;
    let with = |member: &str, value: &str| {
        let mut s3 = json!({"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::logs"});
        s3[member] = json!(value);
        json!({"DeliveryStreamName": "new", "S3DestinationConfiguration": s3})
    };
    for (member, value, code) in [
        ("RoleARN", "delivery", "ValidationException"),
        ("BucketARN", "logs", "ValidationException"),
        ("BucketARN", "arn:aws:s3:::Logs", "InvalidArgumentException"),
        ("CompressionFormat", "Zip", "ValidationException"),
        ("Prefix", "!{timestamp:yyyy}/", "InvalidArgumentException"),
        ("Prefix", "!{what:ever}/", "InvalidArgumentException"),
    ] {
        assert_eq!(
            client.code(CREATE, with(member, value)).await,
            code,
            "{value}"
        );
    }
    end(service).await;
}
