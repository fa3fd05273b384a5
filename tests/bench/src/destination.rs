//! The delivery streams that are measured: how they are made, and where their objects lie.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use crate::Failure;
use crate::requests::{ACCOUNT, REGION};

/// Its name.
pub const NAME: &str = "bench-delivery";
/// The stream that it reads.
pub const STREAM: &str = "bench";
const BUCKET: &str = "bench";
/// Delivered objects lie in one folder, whenever they are made.
const PREFIX: &str = "!{timestamp:'records'}/";
const PARTITIONED: &str = "records/!{partitionKeyFromQuery:key}/";
const FOLDER: &str = "records";
const ERROR_PREFIX: &str = "failed/!{firehose:error-output-type}/";

/// What is different from one delivery stream to the next. All deliver what waits at once.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// `SizeInMBs`.
    pub size_mib: usize,
    /// `CompressionFormat`.
    pub compression: &'static str,
    /// The plugin that records go through.
    pub plugin: Option<&'a str>,
    /// Whether records become rows of the table of [`write_table`].
    pub converts: bool,
    /// Whether records go to partitions by their key.
    pub partitions: bool,
}

const DATABASE: &str = "bench";
const TABLE: &str = "events";
/// The columns of an event.
pub const COLUMNS: [(&str, &str); 10] = [
    ("event_id", "string"),
    ("customer_id", "string"),
    ("type", "string"),
    ("time", "timestamp"),
    ("session", "string"),
    ("ip", "string"),
    ("user_agent", "string"),
    (
        "items",
        "array<struct<sku:string,quantity:int,price_cents:int>>",
    ),
    ("signature", "string"),
    ("note", "string"),
];

/// Writes the table of events into a directory of tables.
pub fn write_table(directory: &Path) -> Result<(), Failure> {
    let columns = COLUMNS.iter();
    let columns = columns.map(|(name, kind)| json!({"Name": name, "Type": kind}));
    let columns: Vec<Value> = columns.collect();
    let table = json!({"Table": {"StorageDescriptor": {"Columns": columns}}});
    fs::create_dir_all(directory.join(DATABASE))?;
    fs::write(
        directory.join(DATABASE).join(format!("{TABLE}.json")),
        table.to_string(),
    )?;
    Ok(())
}

impl Destination<'_> {
    /// The input of CreateDeliveryStream.
    pub fn input(&self) -> Value {
        let lambda = |plugin| {
            let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{plugin}");
            let parameter = json!({"ParameterName": "LambdaArn", "ParameterValue": arn});
            json!({"Type": "Lambda", "Parameters": [parameter]})
        };
        let role = format!("arn:aws:iam::{ACCOUNT}:role/bench");
        let query = |name, value| json!({"ParameterName": name, "ParameterValue": value});
        let extraction = json!({
            "Type": "MetadataExtraction",
            "Parameters": [
                query("MetadataExtractionQuery", "{key: .key}"),
                query("JsonParsingEngine", "JQ-1.6"),
            ],
        });
        let mut processors: Vec<Value> = self.plugin.map(lambda).into_iter().collect();
        processors.extend(self.partitions.then_some(extraction));
        let conversion = json!({
            "Enabled": self.converts,
            "SchemaConfiguration": {
                "RoleARN": role, "DatabaseName": DATABASE, "TableName": TABLE,
            },
            "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
            "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
        });
        json!({
            "DeliveryStreamName": NAME,
            "DeliveryStreamType": "KinesisStreamAsSource",
            "KinesisStreamSourceConfiguration": {
                "KinesisStreamARN": format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{STREAM}"),
                "RoleARN": role,
            },
            "ExtendedS3DestinationConfiguration": {
                "RoleARN": role,
                "BucketARN": format!("arn:aws:s3:::{BUCKET}"),
                "Prefix": if self.partitions { PARTITIONED } else { PREFIX },
                "DynamicPartitioningConfiguration": {"Enabled": self.partitions},
                "ErrorOutputPrefix": ERROR_PREFIX,
                "BufferingHints": {"SizeInMBs": self.size_mib, "IntervalInSeconds": 0},
                "CompressionFormat": self.compression,
                "DataFormatConversionConfiguration": conversion,
                "ProcessingConfiguration": {
                    "Enabled": !processors.is_empty(),
                    "Processors": processors,
                },
            },
        })
    }
}

/// The folder of delivered objects, below a directory of buckets.
pub fn folder(buckets: &Path) -> PathBuf {
    buckets.join(BUCKET).join(FOLDER)
}

/// Every object in the folder by its name, unpacked.
pub fn objects(
    folder: &Path,
) -> Result<impl Iterator<Item = Result<(String, Vec<u8>), Failure>>, Failure> {
    Ok(fs::read_dir(folder)?.map(|entry| {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let mut content = Vec::new();
        MultiGzDecoder::new(File::open(entry.path())?)
            .read_to_end(&mut content)
            .map_err(|error| format!("unpack {name}: {error}"))?;
        Ok((name, content))
    }))
}

/// The lines of an object, without their ends.
pub fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = content.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.is_empty())
}
