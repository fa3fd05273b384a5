//! From the members of a Splunk destination to the destination that is kept.

use types::{Caller, Invalid};
use wire::ApiError;
use wire::members::Text;

use super::configure::checked;
use super::configure_requests::{Defaults, common, set_processing};
use super::error::invalid_argument;
use super::shapes::within;
use super::splunk_shapes::Splunk as Said;
use crate::Delivery;
use crate::delivery_stream::Destination;
use crate::kind::Kind;
use crate::secret::Secret;
use crate::splunk::{
    ACKNOWLEDGED_WITHIN_SECONDS_DEFAULT, EventForm, INTERVAL_SECONDS_DEFAULT,
    RETRY_SECONDS_DEFAULT, Splunk,
};

const DEFAULTS: Defaults = Defaults {
    interval_seconds: INTERVAL_SECONDS_DEFAULT,
    retry_seconds: RETRY_SECONDS_DEFAULT,
};

/// A destination as `SplunkDestinationConfiguration` or `SplunkDestinationUpdate` says, over
/// `before`.
///
/// # Errors
/// InvalidArgumentException: what is not served, no token, a URL that no request may be sent to.
pub fn splunk(
    delivery: &Delivery,
    caller: &Caller,
    before: Option<&Destination>,
    said: &Said<'_>,
) -> Result<Destination, ApiError> {
    let mut destination = before.cloned().unwrap_or_else(|| Destination {
        interval_seconds: INTERVAL_SECONDS_DEFAULT,
        ..Destination::blank()
    });
    let mut splunk = match &destination.kind {
        Kind::Splunk(before) => (**before).clone(),
        _ => Splunk::blank(),
    };
    let members = said.members();
    common(&mut destination, &mut splunk.fallback, &members, DEFAULTS)?;
    set_collector(delivery, &mut splunk, said)?;
    check_secret(&destination, &splunk)?;
    set_backup(&mut splunk, said)?;
    destination.kind = Kind::Splunk(Box::new(splunk));
    set_processing(delivery, caller, &mut destination, &members)?;
    checked(destination)
}

fn set_collector(
    delivery: &Delivery,
    splunk: &mut Splunk,
    said: &Said<'_>,
) -> Result<(), ApiError> {
    if let Some(url) = said.endpoint.as_ref().map(Text::as_str) {
        let permitted = delivery.tools.endpoints.permits(url);
        permitted.map_err(|Invalid(why)| invalid_argument(format!("HECEndpoint: {why}.")))?;
        if url.contains(['?', '#']) {
            return Err(invalid_argument(
                "HECEndpoint has a query or a fragment: the path of the event collector is added \
                 to it.",
            ));
        }
        url.clone_into(&mut splunk.url);
    }
    match said.endpoint_type.as_ref().map(Text::as_str) {
        Some("Event") => splunk.form = EventForm::Event,
        Some(_) => splunk.form = EventForm::Raw,
        None => {}
    }
    if let Some(token) = said.token.as_ref().map(Text::as_str) {
        if token.chars().any(char::is_control) {
            return Err(invalid_argument(
                "HECToken has a control character, which no header can have.",
            ));
        }
        splunk.token = Secret(token.to_owned());
    }
    if said.acknowledgment_timeout.is_some() {
        let default = ACKNOWLEDGED_WITHIN_SECONDS_DEFAULT;
        splunk.acknowledged_within_seconds = within(said.acknowledgment_timeout, default)?;
    }
    Ok(())
}

/// There is a token, here or in a secret; for that Splunk has no role but the one that is named
/// with it (model, SecretsManagerConfiguration).
fn check_secret(destination: &Destination, splunk: &Splunk) -> Result<(), ApiError> {
    match destination.names_secret() {
        Some(secret) if secret.role_arn.is_none() => Err(invalid_argument(
            "RoleARN must be provided with the SecretARN of a Splunk destination.",
        )),
        None if splunk.token.0.is_empty() => Err(invalid_argument("HECToken must be provided.")),
        _ => Ok(()),
    }
}

fn set_backup(splunk: &mut Splunk, said: &Said<'_>) -> Result<(), ApiError> {
    let Some(mode) = &said.s3_backup_mode else {
        return Ok(());
    };
    let backs_up_all = mode.as_str() == "AllEvents";
    if splunk.fallback.backs_up_all && !backs_up_all {
        // The model's words on S3BackupMode of an update.
        return Err(invalid_argument(
            "S3BackupMode AllEvents cannot be changed to FailedEventsOnly.",
        ));
    }
    splunk.fallback.backs_up_all = backs_up_all;
    Ok(())
}
