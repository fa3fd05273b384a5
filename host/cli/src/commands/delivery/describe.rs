//! `millrace delivery describe`.

use clap::Args;

use super::DeliveryStream;
use super::shapes::StuckLane;
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
        ("lost", lost(&stream)),
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
    for stuck in &stream.stuck {
        let StuckLane { lane, why, .. } = stuck;
        output::lines(&format!("  lane {lane} does not get on: {why}"))?;
        if stuck.records > 0 {
            output::lines(&format!(
                "    {} records are on their way, and {} objects of them may exist; see `millrace \
                 delivery retry --help`, `move` and `skip`",
                number(stuck.records),
                stuck.objects_that_may_exist
            ))?;
        }
    }
    Ok(())
}

fn lost(stream: &DeliveryStream) -> String {
    let lost = output::count(stream.lost);
    if stream.left_out == 0 {
        lost
    } else {
        let left_out = output::count(stream.left_out);
        format!("{lost}, of which an operator left out {left_out}")
    }
}
