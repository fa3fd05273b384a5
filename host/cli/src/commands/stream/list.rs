//! `millrace stream list`.

use std::sync::Arc;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::client::{Client, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListStreams {
    #[serde(skip_serializing_if = "Option::is_none")]
    exclusive_start_stream_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamNames {
    stream_names: Vec<String>,
    has_more_streams: bool,
}

pub(crate) async fn run(args: &ListArgs) -> Result<(), Failure> {
    let target = Arc::new(args.target.target()?);
    let mut client = Client::new(&target);
    let mut input = ListStreams::default();
    loop {
        let page: StreamNames = client.call("ListStreams", &input).await?;
        if page.stream_names.is_empty() && input.exclusive_start_stream_name.is_none() {
            return Ok(output::lines(&format!(
                "no streams in {}",
                target.region()
            ))?);
        }
        for name in &page.stream_names {
            output::lines(name)?;
        }
        input.exclusive_start_stream_name = page.stream_names.last().cloned();
        if !page.has_more_streams || input.exclusive_start_stream_name.is_none() {
            return Ok(());
        }
    }
}
