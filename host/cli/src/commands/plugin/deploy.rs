//! `millrace plugin deploy`: a version is handed to a running server as one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use serde::Deserialize;
use tokio::time::sleep;
use wasm::{Files, Limits, Manifest, PluginName};

use super::project::{Given, Unreadable};
use crate::client::{Client, Method, Target, TargetArgs};
use crate::commands::app::declared;
use crate::failure::Failure;
use crate::output;

/// How often a deployment is asked for anew whose end was not known in time: each time the server
/// waits most of a minute, and compiling is bounded there.
const ATTEMPTS_MAX: u32 = 10;

/// How often, and with which pauses, is looked whether the application of a consumer is there.
const APPLICATION_LOOKS_MAX: u32 = 12;
const APPLICATION_LOOK: Duration = Duration::from_millis(250);

/// Puts a plugin in force in a running server: its component and its manifest as one version, which
/// is admitted and compiled first. If the server refuses it, the version before goes on, and the
/// exit code is 1.
#[derive(Args)]
pub(crate) struct DeployArgs {
    /// A component, or the folder of a plugin's sources
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    plugin: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
}

/// What the server says of a deployment.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    state: String,
    pub(super) hash: String,
    pub(super) was_in_force: bool,
}

pub(crate) async fn run(args: &DeployArgs) -> Result<(), Failure> {
    // The server's own limits hold, and it says so.
    let limits = Limits {
        component_bytes_max: u64::MAX,
        ..Limits::default()
    };
    let Given { name, files } = match Given::read(&args.plugin, &limits) {
        Ok(given) => given,
        Err(Unreadable::Missing(what)) => return Err(Failure::Unable(what)),
        Err(Unreadable::Refused(why)) => return Err(Failure::Text(why)),
    };
    let target = Arc::new(args.target.target()?);
    let answer = deploy(&target, &name, &files).await?;
    let hash = answer.hash.get(..12).unwrap_or(&answer.hash);
    let what = match answer.state.as_str() {
        "canary" => "is a canary: a share goes by it",
        "set-aside" => "was set aside meanwhile",
        _ if answer.was_in_force => "is in force already",
        _ => "is in force",
    };
    output::lines(&format!("{name} {hash} {what}"))?;
    let text = files.manifest().unwrap_or_default();
    let manifest = Manifest::parse(text, &name, limits);
    if manifest.is_ok_and(|manifest| manifest.application.is_some()) {
        output::lines(&application(&target, name.as_str()).await)?;
    }
    Ok(())
}

/// What is said of the application that a consumer is by itself, which a server makes a moment
/// after the first version is in force.
async fn application(target: &Arc<Target>, name: &str) -> String {
    let mut client = Client::new(target);
    for _ in 0..APPLICATION_LOOKS_MAX {
        match declared(&mut client, name).await {
            Ok(Some(Ok(stream))) => {
                return format!(
                    "  it works on the stream {stream}; see `millrace app describe {name}`"
                );
            }
            Ok(Some(Err(why))) => return format!("  its application is not made: {why}"),
            // Who may deploy need not be allowed to look at applications.
            Err(_) => break,
            Ok(None) => sleep(APPLICATION_LOOK).await,
        }
    }
    "  its application is not there yet; see `millrace app list`".to_owned()
}

/// Hands a version to a server, until it is in force or refused.
pub(super) async fn deploy(
    target: &Arc<Target>,
    name: &PluginName,
    files: &Files,
) -> Result<Answer, Failure> {
    let body = Bytes::from(files.whole());
    let page = format!("plugins/{name}");
    let mut client = Client::new(target);
    for _ in 0..ATTEMPTS_MAX {
        let answer: Answer = client.page_with(Method::PUT, &page, body.clone()).await?;
        if answer.state != "loading" {
            return Ok(answer);
        }
        output::lines(&format!("{name} is still being compiled"))?;
    }
    let why = format!("{name}: the server does not come to an end with it; see `plugin inspect`");
    Err(Failure::Text(why))
}
