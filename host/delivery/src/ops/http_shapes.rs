//! The model's structures of an HTTP endpoint destination, as it is made and as it is changed.

use serde::Deserialize;
use wire::members::{List, Structure, Text};
use wire::shape::pattern::firehose as pattern;
use wire::shape::{Check, Fields, ListRule, Shape, TextRule};

use super::request_shapes::{self, Members, RetryOptions, Secret};
use super::s3_shapes::{Changed, Logging, Made, Processing, S3};
use super::shapes::HintsUpTo;

const URL: TextRule = TextRule::chars(1, 1_000).matching(pattern::ENDPOINT_URL);
const ENDPOINT_NAME: TextRule = TextRule::chars(1, 256).matching(pattern::PARAMETER_VALUE);
const ACCESS_KEY: TextRule = TextRule::chars(0, 4_096).matching(pattern::LINE);
const ENCODING: TextRule = TextRule::one_of(&["NONE", "GZIP"]);
const ATTRIBUTES: ListRule<Fields> = ListRule::of(0, 50, Fields);
const ATTRIBUTE_NAME: TextRule = TextRule::chars(1, 256).matching(pattern::PARAMETER_VALUE);
const ATTRIBUTE_VALUE: TextRule = TextRule::chars(0, 1_024).matching(pattern::LINE);
const BACKUP_MODE: TextRule = TextRule::one_of(&["FailedDataOnly", "AllData"]);
const ROLE_ARN: TextRule = TextRule::chars(1, 512).matching(pattern::ROLE_ARN);

/// `EndpointConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EndpointConfiguration<'a> {
    #[serde(borrow)]
    pub url: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub access_key: Option<Text<'a>>,
}

impl Shape for EndpointConfiguration<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Url", &self.url, URL);
        check.optional("Name", &self.name, ENDPOINT_NAME);
        check.optional("AccessKey", &self.access_key, ACCESS_KEY);
    }
}

/// `HttpEndpointBufferingHints`.
pub type Hints = HintsUpTo<64, 900>;

/// `RequestConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RequestConfiguration<'a> {
    #[serde(borrow)]
    pub content_encoding: Option<Text<'a>>,
    #[serde(borrow)]
    pub common_attributes: Option<List<Structure<Attribute<'a>>>>,
}

impl Shape for RequestConfiguration<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("ContentEncoding", &self.content_encoding, ENCODING);
        check.optional("CommonAttributes", &self.common_attributes, ATTRIBUTES);
    }
}

/// One of its attributes.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attribute<'a> {
    #[serde(borrow)]
    pub attribute_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub attribute_value: Option<Text<'a>>,
}

impl Shape for Attribute<'_> {
    fn check(&self, check: &mut Check) {
        check.required("AttributeName", &self.attribute_name, ATTRIBUTE_NAME);
        check.required("AttributeValue", &self.attribute_value, ATTRIBUTE_VALUE);
    }
}

/// `HttpEndpointDestinationConfiguration` and `HttpEndpointDestinationUpdate`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HttpEndpoint<'a> {
    #[serde(borrow)]
    pub endpoint_configuration: Option<Structure<EndpointConfiguration<'a>>>,
    pub buffering_hints: Option<Structure<Hints>>,
    #[serde(borrow)]
    pub cloud_watch_logging_options: Option<Structure<Logging<'a>>>,
    #[serde(borrow)]
    pub request_configuration: Option<Structure<RequestConfiguration<'a>>>,
    #[serde(borrow)]
    pub processing_configuration: Option<Structure<Processing<'a>>>,
    #[serde(borrow, rename = "RoleARN")]
    pub role_arn: Option<Text<'a>>,
    pub retry_options: Option<Structure<RetryOptions>>,
    #[serde(borrow)]
    pub s3_backup_mode: Option<Text<'a>>,
    #[serde(borrow)]
    pub secrets_manager_configuration: Option<Structure<Secret<'a>>>,
    /// Of one that is made; one that is changed has the other.
    #[serde(borrow, rename = "S3Configuration")]
    pub s3_configuration: Option<Structure<Made<S3<'a>>>>,
    #[serde(borrow, rename = "S3Update")]
    pub s3_update: Option<Structure<Changed<S3<'a>>>>,
}

impl<'a> HttpEndpoint<'a> {
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
        check.optional("BufferingHints", &self.buffering_hints, Fields);
        check.optional("RequestConfiguration", &self.request_configuration, Fields);
        self.members().check(check);
        check.optional("RoleARN", &self.role_arn, ROLE_ARN);
        check.optional("S3BackupMode", &self.s3_backup_mode, BACKUP_MODE);
        let secrets = &self.secrets_manager_configuration;
        check.optional("SecretsManagerConfiguration", secrets, Fields);
    }
}

impl Shape for Made<HttpEndpoint<'_>> {
    fn check(&self, check: &mut Check) {
        let endpoint = &self.0.endpoint_configuration;
        check.required("EndpointConfiguration", endpoint, Fields);
        self.0.check_common(check);
        self.0.members().check_made(check);
    }
}

impl Shape for Changed<HttpEndpoint<'_>> {
    fn check(&self, check: &mut Check) {
        let endpoint = &self.0.endpoint_configuration;
        check.optional("EndpointConfiguration", endpoint, Fields);
        self.0.check_common(check);
        self.0.members().check_changed(check);
    }
}
