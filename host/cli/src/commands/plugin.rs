//! `millrace plugin …`: writing plugins, and the plugins of a server, from a terminal.

mod alias;
mod build;
mod cache;
mod canary;
mod check;
mod costs;
mod deploy;
mod dev;
mod entries;
mod history;
mod inspect;
mod limits;
mod list;
mod logs;
mod new;
mod orders;
mod outcome;
mod profile;
mod project;
mod run;
mod shadow;
mod shapes;
mod sign;
mod test;
mod trials;

use clap::Subcommand;

use super::{in_runtime, letters};
use crate::failure::Failure;

pub(crate) use shapes::{Ignored, Plugin, Plugins};

#[derive(Subcommand)]
pub(crate) enum PluginCommand {
    /// Make a folder with a plugin that builds at once
    New(new::NewArgs),
    /// Build a plugin's component
    Build(build::BuildArgs),
    /// Say what a server would say of a plugin
    Check(check::CheckArgs),
    /// Compare what a plugin makes of records with what it should
    Test(test::TestArgs),
    /// Run a plugin in a server of its own, and swap it with every change of its sources
    Dev(dev::DevArgs),
    /// Put a plugin in force in a running server
    Deploy(deploy::DeployArgs),
    /// Run records of a live stream through a plugin, with nothing written
    Run(run::RunArgs),
    /// Let retained records through a plugin that is not deployed, beside the version in force
    Shadow(shadow::ShadowArgs),
    /// Print what a plugin of a server logged
    // `--version` is the plugin's.
    #[command(disable_version_flag = true)]
    Logs(logs::LogsArgs),
    /// Sample where a plugin of a server spends its time
    Profile(profile::ProfileArgs),
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
    /// Work with the dead letters of all that go through a plugin
    DeadLetters(letters::ReadersArgs),
}

impl PluginCommand {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::New(args) => new::run(&args),
            Self::Build(args) => build::run(&args),
            Self::Check(args) => check::run(&args),
            Self::Test(args) => test::run(&args),
            Self::Dev(args) => in_runtime(dev::run(args)),
            Self::Deploy(args) => in_runtime(deploy::run(&args)),
            Self::Run(args) => in_runtime(run::run(&args)),
            Self::Shadow(args) => in_runtime(shadow::run(&args)),
            Self::Logs(args) => in_runtime(logs::run(&args)),
            Self::Profile(args) => in_runtime(profile::run(&args)),
            Self::List(args) => in_runtime(list::run(&args)),
            Self::Inspect(args) => in_runtime(inspect::run(&args)),
            Self::History(args) => in_runtime(history::run(&args)),
            Self::Rollback(args) => in_runtime(orders::rollback(&args)),
            Self::Pause(args) => in_runtime(orders::pause(&args)),
            Self::Resume(args) => in_runtime(orders::resume(&args)),
            Self::Alias(args) => in_runtime(alias::run(&args)),
            Self::Canary(args) => in_runtime(canary::run(&args)),
            Self::Sign(args) => sign::run(&args),
            Self::DeadLetters(args) => in_runtime(letters::of_readers("plugins", &args)),
        }
    }
}
