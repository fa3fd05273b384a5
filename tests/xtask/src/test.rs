//! The one test command: every step is run though an earlier one failed, and all are summed up.

use crate::conformance;
use crate::plugins;
use crate::process;
use crate::report::{self, Outcome, Step};
use crate::tools;
use crate::workspace::Workspace;

/// Runs everything; whether nothing failed. The last line printed is `N passed, N failed`.
pub fn run(workspace: &Workspace) -> Result<bool, String> {
    let mut steps = vec![
        plugins(workspace),
        plain(workspace, "format", &["fmt", "--all", "--", "--check"]),
        plain(
            workspace,
            "clippy",
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "--deny",
                "warnings",
            ],
        ),
        rust_tests(workspace),
    ];
    steps.extend(conformance::run(workspace));
    steps.push(licences(workspace));

    let total = report::total(&steps);
    println!("\n{}\n", report::summary(&steps));
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(total.failed == 0)
}

fn plain(workspace: &Workspace, name: &'static str, arguments: &[&str]) -> Step {
    let outcome = match process::succeeds(&mut workspace.cargo(arguments)) {
        Ok(true) => Outcome::Well,
        Ok(false) => Outcome::Failed(format!("cargo {}", arguments.join(" "))),
        Err(why) => Outcome::Failed(why),
    };
    Step::plain(name, outcome)
}

/// Tests find the plugins beside their manifests.
fn plugins(workspace: &Workspace) -> Step {
    let outcome = match plugins::build(workspace) {
        Ok(()) => Outcome::Well,
        Err(why) => Outcome::Failed(why),
    };
    Step::plain("plugins", outcome)
}

fn rust_tests(workspace: &Workspace) -> Step {
    let arguments = ["test", "--workspace", "--no-fail-fast"];
    match process::watched(&mut workspace.cargo(&arguments)) {
        Ok(ended) => Step::of_tests("cargo test", &ended, report::of_cargo(&ended.text)),
        Err(why) => Step::plain("cargo test", Outcome::Failed(why)),
    }
}

/// Licences, sources and duplicates, of the workspace and of the package of tests beside it.
/// Advisories need a database from the network that is not a package, so they are not part of this.
fn licences(workspace: &Workspace) -> Step {
    let name = "cargo deny";
    let Some(program) = tools::cargo_deny(workspace) else {
        let why = "cargo-deny is not here and cannot be installed";
        return Step::plain(name, Outcome::LeftOut(why.to_owned()));
    };
    let roots = [&workspace.root, &workspace.conformance().join("rust")];
    for root in roots {
        let mut check = std::process::Command::new(&program);
        check
            .args(["--log-level", "error", "--manifest-path"])
            .arg(root.join("Cargo.toml"))
            .arg("--config")
            .arg(workspace.root.join("deny.toml"))
            .args(["check", "licenses", "bans", "sources"])
            .current_dir(root);
        if let Err(why) = process::must(&mut check) {
            return Step::plain(name, Outcome::Failed(why));
        }
    }
    Step::plain(name, Outcome::Well)
}
