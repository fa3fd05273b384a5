//! `millrace app pause|resume|delete|version|retry|skip`.

use clap::Args;
use serde::Serialize;

use super::shapes::{Done, Heard};
use super::show::NameArgs;
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct ShardArgs {
    /// The application's name
    name: String,
    /// Only this shard, by its id [default: all that do not get on]
    #[arg(long)]
    shard: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args)]
pub(crate) struct VersionArgs {
    /// The application's name
    name: String,
    /// The version's hash, as `millrace plugin inspect` shows it, or `latest`
    version: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

pub(crate) async fn run(order: &str, args: &NameArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let page = format!("apps/{}/{order}", args.name);
    let answer: Done = client.page(Method::POST, &page).await?;
    told(&answer, &format!("{order} {}", args.name))
}

pub(crate) async fn version(args: &VersionArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let page = format!("apps/{}/version", args.name);
    let version = Some(args.version.as_str());
    let answer: Done = client
        .page_of(Method::POST, &page, &Body { version })
        .await?;
    told(
        &answer,
        &format!("{} works with {}", args.name, args.version),
    )
}

pub(crate) async fn shard(order: &str, args: &ShardArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let mut page = format!("apps/{}/{order}", args.name);
    if let Some(shard) = &args.shard {
        page.push_str(&format!("/{shard}"));
    }
    let heard: Heard = client.page(Method::POST, &page).await?;
    let said = match heard.shards {
        0 => "every shard of this server gets on".to_owned(),
        shards => format!("{order}: {shards} shards heard it"),
    };
    output::lines(&said)?;
    Ok(())
}

pub(crate) fn told(answer: &Done, what: &str) -> Result<(), Failure> {
    if answer.done {
        Ok(output::lines(&format!("done: {what}"))?)
    } else {
        Err(Failure::Text(format!("not done: {what}")))
    }
}
