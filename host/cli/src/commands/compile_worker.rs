//! `millrace compile-worker`, which the server starts for each component that it compiles.

use std::io::{stdin, stdout};
use std::path::PathBuf;

use clap::Args;
use wasm::Limits;

use crate::failure::Failure;

/// The program that runs, even after another was put into its place on disk: the code that it makes
/// must be what this process takes.
const PROGRAM: &str = "/proc/self/exe";

#[derive(Args)]
pub(crate) struct CompileWorkerArgs {
    /// Seconds of processor time after which this process ends
    #[arg(long, value_name = "N", default_value_t = Limits::default().compile_seconds_max)]
    seconds: u64,
    /// Bytes of address space that this process may have
    #[arg(long, value_name = "N", default_value_t = Limits::default().compile_bytes_max)]
    memory_bytes: u64,
    /// Make code that counts what is executed
    #[arg(long)]
    metered: bool,
}

/// What a server starts to compile plugins.
pub(crate) fn program() -> Option<PathBuf> {
    Some(PathBuf::from(PROGRAM))
}

/// The component comes in on standard input, its code goes out on standard output.
pub(crate) fn run(args: &CompileWorkerArgs) -> Result<(), Failure> {
    let (mut input, mut output) = (stdin().lock(), stdout().lock());
    let CompileWorkerArgs {
        seconds,
        memory_bytes,
        metered,
    } = *args;
    wasm::compile_worker(seconds, memory_bytes, metered, &mut input, &mut output)
        .map_err(Failure::Bare)
}
