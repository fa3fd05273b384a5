//! What destinations of requests have in common, from its members to the destination that is kept.

use types::{Caller, Invalid};
use wire::ApiError;
use wire::members::{Boolean, Structure, Text};

use super::configure::{basic, logging};
use super::error::invalid_argument;
use super::processing;
use super::request_shapes::{Members, Secret};
use super::s3_shapes::{S3, one_of};
use super::shapes::within;
use crate::Delivery;
use crate::delivery_stream::{Destination, INTERVAL_SECONDS_DEFAULT, SIZE_MIB_DEFAULT};
use crate::fallback::{Beside, Fallback};
use crate::secrets::NamedSecret;

/// What holds where a member of a structure is not said.
#[derive(Clone, Copy)]
pub struct Defaults {
    /// Of `BufferingHints`.
    pub interval_seconds: u32,
    /// Of `RetryOptions`.
    pub retry_seconds: u32,
}

/// Reads the bucket, the hints, the logging, how long is tried again, and which secret is named.
///
/// # Errors
/// InvalidArgumentException: what is not served.
pub fn common(
    destination: &mut Destination,
    fallback: &mut Fallback,
    said: &Members<'_, '_>,
    defaults: Defaults,
) -> Result<(), ApiError> {
    if let Some(s3) = one_of(said.s3_configuration, said.s3_update) {
        beside(destination, &mut fallback.bucket, s3)?;
    }
    if let Some(hints) = said.hints {
        destination.size_mib = within(hints.size, SIZE_MIB_DEFAULT)?;
        destination.interval_seconds = within(hints.interval, defaults.interval_seconds)?;
    }
    if let Some(Structure(options)) = said.logging {
        destination.logging = Some(logging(options));
    }
    if let Some(Structure(options)) = said.retry_options {
        fallback.retry_seconds = within(options.duration_in_seconds, defaults.retry_seconds)?;
    }
    if let Some(Structure(said)) = said.secret {
        destination.secret = Some(secret(said)?);
    }
    Ok(())
}

/// Reads the processing. A function is called with the role of the destination unless one is named,
/// or with the bucket's where the destination has none.
///
/// # Errors
/// InvalidArgumentException, as [`processing::set`] says.
pub fn set_processing(
    delivery: &Delivery,
    caller: &Caller,
    destination: &mut Destination,
    said: &Members<'_, '_>,
) -> Result<(), ApiError> {
    let Some(Structure(configuration)) = said.processing else {
        return Ok(());
    };
    let of_bucket = destination.kind.fallback();
    let of_bucket = of_bucket.map(|fallback| fallback.bucket.role_arn.as_str());
    let role = match (destination.role_arn.as_str(), of_bucket) {
        ("", Some(of_bucket)) => of_bucket.to_owned(),
        (own, _) => own.to_owned(),
    };
    processing::set(delivery, caller, destination, (&role, configuration))
}

/// A secret as it is named. What is in force names one that can be (model,
/// SecretsManagerConfiguration).
fn secret(said: &Secret<'_>) -> Result<NamedSecret, ApiError> {
    let owned = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.as_str().to_owned());
    let named = NamedSecret {
        is_enabled: matches!(said.enabled, Some(Boolean(true))),
        arn: owned(&said.secret_arn),
        role_arn: owned(&said.role_arn),
    };
    if !named.is_enabled {
        return Ok(named);
    }
    if named.arn.is_none() {
        return Err(invalid_argument(
            "SecretARN must be provided when SecretsManagerConfiguration is enabled.",
        ));
    }
    let wrong = |Invalid(why)| invalid_argument(format!("SecretARN: {why}."));
    named.arn().map_err(wrong)?;
    Ok(named)
}

/// Reads what is said of the bucket. Hints, logging and role of the destination are its own, and
/// the bucket's are kept beside.
fn beside(destination: &mut Destination, kept: &mut Beside, said: &S3<'_>) -> Result<(), ApiError> {
    let own = destination.clone();
    let (size, interval) = kept
        .hints
        .unwrap_or((SIZE_MIB_DEFAULT, INTERVAL_SECONDS_DEFAULT));
    destination.role_arn.clone_from(&kept.role_arn);
    (destination.size_mib, destination.interval_seconds) = (size, interval);
    destination.logging.clone_from(&kept.logging);
    basic(destination, &said.members())?;
    *kept = Beside {
        role_arn: std::mem::replace(&mut destination.role_arn, own.role_arn),
        hints: Some((destination.size_mib, destination.interval_seconds)),
        logging: std::mem::replace(&mut destination.logging, own.logging),
    };
    destination.size_mib = own.size_mib;
    destination.interval_seconds = own.interval_seconds;
    Ok(())
}
