//! `millrace delivery create`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::{Client, Method, Target, TargetArgs};
use crate::commands::plugin::Plugin;
use crate::commands::stream::summary;
use crate::failure::Failure;
use crate::output;

/// How often, and how far apart, we look whether it is there.
const LOOKS_MAX: u32 = 600;
const LOOK_PAUSE: Duration = Duration::from_millis(50);

#[derive(Args)]
pub(crate) struct CreateArgs {
    /// The delivery stream's name
    name: String,
    /// The stream whose records it delivers
    #[arg(long, value_name = "NAME")]
    stream: String,
    /// The plugin that records go through; without it they are delivered as they are
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// The bucket of the objects [default: the delivery stream's name]
    #[arg(long, value_name = "NAME")]
    bucket: Option<String>,
    /// What stands before the names of objects
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    /// What stands before the names of objects of failed records
    #[arg(long, value_name = "TEXT", default_value = "failed/")]
    error_prefix: String,
    /// Seconds that records wait for others at most, or until there are enough for an object
    #[arg(long, value_name = "N", default_value_t = 60)]
    interval: u32,
    /// MiB of records that are enough for an object
    #[arg(long, value_name = "N", default_value_t = 5)]
    size: u32,
    /// Compress objects, or requests, with gzip
    #[arg(long)]
    gzip: bool,
    /// Compress objects: GZIP, ZIP, Snappy, HADOOP_SNAPPY or ZSTD
    #[arg(long, value_name = "FORMAT", conflicts_with = "gzip")]
    compression: Option<String>,
    /// The HTTP endpoint that records go to; the bucket gets what it refuses
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// The file that holds the endpoint's access key
    #[arg(long, value_name = "FILE", requires = "to")]
    access_key_file: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArgs,
}

/// A delivery stream that is to be made.
pub(crate) struct NewDelivery<'a> {
    pub(crate) name: &'a str,
    pub(crate) stream: &'a str,
    pub(crate) plugin: Option<&'a str>,
    pub(crate) bucket: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) error_prefix: &'a str,
    pub(crate) interval_seconds: u32,
    pub(crate) size_mib: u32,
    pub(crate) compression: &'a str,
    pub(crate) endpoint: Option<Endpoint<'a>>,
}

/// The HTTP endpoint that records go to.
pub(crate) struct Endpoint<'a> {
    pub(crate) url: &'a str,
    pub(crate) access_key: Option<String>,
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
    delivery_stream_status: String,
}

pub(crate) async fn run(args: &CreateArgs) -> Result<(), Failure> {
    let target = Arc::new(args.target.target()?);
    let new = NewDelivery {
        name: &args.name,
        stream: &args.stream,
        plugin: args.plugin.as_deref(),
        bucket: args.bucket.as_deref().unwrap_or(&args.name),
        prefix: &args.prefix,
        error_prefix: &args.error_prefix,
        interval_seconds: args.interval,
        size_mib: args.size,
        compression: match &args.compression {
            Some(format) => format,
            None if args.gzip => "GZIP",
            None => "UNCOMPRESSED",
        },
        endpoint: endpoint(args)?,
    };
    if let Some(plugin) = new.plugin {
        check_world(&target, plugin).await?;
    }
    let made = create(&target, &new).await?;
    Ok(output::lines(&made)?)
}

fn endpoint(args: &CreateArgs) -> Result<Option<Endpoint<'_>>, Failure> {
    let Some(url) = &args.to else {
        return Ok(None);
    };
    let access_key = args.access_key_file.as_deref();
    let access_key = access_key.map(access_key_in).transpose()?;
    Ok(Some(Endpoint { url, access_key }))
}

/// The access key in a file, without the end of its line.
pub(super) fn access_key_in(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| format!("read {}: {error}", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Whose streams are where.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) partition: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
}

impl<'a> Place<'a> {
    /// That of an ARN.
    pub(super) fn of(arn: &'a str) -> Result<Self, String> {
        let parts: Vec<&str> = arn.split(':').collect();
        let [_, partition, _, region, account, ..] = parts[..] else {
            return Err(format!("'{arn}' is no ARN"));
        };
        Ok(Self {
            partition,
            region,
            account,
        })
    }

    /// What stands in a processing configuration for a plugin.
    pub(super) fn processor(self, plugin: &str) -> Value {
        let Self {
            partition,
            region,
            account,
        } = self;
        let function = format!("arn:{partition}:lambda:{region}:{account}:function:{plugin}");
        let parameter = json!({"ParameterName": "LambdaArn", "ParameterValue": function});
        json!({"Type": "Lambda", "Parameters": [parameter]})
    }

    /// What the model calls a bucket.
    pub(super) fn bucket_arn(self, bucket: &str) -> String {
        format!("arn:{}:s3:::{bucket}", self.partition)
    }
}

/// A delivery stream through a consumer would wait for a transform for ever. Whatever else there is
/// to say of the plugin the server says.
pub(super) async fn check_world(target: &Arc<Target>, plugin: &str) -> Result<(), Failure> {
    let page = format!("plugins/{plugin}");
    let found: Result<Plugin, _> = Client::new(target).page(Method::GET, &page).await;
    let world = found.ok().and_then(|plugin| plugin.world);
    match world.filter(|world| world.starts_with("consumer")) {
        None => Ok(()),
        Some(world) => Err(Failure::Text(format!(
            "{plugin} is of the world {world}: a delivery stream goes through a transform, and \
             `millrace app create` lets a consumer work on a stream"
        ))),
    }
}

/// Creates a delivery stream and waits until it delivers; its ARN.
pub(crate) async fn create(target: &Arc<Target>, new: &NewDelivery<'_>) -> Result<String, Failure> {
    let mut client = Client::new(target);
    let stream_arn = summary(&mut client, new.stream).await?.stream_arn;
    let input = request(new, &stream_arn)?;
    let _: Value = client.call_firehose("CreateDeliveryStream", &input).await?;
    let name = json!({"DeliveryStreamName": new.name});
    for _ in 0..LOOKS_MAX {
        let described: Described = client
            .call_firehose("DescribeDeliveryStream", &name)
            .await?;
        let Description {
            arn,
            delivery_stream_status: status,
        } = described.delivery_stream_description;
        match status.as_str() {
            "ACTIVE" => return Ok(arn),
            "CREATING" => sleep(LOOK_PAUSE).await,
            other => return Err(format!("{} is {other}", new.name).into()),
        }
    }
    Err(format!("{} was created but is not ACTIVE yet", new.name).into())
}

/// The input of CreateDeliveryStream. The role is one that nobody looks at: the caller's own rights
/// hold.
fn request(new: &NewDelivery<'_>, stream_arn: &str) -> Result<Value, String> {
    let place = Place::of(stream_arn)?;
    let Place {
        partition, account, ..
    } = place;
    let role = format!("arn:{partition}:iam::{account}:role/any");
    let hints = json!({
        "SizeInMBs": new.size_mib,
        "IntervalInSeconds": new.interval_seconds,
    });
    let bucket = json!({
        "RoleARN": role,
        "BucketARN": place.bucket_arn(new.bucket),
        "Prefix": new.prefix,
        "ErrorOutputPrefix": new.error_prefix,
        "BufferingHints": hints,
        "CompressionFormat": new.compression,
    });
    let (member, mut destination) = match &new.endpoint {
        None => ("ExtendedS3DestinationConfiguration", bucket),
        Some(endpoint) => {
            let destination = to_endpoint(new, endpoint, (bucket, hints));
            ("HttpEndpointDestinationConfiguration", destination)
        }
    };
    if let Some(plugin) = new.plugin {
        destination["ProcessingConfiguration"] =
            json!({"Enabled": true, "Processors": [place.processor(plugin)]});
    }
    Ok(json!({
        "DeliveryStreamName": new.name,
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {
            "KinesisStreamARN": stream_arn,
            "RoleARN": role,
        },
        member: destination,
    }))
}

fn to_endpoint(new: &NewDelivery<'_>, to: &Endpoint<'_>, (bucket, hints): (Value, Value)) -> Value {
    let mut endpoint = json!({"Url": to.url});
    if let Some(key) = &to.access_key {
        endpoint["AccessKey"] = json!(key);
    }
    let encoding = encoding(new.compression);
    json!({
        "EndpointConfiguration": endpoint,
        "BufferingHints": hints,
        "RequestConfiguration": {"ContentEncoding": encoding},
        "S3Configuration": bucket,
    })
}

/// How requests are packed where objects are packed so.
pub(super) fn encoding(compression: &str) -> &'static str {
    if compression == "GZIP" {
        "GZIP"
    } else {
        "NONE"
    }
}
