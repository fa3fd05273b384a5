//! `millrace plugin …`: the plugins of a server, from a terminal.

mod alias;
mod canary;
mod history;
mod inspect;
mod list;
mod orders;
mod shapes;
mod sign;

use clap::Subcommand;

use crate::failure::Failure;

pub(crate) use shapes::{Ignored, Plugin, Plugins};

#[derive(Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins, which version of each is in force, and why others were refused
    List(list::ListArgs),
    /// Show all that is known of one plugin
    Inspect(inspect::InspectArgs),
    /// Show the versions of a plugin, and which was in force when
    History(history::HistoryArgs),
    /// Put the version before in force, or another one
    Rollback(orders::RollbackArgs),
    /// Let everybody who works with a plugin wait
    Pause(orders::OrderArgs),
    /// Let them go on; or take what was set aside in the plugins directory
    Resume(orders::OrderArgs),
    /// Let an alias stand for a version
    Alias(alias::AliasArgs),
    /// Let a share of the lanes go by another version
    // `--version` is the plugin's.
    #[command(disable_version_flag = true)]
    Canary(canary::CanaryArgs),
    /// Make a key, or sign a plugin with one
    Sign(sign::SignArgs),
}

impl PluginCommand {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(args) => list::run(&args).await,
            Self::Inspect(args) => inspect::run(&args).await,
            Self::History(args) => history::run(&args).await,
            Self::Rollback(args) => orders::rollback(&args).await,
            Self::Pause(args) => orders::pause(&args).await,
            Self::Resume(args) => orders::resume(&args).await,
            Self::Alias(args) => alias::run(&args).await,
            Self::Canary(args) => canary::run(&args).await,
            Self::Sign(args) => sign::run(&args),
        }
    }
}
