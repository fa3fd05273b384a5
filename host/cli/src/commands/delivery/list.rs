//! `millrace delivery list`.

use clap::Args;

use super::shapes::DeliveryStreams;
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &ListArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let page: DeliveryStreams = client.page(Method::GET, "delivery-streams").await?;
    if page.delivery_streams.is_empty() {
        return Ok(output::lines("no delivery streams")?);
    }
    let head = [
        "delivery stream",
        "status",
        "in",
        "delivered",
        "dropped",
        "failed",
        "lost",
        "waiting",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for stream in &page.delivery_streams {
        let counts = [
            stream.records_in,
            stream.delivered,
            stream.dropped,
            stream.failed,
            stream.lost,
            stream.waiting_records,
        ];
        let mut row = vec![stream.name.clone(), stream.status.clone()];
        row.extend(counts.map(output::count));
        rows.push(row);
    }
    output::raw(output::table(&rows).as_bytes())?;
    for stream in &page.delivery_streams {
        if let Some(endpoint) = &stream.endpoint {
            output::lines(&format!("  {} goes to {endpoint}", stream.name))?;
        }
        if let Some(why) = &stream.trouble {
            output::lines(&format!("  {} does not get on: {why}", stream.name))?;
        }
    }
    Ok(output::flush()?)
}
