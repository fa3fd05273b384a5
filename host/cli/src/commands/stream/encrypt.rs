//! `millrace stream encrypt`.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use super::describe::summary;
use super::shapes::ChangeEncryption;
use crate::client::{Client, TargetArgs};
use crate::failure::Failure;
use crate::output;

/// How often, and how far apart, we look whether the change is in force.
const LOOKS_MAX: u32 = 150;
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// The key of a service's own.
const OWN_KEY: &str = "alias/aws/kinesis";

#[derive(Args)]
pub(crate) struct EncryptArgs {
    /// The stream's name
    name: String,
    /// Id, alias or ARN of the master key; without it the service's own
    #[arg(long, value_name = "KEY", conflicts_with = "stop")]
    key: Option<String>,
    /// Seal records no longer; those that were sealed stay so
    #[arg(long)]
    stop: bool,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &EncryptArgs) -> Result<(), Failure> {
    let mut client = Client::new(&Arc::new(args.target.target()?));
    let before = summary(&mut client, &args.name).await?;
    let known = before.key_id.as_deref().unwrap_or(OWN_KEY);
    let (operation, key_id) = if args.stop {
        ("StopStreamEncryption", known)
    } else {
        let wanted = args.key.as_deref();
        ("StartStreamEncryption", wanted.unwrap_or(OWN_KEY))
    };
    let input = ChangeEncryption {
        stream_name: &args.name,
        encryption_type: "KMS",
        key_id,
    };
    let _: Option<()> = client.call(operation, &input).await?;
    for _ in 0..LOOKS_MAX {
        let now = summary(&mut client, &args.name).await?;
        if now.stream_status == "ACTIVE" {
            return Ok(output::lines(&now.encryption())?);
        }
        sleep(LOOK_PAUSE).await;
    }
    Err(format!(
        "the encryption of stream '{}' is still being changed",
        args.name
    )
    .into())
}
