//! Whether a destination may have the secret that it names, and whether there is one: asked when it
//! is configured, in the place of the role that AWS would look at.

use types::Invalid;
use wire::{Action, ApiError, Requester, Target};

use super::error::invalid_argument;
use crate::Delivery;
use crate::delivery_stream::Destination;
use crate::kind::Kind;
use crate::secrets::{OF_DATABASE, OF_ENDPOINT, OF_SPLUNK};

/// What may be done besides by whoever names a secret (developer guide, "Use the secret").
const READING: Action = Action {
    service: "secretsmanager",
    operation: "GetSecretValue",
};

/// Refuses a destination whose secret the request may not have or that there is none of. One that
/// goes where it went before, and names what it named, is not asked again.
///
/// # Errors
/// InvalidArgumentException: no such secret of this account and region, or no value of it.
/// AccessDeniedException: the request may not read it.
pub async fn check(
    delivery: &Delivery,
    by: &Requester,
    (before, destination): (Option<&Destination>, &Destination),
) -> Result<(), ApiError> {
    let Some(named) = destination.names_secret() else {
        return Ok(());
    };
    let is_as_before = before.is_some_and(|before| {
        before.names_secret() == Some(named) && before.kind.url() == destination.kind.url()
    });
    if is_as_before {
        return Ok(());
    }
    let wrong = |why: String| invalid_argument(format!("SecretARN: {why}."));
    let arn = named.arn().map_err(|Invalid(why)| wrong(why))?;
    let text = named.arn.as_deref().unwrap_or_default();
    // Of another account's secrets nobody learns which there are.
    if arn.account != by.account || arn.region != by.region {
        return Err(wrong(format!(
            "the secret must be one of account {} in {}",
            by.account, by.region
        )));
    }
    by.permit_to(READING, &Target::named(&text, by.account))?;
    let secrets = &delivery.tools.secrets;
    let read = match &destination.kind {
        Kind::HttpEndpoint(_) => secrets.members(&arn, OF_ENDPOINT).await.map(drop),
        Kind::Splunk(_) => secrets.members(&arn, OF_SPLUNK).await.map(drop),
        Kind::Redshift(_) => secrets.members(&arn, OF_DATABASE).await.map(drop),
        // None of these names one.
        Kind::Bucket | Kind::Search(_) => Ok(()),
    };
    read.map_err(wrong)
}
