//! Where an owner wants to be told of errors, as the model has it, and what is kept of it.

use serde::Deserialize;
use wire::ApiError;
use wire::members::Text;
use wire::shape::{Check, Shape};

use super::model::V1;
use super::resources;
use super::rules::{ID, RESOURCE_ARN, rules};
use super::shapes::{owned, required, role};
use crate::application::LoggingOption;

#[derive(Deserialize)]
pub struct NewLogging<'a, const MODEL: u16> {
    #[serde(borrow, rename = "LogStreamARN")]
    log_stream_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "RoleARN")]
    role_arn: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub struct LoggingUpdate<'a, const MODEL: u16> {
    #[serde(borrow, rename = "CloudWatchLoggingOptionId")]
    pub id: Option<Text<'a>>,
    #[serde(borrow, rename = "LogStreamARNUpdate")]
    log_stream_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "RoleARNUpdate")]
    role_arn: Option<Text<'a>>,
}

impl<const MODEL: u16> Shape for NewLogging<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("LogStreamARN", &self.log_stream_arn, RESOURCE_ARN);
        if MODEL == V1 {
            check.required("RoleARN", &self.role_arn, rules(MODEL).role);
        }
    }
}

impl<const MODEL: u16> Shape for LoggingUpdate<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("CloudWatchLoggingOptionId", &self.id, ID);
        check.optional("LogStreamARNUpdate", &self.log_stream_arn, RESOURCE_ARN);
        if MODEL == V1 {
            check.optional("RoleARNUpdate", &self.role_arn, rules(MODEL).role);
        }
    }
}

impl<const MODEL: u16> NewLogging<'_, MODEL> {
    /// What is kept of it under this id.
    pub fn kept(&self, id: String) -> Result<LoggingOption, ApiError> {
        Ok(LoggingOption {
            id,
            log_stream_arn: required(&self.log_stream_arn)?.as_str().to_owned(),
            role_arn: role::<MODEL>(&self.role_arn),
        })
    }
}

impl<const MODEL: u16> LoggingUpdate<'_, MODEL> {
    /// Changes what is said of it.
    pub fn apply(&self, option: &mut LoggingOption) {
        resources::replace(&mut option.log_stream_arn, owned(&self.log_stream_arn));
        resources::replace_role(&mut option.role_arn, role::<MODEL>(&self.role_arn));
    }
}
