//! The destination of what is delivered once more: the one in force, with prefixes of its own, held
//! to the same rules.

use wire::ApiError;

use super::configure::checked;
use super::error::invalid_argument;
use super::object_names;
use crate::Delivery;
use crate::delivery_stream::{DeliveryStream, Destination};
use crate::kind::Kind;
use crate::redeliveries::row::Asked;

/// What stands between the literal beginning of a prefix and the failed records below it, where no
/// prefix of theirs is given.
const FAILED_BELOW: &str = "failed/!{firehose:error-output-type}/";
/// How an expression begins.
const EXPRESSION: &str = "!{";

/// The destination in force, with the prefixes of an order, and without a backup: all records went
/// there when they came in.
///
/// # Errors
/// InvalidArgumentException: a destination of requests, or prefixes that no objects can have.
pub async fn destination(
    delivery: &Delivery,
    stream: &DeliveryStream,
    asked: &Asked,
) -> Result<Destination, ApiError> {
    let in_force = &stream.destination;
    if in_force.kind != Kind::Bucket {
        return Err(invalid_argument(format!(
            "Records are delivered once more into S3 destinations alone, and this one is {}.",
            in_force.kind.name()
        )));
    }
    if asked.prefix.is_empty() || in_force.prefix.as_deref() == Some(asked.prefix.as_str()) {
        return Err(invalid_argument(
            "The prefix must be given, and be another one than that in force.",
        ));
    }
    let head = asked.prefix.split(EXPRESSION).next().unwrap_or_default();
    let failed = asked.error_prefix.clone();
    let failed = failed.unwrap_or_else(|| format!("{head}{FAILED_BELOW}"));
    let destination = checked(Destination {
        prefix: Some(asked.prefix.clone()),
        error_output_prefix: Some(failed),
        backup: None,
        ..in_force.clone()
    })?;
    object_names::check(delivery, &stream.arn.name, &destination).await?;
    Ok(destination)
}
