//! `millrace version`.

use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct VersionArgs {
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &VersionArgs) -> Result<(), Failure> {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let text = if args.json {
        json!({ "name": name, "version": version }).to_string()
    } else {
        format!("{name} {version}")
    };
    Ok(output::lines(&text)?)
}
