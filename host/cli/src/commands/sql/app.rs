//! `millrace sql app …`: the applications of SQL of a server.

mod create;
mod orders;
mod shapes;
mod show;

use clap::Subcommand;

use crate::failure::Failure;

#[derive(Subcommand)]
pub(crate) enum SqlAppCommand {
    /// Make an application that reads a stream
    Create(create::CreateArgs),
    /// Let an application work
    Start(orders::StartArgs),
    /// Stop an application; where it came to is kept
    Stop(orders::NameArgs),
    /// Change the code of an application; one that works goes on with it
    Update(orders::UpdateArgs),
    /// Show all that is known of one application
    Describe(show::DescribeArgs),
    /// List the applications
    List(show::ListArgs),
    /// End an application's work and delete it
    Delete(orders::NameArgs),
}

impl SqlAppCommand {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(args) => create::run(&args).await,
            Self::Start(args) => orders::start(&args).await,
            Self::Stop(args) => orders::stop(&args).await,
            Self::Update(args) => orders::update(&args).await,
            Self::Describe(args) => show::describe(&args).await,
            Self::List(args) => show::list(&args).await,
            Self::Delete(args) => orders::delete(&args).await,
        }
    }
}
