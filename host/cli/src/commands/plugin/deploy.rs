//! `millrace plugin deploy`: a version is handed to a running server as one.

use std::path::{Path, PathBuf};
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

/// The signature of a plugin with a manifest.
const SIGNATURE: &str = "plugin.sig";
/// How often a deployment is asked for anew whose end was not known in time: each time the server
/// waits most of a minute, and compiling is bounded there.
const ATTEMPTS_MAX: u32 = 10;
/// How often, and with which pauses, is looked whether the application of a consumer is there.
const APPLICATION_LOOKS_MAX: u32 = 12;
const APPLICATION_LOOK: Duration = Duration::from_millis(250);

/// Puts a plugin in force in a running server: its component and its manifest as one version, with
/// its signature if it has one, which is admitted and compiled first. If the server refuses it, the
/// version before goes on, and the exit code is 1.
#[derive(Args)]
pub(crate) struct DeployArgs {
    /// A component, or the folder of a plugin's sources
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    plugin: PathBuf,
    /// The file with its signature, as `plugin sign` makes it [default: FILE.sig beside a
    /// component, or plugin.sig beside its manifest]
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
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
    let Given { name, files } = given(&args.plugin, args.signature.as_deref())?;
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
    let manifest = Manifest::parse(text, &name, of_the_server());
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

/// Reads what is handed to a server: a plugin, with its signature where there is one.
pub(super) fn given(plugin: &Path, signature: Option<&Path>) -> Result<Given, Failure> {
    let Given { name, files } = match Given::read(plugin, &of_the_server()) {
        Ok(given) => given,
        Err(Unreadable::Missing(what)) => return Err(Failure::Unable(what)),
        Err(Unreadable::Refused(why)) => return Err(Failure::Text(why)),
    };
    let beside = || signature_beside(plugin, files.manifest().is_some());
    let signature = signature.map(Path::to_owned).or_else(beside);
    let files = match signature {
        None => files,
        Some(signature) => files.signed_by(&signature).map_err(Failure::Unable)?,
    };
    Ok(Given { name, files })
}

/// The server's own limits hold, and it says so.
fn of_the_server() -> Limits {
    Limits {
        component_bytes_max: u64::MAX,
        ..Limits::default()
    }
}

/// The signature that lies where `plugin sign` puts it.
fn signature_beside(plugin: &Path, has_manifest: bool) -> Option<PathBuf> {
    let in_folder = if plugin.is_dir() {
        plugin.join(SIGNATURE)
    } else {
        plugin.with_file_name(SIGNATURE)
    };
    let mut beside = plugin.to_owned().into_os_string();
    beside.push(".sig");
    let of_file = PathBuf::from(beside);
    let is_component = !plugin.is_dir();
    if is_component && of_file.is_file() {
        return Some(of_file);
    }
    (has_manifest && in_folder.is_file()).then_some(in_folder)
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
