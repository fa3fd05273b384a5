//! `millrace stream …`: streams of a server, from a terminal.

mod active;
mod consumers;
mod create;
mod describe;
mod encrypt;
mod lag;
mod list;
mod merge;
mod put;
mod reading;
mod retention;
mod scale;
mod shapes;
mod split;
mod tail;

use clap::Subcommand;

pub(crate) use create::create;
pub(crate) use describe::summary;
pub(crate) use put::{Batch, Waiting};
pub(crate) use reading::{Read, Reading};
pub(crate) use shapes::Landed;
pub(crate) use tail::{Begin, Framed, Since, Tail, each};

use super::letters;
use crate::failure::Failure;

#[derive(Subcommand)]
pub(crate) enum StreamCommand {
    /// List the streams
    List(list::ListArgs),
    /// Create a stream
    Create(create::CreateArgs),
    /// Show a stream and its shards
    Describe(describe::DescribeArgs),
    /// Seal a stream's records with a key, with another key, or no longer
    Encrypt(encrypt::EncryptArgs),
    /// Put a record, or one for every line of standard input
    Put(put::PutArgs),
    /// Print the records of all shards in the order of their arrival, and those that come
    Tail(tail::TailArgs),
    /// Split a shard in two
    Split(split::SplitArgs),
    /// Merge two shards
    Merge(merge::MergeArgs),
    /// Have another number of shards, all of one size
    Scale(scale::ScaleArgs),
    /// Show or change for how long records are kept
    Retention(retention::RetentionArgs),
    /// Show, register or deregister consumers
    Consumers(consumers::ConsumersArgs),
    /// Show how far the readers of a stream are behind
    Lag(lag::LagArgs),
    /// Work with the dead letters of all that read a stream
    DeadLetters(letters::ReadersArgs),
}

impl StreamCommand {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(args) => list::run(&args).await,
            Self::Create(args) => create::run(&args).await,
            Self::Describe(args) => describe::run(&args).await,
            Self::Encrypt(args) => encrypt::run(&args).await,
            Self::Put(args) => put::run(&args).await,
            Self::Tail(args) => tail::run(&args).await,
            Self::Split(args) => split::run(&args).await,
            Self::Merge(args) => merge::run(&args).await,
            Self::Scale(args) => scale::run(&args).await,
            Self::Retention(args) => retention::run(&args).await,
            Self::Consumers(args) => consumers::run(&args).await,
            Self::Lag(args) => lag::run(&args).await,
            Self::DeadLetters(args) => letters::of_readers("streams", &args).await,
        }
    }
}
