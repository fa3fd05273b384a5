//! The operations of Data Firehose: one file each, with its shape, its checks, its work and its
//! answer. What they share: [`shapes`], [`s3_shapes`] and [`configure`] on the way in, [`error`] on
//! the way out.

pub mod create_delivery_stream;
pub mod delete_delivery_stream;
pub mod describe_delivery_stream;
pub mod list_delivery_streams;
pub mod list_tags_for_delivery_stream;
pub mod put_record;
pub mod put_record_batch;
pub mod start_delivery_stream_encryption;
pub mod stop_delivery_stream_encryption;
pub mod tag_delivery_stream;
pub mod untag_delivery_stream;
pub mod update_destination;

mod asked;
mod configure;
mod configure_http;
mod configure_redshift;
mod configure_requests;
mod configure_search;
mod configure_splunk;
mod conversion;
mod conversion_shapes;
mod described;
mod described_conversion;
mod encryption;
mod error;
mod http_shapes;
mod log_processing;
mod object_names;
mod partitioning;
mod processing;
pub(crate) mod redelivered;
mod redshift_shapes;
mod request_shapes;
mod s3_shapes;
mod search_shapes;
mod secrets;
mod shapes;
mod splunk_shapes;

use std::fmt;
use std::sync::Arc;

use types::Caller;
use wire::{Action, ApiError, Requester, Target};

use crate::Delivery;
use crate::delivery_stream::{DeliveryStream, Origin};
use crate::running::Running;

/// Where a delivery stream is, or would be.
struct Address<'a> {
    owner: &'a Caller,
    name: &'a str,
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Caller { account, region }, name) = (self.owner, self.name);
        let partition = region.partition();
        write!(
            f,
            "arn:{partition}:firehose:{region}:{account}:deliverystream/{name}"
        )
    }
}

/// What is at a name of the caller, if the request may do there what it asks for: this is decided
/// before it learns anything of it, also that there is nothing.
pub(crate) fn enter(
    delivery: &Delivery,
    by: &Requester,
    name: &str,
) -> Result<Option<Arc<Running>>, ApiError> {
    let running = delivery.find(by, name);
    let stream = running.as_ref().map(|running| running.stream());
    by.permit(&Target {
        tags: stream.as_ref().map(|stream| &stream.tags),
        ..Target::named(&Address { owner: by, name }, by.account)
    })?;
    Ok(running)
}

/// What whoever has records put to a delivery stream must be allowed to do.
const PUTTING: Action = Action {
    service: "firehose",
    operation: "PutRecordBatch",
};

/// Whether there is a delivery stream of that name that is put to directly, if the request may have
/// records put there.
pub(crate) fn permit_puts(
    delivery: &Delivery,
    by: &Requester,
    name: &str,
) -> Result<bool, ApiError> {
    let stream = delivery.find(by, name).map(|running| running.stream());
    let address = Address { owner: by, name };
    let target = Target {
        tags: stream.as_ref().map(|stream| &stream.tags),
        ..Target::named(&address, by.account)
    };
    by.permit_to(PUTTING, &target)?;
    Ok(stream.is_some_and(|it| matches!(it.origin, Origin::DirectPut { .. })))
}

/// The delivery stream of that name of this caller, in any state of its life, as it is configured.
fn find(delivery: &Delivery, by: &Requester, name: &str) -> Result<Arc<DeliveryStream>, ApiError> {
    Ok(find_running(delivery, by, name)?.stream())
}

fn find_running(delivery: &Delivery, by: &Requester, name: &str) -> Result<Arc<Running>, ApiError> {
    if let Some(running) = enter(delivery, by, name)? {
        return Ok(running);
    }
    Err(match delivery.find_unreadable(by, name) {
        Some(stream) => error::unreadable(&stream),
        None => error::not_found(by, name),
    })
}
