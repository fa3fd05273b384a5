//! `millrace sql`: continuous SQL over a stream of a server, and programs tested without one.

mod app;
mod live;
mod schema;
mod source;
mod test;

use clap::{Args, Subcommand};

use crate::failure::Failure;

/// A query of a stream, or one of the commands below.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SqlArgs {
    #[command(subcommand)]
    command: Option<SqlCommand>,
    #[command(flatten)]
    query: live::LiveArgs,
}

#[derive(Subcommand)]
enum SqlCommand {
    /// Run a program over records of a file, and compare its rows with those of another file
    Test(test::TestArgs),
    /// Work with the applications of SQL of a server
    #[command(subcommand)]
    App(app::SqlAppCommand),
}

impl SqlArgs {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.command {
            Some(SqlCommand::Test(args)) => test::run(&args),
            Some(SqlCommand::App(command)) => command.run().await,
            None => live::run(&self.query).await,
        }
    }
}
