//! `millrace plugin canary`.

use clap::{ArgGroup, Args};

use super::orders::{obey, tell};
use super::project::plugin_name;
use crate::client::TargetArgs;
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).args(["of", "promote", "end"]))]
pub(crate) struct CanaryArgs {
    /// The plugin's name
    #[arg(value_parser = plugin_name)]
    name: String,
    /// The version to begin with: its number, or the first 12 digits of its hash or more
    #[arg(
        id = "of",
        long = "version",
        value_name = "VERSION",
        requires = "share"
    )]
    version: Option<String>,
    /// The share of lanes that go by it, in percent: 1 to 99
    #[arg(long, value_name = "PERCENT", requires = "of")]
    share: Option<u8>,
    /// Put the canary in force for all
    #[arg(long)]
    promote: bool,
    /// Let all go by the version in force again
    #[arg(long)]
    end: bool,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &CanaryArgs) -> Result<(), Failure> {
    let name = &args.name;
    if let (Some(version), Some(share)) = (&args.version, args.share) {
        let order = format!("canary/{version}/{share}");
        let version = obey(&args.target, name, &order).await?;
        return tell(
            name,
            version.as_ref(),
            &format!("is a canary with {share} %"),
        );
    }
    if args.promote {
        let version = obey(&args.target, name, "canary/promote").await?;
        return tell(name, version.as_ref(), "is in force");
    }
    obey(&args.target, name, "canary/end").await?;
    Ok(output::lines(&format!(
        "{name}: there is no canary any more"
    ))?)
}
