//! `millrace delivery flush`.

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct FlushArgs {
    /// The delivery stream's name
    name: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Deserialize)]
struct Flushed {
    delivered: bool,
}

pub(crate) async fn run(args: &FlushArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let page = format!("delivery-streams/{}/flush", args.name);
    let flushed: Flushed = client.page(Method::POST, &page).await?;
    if !flushed.delivered {
        return Err(Failure::Text(format!(
            "not everything is delivered yet; see `millrace delivery describe {}`",
            args.name
        )));
    }
    Ok(output::lines("delivered")?)
}
