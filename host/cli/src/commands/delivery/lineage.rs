//! `millrace delivery lineage`: what an object was made of.

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, Method, TargetArgs, encoded};
use crate::failure::Failure;
use crate::output;

/// Prints which records of which shard an object was made of, through which version of the plugin
/// and by which version of the configuration.
#[derive(Args)]
pub(crate) struct LineageArgs {
    /// The delivery stream's name
    name: String,
    /// The object's key in the bucket
    object: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lineage {
    lane: String,
    redelivery: Option<String>,
    source: Option<String>,
    first_sequence_number: Option<String>,
    last_sequence_number: Option<String>,
    records: u64,
    oldest_ms: u64,
    delivery: u64,
    part: u16,
    version_id: u64,
    version: Option<String>,
}

pub(crate) async fn run(args: &LineageArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let (name, object) = (&args.name, encoded(&args.object));
    let page = format!("delivery-streams/{name}/lineage?object={object}");
    let lineage: Lineage = client.page(Method::GET, &page).await?;
    for (name, value) in lineage.facts() {
        output::lines(&format!("  {name:<16} {value}"))?;
    }
    Ok(())
}

impl Lineage {
    fn facts(&self) -> Vec<(&'static str, String)> {
        let delivery = format!("{}, object {}", self.delivery, self.part);
        vec![
            ("lane", self.lane.clone()),
            ("redelivery", output::or_none(self.redelivery.clone())),
            ("source", output::or_none(self.source.clone())),
            ("from", output::or_none(self.first_sequence_number.clone())),
            ("to", output::or_none(self.last_sequence_number.clone())),
            ("records", output::count(self.records)),
            ("oldest", output::time(self.oldest_ms)),
            ("delivery", delivery),
            ("configuration", self.version_id.to_string()),
            ("plugin", output::or_none(self.version.clone())),
        ]
    }
}
