//! The model's structures that destinations of requests have in common.

use serde::Deserialize;
use wire::members::{Boolean, Integer, Structure};
use wire::shape::{Anything, Check, Fields, NumberRule, Shape};

use super::s3_shapes::{Changed, Logging, Made, Processing, S3};
use super::shapes::HintsUpTo;

const DURATION: NumberRule = NumberRule::within(0, 7_200);

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

/// `SecretsManagerConfiguration`, of which only counts whether it is in force.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Secrets {
    pub enabled: Option<Boolean>,
}

impl Shape for Secrets {
    fn check(&self, check: &mut Check) {
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
