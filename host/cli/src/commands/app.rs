//! `millrace app …`: the applications of a server, from a terminal.

mod create;
mod letters;
mod orders;
mod shapes;
mod show;

use clap::Subcommand;

pub(crate) use create::{NewApp, create};
pub(crate) use letters::{letters_table, print_letter};
pub(crate) use orders::told;
pub(crate) use shapes::{Description, Done, Letter, Letters, Shard, WholeLetter};
pub(crate) use show::declared;

use crate::failure::Failure;

#[derive(Subcommand)]
pub(crate) enum AppCommand {
    /// Let a plugin work on a stream's records
    Create(create::CreateArgs),
    /// List the applications with what became of their records
    List(show::ListArgs),
    /// Show all that is known of one application
    Describe(show::NameArgs),
    /// Let an application stand still, after what it has begun
    Pause(show::NameArgs),
    /// Let an application go on that was paused
    Resume(show::NameArgs),
    /// Delete an application with its positions, states and dead letters; its tables stay
    Delete(show::NameArgs),
    /// Say which version of its plugin an application works with
    Version(orders::VersionArgs),
    /// Try at once what a shard does not get past
    Retry(orders::ShardArgs),
    /// Pass over what a shard does not get past: the record becomes a dead letter, what cannot be
    /// read is left out and counted
    Skip(orders::ShardArgs),
    /// Work with records that always failed
    DeadLetters(letters::LettersArgs),
}

impl AppCommand {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(args) => create::run(&args).await,
            Self::List(args) => show::list(&args).await,
            Self::Describe(args) => show::describe(&args).await,
            Self::Pause(args) => orders::run("pause", &args).await,
            Self::Resume(args) => orders::run("resume", &args).await,
            Self::Delete(args) => orders::run("delete", &args).await,
            Self::Version(args) => orders::version(&args).await,
            Self::Retry(args) => orders::shard("retry", &args).await,
            Self::Skip(args) => orders::shard("skip", &args).await,
            Self::DeadLetters(args) => letters::run(args).await,
        }
    }
}
