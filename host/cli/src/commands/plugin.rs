//! `millrace plugin …`: the plugins of a server, from a terminal.

mod inspect;
mod list;
mod shapes;

use clap::Subcommand;

use crate::failure::Failure;

pub(crate) use shapes::{Ignored, Plugin, Plugins};

#[derive(Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins, which version of each is in force, and why others were refused
    List(list::ListArgs),
    /// Show all that is known of one plugin
    Inspect(inspect::InspectArgs),
}

impl PluginCommand {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(args) => list::run(&args).await,
            Self::Inspect(args) => inspect::run(&args).await,
        }
    }
}
