//! The configuration of an application as version 2 of the model has it: its program, and what of
//! it applications of SQL do not have.

use serde::Deserialize;
use serde::de::IgnoredAny;
use wire::ApiError;
use wire::members::{List, Structure, Text};
use wire::shape::{Check, Fields, Shape, TextRule};

use super::create_application::each;
use super::described::PLAIN_TEXT;
use super::error;
use super::input_shapes::NewInput;
use super::model::V2;
use super::output_shapes::NewOutput;
use super::reference_shapes::NewReference;
use super::rules::CODE;
use super::shapes::{SOME, required};
use crate::application::Configuration;

const CONTENT_TYPE: TextRule = TextRule::one_of(&[PLAIN_TEXT, "ZIPFILE"]);

/// A member that the model knows and applications of SQL do not have, with its name.
type FlinkOnly<'a> = (&'a Option<IgnoredAny>, &'static str);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SqlConfiguration<'a> {
    #[serde(borrow)]
    sql_application_configuration: Option<Structure<SqlParts<'a>>>,
    #[serde(borrow)]
    application_code_configuration: Option<Structure<CodeConfiguration<'a>>>,
    flink_application_configuration: Option<IgnoredAny>,
    environment_properties: Option<IgnoredAny>,
    application_snapshot_configuration: Option<IgnoredAny>,
    application_system_rollback_configuration: Option<IgnoredAny>,
    vpc_configurations: Option<IgnoredAny>,
    zeppelin_application_configuration: Option<IgnoredAny>,
    application_encryption_configuration: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SqlParts<'a> {
    #[serde(borrow)]
    inputs: Option<List<Structure<NewInput<'a, V2>>>>,
    #[serde(borrow)]
    outputs: Option<List<Structure<NewOutput<'a, V2>>>>,
    #[serde(borrow)]
    reference_data_sources: Option<List<Structure<NewReference<'a, V2>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CodeConfiguration<'a> {
    #[serde(borrow)]
    code_content_type: Option<Text<'a>>,
    #[serde(borrow)]
    code_content: Option<Structure<CodeContent<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CodeContent<'a> {
    #[serde(borrow)]
    text_content: Option<Text<'a>>,
    zip_file_content: Option<IgnoredAny>,
    s3_content_location: Option<IgnoredAny>,
}

/// A change of a program.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CodeUpdate<'a> {
    #[serde(borrow)]
    code_content_type_update: Option<Text<'a>>,
    #[serde(borrow)]
    code_content_update: Option<Structure<CodeContentUpdate<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CodeContentUpdate<'a> {
    #[serde(borrow)]
    text_content_update: Option<Text<'a>>,
    zip_file_content_update: Option<IgnoredAny>,
    s3_content_location_update: Option<IgnoredAny>,
}

impl Shape for SqlConfiguration<'_> {
    fn check(&self, check: &mut Check) {
        let sql = &self.sql_application_configuration;
        check.optional("SqlApplicationConfiguration", sql, Fields);
        let code = &self.application_code_configuration;
        check.optional("ApplicationCodeConfiguration", code, Fields);
    }
}

impl Shape for SqlParts<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("Inputs", &self.inputs, SOME);
        check.optional("Outputs", &self.outputs, SOME);
        let references = &self.reference_data_sources;
        check.optional("ReferenceDataSources", references, SOME);
    }
}

impl Shape for CodeConfiguration<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("CodeContent", &self.code_content, Fields);
        check.required("CodeContentType", &self.code_content_type, CONTENT_TYPE);
    }
}

impl Shape for CodeContent<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("TextContent", &self.text_content, CODE);
    }
}

impl Shape for CodeUpdate<'_> {
    fn check(&self, check: &mut Check) {
        let kind = &self.code_content_type_update;
        check.optional("CodeContentTypeUpdate", kind, CONTENT_TYPE);
        let content = &self.code_content_update;
        check.optional("CodeContentUpdate", content, Fields);
    }
}

impl Shape for CodeContentUpdate<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("TextContentUpdate", &self.text_content_update, CODE);
    }
}

impl SqlConfiguration<'_> {
    /// What is kept of it.
    pub fn kept(&self) -> Result<Configuration, ApiError> {
        refuse_flink_only([
            (
                &self.flink_application_configuration,
                "FlinkApplicationConfiguration",
            ),
            (&self.environment_properties, "EnvironmentProperties"),
            (
                &self.application_snapshot_configuration,
                "ApplicationSnapshotConfiguration",
            ),
            (
                &self.application_system_rollback_configuration,
                "ApplicationSystemRollbackConfiguration",
            ),
            (&self.vpc_configurations, "VpcConfigurations"),
            (
                &self.zeppelin_application_configuration,
                "ZeppelinApplicationConfiguration",
            ),
            (
                &self.application_encryption_configuration,
                "ApplicationEncryptionConfiguration",
            ),
        ])?;
        let code = match &self.application_code_configuration {
            Some(code) => code.text()?,
            None => String::new(),
        };
        let Some(sql) = &self.sql_application_configuration else {
            return Ok(Configuration {
                code,
                ..Configuration::default()
            });
        };
        Ok(Configuration {
            code,
            inputs: each(&sql.inputs, NewInput::kept)?,
            outputs: each(&sql.outputs, NewOutput::kept)?,
            references: each(&sql.reference_data_sources, NewReference::kept)?,
            ..Configuration::default()
        })
    }
}

/// What the model knows and applications of SQL do not have is refused, not taken and ignored.
pub fn refuse_flink_only<const N: usize>(members: [FlinkOnly<'_>; N]) -> Result<(), ApiError> {
    match members.into_iter().find(|(member, _)| member.is_some()) {
        Some((_, name)) => Err(error::invalid_argument(format!(
            "{name} is not supported for applications of SQL."
        ))),
        None => Ok(()),
    }
}

impl CodeConfiguration<'_> {
    fn text(&self) -> Result<String, ApiError> {
        let kind = required(&self.code_content_type)?.as_str();
        let content = self.code_content.as_ref();
        let is_elsewhere = content
            .is_some_and(|it| it.zip_file_content.is_some() || it.s3_content_location.is_some());
        let text = content.and_then(|it| it.text_content.as_ref());
        the_text(kind, is_elsewhere)?;
        Ok(text.map_or("", Text::as_str).to_owned())
    }
}

impl CodeUpdate<'_> {
    /// Puts what is said in the place of what was.
    pub fn apply(&self, code: &mut String) -> Result<(), ApiError> {
        let kind = self.code_content_type_update.as_ref();
        let content = self.code_content_update.as_ref();
        let is_elsewhere = content.is_some_and(|it| {
            it.zip_file_content_update.is_some() || it.s3_content_location_update.is_some()
        });
        the_text(kind.map_or(PLAIN_TEXT, Text::as_str), is_elsewhere)?;
        if let Some(text) = content.and_then(|it| it.text_content_update.as_ref()) {
            text.as_str().clone_into(code);
        }
        Ok(())
    }
}

/// Refuses a program that is not given as text.
fn the_text(kind: &str, is_elsewhere: bool) -> Result<(), ApiError> {
    if kind == PLAIN_TEXT && !is_elsewhere {
        Ok(())
    } else {
        Err(error::invalid_argument(
            "The code of an application of SQL must be TextContent of type PLAINTEXT.",
        ))
    }
}
