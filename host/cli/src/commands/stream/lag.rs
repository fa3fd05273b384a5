//! `millrace stream lag`.

use clap::Args;

use super::describe::summary;
use crate::client::{Client, Method, TargetArgs};
use crate::commands::delivery::DeliveryStreams;
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct LagArgs {
    /// The stream's name
    name: String,
    #[command(flatten)]
    target: TargetArgs,
}

/// How far the delivery streams of a stream are behind. Consumers keep their places themselves.
pub(crate) async fn run(args: &LagArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let stream_arn = summary(&mut client, &args.name).await?.stream_arn;
    let page: DeliveryStreams = client.page(Method::GET, "delivery-streams").await?;
    let readers = page.delivery_streams.into_iter();
    let readers = readers.filter(|reader| reader.source.as_ref() == Some(&stream_arn));
    let head = [
        "delivery stream",
        "status",
        "records waiting",
        "bytes waiting",
        "lost",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(readers.map(|reader| {
        vec![
            reader.name,
            reader.status,
            output::count(reader.waiting_records),
            output::count(reader.waiting_bytes),
            output::count(reader.lost),
        ]
    }));
    if rows.len() == 1 {
        let nobody = format!("no delivery stream reads {}", args.name);
        return Ok(output::lines(&nobody)?);
    }
    Ok(output::lines(output::table(&rows).trim_end())?)
}
