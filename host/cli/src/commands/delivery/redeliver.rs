//! `millrace delivery redeliver` and `redeliveries`: what a stream retains, delivered once more.

use clap::Args;
use serde::{Deserialize, Serialize};
use types::{Clock, GivenNumber, SystemClock};

use crate::client::{Client, Method, TargetArgs};
use crate::commands::stream::{Begin, Since};
use crate::failure::Failure;
use crate::output;

/// Delivers once more what the stream of a delivery stream still retains, into objects below a
/// prefix of their own, through the version of the plugin that is in force or that is named.
///
/// The order is durable when this returns, goes on over restarts, and stops nobody: `redeliveries`
/// shows how far it is. Given once more it is not done again.
#[derive(Args)]
pub(crate) struct RedeliverArgs {
    /// The delivery stream's name
    name: String,
    /// How long ago (2h), a time (2026-11-29T13:05:00Z), `TRIM_HORIZON`, or a sequence number,
    /// which means its shard alone
    #[arg(long)]
    from: String,
    /// Before which time, or up to which sequence number [default: where the stream ends now]
    #[arg(long)]
    to: Option<String>,
    /// What stands before the names of objects; another one than the delivery stream has
    #[arg(long)]
    prefix: String,
    /// The same of failed records [default: `failed/` and the kind of failure below the prefix]
    #[arg(long)]
    error_prefix: Option<String>,
    /// The hash of the version of the plugin [default: the one in force when each is delivered]
    #[arg(long)]
    version: Option<String>,
    /// What the order is called [default: its prefix]
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

/// Shows what was ordered to be delivered once more, and how far it is.
#[derive(Args)]
pub(crate) struct RedeliveriesArgs {
    /// The delivery stream's name
    name: String,
    /// End the order of this id; what it has delivered stays
    #[arg(long, value_name = "ID")]
    cancel: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    prefix: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_prefix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

#[derive(Serialize)]
struct Named<'a> {
    id: &'a str,
}

#[derive(Deserialize)]
struct List {
    redeliveries: Vec<Redelivery>,
}

/// How an order is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redelivery {
    id: String,
    state: String,
    made_at_ms: u64,
    prefix: String,
    version: Option<String>,
    records: u64,
    done: u64,
    delivered: u64,
    dropped: u64,
    failed: u64,
    lost: u64,
    left: u64,
    objects: u64,
    trouble: Option<String>,
}

pub(crate) async fn run(args: &RedeliverArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let order = Order {
        id: args.id.as_deref(),
        from: place("--from", &args.from)?,
        to: args.to.as_deref().map(|to| place("--to", to)).transpose()?,
        prefix: &args.prefix,
        error_prefix: args.error_prefix.as_deref(),
        version: args.version.as_deref(),
    };
    let page = format!("delivery-streams/{}/redeliver", args.name);
    let redelivery: Redelivery = client.page_of(Method::POST, &page, &order).await?;
    Ok(output::lines(&redelivery.text())?)
}

pub(crate) async fn list(args: &RedeliveriesArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let page = format!("delivery-streams/{}/redeliveries", args.name);
    if let Some(id) = &args.cancel {
        let page = format!("{page}/cancel");
        let redelivery: Redelivery = client.page_of(Method::POST, &page, &Named { id }).await?;
        return Ok(output::lines(&redelivery.text())?);
    }
    let list: List = client.page(Method::GET, &page).await?;
    if list.redeliveries.is_empty() {
        output::complain(&format!("{} was ordered to redeliver nothing", args.name))?;
    }
    for redelivery in &list.redeliveries {
        output::lines(&redelivery.text())?;
    }
    Ok(())
}

/// A place as the server takes it: a sequence number as it is, a time in milliseconds.
fn place(member: &str, text: &str) -> Result<String, Failure> {
    let is_number = text.len() > MS_DIGITS_MAX && GivenNumber::parse(text).is_ok();
    if is_number {
        return Ok(text.to_owned());
    }
    let wrong = |why: String| Failure::Text(format!("{member}: {why}"));
    let begin = Since::parse(text).map_err(wrong)?;
    match begin.begin(SystemClock.now()).map_err(wrong)? {
        Begin::At(at) => Ok(at.0.to_string()),
        Begin::TrimHorizon => Ok("TRIM_HORIZON".to_owned()),
        Begin::Latest => Err(wrong(
            "nothing is retained after the newest record".to_owned(),
        )),
    }
}

/// Digits that a time in milliseconds has at most; a sequence number has more.
const MS_DIGITS_MAX: usize = 20;

impl Redelivery {
    fn text(&self) -> String {
        let number = output::count;
        let version = self.version.as_ref();
        let version = version
            .map(|hash| format!(" through {hash}"))
            .unwrap_or_default();
        let trouble = self.trouble.as_ref();
        let trouble = trouble
            .map(|why| format!("\n  does not get on: {why}"))
            .unwrap_or_default();
        format!(
            "{} {} to {}{version} at {}\n  {} of {} records: delivered {}, dropped {}, failed {}, \
             lost {}, left {}, in {} objects{trouble}",
            self.id,
            self.state,
            self.prefix,
            output::time(self.made_at_ms),
            number(self.done),
            number(self.records),
            number(self.delivered),
            number(self.dropped),
            number(self.failed),
            number(self.lost),
            number(self.left),
            number(self.objects),
        )
    }
}
