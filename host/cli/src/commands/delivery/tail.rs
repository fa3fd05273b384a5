//! `millrace delivery tail`: what a delivery stream delivers, as it does.

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, TargetArgs};
use crate::commands::log_reader::{LogLine, Reader};
use crate::failure::Failure;
use crate::output;

/// Prints each object that is put and each request that is taken: when, from which lane, with how
/// many records and bytes. It begins with the last 32 that the server knows, and goes on with those
/// that come, also after a restart of the server.
#[derive(Args)]
pub(crate) struct TailArgs {
    /// The delivery stream's name
    name: String,
    /// End with what is there
    #[arg(long)]
    no_follow: bool,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    at_ms: u64,
    lane: String,
    name: String,
    delivered: u64,
    failed: u64,
    bytes: u64,
}

pub(crate) async fn run(args: &TailArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let nothing = format!("{} has delivered nothing since the start", args.name);
    let reader = Reader::<Line>::new(format!("delivery-streams/{}/deliveries?", args.name));
    reader.print(&mut client, !args.no_follow, &nothing).await
}

impl LogLine for Line {
    fn text(&self) -> String {
        let number = output::count;
        let (time, lane) = (output::time(self.at_ms), &self.lane);
        let failed = if self.failed == 0 {
            String::new()
        } else {
            format!(" and {} failed", number(self.failed))
        };
        format!(
            "{time} {lane} {}: {} records{failed}, {} bytes",
            self.name,
            number(self.delivered),
            number(self.bytes)
        )
    }
}
