//! From a ResourceARN to what it names. Streams are all that has one yet: a consumer, a queue or a
//! channel is not there.

use std::borrow::Cow;
use std::sync::Arc;

use types::{Caller, StreamArn};
use wire::ApiError;
use wire::members::Text;

use super::error;
use super::shapes::StreamMembers;
use crate::Streams;
use crate::stream::Stream;

/// What stands before a stream's name in an ARN.
const STREAM_PART: &str = ":stream/";
/// What stands between the names of a stream and of its consumer.
const CONSUMER_PART: &str = "/consumer/";

/// The stream in any state of its life.
pub fn find(streams: &Streams, caller: &Caller, arn: &Text<'_>) -> Result<Arc<Stream>, ApiError> {
    let arn = Some(stream_arn(caller, arn)?);
    members(&arn).find(streams, caller)
}

/// The stream if it can be changed.
pub fn find_to_change(
    streams: &Streams,
    caller: &Caller,
    arn: &Text<'_>,
) -> Result<Arc<Stream>, ApiError> {
    let arn = Some(stream_arn(caller, arn)?);
    members(&arn).find_to_change(streams, caller)
}

fn members<'a>(arn: &'a Option<Text<'a>>) -> StreamMembers<'a> {
    StreamMembers {
        name: &None,
        arn,
        id: &None,
    }
}

/// The ARN if it is a stream's, and otherwise why it names nothing here.
fn stream_arn<'a>(caller: &Caller, arn: &'a Text<'_>) -> Result<Text<'a>, ApiError> {
    if StreamArn::parse(arn).is_ok() {
        return Ok(Text(Cow::Borrowed(arn)));
    }
    let (owner, named) = arn.split_at(arn.find('/').map_or(arn.len(), |at| at + 1));
    let is_absent = named.contains(CONSUMER_PART) || !owner.ends_with(STREAM_PART);
    // The pattern has let only streams and what is below them, queues and channels through.
    Err(if is_absent {
        error::resource_not_found(caller, arn)
    } else {
        error::bad_resource_arn(arn)
    })
}
