//! `millrace delivery delete`.

use clap::Args;
use serde_json::{Value, json};

use super::DeliveryStream;
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct DeleteArgs {
    /// The delivery stream's name
    name: String,
    /// Delete it though records wait that it has not delivered
    #[arg(long)]
    with_waiting: bool,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &DeleteArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let name = &args.name;
    if !args.with_waiting {
        let page = format!("delivery-streams/{name}");
        let stream: DeliveryStream = client.page(Method::GET, &page).await?;
        if stream.waiting_records > 0 {
            let waiting = output::count(stream.waiting_records);
            return Err(Failure::Text(format!(
                "records wait that {name} has not delivered ({waiting}): `millrace delivery flush \
                 {name}` delivers them, and --with-waiting deletes it all the same"
            )));
        }
    }
    let input = json!({"DeliveryStreamName": name});
    let _: Value = client.call_firehose("DeleteDeliveryStream", &input).await?;
    Ok(output::lines(&format!("{name} is being deleted"))?)
}
