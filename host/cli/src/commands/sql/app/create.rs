//! `millrace sql app create`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::shapes::Described;
use crate::client::{Client, TargetArgs};
use crate::commands::stream::summary;
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct CreateArgs {
    /// The application's name
    name: String,
    /// The stream that it reads
    #[arg(long, value_name = "NAME")]
    stream: String,
    /// The file of its code
    #[arg(long, value_name = "FILE")]
    code: PathBuf,
    /// The file of the schema of records, as the API writes it; without it the schema is
    /// inferred from the last records
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// What the code calls the stream, without `_001`
    #[arg(long, value_name = "NAME", default_value = "SOURCE_SQL_STREAM")]
    prefix: String,
    /// Where rows of an in-application stream go: NAME=stream/NAME, NAME=delivery/NAME or
    /// NAME=plugin/NAME; may be said several times
    #[arg(long, value_name = "FROM=TO")]
    to: Vec<String>,
    /// Write rows as CSV, not as JSON
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Discovered {
    input_schema: Value,
}

/// Whose resources are where, as the ARN of a stream says it.
struct Place<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
}

pub(crate) async fn run(args: &CreateArgs) -> Result<(), Failure> {
    let mut client = Client::new(&Arc::new(args.target.target()?));
    let stream_arn = summary(&mut client, &args.stream).await?.stream_arn;
    let place = Place::of(&stream_arn)?;
    let outputs = args.to.iter().map(|text| output(&place, text, args.csv));
    let outputs: Vec<Value> = outputs.collect::<Result<_, String>>()?;
    let code = read(&args.code)?;
    let role = place.role();
    let schema = match &args.schema {
        Some(file) => schema_in(file)?,
        None => {
            let input = json!({"ResourceARN": stream_arn, "ServiceExecutionRole": role});
            let found: Discovered = client.call_analytics("DiscoverInputSchema", &input).await?;
            found.input_schema
        }
    };
    let input = json!({
        "ApplicationName": args.name,
        "RuntimeEnvironment": "SQL-1_0",
        "ServiceExecutionRole": role,
        "ApplicationConfiguration": {
            "SqlApplicationConfiguration": {
                "Inputs": [{
                    "NamePrefix": args.prefix,
                    "KinesisStreamsInput": {"ResourceARN": stream_arn},
                    "InputSchema": schema,
                }],
                "Outputs": outputs,
            },
            "ApplicationCodeConfiguration": {
                "CodeContentType": "PLAINTEXT",
                "CodeContent": {"TextContent": code},
            },
        },
    });
    let made: Described = client.call_analytics("CreateApplication", &input).await?;
    Ok(output::lines(&made.application_detail.arn)?)
}

/// The text in a file.
pub(super) fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("read {}: {error}", file.display()))
}

/// The schema in a file: the object itself, or one that has it as `InputSchema`.
fn schema_in(file: &Path) -> Result<Value, String> {
    let schema: Value = serde_json::from_str(&read(file)?)
        .map_err(|error| format!("read {}: {error}", file.display()))?;
    Ok(match schema.get("InputSchema") {
        Some(schema) => schema.clone(),
        None => schema,
    })
}

/// The output of `FROM=TO`.
fn output(place: &Place<'_>, text: &str, csv: bool) -> Result<Value, String> {
    let wrong =
        || format!("'{text}' is none of NAME=stream/NAME, NAME=delivery/NAME, NAME=plugin/NAME");
    let (from, to) = text.split_once('=').ok_or_else(wrong)?;
    let (kind, name) = to.split_once('/').ok_or_else(wrong)?;
    let (member, resource) = match kind {
        "stream" => ("KinesisStreamsOutput", format!("stream/{name}")),
        "delivery" => ("KinesisFirehoseOutput", format!("deliverystream/{name}")),
        "plugin" => ("LambdaOutput", format!("function:{name}")),
        _ => return Err(wrong()),
    };
    let service = match kind {
        "stream" => "kinesis",
        "delivery" => "firehose",
        _ => "lambda",
    };
    let format = if csv { "CSV" } else { "JSON" };
    let mut output = json!({
        "Name": from,
        "DestinationSchema": {"RecordFormatType": format},
    });
    output[member] = json!({"ResourceARN": place.arn(service, &resource)});
    Ok(output)
}

impl<'a> Place<'a> {
    fn of(arn: &'a str) -> Result<Self, String> {
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

    fn arn(&self, service: &str, resource: &str) -> String {
        let Self {
            partition,
            region,
            account,
        } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// A role that nobody looks at: the caller's own rights hold.
    fn role(&self) -> String {
        format!("arn:{}:iam::{}:role/any", self.partition, self.account)
    }
}
