//! `millrace delivery flush`.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use super::DeliveryStream;
use crate::client::{Client, Method, Target, TargetArgs};
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
    #[serde(default)]
    lost: u64,
    #[serde(default)]
    waiting: u64,
}

/// How long it waits before it says why.
const TELL_AFTER: Duration = Duration::from_secs(2);

pub(crate) async fn run(args: &FlushArgs) -> Result<(), Failure> {
    let target = Arc::new(args.target.target()?);
    let mut client = Client::new(&target);
    let page = format!("delivery-streams/{}/flush", args.name);
    let flushing = client.page(Method::POST, &page);
    tokio::pin!(flushing);
    let flushed: Flushed = tokio::select! {
        flushed = &mut flushing => flushed?,
        () = tokio::time::sleep(TELL_AFTER) => {
            // One that is deleted meanwhile has no page, and the flush says what became of it.
            if let Some(why) = why(&target, &args.name).await {
                output::lines(&why)?;
            }
            flushing.await?
        }
    };
    if flushed.delivered {
        return Ok(output::lines("delivered")?);
    }
    let number = output::count;
    let told = if flushed.lost > 0 {
        format!(
            "not delivered: {} of the records that waited are lost, and {} still wait",
            number(flushed.lost),
            number(flushed.waiting)
        )
    } else {
        "not everything is delivered yet".to_owned()
    };
    Err(Failure::Text(format!(
        "{told}; see `millrace delivery describe {}`",
        args.name
    )))
}

/// What is in the way of a flush that takes long.
async fn why(target: &Arc<Target>, name: &str) -> Option<String> {
    let page = format!("delivery-streams/{name}");
    let stream: DeliveryStream = Client::new(target).page(Method::GET, &page).await.ok()?;
    let waiting = output::count(stream.waiting_records);
    let why = stream
        .trouble
        .unwrap_or_else(|| "they are on their way".to_owned());
    Some(format!("{waiting} records wait: {why}"))
}
