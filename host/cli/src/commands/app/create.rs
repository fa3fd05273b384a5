//! `millrace app create`.

use clap::Args;
use serde::Serialize;

use super::shapes::Description;
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct CreateArgs {
    /// The application's name
    name: String,
    /// The stream whose records it works on
    #[arg(long)]
    stream: String,
    /// The plugin that its records go through
    #[arg(long)]
    plugin: String,
    /// Where it begins: TRIM_HORIZON, LATEST, or milliseconds since 1970
    #[arg(long, default_value = "TRIM_HORIZON")]
    start: String,
    /// Stay with this version of the plugin [default: the one in force, whenever that changes]
    #[arg(long, value_name = "HASH")]
    version: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
struct Body<'a> {
    stream: &'a str,
    plugin: &'a str,
    start: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

pub(crate) async fn run(args: &CreateArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let body = Body {
        stream: &args.stream,
        plugin: &args.plugin,
        start: &args.start,
        version: args.version.as_deref(),
    };
    let page = format!("apps/{}/create", args.name);
    let made: Description = client.page_of(Method::POST, &page, &body).await?;
    let shards = made.shards.len();
    Ok(output::lines(&format!(
        "{} works on {} with {}; shards: {shards}",
        made.app.name, made.app.stream, made.app.plugin
    ))?)
}
