//! The binary `millrace`: the server, and commands for a terminal that speak to one.

mod client;
mod commands;
mod failure;
mod log_output;
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
#[command(name = "millrace", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure::report(&failure),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// A name that two arguments of one command share is noticed when that command is called.
    #[test]
    fn no_command_has_two_arguments_of_one_name() {
        Arguments::command().debug_assert();
    }
}
