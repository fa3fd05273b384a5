//! `millrace app create`.

use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::shapes::Description;
use crate::client::{Client, Method, Target, TargetArgs};
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

/// An application to be made.
#[derive(Serialize)]
pub(crate) struct NewApp<'a> {
    /// The stream that it consumes.
    pub(crate) stream: &'a str,
    pub(crate) plugin: &'a str,
    /// Where it begins: TRIM_HORIZON, LATEST, or milliseconds since 1970.
    pub(crate) start: &'a str,
    /// The version to stay with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<&'a str>,
}

pub(crate) async fn run(args: &CreateArgs) -> Result<(), Failure> {
    let new = NewApp {
        stream: &args.stream,
        plugin: &args.plugin,
        start: &args.start,
        version: args.version.as_deref(),
    };
    let made = create(&args.target.target()?.into(), &args.name, &new).await?;
    let shards = made.shards.len();
    Ok(output::lines(&format!(
        "{} works on {} with {}; shards: {shards}",
        made.app.name, made.app.stream, made.app.plugin
    ))?)
}

/// Makes an application.
pub(crate) async fn create(
    target: &Arc<Target>,
    name: &str,
    new: &NewApp<'_>,
) -> Result<Description, Failure> {
    let page = format!("apps/{name}/create");
    Ok(Client::new(target)
        .page_of(Method::POST, &page, new)
        .await?)
}
