//! StartApplication.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use wire::members::{List, NoMembers, Structure, Text};
use wire::shape::{Check, Fields, Shape};
use wire::{Answer, ApiError, Call};

use super::code_shapes::refuse_flink_only;
use super::input_shapes::Starting;
use super::model::V1;
use super::rules::{ID, NAME};
use super::shapes::{SOME, required};
use super::{answers, described, error, find, program, resources};
use crate::Analytics;
use crate::application::{Application, Phase, Start, StartPosition};
use crate::catalog::Replacement;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a, const MODEL: u16> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    #[serde(borrow)]
    input_configurations: Option<List<Structure<InputStart1<'a>>>>,
    #[serde(borrow)]
    run_configuration: Option<Structure<RunConfiguration<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RunConfiguration<'a> {
    #[serde(borrow)]
    sql_run_configurations: Option<List<Structure<InputStart2<'a>>>>,
    flink_run_configuration: Option<IgnoredAny>,
    application_restore_configuration: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InputStart1<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    input_starting_position_configuration: Option<Structure<Starting<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InputStart2<'a> {
    #[serde(borrow)]
    input_id: Option<Text<'a>>,
    #[serde(borrow)]
    input_starting_position_configuration: Option<Structure<Starting<'a>>>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        if MODEL == V1 {
            check.required("InputConfigurations", &self.input_configurations, SOME);
        } else {
            check.optional("RunConfiguration", &self.run_configuration, Fields);
        }
    }
}

impl Shape for RunConfiguration<'_> {
    fn check(&self, check: &mut Check) {
        let sql = &self.sql_run_configurations;
        check.optional("SqlRunConfigurations", sql, SOME);
    }
}

impl Shape for InputStart1<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Id", &self.id, ID);
        let position = &self.input_starting_position_configuration;
        check.required("InputStartingPositionConfiguration", position, Fields);
    }
}

impl Shape for InputStart2<'_> {
    fn check(&self, check: &mut Check) {
        check.required("InputId", &self.input_id, ID);
        let position = &self.input_starting_position_configuration;
        check.required("InputStartingPositionConfiguration", position, Fields);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<String>,
}

/// Lets an application that is READY work. It is durable as STARTING when this answers, and RUNNING
/// a moment later, also after a restart of the server.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let name = required(&input.application_name)?.as_str();
    let before = find::<MODEL>(analytics, &call.caller, name)?;
    let status = described::status(analytics, &before);
    if status != "READY" {
        return Err(error::in_use(name, status));
    }
    let said = input.said()?;
    let start = Start {
        number: before.start.number + 1,
        positions: positions(&before, &said)?,
        asked_at_ms: analytics.ground.clock.now().0,
    };
    check_configuration(analytics, &call, &before).await?;
    let mut after = Application::clone(&before);
    after.phase = Phase::Running;
    after.start = start;
    let arn = before.arn.clone();
    let replaced = analytics.catalog.replace(Replacement {
        before,
        after,
        operation: Some("StartApplication"),
    });
    let after = replaced.await.map_err(|error| error::change(error, &arn))?;
    if MODEL == V1 {
        return call.answer(&NoMembers {});
    }
    call.answer(&Output {
        operation_id: answers::last_operation_id(&after),
    })
}

/// An input by its id, and where it begins if that is said.
type Said<'a> = (&'a str, Option<StartPosition>);

impl<const MODEL: u16> Input<'_, MODEL> {
    /// The inputs that are named.
    fn said(&self) -> Result<Vec<Said<'_>>, ApiError> {
        if MODEL == V1 {
            let named = self
                .input_configurations
                .iter()
                .flat_map(|list| list.iter());
            return named
                .map(|Structure(it)| said(&it.id, &it.input_starting_position_configuration))
                .collect();
        }
        let Some(run) = &self.run_configuration else {
            return Ok(Vec::new());
        };
        refuse_flink_only([
            (&run.flink_run_configuration, "FlinkRunConfiguration"),
            (
                &run.application_restore_configuration,
                "ApplicationRestoreConfiguration",
            ),
        ])?;
        let named = run
            .sql_run_configurations
            .iter()
            .flat_map(|list| list.iter());
        named
            .map(|Structure(it)| said(&it.input_id, &it.input_starting_position_configuration))
            .collect()
    }
}

fn said<'a>(
    id: &'a Option<Text<'_>>,
    starting: &Option<Structure<Starting<'_>>>,
) -> Result<Said<'a>, ApiError> {
    Ok((required(id)?.as_str(), required(starting)?.position()?))
}

/// Where each input of the application begins. What is not said begins with what arrives from now
/// on, or where it came to before.
fn positions(
    application: &Application,
    said: &[Said<'_>],
) -> Result<Vec<(String, StartPosition)>, ApiError> {
    let inputs = &application.configuration.inputs;
    let name = application.arn.name.as_str();
    if let Some((id, _)) = said
        .iter()
        .find(|(id, _)| !inputs.iter().any(|input| input.id == *id))
    {
        return Err(error::invalid_argument(format!(
            "Application {name} has no input of the id {id}."
        )));
    }
    let is_first = application.start.number == 0;
    let usual = if is_first {
        StartPosition::Now
    } else {
        StartPosition::LastStoppedPoint
    };
    let positions = inputs.iter().map(|input| {
        let of_input = said.iter().find(|(id, _)| *id == input.id);
        let position = of_input
            .and_then(|(_, position)| *position)
            .unwrap_or(usual);
        if is_first && position == StartPosition::LastStoppedPoint {
            return Err(error::invalid_argument(format!(
                "Application {name} was never started, so that it has no LAST_STOPPED_POINT."
            )));
        }
        Ok((input.id.clone(), position))
    });
    positions.collect()
}

/// Whether an application can work as it is configured.
async fn check_configuration(
    analytics: &Analytics,
    call: &Call,
    application: &Application,
) -> Result<(), ApiError> {
    let configuration = &application.configuration;
    let name = application.arn.name.as_str();
    if configuration.inputs.is_empty() {
        return Err(error::configuration(format!(
            "Application {name} has no input."
        )));
    }
    if configuration.code.trim().is_empty() {
        return Err(error::configuration(format!(
            "Application {name} has no code."
        )));
    }
    let as_configured = |error: ApiError| error::configuration(error.message().to_owned());
    let checked = resources::check_all(analytics, &call.caller, configuration);
    checked.map_err(|error| if_invalid(error, as_configured))?;
    let checked = program::check(analytics, configuration).await;
    checked.map_err(|error| if_invalid(error, as_configured))
}

/// The refusal of what is configured; a request that may not do it is refused as such.
fn if_invalid(error: ApiError, otherwise: impl Fn(ApiError) -> ApiError) -> ApiError {
    match error.code() {
        "InvalidArgumentException" | "CodeValidationException" => otherwise(error),
        _ => error,
    }
}
