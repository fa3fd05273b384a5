//! The commands: one file each.

mod app;
mod compile_worker;
pub(crate) mod delivery;
mod demo;
mod letters;
mod log_reader;
mod plugin;
mod serve;
mod sql;
mod stream;
mod table;
mod version;

use std::future::Future;

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
    /// Write plugins, and look at those of a server
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Work with the applications of a server
    #[command(subcommand)]
    App(app::AppCommand),
    /// Work with the delivery streams of a server
    #[command(subcommand)]
    Delivery(delivery::DeliveryCommand),
    /// Look at the tables of a server
    #[command(subcommand)]
    Table(table::TableCommand),
    /// Query a stream with continuous SQL, or test a program of it
    Sql(sql::SqlArgs),
    /// Show live records going through a component into objects, on a data directory of its own
    Demo(demo::DemoArgs),
    /// Say which version this is
    Version(version::VersionArgs),
    /// Compile a component from standard input, for the server
    #[command(hide = true)]
    CompileWorker(compile_worker::CompileWorkerArgs),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Serve(args) => in_runtime(serve::run(args)),
            Self::Stream(command) => in_runtime(command.run()),
            Self::Plugin(command) => command.run(),
            Self::App(command) => in_runtime(command.run()),
            Self::Delivery(command) => in_runtime(command.run()),
            Self::Table(command) => in_runtime(command.run()),
            Self::Sql(args) => in_runtime(args.run()),
            Self::Demo(args) => in_runtime(demo::run(args)),
            Self::Version(args) => version::run(&args),
            // No thread of ours beside it: each would take from its memory.
            Self::CompileWorker(args) => compile_worker::run(&args),
        }
    }
}

fn in_runtime(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("start threads: {error}"))?;
    let done = runtime.block_on(command);
    // A thread may wait for a terminal that nobody types in any more.
    runtime.shutdown_background();
    done
}
