//! `millrace delivery describe`.

use clap::Args;

use super::DeliveryStream;
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct DescribeArgs {
    /// The delivery stream's name
    name: String,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &DescribeArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let page = format!("delivery-streams/{}", args.name);
    let stream: DeliveryStream = client.page(Method::GET, &page).await?;
    let number = output::count;
    let rows = [
        ("delivery stream", stream.name.clone()),
        ("arn", stream.arn.clone()),
        ("status", stream.status.clone()),
        ("version", stream.version_id.to_string()),
        ("in", number(stream.records_in)),
        ("delivered", number(stream.delivered)),
        ("dropped", number(stream.dropped)),
        ("failed", number(stream.failed)),
        (
            "waiting",
            format!(
                "{} records, {} bytes",
                number(stream.waiting_records),
                number(stream.waiting_bytes)
            ),
        ),
        (
            "objects",
            format!(
                "{}, and {} of failed records",
                number(stream.objects),
                number(stream.failed_objects)
            ),
        ),
        ("bytes delivered", number(stream.bytes_delivered)),
        ("tried again", number(stream.retries)),
        (
            "last object",
            stream.last_object.clone().unwrap_or_else(|| "-".to_owned()),
        ),
    ];
    for (name, value) in rows {
        output::lines(&format!("  {name:<16} {value}"))?;
    }
    for version in &stream.versions {
        let text = version.text();
        output::lines(&format!(
            "  by {text}: delivered {}, dropped {}, failed {}",
            number(version.delivered),
            number(version.dropped),
            number(version.failed)
        ))?;
    }
    if let Some(why) = &stream.trouble {
        output::lines(&format!("  does not get on: {why}"))?;
    }
    Ok(())
}
