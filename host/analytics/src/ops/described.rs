//! Applications as clients see them: their state, and the descriptions of both versions.

use serde::Serialize;
use sha2::{Digest, Sha256};
use types::Timestamp;
use wire::ApiError;
use wire::members::Time;

use super::described_parts::{InputDescription, LoggingDescription, OutputDescription};
use super::described_parts::{ReferenceDescription, inputs, logging, outputs, references};
use super::error;
use crate::Analytics;
use crate::application::{Application, Configuration, Lineage, Phase, Start};
use crate::running::AtWork;

/// What version 2 calls the one environment of applications of SQL.
pub const RUNTIME: &str = "SQL-1_0";
/// How the code of an application of SQL is given.
pub const PLAIN_TEXT: &str = "PLAINTEXT";
/// What version 2 calls a state that is kept of old versions: they are configured, and do nothing.
const READY: &str = "READY";

/// What an application does, as the model calls it.
pub fn status(analytics: &Analytics, application: &Application) -> &'static str {
    let at_work = analytics.running.at_work(application.id);
    match (application.phase, at_work) {
        (Phase::Deleting, _) => "DELETING",
        (Phase::Ready, AtWork::Stopped) => READY,
        (Phase::Ready, _) => "STOPPING",
        (Phase::Running, AtWork::Running) => "RUNNING",
        (Phase::Running, AtWork::Updating) => "UPDATING",
        (Phase::Running, _) => "STARTING",
    }
}

/// Refuses to change an application that is on its way from one state to another.
pub fn check_at_rest(analytics: &Analytics, application: &Application) -> Result<(), ApiError> {
    match status(analytics, application) {
        READY | "RUNNING" => Ok(()),
        status => Err(error::in_use(application.arn.name.as_str(), status)),
    }
}

/// A token for the state of an application: another one after each change of its configuration.
pub fn token(application: &Application) -> String {
    let mut digest = Sha256::new();
    digest.update(application.id.0.to_be_bytes());
    digest.update(application.created_at.0.to_be_bytes());
    digest.update(application.version.to_be_bytes());
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(digest.finalize())
}

/// ApplicationSummary.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Summary {
    application_name: String,
    #[serde(rename = "ApplicationARN")]
    application_arn: String,
    application_status: &'static str,
    #[serde(flatten)]
    version_2: Option<SummaryOfVersion2>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SummaryOfVersion2 {
    application_version_id: u64,
    runtime_environment: &'static str,
    application_mode: &'static str,
}

/// The summary of an application in version 1.
pub fn summary(analytics: &Analytics, application: &Application) -> Summary {
    Summary {
        application_name: application.arn.name.to_string(),
        application_arn: application.arn.to_string(),
        application_status: status(analytics, application),
        version_2: None,
    }
}

/// The same in version 2.
pub fn summary_2(analytics: &Analytics, application: &Application) -> Summary {
    Summary {
        version_2: Some(SummaryOfVersion2 {
            application_version_id: application.version,
            runtime_environment: RUNTIME,
            application_mode: "STREAMING",
        }),
        ..summary(analytics, application)
    }
}

/// ApplicationDetail of version 1.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Detail<'a> {
    application_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_description: Option<&'a str>,
    #[serde(rename = "ApplicationARN")]
    application_arn: String,
    application_status: &'static str,
    create_timestamp: Time,
    last_update_timestamp: Time,
    input_descriptions: Vec<InputDescription<'a>>,
    output_descriptions: Vec<OutputDescription<'a>>,
    reference_data_source_descriptions: Vec<ReferenceDescription<'a>>,
    cloud_watch_logging_option_descriptions: Vec<LoggingDescription<'a>>,
    application_code: &'a str,
    application_version_id: u64,
}

/// An application in the words of version 1.
pub fn detail<'a>(analytics: &Analytics, application: &'a Application) -> Detail<'a> {
    let configuration = &application.configuration;
    Detail {
        application_name: application.arn.name.as_str(),
        application_description: application.description.as_deref(),
        application_arn: application.arn.to_string(),
        application_status: status(analytics, application),
        create_timestamp: Time(application.created_at),
        last_update_timestamp: Time(application.updated_at),
        input_descriptions: inputs(configuration, &application.start),
        output_descriptions: outputs(configuration),
        reference_data_source_descriptions: references(configuration),
        cloud_watch_logging_option_descriptions: logging(configuration),
        application_code: &configuration.code,
        application_version_id: application.version,
    }
}

/// ApplicationDetail of version 2.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Detail2<'a> {
    #[serde(rename = "ApplicationARN")]
    application_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_description: Option<&'a str>,
    application_name: &'a str,
    runtime_environment: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_execution_role: Option<&'a str>,
    application_status: &'static str,
    application_version_id: u64,
    create_timestamp: Time,
    last_update_timestamp: Time,
    application_configuration_description: ConfigurationDescription<'a>,
    cloud_watch_logging_option_descriptions: Vec<LoggingDescription<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_version_updated_from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_version_rolled_back_from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_version_rolled_back_to: Option<u64>,
    application_version_create_timestamp: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    conditional_token: Option<String>,
    application_mode: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigurationDescription<'a> {
    sql_application_configuration_description: SqlDescription<'a>,
    application_code_configuration_description: CodeDescription<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SqlDescription<'a> {
    input_descriptions: Vec<InputDescription<'a>>,
    output_descriptions: Vec<OutputDescription<'a>>,
    reference_data_source_descriptions: Vec<ReferenceDescription<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CodeDescription<'a> {
    code_content_type: &'static str,
    code_content_description: CodeContent<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CodeContent<'a> {
    text_content: &'a str,
}

/// A version of an application, as it is described.
struct Described<'a> {
    version: u64,
    lineage: Lineage,
    configuration: &'a Configuration,
    start: &'a Start,
    status: &'static str,
    token: Option<String>,
}

/// An application in the words of version 2.
pub fn detail_2<'a>(analytics: &Analytics, application: &'a Application) -> Detail2<'a> {
    describe(
        application,
        Described {
            version: application.version,
            lineage: application.lineage,
            configuration: &application.configuration,
            start: &application.start,
            status: status(analytics, application),
            token: Some(token(application)),
        },
    )
}

/// One of its versions that is not in force. Nothing begins with it, so that it says no positions.
pub fn version_detail<'a>(
    application: &'a Application,
    (version, lineage, configuration): (u64, Lineage, &'a Configuration),
    none_started: &'a Start,
) -> Detail2<'a> {
    describe(
        application,
        Described {
            version,
            lineage,
            configuration,
            start: none_started,
            status: READY,
            token: None,
        },
    )
}

fn describe<'a>(application: &'a Application, it: Described<'a>) -> Detail2<'a> {
    let rolled_back = it.lineage.rolled_back;
    Detail2 {
        application_arn: application.arn.to_string(),
        application_description: application.description.as_deref(),
        application_name: application.arn.name.as_str(),
        runtime_environment: RUNTIME,
        service_execution_role: it.configuration.role_arn.as_deref(),
        application_status: it.status,
        application_version_id: it.version,
        create_timestamp: Time(application.created_at),
        last_update_timestamp: Time(application.updated_at),
        application_configuration_description: ConfigurationDescription {
            sql_application_configuration_description: SqlDescription {
                input_descriptions: inputs(it.configuration, it.start),
                output_descriptions: outputs(it.configuration),
                reference_data_source_descriptions: references(it.configuration),
            },
            application_code_configuration_description: CodeDescription {
                code_content_type: PLAIN_TEXT,
                code_content_description: CodeContent {
                    text_content: &it.configuration.code,
                },
            },
        },
        cloud_watch_logging_option_descriptions: logging(it.configuration),
        application_version_updated_from: it.lineage.updated_from,
        application_version_rolled_back_from: rolled_back.map(|(from, _)| from),
        application_version_rolled_back_to: rolled_back.map(|(_, to)| to),
        application_version_create_timestamp: Time(Timestamp(it.lineage.created_at_ms)),
        conditional_token: it.token,
        application_mode: "STREAMING",
    }
}
