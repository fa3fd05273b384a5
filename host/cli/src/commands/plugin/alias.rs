//! `millrace plugin alias`.

use clap::Args;

use super::orders::{obey, tell};
use super::project::plugin_name;
use crate::client::TargetArgs;
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct AliasArgs {
    /// The plugin's name
    #[arg(value_parser = plugin_name)]
    name: String,
    /// The alias, as it stands behind a function's name
    alias: String,
    /// The version that it shall stand for: its number, or the first 12 digits of its hash or more
    #[arg(id = "of", value_name = "VERSION")]
    #[arg(required_unless_present = "delete", conflicts_with = "delete")]
    version: Option<String>,
    /// Forget the alias; whoever goes by it waits
    #[arg(long)]
    delete: bool,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &AliasArgs) -> Result<(), Failure> {
    let AliasArgs {
        name,
        alias,
        version,
        ..
    } = args;
    match version {
        Some(version) => {
            let order = format!("aliases/{alias}/{version}");
            let version = obey(&args.target, name, &order).await?;
            tell(name, version.as_ref(), &format!("is {alias}"))
        }
        None => {
            obey(&args.target, name, &format!("aliases/{alias}/delete")).await?;
            Ok(output::lines(&format!(
                "{name}: {alias} is no alias any more"
            ))?)
        }
    }
}
