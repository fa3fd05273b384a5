//! `millrace sql app start`, `stop`, `update` and `delete`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::create::read;
use super::shapes::{Described, Detail, detail};
use crate::client::{Client, TargetArgs};
use crate::failure::Failure;
use crate::output;

/// How often, and how far apart, we look what an application does.
const LOOKS_MAX: u32 = 600;
const LOOK_PAUSE: Duration = Duration::from_millis(50);

#[derive(Args)]
pub(crate) struct NameArgs {
    /// The application's name
    name: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args)]
pub(crate) struct StartArgs {
    /// The application's name
    name: String,
    /// Where it begins to read [default: where it was stopped, else with what arrives from now on]
    #[arg(long, value_name = "WHERE")]
    from: Option<Beginning>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Beginning {
    /// With what arrives from now on
    Now,
    /// With the oldest record that is kept
    TrimHorizon,
    /// Where it was stopped
    LastStoppedPoint,
}

#[derive(Args)]
pub(crate) struct UpdateArgs {
    /// The application's name
    name: String,
    /// The file of its new code
    #[arg(long, value_name = "FILE")]
    code: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
}

/// Starts an application and waits until it works.
pub(crate) async fn start(args: &StartArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let before = detail(&mut client, &args.name).await?;
    let configuration = before.application_configuration_description;
    let inputs = configuration
        .sql_application_configuration_description
        .input_descriptions;
    let position = args.from.map(|from| match from {
        Beginning::Now => "NOW",
        Beginning::TrimHorizon => "TRIM_HORIZON",
        Beginning::LastStoppedPoint => "LAST_STOPPED_POINT",
    });
    let runs = inputs.iter().map(|input| {
        let position = position.map(|position| ("InputStartingPosition", position));
        let position: std::collections::BTreeMap<_, _> = position.into_iter().collect();
        json!({"InputId": input.input_id, "InputStartingPositionConfiguration": position})
    });
    let input = json!({
        "ApplicationName": args.name,
        "RunConfiguration": {"SqlRunConfigurations": runs.collect::<Vec<_>>()},
    });
    let _: Value = client.call_analytics("StartApplication", &input).await?;
    tell_when(&mut client, &args.name, "RUNNING").await
}

/// Stops an application and waits until it does nothing more.
pub(crate) async fn stop(args: &NameArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let input = json!({"ApplicationName": args.name});
    let _: Value = client.call_analytics("StopApplication", &input).await?;
    tell_when(&mut client, &args.name, "READY").await
}

/// Changes the code of an application, from the version that is there.
pub(crate) async fn update(args: &UpdateArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let code = read(&args.code)?;
    let before = detail(&mut client, &args.name).await?;
    let content = json!({"CodeContentUpdate": {"TextContentUpdate": code}});
    let input = json!({
        "ApplicationName": args.name,
        "CurrentApplicationVersionId": before.application_version_id,
        "ApplicationConfigurationUpdate": {"ApplicationCodeConfigurationUpdate": content},
    });
    let changed: Described = client.call_analytics("UpdateApplication", &input).await?;
    let Detail {
        application_name,
        application_version_id,
        ..
    } = changed.application_detail;
    let text = format!("{application_name} is at version {application_version_id}");
    Ok(output::lines(&text)?)
}

/// Deletes the application of a name that is there now.
pub(crate) async fn delete(args: &NameArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let there = detail(&mut client, &args.name).await?;
    let input = json!({
        "ApplicationName": args.name,
        "CreateTimestamp": there.create_timestamp,
    });
    let _: Value = client.call_analytics("DeleteApplication", &input).await?;
    Ok(output::lines(&format!("{} is being deleted", args.name))?)
}

/// Waits until an application is in a state, and says so.
async fn tell_when(client: &mut Client, name: &str, wanted: &str) -> Result<(), Failure> {
    for _ in 0..LOOKS_MAX {
        let status = detail(client, name).await?.application_status;
        if status == wanted {
            return Ok(output::lines(&format!("{name} is {status}"))?);
        }
        sleep(LOOK_PAUSE).await;
    }
    Err(format!("{name} is not {wanted} yet").into())
}
