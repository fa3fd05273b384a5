//! `millrace table …`: the tables of a server, from a terminal.

mod entries;
mod get;
mod list;
mod print;
mod scan;
mod shapes;
mod watch;

use clap::Subcommand;

pub(crate) use entries::{entries, make};

use crate::failure::Failure;

#[derive(Subcommand)]
pub(crate) enum TableCommand {
    /// List the tables
    List(list::ListArgs),
    /// Show one item
    Get(get::GetArgs),
    /// Show items in the order of their keys
    Scan(scan::ScanArgs),
    /// Show what changes, as often as the table can be read through
    Watch(watch::WatchArgs),
}

impl TableCommand {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(args) => list::run(&args).await,
            Self::Get(args) => get::run(&args).await,
            Self::Scan(args) => scan::run(&args).await,
            Self::Watch(args) => watch::run(&args).await,
        }
    }
}
