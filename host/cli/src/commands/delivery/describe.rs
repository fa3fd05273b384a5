//! `millrace delivery describe`.

use clap::Args;

use super::DeliveryStream;
use super::shapes::{Description, Lane, StuckLane};
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
    let Description { stream, lanes } = client.page(Method::GET, &page).await?;
    for (name, value) in facts(&stream) {
        output::lines(&format!("  {name:<16} {value}"))?;
    }
    let number = output::count;
    for version in &stream.versions {
        let text = version.text();
        output::lines(&format!(
            "  by {text}: delivered {}, dropped {}, failed {}",
            number(version.delivered),
            number(version.dropped),
            number(version.failed)
        ))?;
    }
    for lane in &lanes {
        output::lines(&text_of(lane))?;
    }
    if let Some(trouble) = &stream.trouble
        && stream.stuck.is_empty()
    {
        output::lines(&format!("  does not get on: {trouble}"))?;
    }
    for stuck in &stream.stuck {
        let StuckLane { lane, why, .. } = stuck;
        output::lines(&format!("  lane {lane} does not get on: {why}"))?;
        if stuck.records > 0 {
            output::lines(&what_to_do(&stream.name, stuck))?;
        }
    }
    Ok(())
}

/// Where the bucket stands among the facts: the endpoint stands before it.
const BUCKET_PLACE: usize = 5;

/// What is known of all lanes together, by name.
fn facts(stream: &DeliveryStream) -> Vec<(&'static str, String)> {
    let number = output::count;
    let mut facts = vec![
        ("delivery stream", stream.name.clone()),
        ("arn", stream.arn.clone()),
        ("status", stream.status.clone()),
        ("version", stream.version_id.to_string()),
        (
            "source",
            stream
                .source
                .clone()
                .unwrap_or_else(|| "direct puts".to_owned()),
        ),
        ("bucket", stream.bucket.clone()),
        ("in", number(stream.records_in)),
        ("replayed", number(stream.replayed)),
        ("delivered", number(stream.delivered)),
        ("dropped", number(stream.dropped)),
        ("failed", number(stream.failed)),
        ("lost", lost(stream)),
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
        ("last object", output::or_none(stream.last_object.clone())),
    ];
    if let Some(endpoint) = &stream.endpoint {
        facts.insert(BUCKET_PLACE, ("endpoint", endpoint.clone()));
    }
    facts
}

fn text_of(lane: &Lane) -> String {
    let number = output::count;
    format!(
        "  lane {}: in {}, delivered {}, dropped {}, failed {}, lost {}, waiting {}",
        lane.lane,
        number(lane.records_in),
        number(lane.delivered),
        number(lane.dropped),
        number(lane.failed),
        number(lane.lost),
        number(lane.waiting_records)
    )
}

/// The commands by which an operator decides what becomes of a cut that is stuck.
fn what_to_do(name: &str, stuck: &StuckLane) -> String {
    let (records, objects) = (output::count(stuck.records), stuck.objects_that_may_exist);
    let lane = &stuck.lane;
    if stuck.unreadable {
        return format!(
            "    {records} records cannot be read\n    \
             `millrace delivery retry {name} --lane {lane}` looks again at once\n    \
             `millrace delivery skip {name} --lane {lane} --leave-out` \
             counts them as lost and goes on behind them"
        );
    }
    format!(
        "    {records} records are on their way, and {objects} objects of them may exist\n    \
         `millrace delivery retry {name} --lane {lane}` tries them again at once\n    \
         `millrace delivery move {name} --lane {lane}` delivers them by the configuration in \
         force\n    `millrace delivery skip {name} --lane {lane}` puts them below the error prefix"
    )
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
