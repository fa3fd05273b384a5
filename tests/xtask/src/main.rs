//! `cargo xtask`: the commands of this repository. Each does its own set-up on a fresh machine.
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

mod conformance;
mod foreign;
mod plugins;
mod process;
mod report;
mod test;
mod tools;
mod workspace;

use std::process::{Command, ExitCode};

use crate::workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask <command> [arguments]

  demo     builds the plugins and millrace, and runs `millrace demo` with the arguments
  test     the plugins, format, clippy, every test, the conformance clients, licences
  plugins  builds the plugins and puts each beside its manifest
  bench    builds the benchmarks and runs them with the arguments";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let done = Workspace::find().and_then(|workspace| match command.as_str() {
        "demo" => tools::make().and_then(|()| demo(&workspace, &rest)),
        "test" => tools::make()
            .and_then(|()| tools::jq())
            .and_then(|()| tools::postgres())
            .and_then(|()| test::run(&workspace)),
        "plugins" => plugins::build(&workspace).map(|()| true),
        "bench" => tools::make().and_then(|()| bench(&workspace, &rest)),
        _ => Err(USAGE.to_owned()),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            println!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn demo(workspace: &Workspace, arguments: &[String]) -> Result<bool, String> {
    plugins::build(workspace)?;
    let changed = plugins::build_for_demo(workspace)?;
    process::must(&mut workspace.cargo(&["build", "--release", "--bin", "millrace"]))?;
    let mut demo = Command::new(workspace.binary("release"));
    demo.arg("demo")
        .arg("--plugins")
        .arg(workspace.plugins())
        .arg("--swap")
        .arg(changed);
    process::succeeds(demo.args(arguments))
}

fn bench(workspace: &Workspace, arguments: &[String]) -> Result<bool, String> {
    plugins::build(workspace)?;
    process::must(&mut workspace.cargo(&["build", "--release", "--bin", "millrace"]))?;
    let mut run = workspace.cargo(&["run", "--release", "--package", "bench", "--"]);
    process::succeeds(run.args(arguments))
}
