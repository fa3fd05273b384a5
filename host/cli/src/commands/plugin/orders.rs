//! `millrace plugin rollback`, `pause` and `resume`.

use clap::Args;

use super::project::plugin_name;
use super::shapes::{Numbered, Obeyed};
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct RollbackArgs {
    /// The plugin's name
    #[arg(value_parser = plugin_name)]
    name: String,
    /// The version to put in force: its number, or the first 12 digits of its hash or more
    /// [default: the one before]
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args)]
pub(crate) struct OrderArgs {
    /// The plugin's name
    #[arg(value_parser = plugin_name)]
    name: String,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn rollback(args: &RollbackArgs) -> Result<(), Failure> {
    let order = match &args.to {
        Some(version) => format!("rollback/{version}"),
        None => "rollback".to_owned(),
    };
    let version = obey(&args.target, &args.name, &order).await?;
    tell(&args.name, version.as_ref(), "is in force")
}

pub(crate) async fn pause(args: &OrderArgs) -> Result<(), Failure> {
    obey(&args.target, &args.name, "pause").await?;
    Ok(output::lines(&format!("{} is paused", args.name))?)
}

pub(crate) async fn resume(args: &OrderArgs) -> Result<(), Failure> {
    match obey(&args.target, &args.name, "resume").await? {
        Some(version) => tell(&args.name, Some(&version), "is in force"),
        None => Ok(output::lines(&format!("{} goes on", args.name))?),
    }
}

/// Gives an order; the version that it was about.
pub(super) async fn obey(
    target: &TargetArgs,
    name: &str,
    order: &str,
) -> Result<Option<Numbered>, Failure> {
    let mut client = Client::new(&target.target()?.into());
    let page = format!("plugins/{name}/{order}");
    let obeyed: Obeyed = client.page(Method::POST, &page).await?;
    Ok(obeyed.version)
}

/// Says what became of a version.
pub(super) fn tell(name: &str, version: Option<&Numbered>, what: &str) -> Result<(), Failure> {
    let version = version.map_or_else(|| "no version".to_owned(), Numbered::text);
    Ok(output::lines(&format!("{name}: {version} {what}"))?)
}
