//! What clients are told of consumers and of their subscriptions.

use types::{ConsumerArn, ConsumerName, StreamArn};
use wire::ApiError;

use super::{LIMIT_EXCEEDED, RESOURCE_IN_USE, RESOURCE_NOT_FOUND, invalid_argument};
use crate::catalog::ConsumerError;
use crate::shard::Shard;

pub fn none_named() -> ApiError {
    invalid_argument("Either ConsumerARN or both StreamARN and ConsumerName should be provided.")
}

pub fn bad_arn(arn: &str) -> ApiError {
    invalid_argument(format!("Invalid ConsumerARN: {arn}"))
}

pub fn names_disagree(arn: &ConsumerArn) -> ApiError {
    invalid_argument(format!(
        "StreamARN, ConsumerName and ConsumerARN must name the same consumer. ConsumerARN \
         specified: {arn}"
    ))
}

pub fn none_of_name(stream: &StreamArn, consumer: &ConsumerName) -> ApiError {
    let StreamArn { account, name, .. } = stream;
    ApiError::new(
        RESOURCE_NOT_FOUND,
        format!("Consumer {consumer} under stream {name} and account {account} not found."),
    )
}

pub fn not_found(arn: &ConsumerArn) -> ApiError {
    ApiError::new(RESOURCE_NOT_FOUND, format!("Consumer {arn} not found."))
}

/// The consumer has subscribed to the shard a moment ago, or another subscription of it takes the
/// place of this one.
pub fn subscribed(consumer: &ConsumerArn, shard: &Shard) -> ApiError {
    let StreamArn { account, name, .. } = &consumer.stream;
    let (shard, consumer) = (shard.id_text(), &consumer.name);
    ApiError::new(
        RESOURCE_IN_USE,
        format!(
            "Another active subscription exists for this consumer: \
             {account}:{name}:{shard}:{consumer}"
        ),
    )
}

/// A stream that is to be deleted and has consumers.
pub fn held(arn: &StreamArn) -> ApiError {
    let StreamArn { account, name, .. } = arn;
    ApiError::new(
        RESOURCE_IN_USE,
        format!(
            "Stream {name} under account {account} has registered consumers. Deregister them, or \
             delete the stream with EnforceConsumerDeletion."
        ),
    )
}

/// A change of a consumer that was refused.
pub fn change(error: ConsumerError, arn: &StreamArn) -> ApiError {
    let StreamArn { account, name, .. } = arn;
    match error {
        ConsumerError::Exists(consumer) => ApiError::new(
            RESOURCE_IN_USE,
            format!(
                "Consumer {consumer} under stream {name} already exists for account {account}."
            ),
        ),
        ConsumerError::NotFound(consumer) => not_found(&consumer),
        ConsumerError::OverConsumers { limit } => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "Stream {name} under account {account} has {limit} registered consumers, which is \
                 the most."
            ),
        ),
    }
}
