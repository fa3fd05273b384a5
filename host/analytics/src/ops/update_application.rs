//! UpdateApplication. Both versions of the model come to the same changes of a configuration.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use wire::members::{Integer, List, NoMembers, Structure, Text};
use wire::shape::{Check, Fields, Shape};
use wire::{Answer, ApiError, Call, Requester};

use super::code_shapes::{CodeUpdate, refuse_flink_only};
use super::create_application::ENVIRONMENTS;
use super::described::{self, Detail2, RUNTIME};
use super::edit::{Edit, Known};
use super::input_shapes::InputUpdate;
use super::logging_shapes::LoggingUpdate;
use super::model::{V1, V2};
use super::output_shapes::OutputUpdate;
use super::reference_shapes::ReferenceUpdate;
use super::rules::{CODE, NAME, TOKEN, VERSION_ID, rules};
use super::shapes::{SOME, owned, required};
use super::{answers, error, resources};
use crate::Analytics;
use crate::application::Configuration;

/// The name of the operation, as it is remembered.
const OPERATION: &str = "UpdateApplication";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input1<'a> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    current_application_version_id: Option<Integer>,
    #[serde(borrow)]
    application_update: Option<Structure<Update1<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update1<'a> {
    #[serde(borrow)]
    input_updates: Option<List<Structure<InputUpdate<'a, V1>>>>,
    #[serde(borrow)]
    output_updates: Option<List<Structure<OutputUpdate<'a, V1>>>>,
    #[serde(borrow)]
    reference_data_source_updates: Option<List<Structure<ReferenceUpdate<'a, V1>>>>,
    #[serde(borrow)]
    application_code_update: Option<Text<'a>>,
    #[serde(borrow)]
    cloud_watch_logging_option_updates: Option<List<Structure<LoggingUpdate<'a, V1>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SqlUpdate<'a> {
    #[serde(borrow)]
    input_updates: Option<List<Structure<InputUpdate<'a, V2>>>>,
    #[serde(borrow)]
    output_updates: Option<List<Structure<OutputUpdate<'a, V2>>>>,
    #[serde(borrow)]
    reference_data_source_updates: Option<List<Structure<ReferenceUpdate<'a, V2>>>>,
}

/// Changes of what a program reads and writes, which lie elsewhere in each version.
struct Parts<'a, 'b, const MODEL: u16> {
    inputs: &'b Option<List<Structure<InputUpdate<'a, MODEL>>>>,
    outputs: &'b Option<List<Structure<OutputUpdate<'a, MODEL>>>>,
    references: &'b Option<List<Structure<ReferenceUpdate<'a, MODEL>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input2<'a> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    current_application_version_id: Option<Integer>,
    #[serde(borrow)]
    application_configuration_update: Option<Structure<Update2<'a>>>,
    #[serde(borrow)]
    service_execution_role_update: Option<Text<'a>>,
    run_configuration_update: Option<IgnoredAny>,
    #[serde(borrow)]
    cloud_watch_logging_option_updates: Option<List<Structure<LoggingUpdate<'a, V2>>>>,
    #[serde(borrow)]
    conditional_token: Option<Text<'a>>,
    #[serde(borrow)]
    runtime_environment_update: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update2<'a> {
    #[serde(borrow)]
    sql_application_configuration_update: Option<Structure<SqlUpdate<'a>>>,
    #[serde(borrow)]
    application_code_configuration_update: Option<Structure<CodeUpdate<'a>>>,
    flink_application_configuration_update: Option<IgnoredAny>,
    environment_property_updates: Option<IgnoredAny>,
    application_snapshot_configuration_update: Option<IgnoredAny>,
    application_system_rollback_configuration_update: Option<IgnoredAny>,
    vpc_configuration_updates: Option<IgnoredAny>,
    zeppelin_application_configuration_update: Option<IgnoredAny>,
    application_encryption_configuration_update: Option<IgnoredAny>,
}

impl Shape for Input1<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let version = &self.current_application_version_id;
        check.required("CurrentApplicationVersionId", version, VERSION_ID);
        check.required("ApplicationUpdate", &self.application_update, Fields);
    }
}

impl Shape for Update1<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("InputUpdates", &self.input_updates, SOME);
        check.optional("OutputUpdates", &self.output_updates, SOME);
        let references = &self.reference_data_source_updates;
        check.optional("ReferenceDataSourceUpdates", references, SOME);
        let code = &self.application_code_update;
        check.optional("ApplicationCodeUpdate", code, CODE);
        let logging = &self.cloud_watch_logging_option_updates;
        check.optional("CloudWatchLoggingOptionUpdates", logging, SOME);
    }
}

impl Shape for SqlUpdate<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("InputUpdates", &self.input_updates, SOME);
        check.optional("OutputUpdates", &self.output_updates, SOME);
        let references = &self.reference_data_source_updates;
        check.optional("ReferenceDataSourceUpdates", references, SOME);
    }
}

impl Shape for Input2<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let version = &self.current_application_version_id;
        check.optional("CurrentApplicationVersionId", version, VERSION_ID);
        let update = &self.application_configuration_update;
        check.optional("ApplicationConfigurationUpdate", update, Fields);
        let role = &self.service_execution_role_update;
        check.optional("ServiceExecutionRoleUpdate", role, rules(V2).role);
        let logging = &self.cloud_watch_logging_option_updates;
        check.optional("CloudWatchLoggingOptionUpdates", logging, SOME);
        check.optional("ConditionalToken", &self.conditional_token, TOKEN);
        let environment = &self.runtime_environment_update;
        check.optional("RuntimeEnvironmentUpdate", environment, ENVIRONMENTS);
    }
}

impl Shape for Update2<'_> {
    fn check(&self, check: &mut Check) {
        let sql = &self.sql_application_configuration_update;
        check.optional("SqlApplicationConfigurationUpdate", sql, Fields);
        let code = &self.application_code_configuration_update;
        check.optional("ApplicationCodeConfigurationUpdate", code, Fields);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    application_detail: Detail2<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<String>,
}

/// Changes an application's configuration. One that is at work goes on as it is configured then.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    if MODEL == V1 {
        let input: Input1<'_> = call.parse()?;
        let name = required(&input.application_name)?;
        let known = Known::version(input.current_application_version_id);
        let mut edit = Edit::begin::<MODEL>(analytics, &call.caller, name, &known)?;
        let Structure(update) = required(&input.application_update)?;
        let configuration = edit.configuration();
        let parts = Parts {
            inputs: &update.input_updates,
            outputs: &update.output_updates,
            references: &update.reference_data_source_updates,
        };
        parts.apply((analytics, &call.caller), configuration)?;
        if let Some(code) = &update.application_code_update {
            code.as_str().clone_into(&mut configuration.code);
        }
        apply_logging(&update.cloud_watch_logging_option_updates, configuration)?;
        edit.keep(OPERATION).await?;
        return call.answer(&NoMembers {});
    }
    let input: Input2<'_> = call.parse()?;
    let name = required(&input.application_name)?;
    let known = Known::either(
        input.current_application_version_id,
        &input.conditional_token,
    );
    let mut edit = Edit::begin::<MODEL>(analytics, &call.caller, name, &known)?;
    input.apply((analytics, &call.caller), edit.configuration())?;
    let application = edit.keep(OPERATION).await?;
    call.answer(&Output {
        application_detail: described::detail_2(analytics, &application),
        operation_id: answers::last_operation_id(&application),
    })
}

impl Input2<'_> {
    fn apply(
        &self,
        (analytics, by): (&Analytics, &Requester),
        configuration: &mut Configuration,
    ) -> Result<(), ApiError> {
        refuse_flink_only([(&self.run_configuration_update, "RunConfigurationUpdate")])?;
        let environment = self.runtime_environment_update.as_ref();
        if environment.is_some_and(|environment| environment.as_str() != RUNTIME) {
            return Err(error::unsupported(format!(
                "The RuntimeEnvironment of an application of SQL stays {RUNTIME}."
            )));
        }
        if let Some(update) = &self.application_configuration_update {
            update.refuse_flink_only()?;
            if let Some(said) = &update.sql_application_configuration_update {
                let parts = Parts {
                    inputs: &said.input_updates,
                    outputs: &said.output_updates,
                    references: &said.reference_data_source_updates,
                };
                parts.apply((analytics, by), configuration)?;
            }
            if let Some(code) = &update.application_code_configuration_update {
                code.apply(&mut configuration.code)?;
            }
        }
        let role = owned(&self.service_execution_role_update);
        resources::replace_role(&mut configuration.role_arn, role);
        apply_logging(&self.cloud_watch_logging_option_updates, configuration)
    }
}

impl Update2<'_> {
    fn refuse_flink_only(&self) -> Result<(), ApiError> {
        refuse_flink_only([
            (
                &self.flink_application_configuration_update,
                "FlinkApplicationConfigurationUpdate",
            ),
            (
                &self.environment_property_updates,
                "EnvironmentPropertyUpdates",
            ),
            (
                &self.application_snapshot_configuration_update,
                "ApplicationSnapshotConfigurationUpdate",
            ),
            (
                &self.application_system_rollback_configuration_update,
                "ApplicationSystemRollbackConfigurationUpdate",
            ),
            (&self.vpc_configuration_updates, "VpcConfigurationUpdates"),
            (
                &self.zeppelin_application_configuration_update,
                "ZeppelinApplicationConfigurationUpdate",
            ),
            (
                &self.application_encryption_configuration_update,
                "ApplicationEncryptionConfigurationUpdate",
            ),
        ])
    }
}

impl<const MODEL: u16> Parts<'_, '_, MODEL> {
    /// Changes what is said of each part, which must be there and name what is there.
    fn apply(
        &self,
        (analytics, by): (&Analytics, &Requester),
        configuration: &mut Configuration,
    ) -> Result<(), ApiError> {
        for Structure(update) in self.inputs.iter().flat_map(|list| list.iter()) {
            let id = required(&update.input_id)?.as_str();
            let found = configuration.inputs.iter_mut().find(|it| it.id == id);
            let input = found.ok_or_else(|| no_part("InputId", id))?;
            update.apply(input)?;
            resources::check_input(analytics, by, input)?;
        }
        for Structure(update) in self.outputs.iter().flat_map(|list| list.iter()) {
            let id = required(&update.output_id)?.as_str();
            let found = configuration.outputs.iter_mut().find(|it| it.id == id);
            let output = found.ok_or_else(|| no_part("OutputId", id))?;
            update.apply(output)?;
            resources::check_output(analytics, by, output)?;
        }
        let references = self.references.iter();
        for Structure(update) in references.flat_map(|list| list.iter()) {
            let id = required(&update.reference_id)?.as_str();
            let found = configuration.references.iter_mut().find(|it| it.id == id);
            let reference = found.ok_or_else(|| no_part("ReferenceId", id))?;
            update.apply(reference)?;
            resources::check_reference(by, reference)?;
        }
        Ok(())
    }
}

fn apply_logging<const MODEL: u16>(
    updates: &Option<List<Structure<LoggingUpdate<'_, MODEL>>>>,
    configuration: &mut Configuration,
) -> Result<(), ApiError> {
    for Structure(update) in updates.iter().flat_map(|list| list.iter()) {
        let id = required(&update.id)?.as_str();
        let found = configuration.logging.iter_mut().find(|it| it.id == id);
        let option = found.ok_or_else(|| no_part("CloudWatchLoggingOptionId", id))?;
        update.apply(option);
    }
    Ok(())
}

/// An update of something that the application does not have.
fn no_part(what: &str, id: &str) -> ApiError {
    error::invalid_argument(format!("The application has nothing of {what} {id}."))
}
