//! The binary `millrace`: the server, and commands for a terminal that speak to one.

mod client;
mod commands;
mod failure;
mod open;
mod output;

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;

use crate::commands::Command;

/// Frames are taken by one thread and given up by another, large and small ones at once. Of three
/// allocators this one was the fastest at it, most evenly, and in a third of the memory.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Amazon Kinesis that runs anywhere, in one binary.
#[derive(Parser)]
#[command(name = "millrace", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&format!("start threads: {error}").into()),
    };
    let done = runtime.block_on(command.run());
    // A thread may wait for a terminal that nobody types in any more.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure::report(&failure),
    }
}
