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
pub mod tag_delivery_stream;
pub mod untag_delivery_stream;
pub mod update_destination;

mod configure;
mod error;
mod object_names;
mod processing;
mod s3_shapes;
mod shapes;

use std::sync::Arc;

use types::Caller;
use wire::ApiError;

use crate::Delivery;
use crate::delivery_stream::DeliveryStream;
use crate::running::Running;

/// The delivery stream of that name of this caller, in any state of its life, as it is configured.
fn find(delivery: &Delivery, caller: &Caller, name: &str) -> Result<Arc<DeliveryStream>, ApiError> {
    Ok(find_running(delivery, caller, name)?.stream())
}

fn find_running(
    delivery: &Delivery,
    caller: &Caller,
    name: &str,
) -> Result<Arc<Running>, ApiError> {
    if let Some(running) = delivery.find(caller, name) {
        return Ok(running);
    }
    Err(match delivery.find_unreadable(caller, name) {
        Some(stream) => error::unreadable(&stream),
        None => error::not_found(caller, name),
    })
}
