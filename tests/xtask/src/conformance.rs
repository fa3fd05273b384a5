//! The clients we did not write: boto3 and the AWS CLI from PyPI, the JS SDK from npm, the SDK for
//! Rust from crates.io, the Java SDK, KPL and KCL from Maven, against the built server, and the S3
//! server that it delivers to; and components that other languages' tools made, in the server.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::foreign;
use crate::process;
use crate::report::{self, Outcome, Step};
use crate::tools;
use crate::workspace::Workspace;

const PYTHON: &str = "boto3 and AWS CLI";
const NODE: &str = "JS SDK";
const RUST: &str = "Rust SDK";
const JAVA_SDK: JavaSuite = JavaSuite {
    name: "Java SDK",
    pom: "pom.xml",
    program: "SdkTests.java",
};
const JAVA_LIBRARIES: JavaSuite = JavaSuite {
    name: "KPL",
    pom: LIBRARIES,
    program: "LibraryTests.java",
};
const JAVA_CONSUMERS: JavaSuite = JavaSuite {
    name: "KCL",
    pom: LIBRARIES,
    program: "ConsumerTests.java",
};
/// What names KPL, KCL and DynamoDB Local.
const LIBRARIES: &str = "libraries.xml";

/// A program in Java and what it needs.
struct JavaSuite {
    name: &'static str,
    pom: &'static str,
    program: &'static str,
}

/// What the suites start, selected so that all below it is built as for `cargo test --workspace`.
const BUILD: [&str; 6] = [
    "build",
    "--workspace",
    "--bin",
    "millrace",
    "--example",
    "s3-server",
];

/// Builds the servers, installs the clients and runs all suites.
pub fn run(workspace: &Workspace) -> Vec<Step> {
    let built = process::must(&mut workspace.cargo(&BUILD));
    let python = built.clone().and_then(|()| python(workspace));
    let node = built.clone().and_then(|()| node(workspace));
    let rust = built.clone().and_then(|()| rust(workspace));
    let sdk = built.clone().and_then(|()| java(workspace, &JAVA_SDK));
    let libraries = built
        .clone()
        .and_then(|()| java(workspace, &JAVA_LIBRARIES));
    let consumers = built.and_then(|()| java(workspace, &JAVA_CONSUMERS));
    let failed = |name| move |why| Step::plain(name, Outcome::Failed(why));
    vec![
        python.unwrap_or_else(failed(PYTHON)),
        node.unwrap_or_else(failed(NODE)),
        rust.unwrap_or_else(failed(RUST)),
        sdk.unwrap_or_else(failed(JAVA_SDK.name)),
        libraries.unwrap_or_else(failed(JAVA_LIBRARIES.name)),
        consumers.unwrap_or_else(failed(JAVA_CONSUMERS.name)),
    ]
}

fn python(workspace: &Workspace) -> Result<Step, String> {
    let programs = tools::python(workspace)?;
    let components = foreign::build(workspace)?;
    let mut suite = Command::new(programs.join("python"));
    suite
        .args([
            "-m",
            "unittest",
            "discover",
            "--start-directory",
            ".",
            "--pattern",
            "*_tests.py",
        ])
        .current_dir(workspace.conformance())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("DYNAMODB_LOCAL", tools::java(workspace, LIBRARIES)?)
        .env("OPENSEARCH", tools::java(workspace, "opensearch.xml")?)
        .env(
            "ELASTICSEARCH",
            tools::java(workspace, "elasticsearch.xml")?,
        )
        .env("S3_SERVER", workspace.example("debug", "s3-server"))
        .env("COMPONENTS", components)
        // What the command installs for plugin authors.
        .env("MILLRACE_CACHE", workspace.clients().join("cache"));
    let mut suite = tools::with_path(suite, Some(&programs));
    let ended = process::watched(server_for(&mut suite, workspace))?;
    Ok(Step::of_tests(
        PYTHON,
        &ended,
        report::of_unittest(&ended.text),
    ))
}

fn node(workspace: &Workspace) -> Result<Step, String> {
    let programs: Option<PathBuf> = tools::node(workspace)?;
    let programs: Option<&Path> = programs.as_deref();
    let home = tools::npm(workspace, programs)?;
    let mut suite = tools::with_path(Command::new("node"), programs);
    suite
        .args(["--test", "--test-reporter=tap"])
        .arg("sdk.test.mjs")
        .current_dir(home);
    let ended = process::watched(server_for(&mut suite, workspace))?;
    Ok(Step::of_tests(NODE, &ended, report::of_node(&ended.text)))
}

/// A package of its own, with its own lock file, built beside the workspace's.
fn rust(workspace: &Workspace) -> Result<Step, String> {
    let mut suite = workspace.cargo(&["test", "--locked"]);
    suite
        .current_dir(workspace.conformance().join("rust"))
        .env("CARGO_TARGET_DIR", workspace.clients().join("rust"));
    let ended = process::watched(server_for(&mut suite, workspace))?;
    Ok(Step::of_tests(RUST, &ended, report::of_cargo(&ended.text)))
}

fn java(workspace: &Workspace, suite: &JavaSuite) -> Result<Step, String> {
    let libraries = tools::java(workspace, suite.pom)?;
    // What leases lie in keeps them by a library that Java does not find beside the others.
    let native = format!("-Dsqlite4java.library.path={}", libraries.display());
    let mut command = Command::new("java");
    // The program is one file, compiled where it is started.
    command
        .arg(native)
        .arg("--class-path")
        .arg(libraries.join("*"))
        .arg(suite.program)
        .current_dir(workspace.conformance().join("java"));
    let ended = process::watched(server_for(&mut command, workspace))?;
    let tests = report::of_java(&ended.text);
    Ok(Step::of_tests(suite.name, &ended, tests))
}

/// Tells a suite which server to start.
fn server_for<'a>(suite: &'a mut Command, workspace: &Workspace) -> &'a mut Command {
    suite.env("MILLRACE", workspace.binary("debug"))
}
