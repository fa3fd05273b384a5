//! The model's structures of a Splunk destination, as it is made and as it is changed.

use serde::Deserialize;
use wire::members::{Integer, Structure, Text};
use wire::shape::pattern::firehose as pattern;
use wire::shape::{Check, Fields, NumberRule, Shape, TextRule};

use super::request_shapes::{self, Members, RetryOptions, Secret};
use super::s3_shapes::{Changed, Logging, Made, Processing, S3};
use super::shapes::HintsUpTo;

const ENDPOINT: TextRule = TextRule::chars(0, 2_048).matching(pattern::LINE);
const ENDPOINT_TYPE: TextRule = TextRule::one_of(&["Raw", "Event"]);
const TOKEN: TextRule = TextRule::chars(0, 2_048).matching(pattern::LINE);
const ACKNOWLEDGMENT: NumberRule = NumberRule::within(180, 600);
const BACKUP_MODE: TextRule = TextRule::one_of(&["FailedEventsOnly", "AllEvents"]);

/// `SplunkBufferingHints`.
pub type Hints = HintsUpTo<5, 60>;

/// `SplunkDestinationConfiguration` and `SplunkDestinationUpdate`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Splunk<'a> {
    #[serde(borrow, rename = "HECEndpoint")]
    pub endpoint: Option<Text<'a>>,
    #[serde(borrow, rename = "HECEndpointType")]
    pub endpoint_type: Option<Text<'a>>,
    #[serde(borrow, rename = "HECToken")]
    pub token: Option<Text<'a>>,
    #[serde(rename = "HECAcknowledgmentTimeoutInSeconds")]
    pub acknowledgment_timeout: Option<Integer>,
    pub retry_options: Option<Structure<RetryOptions>>,
    #[serde(borrow)]
    pub s3_backup_mode: Option<Text<'a>>,
    #[serde(borrow)]
    pub processing_configuration: Option<Structure<Processing<'a>>>,
    #[serde(borrow)]
    pub cloud_watch_logging_options: Option<Structure<Logging<'a>>>,
    pub buffering_hints: Option<Structure<Hints>>,
    #[serde(borrow)]
    pub secrets_manager_configuration: Option<Structure<Secret<'a>>>,
    /// Of one that is made; one that is changed has the other.
    #[serde(borrow, rename = "S3Configuration")]
    pub s3_configuration: Option<Structure<Made<S3<'a>>>>,
    #[serde(borrow, rename = "S3Update")]
    pub s3_update: Option<Structure<Changed<S3<'a>>>>,
}

impl<'a> Splunk<'a> {
    /// What all destinations of requests are told.
    pub fn members(&self) -> Members<'_, 'a> {
        Members {
            hints: request_shapes::hints(&self.buffering_hints),
            logging: &self.cloud_watch_logging_options,
            processing: &self.processing_configuration,
            retry_options: &self.retry_options,
            secret: self.secrets_manager_configuration.as_ref(),
            s3_configuration: &self.s3_configuration,
            s3_update: &self.s3_update,
        }
    }

    fn check_common(&self, check: &mut Check) {
        check.optional("HECToken", &self.token, TOKEN);
        check.optional(
            "HECAcknowledgmentTimeoutInSeconds",
            &self.acknowledgment_timeout,
            ACKNOWLEDGMENT,
        );
        check.optional("S3BackupMode", &self.s3_backup_mode, BACKUP_MODE);
        self.members().check(check);
        check.optional("BufferingHints", &self.buffering_hints, Fields);
        let secrets = &self.secrets_manager_configuration;
        check.optional("SecretsManagerConfiguration", secrets, Fields);
    }
}

impl Shape for Made<Splunk<'_>> {
    fn check(&self, check: &mut Check) {
        check.required("HECEndpoint", &self.0.endpoint, ENDPOINT);
        check.required("HECEndpointType", &self.0.endpoint_type, ENDPOINT_TYPE);
        self.0.check_common(check);
        self.0.members().check_made(check);
    }
}

impl Shape for Changed<Splunk<'_>> {
    fn check(&self, check: &mut Check) {
        check.optional("HECEndpoint", &self.0.endpoint, ENDPOINT);
        check.optional("HECEndpointType", &self.0.endpoint_type, ENDPOINT_TYPE);
        self.0.check_common(check);
        self.0.members().check_changed(check);
    }
}
