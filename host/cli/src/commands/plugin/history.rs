//! `millrace plugin history`.

use clap::Args;
use serde::Deserialize;

use super::project::plugin_name;
use super::shapes::{Event, Numbered};
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct HistoryArgs {
    /// The plugin's name
    #[arg(value_parser = plugin_name)]
    name: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct History {
    in_force: Option<u64>,
    versions: Vec<Numbered>,
    events: Vec<Event>,
}

pub(crate) async fn run(args: &HistoryArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let page = format!("plugins/{}/history", args.name);
    let history: History = client.page(Method::GET, &page).await?;
    let head = ["in force since", "number", "how", "version", "hash"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    // The newest first, as a person looks for it.
    rows.extend(
        history
            .events
            .iter()
            .rev()
            .map(|event| row(&history, event)),
    );
    output::raw(output::table(&rows).as_bytes())?;
    if history.in_force.is_none() {
        output::lines("  the plugin was taken away")?;
    }
    Ok(output::flush()?)
}

fn row(history: &History, event: &Event) -> Vec<String> {
    let version = history.versions.iter().find(|it| it.number == event.number);
    let label = version.map(|version| version.version.clone());
    let hash = version.and_then(|version| version.hash.get(..12));
    vec![
        output::time(event.at_ms),
        event.number.to_string(),
        event.how.clone(),
        output::or_none(label.filter(|label| !label.is_empty())),
        output::or_none(hash.map(str::to_owned)),
    ]
}
