//! From the members of an HTTP endpoint destination to the destination that is kept.

use std::collections::HashSet;

use types::{Caller, Invalid};
use wire::ApiError;
use wire::members::{Structure, Text};

use super::configure::checked;
use super::configure_requests::{Defaults, common, set_processing};
use super::error::invalid_argument;
use super::http_shapes::{EndpointConfiguration, HttpEndpoint as Said, RequestConfiguration};
use super::shapes::required;
use crate::Delivery;
use crate::delivery_stream::{Destination, INTERVAL_SECONDS_DEFAULT};
use crate::http_endpoint::{HttpEndpoint, RETRY_SECONDS_DEFAULT};
use crate::kind::Kind;
use crate::secret::Secret;

const DEFAULTS: Defaults = Defaults {
    interval_seconds: INTERVAL_SECONDS_DEFAULT,
    retry_seconds: RETRY_SECONDS_DEFAULT,
};

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
    let mut endpoint = match &destination.kind {
        Kind::HttpEndpoint(before) => (**before).clone(),
        _ => HttpEndpoint::blank(),
    };
    let members = said.members();
    common(&mut destination, &mut endpoint.fallback, &members, DEFAULTS)?;
    if let Some(arn) = &said.role_arn {
        destination.role_arn = arn.as_str().to_owned();
    }
    if let Some(Structure(configuration)) = &said.endpoint_configuration {
        set_endpoint(delivery, &mut endpoint, configuration)?;
    }
    if let Some(Structure(configuration)) = &said.request_configuration {
        set_request(&mut endpoint, configuration)?;
    }
    if let Some(mode) = &said.s3_backup_mode {
        endpoint.fallback.backs_up_all = mode.as_str() == "AllData";
    }
    destination.kind = Kind::HttpEndpoint(Box::new(endpoint));
    set_processing(delivery, caller, &mut destination, &members)?;
    checked(destination)
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
        Some(key) => endpoint.access_key = Some(Secret(key.to_owned())),
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
