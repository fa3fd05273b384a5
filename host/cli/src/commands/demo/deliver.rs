//! The demo's delivery stream, over the API.

use serde_json::{Value, json};

use super::STREAM;
use super::plugin;
use crate::client::{Client, Method};
use crate::commands::delivery::DeliveryStream;
use crate::failure::Failure;

/// The delivery stream's name.
pub(super) const NAME: &str = "visits-to-s3";
pub(super) const BUCKET: &str = "demo";
/// What stands before names of objects.
pub(super) const PREFIX: &str = "visits/";
pub(super) const ERROR_PREFIX: &str = "failed/";
/// Of the server without credentials, in the region of its local target.
const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

/// Creates it on the stream, with the component as its transform if there is one.
pub(super) async fn create(client: &mut Client, has_plugin: bool) -> Result<(), Failure> {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/any");
    let mut destination = json!({
        "RoleARN": role,
        "BucketARN": format!("arn:aws:s3:::{BUCKET}"),
        "Prefix": PREFIX,
        "ErrorOutputPrefix": ERROR_PREFIX,
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 2},
        "CompressionFormat": "GZIP",
    });
    // A component need not end its records with a line feed; the objects are read line by line.
    let mut processors = vec![json!({"Type": "AppendDelimiterToRecord"})];
    if has_plugin {
        let function = format!(
            "arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}",
            plugin::NAME
        );
        let parameter = json!({"ParameterName": "LambdaArn", "ParameterValue": function});
        processors.push(json!({"Type": "Lambda", "Parameters": [parameter]}));
    }
    destination["ProcessingConfiguration"] = json!({"Enabled": true, "Processors": processors});
    let input = json!({
        "DeliveryStreamName": NAME,
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {
            "KinesisStreamARN": format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{STREAM}"),
            "RoleARN": role,
        },
        "ExtendedS3DestinationConfiguration": destination,
    });
    let _: Value = client.call_firehose("CreateDeliveryStream", &input).await?;
    Ok(())
}

/// What became of the records so far.
pub(super) async fn status(client: &mut Client) -> Result<DeliveryStream, Failure> {
    let page = format!("delivery-streams/{NAME}");
    Ok(client.page(Method::GET, &page).await?)
}

/// Delivers what waits.
pub(super) async fn flush(client: &mut Client) -> Result<(), Failure> {
    let page = format!("delivery-streams/{NAME}/flush");
    let flushed: Value = client.page(Method::POST, &page).await?;
    if flushed["delivered"] != true {
        return Err("not everything was delivered in time".to_owned().into());
    }
    Ok(())
}
