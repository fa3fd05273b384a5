//! `millrace delivery update`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::create::{Place, access_key_in, check_world, encoding};
use crate::client::{Client, TargetArgs};
use crate::failure::Failure;
use crate::output;

/// Changes what is named, and leaves all else as it is. Records that wait go by the configuration
/// that is in force when they leave.
#[derive(Args)]
#[group(id = "changes", required = true, multiple = true)]
pub(crate) struct Changes {
    /// The plugin that records go through from now on
    #[arg(long, value_name = "NAME", conflicts_with = "no_plugin")]
    plugin: Option<String>,
    /// Records go through no plugin any more
    #[arg(long)]
    no_plugin: bool,
    /// The bucket of the objects
    #[arg(long, value_name = "NAME")]
    bucket: Option<String>,
    /// What stands before the names of objects
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// What stands before the names of objects of failed records
    #[arg(long, value_name = "TEXT")]
    error_prefix: Option<String>,
    /// Seconds that records wait for others at most, or until there are enough for an object; with
    /// --size
    #[arg(long, value_name = "N", requires = "size")]
    interval: Option<u32>,
    /// MiB of records that are enough for an object; with --interval
    #[arg(long, value_name = "N", requires = "interval")]
    size: Option<u32>,
    /// Compress objects: UNCOMPRESSED, GZIP, ZIP, Snappy, HADOOP_SNAPPY or ZSTD; requests: GZIP or
    /// not
    #[arg(long, value_name = "FORMAT")]
    compression: Option<String>,
    /// The HTTP endpoint that records go to
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// The file that holds the endpoint's access key
    #[arg(long, value_name = "FILE")]
    access_key_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct UpdateArgs {
    /// The delivery stream's name
    name: String,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    delivery_stream_description: Description,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    #[serde(rename = "DeliveryStreamARN")]
    arn: String,
    version_id: String,
    destinations: Vec<Destination>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    destination_id: String,
    #[serde(rename = "ExtendedS3DestinationDescription")]
    bucket: Option<Value>,
    http_endpoint_destination_description: Option<Value>,
}

pub(crate) async fn run(args: &UpdateArgs) -> Result<(), Failure> {
    let target = Arc::new(args.target.target()?);
    if let Some(plugin) = &args.changes.plugin {
        check_world(&target, plugin).await?;
    }
    let mut client = Client::new(&target);
    let name = json!({"DeliveryStreamName": args.name});
    let described: Described = client
        .call_firehose("DescribeDeliveryStream", &name)
        .await?;
    let Description {
        arn,
        version_id,
        destinations,
    } = described.delivery_stream_description;
    let [destination] = &destinations[..] else {
        return Err(format!("{} has {} destinations", args.name, destinations.len()).into());
    };
    let (member, update) = args.changes.update(destination, Place::of(&arn)?)?;
    let input = json!({
        "DeliveryStreamName": args.name,
        "CurrentDeliveryStreamVersionId": version_id,
        "DestinationId": destination.destination_id,
        member: update,
    });
    let _: Value = client.call_firehose("UpdateDestination", &input).await?;
    let described: Described = client
        .call_firehose("DescribeDeliveryStream", &name)
        .await?;
    let now = described.delivery_stream_description.version_id;
    let told = if now == version_id {
        format!("{} is so already, since version {now}", args.name)
    } else {
        format!("{} goes by version {now} of its configuration", args.name)
    };
    Ok(output::lines(&told)?)
}

impl Changes {
    /// The member of UpdateDestination's input for a destination of its kind, and what is in it.
    fn update(&self, to: &Destination, place: Place<'_>) -> Result<(&str, Value), String> {
        let compression = self.compression.as_deref();
        let mut bucket = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                bucket.insert(name.to_owned(), value);
            }
        };
        let arn = self.bucket.as_deref().map(|it| place.bucket_arn(it));
        put("BucketARN", arn.map(Value::from));
        put("Prefix", self.prefix.clone().map(Value::from));
        put(
            "ErrorOutputPrefix",
            self.error_prefix.clone().map(Value::from),
        );
        let hints = self.size.zip(self.interval);
        let hints =
            hints.map(|(size, interval)| json!({"SizeInMBs": size, "IntervalInSeconds": interval}));
        if let Some(described) = &to.http_endpoint_destination_description {
            let mut update = self.to_endpoint(described, bucket)?;
            update.extend(hints.map(|hints| ("BufferingHints".to_owned(), hints)));
            update.extend(self.processing(described, place)?);
            return Ok(("HttpEndpointDestinationUpdate", Value::Object(update)));
        }
        let Some(described) = &to.bucket else {
            let why = "it delivers neither to S3 nor to an HTTP endpoint: `aws firehose \
                       update-destination` changes it";
            return Err(why.to_owned());
        };
        if self.to.is_some() || self.access_key_file.is_some() {
            return Err("it delivers to S3, which no update changes".to_owned());
        }
        put("BufferingHints", hints);
        put("CompressionFormat", compression.map(Value::from));
        bucket.extend(self.processing(described, place)?);
        Ok(("ExtendedS3DestinationUpdate", Value::Object(bucket)))
    }

    /// What is changed of an HTTP endpoint and of its bucket. What is said of one anew replaces
    /// all of it, so that it is said whole.
    fn to_endpoint(
        &self,
        described: &Value,
        bucket: Map<String, Value>,
    ) -> Result<Map<String, Value>, String> {
        let mut update = Map::new();
        if !bucket.is_empty() {
            update.insert("S3Update".to_owned(), Value::Object(bucket));
        }
        if let Some(compression) = &self.compression {
            if !matches!(compression.as_str(), "GZIP" | "UNCOMPRESSED") {
                let why = format!("requests are packed as GZIP, or UNCOMPRESSED: {compression}");
                return Err(why);
            }
            let mut requests = described["RequestConfiguration"].clone();
            requests["ContentEncoding"] = json!(encoding(compression));
            update.insert("RequestConfiguration".to_owned(), requests);
        }
        if self.to.is_some() || self.access_key_file.is_some() {
            let mut endpoint = described["EndpointConfiguration"].clone();
            if let Some(url) = &self.to {
                endpoint["Url"] = json!(url);
            }
            if let Some(file) = &self.access_key_file {
                endpoint["AccessKey"] = json!(access_key_in(file)?);
            }
            update.insert("EndpointConfiguration".to_owned(), endpoint);
        }
        Ok(update)
    }

    /// The processing with another plugin, or none; `None`: it stays. Other processors stay as they
    /// are, also where they are switched off.
    fn processing(
        &self,
        described: &Value,
        place: Place<'_>,
    ) -> Result<Option<(String, Value)>, String> {
        if self.plugin.is_none() && !self.no_plugin {
            return Ok(None);
        }
        let processing = &described["ProcessingConfiguration"];
        let processors = processing["Processors"].as_array();
        let others = processors.into_iter().flatten().cloned();
        let mut all: Vec<Value> = others.filter(|it| it["Type"] != "Lambda").collect();
        let is_on = processing["Enabled"] == true;
        if self.plugin.is_some() && !is_on && !all.is_empty() {
            let why = "its processing is switched off, and would be switched on with other \
                       processors: `aws firehose update-destination` says which";
            return Err(why.to_owned());
        }
        all.extend(self.plugin.as_deref().map(|it| place.processor(it)));
        let is_on = self.plugin.is_some() || (is_on && !all.is_empty());
        let processing = json!({"Enabled": is_on, "Processors": all});
        Ok(Some(("ProcessingConfiguration".to_owned(), processing)))
    }
}
