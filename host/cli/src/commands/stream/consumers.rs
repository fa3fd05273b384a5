//! `millrace stream consumers`.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::describe::summary;
use crate::client::{Client, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct ConsumersArgs {
    /// The stream's name
    name: String,
    /// Register a consumer of this name before
    #[arg(long, value_name = "CONSUMER")]
    register: Option<String>,
    /// Deregister the consumer of this name before
    #[arg(long, value_name = "CONSUMER", conflicts_with = "register")]
    deregister: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OfConsumer<'a> {
    #[serde(rename = "StreamARN")]
    stream_arn: &'a str,
    consumer_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListStreamConsumers<'a> {
    #[serde(rename = "StreamARN")]
    stream_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Consumers {
    consumers: Vec<Consumer>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Consumer {
    consumer_name: String,
    #[serde(rename = "ConsumerARN")]
    consumer_arn: String,
    consumer_status: String,
}

pub(crate) async fn run(args: &ConsumersArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let stream_arn = summary(&mut client, &args.name).await?.stream_arn;
    for (operation, consumer) in [
        ("RegisterStreamConsumer", &args.register),
        ("DeregisterStreamConsumer", &args.deregister),
    ] {
        if let Some(consumer) = consumer {
            let input = OfConsumer {
                stream_arn: &stream_arn,
                consumer_name: consumer,
            };
            let _: serde_json::Value = client.call(operation, &input).await?;
        }
    }
    let consumers = list(&mut client, &stream_arn).await?;
    if consumers.is_empty() {
        return Ok(output::lines(&format!("{} has no consumers", args.name))?);
    }
    let rows = consumers.into_iter();
    let rows = rows.map(|one| vec![one.consumer_name, one.consumer_status, one.consumer_arn]);
    let rows: Vec<_> = rows.collect();
    Ok(output::lines(output::table(&rows).trim_end())?)
}

async fn list(client: &mut Client, stream_arn: &str) -> Result<Vec<Consumer>, Failure> {
    let mut all = Vec::new();
    let mut next_token = None;
    loop {
        let input = ListStreamConsumers {
            stream_arn,
            next_token,
        };
        let page: Consumers = client.call("ListStreamConsumers", &input).await?;
        all.extend(page.consumers);
        next_token = page.next_token;
        if next_token.is_none() {
            return Ok(all);
        }
    }
}
