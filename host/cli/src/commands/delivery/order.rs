//! `millrace delivery retry|move|skip`: what to do about a lane that does not get on.

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct LaneArgs {
    /// The delivery stream's name
    name: String,
    /// Only this lane: the id of the shard that it reads, `direct` or `replays` [default: all that
    /// do not get on]
    #[arg(long)]
    lane: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args)]
pub(crate) struct SkipArgs {
    #[command(flatten)]
    lane: LaneArgs,
    /// Put the records nowhere: they are counted as lost
    #[arg(long)]
    leave_out: bool,
}

#[derive(Deserialize)]
struct Answers {
    lanes: Vec<Answer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    lane: String,
    outcome: Outcome,
    records: u64,
    objects_that_may_exist: u32,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    Done,
    NothingStuck,
    Later,
    NotTaken,
    Failed,
    Unreadable,
}

pub(crate) async fn skip(args: &SkipArgs) -> Result<(), Failure> {
    let order = if args.leave_out { "leave-out" } else { "skip" };
    run(order, &args.lane).await
}

pub(crate) async fn run(order: &str, args: &LaneArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let mut page = format!("delivery-streams/{}/{order}", args.name);
    if let Some(lane) = &args.lane {
        page.push_str(&format!("/{lane}"));
    }
    let answers: Answers = client.page(Method::POST, &page).await?;
    if answers.lanes.is_empty() {
        return Ok(output::lines("every lane gets on")?);
    }
    for answer in &answers.lanes {
        output::lines(&answer.text(order))?;
    }
    let is_obeyed = |answer: &Answer| answer.outcome == Outcome::Done;
    if answers.lanes.iter().all(is_obeyed) {
        Ok(())
    } else {
        Err(Failure::Text(format!(
            "not every lane has done it; see `millrace delivery describe {}`",
            args.name
        )))
    }
}

impl Answer {
    fn text(&self, order: &str) -> String {
        let Self {
            lane,
            objects_that_may_exist: objects,
            ..
        } = self;
        let records = output::count(self.records);
        match self.outcome {
            Outcome::Done if order == "retry" && self.records == 0 => {
                format!("{lane}: has got on meanwhile")
            }
            Outcome::Done if order == "retry" => format!("{lane}: tries {records} records again"),
            Outcome::Done => format!(
                "{lane}: {order} {records} records; objects of them that may exist already: \
                 {objects}"
            ),
            Outcome::NothingStuck => format!("{lane}: has no cut that it does not get rid of"),
            Outcome::Later => format!("{lane}: is still trying, and does it then"),
            Outcome::NotTaken => format!("{lane}: ends or has other orders; ask again"),
            Outcome::Failed => format!("{lane}: could not keep it, and tries as before"),
            Outcome::Unreadable => format!(
                "{lane}: {records} records are or hold what cannot be read, and cannot be put \
                 anywhere: `millrace delivery describe` says what can be done"
            ),
        }
    }
}
