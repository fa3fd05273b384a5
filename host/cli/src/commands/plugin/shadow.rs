//! `millrace plugin shadow`: retained records of a server through a plugin that is not deployed,
//! beside the version in force.

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use serde::Deserialize;

use super::deploy::given;
use super::project::Given;
use super::shapes::Shadow;
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

/// Lets records that a server retains through a plugin and through the version in force, side by
/// side, and says what became of them in each. Nothing is delivered, and nothing of the plugin is
/// kept.
#[derive(Args)]
pub(crate) struct ShadowArgs {
    /// A component, or the folder of a plugin's sources
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    plugin: PathBuf,
    /// The stream whose records go through it [default: what goes through the plugin]
    #[arg(long, value_name = "NAME", conflicts_with = "delivery")]
    stream: Option<String>,
    /// The delivery stream whose records go through it
    #[arg(long, value_name = "NAME")]
    delivery: Option<String>,
    /// Records at most, the newest [default: as many as a deployment would try, or 1000]
    #[arg(short = 'n', long, value_name = "N")]
    records: Option<u32>,
    /// The file with its signature, as for `plugin deploy`
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Deserialize)]
struct Shadowed {
    shadow: Shadow,
}

pub(crate) async fn run(args: &ShadowArgs) -> Result<(), Failure> {
    let Given { name, files } = given(&args.plugin, args.signature.as_deref())?;
    let query: Vec<String> = [
        args.stream.as_deref().map(|it| ("stream", it.to_owned())),
        args.delivery
            .as_deref()
            .map(|it| ("delivery", it.to_owned())),
        args.records.map(|it| ("records", it.to_string())),
    ]
    .into_iter()
    .flatten()
    .map(|(name, value)| format!("{name}={value}"))
    .collect();
    if !query.iter().all(|it| it.bytes().all(is_of_a_name)) {
        let what = "the name of a stream is letters, digits, '.', '-' and '_'";
        return Err(Failure::Text(what.to_owned()));
    }
    let page = format!("plugins/{name}/shadow?{}", query.join("&"));
    let mut client = Client::new(&args.target.target()?.into());
    let body = Bytes::from(files.whole());
    let Shadowed { shadow } = client.page_with(Method::POST, &page, body).await?;
    output::lines(&name.to_string())?;
    for (what, value) in shadow.rows() {
        output::lines(&format!("  {what:<20} {value}"))?;
    }
    Ok(())
}

/// Whether a query may have it as it is.
fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'=')
}
