//! The model's structures that destinations of requests have in common.

use serde::Deserialize;
use wire::members::{Boolean, Integer, Structure, Text};
use wire::shape::pattern::firehose as pattern;
use wire::shape::{Anything, Check, Fields, NumberRule, Shape, TextRule};

use super::s3_shapes::{Changed, Logging, Made, Processing, S3};
use super::shapes::HintsUpTo;

const DURATION: NumberRule = NumberRule::within(0, 7_200);
const SECRET_ARN: TextRule = TextRule::chars(1, 2_048).matching(pattern::SECRET_ARN);
const ROLE_ARN: TextRule = TextRule::chars(1, 512).matching(pattern::ROLE_ARN);

/// `RetryOptions`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RetryOptions {
    pub duration_in_seconds: Option<Integer>,
}

impl Shape for RetryOptions {
    fn check(&self, check: &mut Check) {
        check.optional("DurationInSeconds", &self.duration_in_seconds, DURATION);
    }
}

/// `SecretsManagerConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Secret<'a> {
    #[serde(borrow, rename = "SecretARN")]
    pub secret_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "RoleARN")]
    pub role_arn: Option<Text<'a>>,
    pub enabled: Option<Boolean>,
}

impl Shape for Secret<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("SecretARN", &self.secret_arn, SECRET_ARN);
        check.optional("RoleARN", &self.role_arn, ROLE_ARN);
        check.required("Enabled", &self.enabled, Anything);
    }
}

/// Size in mebibytes and interval in seconds, within the limits of the kind.
#[derive(Clone, Copy)]
pub struct Hints {
    pub size: Option<Integer>,
    pub interval: Option<Integer>,
}

/// What stands in hints, whatever their limits.
pub fn hints<const SIZE_MAX: i64, const INTERVAL_MAX: i64>(
    said: &Option<Structure<HintsUpTo<SIZE_MAX, INTERVAL_MAX>>>,
) -> Option<Hints> {
    let said = said.as_ref();
    said.map(|Structure(HintsUpTo { size, interval })| Hints {
        size: *size,
        interval: *interval,
    })
}

/// What all of these destinations are told.
pub struct Members<'s, 'a> {
    pub hints: Option<Hints>,
    pub logging: &'s Option<Structure<Logging<'a>>>,
    pub processing: &'s Option<Structure<Processing<'a>>>,
    pub retry_options: &'s Option<Structure<RetryOptions>>,
    /// Only some have it.
    pub secret: Option<&'s Structure<Secret<'a>>>,
    /// Of one that is made; one that is changed has the other.
    pub s3_configuration: &'s Option<Structure<Made<S3<'a>>>>,
    pub s3_update: &'s Option<Structure<Changed<S3<'a>>>>,
}

impl Members<'_, '_> {
    /// Checks all of them but the hints and the bucket.
    pub fn check(&self, check: &mut Check) {
        check.optional("CloudWatchLoggingOptions", self.logging, Fields);
        check.optional("ProcessingConfiguration", self.processing, Fields);
        check.optional("RetryOptions", self.retry_options, Fields);
    }

    /// Checks the bucket of one that is made.
    pub fn check_made(&self, check: &mut Check) {
        check.required("S3Configuration", self.s3_configuration, Fields);
    }

    /// Checks the bucket of one that is changed.
    pub fn check_changed(&self, check: &mut Check) {
        check.optional("S3Update", self.s3_update, Fields);
    }
}
