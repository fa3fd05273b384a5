//! The commands: one file each.

mod delivery;
mod demo;
mod plugin;
mod serve;
mod stream;
mod version;

use clap::Subcommand;

use crate::failure::Failure;

/// What millrace can be asked.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(serve::ServeArgs),
    /// Work with the streams of a server
    #[command(subcommand)]
    Stream(stream::StreamCommand),
    /// Look at the plugins of a server
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Look at the delivery streams of a server
    #[command(subcommand)]
    Delivery(delivery::DeliveryCommand),
    /// Show live records going through a component into objects, on a data directory of its own
    Demo(demo::DemoArgs),
    /// Say which version this is
    Version(version::VersionArgs),
}

impl Command {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Serve(args) => serve::run(args).await,
            Self::Stream(command) => command.run().await,
            Self::Plugin(command) => command.run().await,
            Self::Delivery(command) => command.run().await,
            Self::Demo(args) => demo::run(args).await,
            Self::Version(args) => version::run(&args),
        }
    }
}
