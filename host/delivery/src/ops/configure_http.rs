//! From the members of an HTTP endpoint destination to the destination that is kept.

use std::collections::HashSet;

use types::{Caller, Invalid};
use wire::ApiError;
use wire::members::{Boolean, Structure, Text};

use super::configure::{basic, checked, logging};
use super::error::invalid_argument;
use super::http_shapes::{EndpointConfiguration, HttpEndpoint as Said, RequestConfiguration};
use super::processing::{self, Processed};
use super::s3_shapes::{Changed, Made, S3};
use super::shapes::{required, within};
use crate::Delivery;
use crate::delivery_stream::{Destination, INTERVAL_SECONDS_DEFAULT, Kind, SIZE_MIB_DEFAULT};
use crate::http_endpoint::{AccessKey, Beside, HttpEndpoint, RETRY_SECONDS_DEFAULT};

/// A destination as `HttpEndpointDestinationConfiguration` or `HttpEndpointDestinationUpdate` says,
/// over `before`.
///
/// # Errors
/// InvalidArgumentException: what is not served, a URL that no request may be sent to.
pub fn http_endpoint(
    delivery: &Delivery,
    caller: &Caller,
    before: Option<&Destination>,
    said: &Said<'_>,
) -> Result<Destination, ApiError> {
    let mut destination = before.cloned().unwrap_or_else(Destination::blank);
    let before = destination.http_endpoint().cloned();
    let mut endpoint = before.unwrap_or_else(HttpEndpoint::blank);
    refuse_what_is_not_served(said)?;
    let bucket = match (&said.s3_configuration, &said.s3_update) {
        (Some(Structure(Made(s3))), _) | (None, Some(Structure(Changed(s3)))) => Some(s3),
        (None, None) => None,
    };
    if let Some(s3) = bucket {
        beside(&mut destination, &mut endpoint.bucket, s3)?;
    }
    if let Some(arn) = &said.role_arn {
        destination.role_arn = arn.as_str().to_owned();
    }
    if let Some(Structure(hints)) = &said.buffering_hints {
        destination.size_mib = within(hints.size, SIZE_MIB_DEFAULT)?;
        destination.interval_seconds = within(hints.interval, INTERVAL_SECONDS_DEFAULT)?;
    }
    if let Some(Structure(options)) = &said.cloud_watch_logging_options {
        destination.logging = Some(logging(options));
    }
    if let Some(Structure(configuration)) = &said.endpoint_configuration {
        set_endpoint(delivery, &mut endpoint, configuration)?;
    }
    if let Some(Structure(configuration)) = &said.request_configuration {
        set_request(&mut endpoint, configuration)?;
    }
    if let Some(Structure(options)) = &said.retry_options {
        endpoint.retry_seconds = within(options.duration_in_seconds, RETRY_SECONDS_DEFAULT)?;
    }
    if let Some(mode) = &said.s3_backup_mode {
        endpoint.backs_up_all = mode.as_str() == "AllData";
    }
    if let Some(Structure(said)) = &said.processing_configuration {
        let Processed {
            kept,
            transform,
            delimiter,
            decompression,
        } = processing::processed(
            delivery,
            caller,
            &with_a_role(&destination, &endpoint),
            said,
        )?;
        destination.processing = Some(kept);
        destination.transform = transform;
        destination.delimiter = delimiter;
        destination.decompression = decompression;
    }
    destination.kind = Kind::HttpEndpoint(Box::new(endpoint));
    checked(destination)
}

/// The destination with the role that a function is called with unless one is named: the bucket's
/// where the endpoint has none.
fn with_a_role(destination: &Destination, endpoint: &HttpEndpoint) -> Destination {
    let mut destination = destination.clone();
    if destination.role_arn.is_empty() {
        destination.role_arn.clone_from(&endpoint.bucket.role_arn);
    }
    destination
}

/// Reads what is said of the bucket. Hints, logging and role of the destination are those of the
/// endpoint, and the bucket's are kept beside.
fn beside(destination: &mut Destination, kept: &mut Beside, said: &S3<'_>) -> Result<(), ApiError> {
    let of_endpoint = destination.clone();
    let (size, interval) = kept
        .hints
        .unwrap_or((SIZE_MIB_DEFAULT, INTERVAL_SECONDS_DEFAULT));
    destination.role_arn.clone_from(&kept.role_arn);
    (destination.size_mib, destination.interval_seconds) = (size, interval);
    destination.logging.clone_from(&kept.logging);
    basic(destination, &said.members())?;
    *kept = Beside {
        role_arn: std::mem::replace(&mut destination.role_arn, of_endpoint.role_arn),
        hints: Some((destination.size_mib, destination.interval_seconds)),
        logging: std::mem::replace(&mut destination.logging, of_endpoint.logging),
    };
    destination.size_mib = of_endpoint.size_mib;
    destination.interval_seconds = of_endpoint.interval_seconds;
    Ok(())
}

fn set_endpoint(
    delivery: &Delivery,
    endpoint: &mut HttpEndpoint,
    said: &EndpointConfiguration<'_>,
) -> Result<(), ApiError> {
    let url = required(&said.url)?.as_str();
    let permitted = delivery.tools.endpoints.permits(url);
    permitted.map_err(|Invalid(why)| invalid_argument(format!("Url: {why}.")))?;
    // An access key was given for the endpoint of that time: another one never gets it.
    let is_other = endpoint.url != url;
    url.clone_into(&mut endpoint.url);
    endpoint.name = said.name.as_ref().map(|name| name.as_str().to_owned());
    match said.access_key.as_ref().map(Text::as_str) {
        Some(key) if key.chars().any(char::is_control) => {
            return Err(invalid_argument(
                "AccessKey has a control character, which no header can have.",
            ));
        }
        Some(key) => endpoint.access_key = Some(AccessKey(key.to_owned())),
        None if is_other => endpoint.access_key = None,
        None => {}
    }
    Ok(())
}

fn set_request(
    endpoint: &mut HttpEndpoint,
    said: &RequestConfiguration<'_>,
) -> Result<(), ApiError> {
    if let Some(encoding) = &said.content_encoding {
        endpoint.packs = encoding.as_str() == "GZIP";
    }
    let Some(attributes) = &said.common_attributes else {
        return Ok(());
    };
    let attributes = attributes.iter().map(|Structure(attribute)| {
        let name = required(&attribute.attribute_name)?.as_str().to_owned();
        Ok((
            name,
            required(&attribute.attribute_value)?.as_str().to_owned(),
        ))
    });
    let attributes: Vec<(String, String)> = attributes.collect::<Result<_, ApiError>>()?;
    let mut seen = HashSet::new();
    if let Some((name, _)) = attributes.iter().find(|(name, _)| !seen.insert(name)) {
        return Err(invalid_argument(format!(
            "CommonAttributes has the attribute {name} more than once."
        )));
    }
    endpoint.common_attributes = attributes;
    Ok(())
}

/// What the model knows and this server does not do is refused, not taken and ignored.
fn refuse_what_is_not_served(said: &Said<'_>) -> Result<(), ApiError> {
    let secrets = said.secrets_manager_configuration.as_ref();
    if secrets.is_some_and(|Structure(it)| matches!(it.enabled, Some(Boolean(true)))) {
        return Err(invalid_argument(
            "SecretsManagerConfiguration is not supported. The access key can be given as \
             AccessKey.",
        ));
    }
    Ok(())
}
