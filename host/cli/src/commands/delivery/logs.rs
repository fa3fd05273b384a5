//! `millrace delivery logs`: what went wrong with a delivery stream lately.

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, TargetArgs};
use crate::commands::log_reader::{LogLine, Reader};
use crate::failure::Failure;
use crate::output;

/// Prints what went wrong with a delivery stream since the server was started: when, in which lane,
/// on the way to where, and AWS's word for it, if it has one. The server keeps the last 64 of each;
/// its own log has all.
#[derive(Args)]
pub(crate) struct LogsArgs {
    /// The delivery stream's name
    name: String,
    /// Go on with what comes, also after a restart of the server
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    at_ms: u64,
    lane: Option<String>,
    destination: String,
    error_code: Option<String>,
    message: String,
}

pub(crate) async fn run(args: &LogsArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let nothing = format!("nothing went wrong with {} since the start", args.name);
    let reader = Reader::<Line>::new(format!("delivery-streams/{}/logs?", args.name));
    reader.print(&mut client, args.follow, &nothing).await
}

impl LogLine for Line {
    fn text(&self) -> String {
        let (time, destination) = (output::time(self.at_ms), &self.destination);
        let lane = self.lane.as_deref().unwrap_or("all lanes");
        let code = self.error_code.as_ref();
        let code = code.map(|code| format!("{code}: ")).unwrap_or_default();
        format!("{time} {lane} {destination} {code}{}", self.message)
    }
}
