//! `millrace delivery …`: the delivery streams of a server, from a terminal.

mod describe;
mod flush;
mod list;
mod shapes;

use clap::Subcommand;

use crate::failure::Failure;

pub(crate) use shapes::DeliveryStream;

#[derive(Subcommand)]
pub(crate) enum DeliveryCommand {
    /// List the delivery streams with what became of their records
    List(list::ListArgs),
    /// Show all that is known of one delivery stream
    Describe(describe::DescribeArgs),
    /// Deliver everything that waits, and return when it is delivered
    Flush(flush::FlushArgs),
}

impl DeliveryCommand {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(args) => list::run(&args).await,
            Self::Describe(args) => describe::run(&args).await,
            Self::Flush(args) => flush::run(&args).await,
        }
    }
}
