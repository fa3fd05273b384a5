//! From a ResourceARN to what it names. Streams are all that has one yet: a consumer, a queue or a
//! channel is not there.

use std::borrow::Cow;
use std::sync::Arc;

use types::{AccountId, StreamArn};
use wire::members::Text;
use wire::{ApiError, Requester, Target};

use super::error;
use super::shapes::StreamMembers;
use crate::Streams;
use crate::stream::Stream;

/// What stands before a stream's name in an ARN.
const STREAM_PART: &str = ":stream/";
/// What stands between the names of a stream and of its consumer.
const CONSUMER_PART: &str = "/consumer/";

/// The stream in any state of its life.
pub fn find(streams: &Streams, by: &Requester, arn: &Text<'_>) -> Result<Arc<Stream>, ApiError> {
    let arn = Some(stream_arn(by, arn)?);
    members(&arn).find(streams, by)
}

/// The stream if it can be changed.
pub fn find_to_change(
    streams: &Streams,
    by: &Requester,
    arn: &Text<'_>,
) -> Result<Arc<Stream>, ApiError> {
    let arn = Some(stream_arn(by, arn)?);
    members(&arn).find_to_change(streams, by)
}

fn members<'a>(arn: &'a Option<Text<'a>>) -> StreamMembers<'a> {
    StreamMembers {
        name: &None,
        arn,
        id: &None,
    }
}

/// The ARN if it is a stream's, and otherwise why it names nothing here.
fn stream_arn<'a>(by: &Requester, arn: &'a Text<'_>) -> Result<Text<'a>, ApiError> {
    if StreamArn::parse(arn).is_ok() {
        return Ok(Text(Cow::Borrowed(arn)));
    }
    let (before, named) = arn.split_at(arn.find('/').map_or(arn.len(), |at| at + 1));
    let is_absent = named.contains(CONSUMER_PART) || !before.ends_with(STREAM_PART);
    let owner = owner_of(arn).ok_or_else(|| error::bad_resource_arn(arn))?;
    by.permit(&Target::named(&arn.as_str(), owner))?;
    // The pattern has let only streams and what is below them, queues and channels through.
    Err(if is_absent {
        error::resource_not_found(owner, arn)
    } else {
        error::bad_resource_arn(arn)
    })
}

/// The account of an ARN.
fn owner_of(arn: &str) -> Option<AccountId> {
    AccountId::parse(arn.split(':').nth(4)?).ok()
}
