//! `millrace delivery …`: the delivery streams of a server, from a terminal.

mod create;
mod delete;
mod describe;
mod flush;
mod lineage;
mod list;
mod logs;
mod order;
mod redeliver;
mod shapes;
mod tail;
mod update;

use clap::Subcommand;

use super::letters;
use crate::failure::Failure;

pub(crate) use create::{NewDelivery, create};
pub(crate) use shapes::{DeliveryStream, DeliveryStreams};

#[derive(Subcommand)]
pub(crate) enum DeliveryCommand {
    /// List the delivery streams with what became of their records
    List(list::ListArgs),
    /// Deliver the records of a stream into objects, through a plugin
    Create(create::CreateArgs),
    /// Change where and how the records of a delivery stream are delivered
    Update(update::UpdateArgs),
    /// Delete a delivery stream; what it has delivered stays
    Delete(delete::DeleteArgs),
    /// Show all that is known of one delivery stream
    Describe(describe::DescribeArgs),
    /// Show what went wrong with a delivery stream lately
    Logs(logs::LogsArgs),
    /// Follow what a delivery stream delivers: objects and requests as they appear
    Tail(tail::TailArgs),
    /// Show what an object was made of: which records, by which versions
    Lineage(lineage::LineageArgs),
    /// Deliver everything that waits, and return when it is delivered
    Flush(flush::FlushArgs),
    /// Try at once what a lane does not get rid of
    Retry(order::LaneArgs),
    /// Deliver what a lane does not get rid of by the configuration in force
    ///
    /// Objects of it that exist already by the configuration of before stay, and their records are
    /// delivered again: the answer says how many there may be.
    Move(order::LaneArgs),
    /// Put what a lane does not get rid of below the error prefix, as failed records
    ///
    /// Objects of it that exist already stay: the answer says how many there may be. Where the
    /// error prefix takes nothing either, the lane tries for as long as it takes; another skip
    /// begins anew with the error prefix in force, and `--leave-out` puts the records nowhere.
    Skip(order::SkipArgs),
    /// Deliver once more what the stream still retains, below a prefix of its own
    Redeliver(redeliver::RedeliverArgs),
    /// Show what was ordered to be delivered once more, or cancel it
    Redeliveries(redeliver::RedeliveriesArgs),
    /// Work with records that failed: the objects below the error prefix
    DeadLetters(letters::ObjectsArgs),
}

impl DeliveryCommand {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(args) => list::run(&args).await,
            Self::Create(args) => create::run(&args).await,
            Self::Update(args) => update::run(&args).await,
            Self::Delete(args) => delete::run(&args).await,
            Self::Describe(args) => describe::run(&args).await,
            Self::Logs(args) => logs::run(&args).await,
            Self::Tail(args) => tail::run(&args).await,
            Self::Lineage(args) => lineage::run(&args).await,
            Self::Flush(args) => flush::run(&args).await,
            Self::Retry(args) => order::run("retry", &args).await,
            Self::Move(args) => order::run("move", &args).await,
            Self::Skip(args) => order::skip(&args).await,
            Self::Redeliver(args) => redeliver::run(&args).await,
            Self::Redeliveries(args) => redeliver::list(&args).await,
            Self::DeadLetters(args) => letters::objects_of_delivery(&args).await,
        }
    }
}
