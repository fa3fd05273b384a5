//! From the members that name a stream to the stream.

use std::borrow::Cow;
use std::sync::Arc;

use types::{Caller, StreamArn, StreamName};
use wire::ApiError;

use super::error;
use super::shapes::StreamMembers;
use crate::Streams;
use crate::stream::{Status, Stream};

impl<'a> StreamMembers<'a> {
    /// The stream in any state of its life.
    pub fn find(&self, streams: &Streams, caller: &Caller) -> Result<Arc<Stream>, ApiError> {
        let name = self.name_of(caller)?;
        streams
            .directory
            .find(caller, &name)
            .ok_or_else(|| error::stream_not_found(caller, &name))
    }

    /// The stream if it takes and gives records. To others AWS answers as if they were not there.
    pub fn find_active(&self, streams: &Streams, caller: &Caller) -> Result<Arc<Stream>, ApiError> {
        let stream = self.find(streams, caller)?;
        match stream.status {
            Status::Active | Status::Updating => Ok(stream),
            Status::Creating | Status::Deleting => {
                Err(error::stream_not_found(caller, stream.arn.name.as_str()))
            }
        }
    }

    /// The stream if it can be changed.
    pub fn find_to_change(
        &self,
        streams: &Streams,
        caller: &Caller,
    ) -> Result<Arc<Stream>, ApiError> {
        let stream = self.find(streams, caller)?;
        match stream.status {
            Status::Active => Ok(stream),
            status @ (Status::Creating | Status::Deleting | Status::Updating) => {
                Err(error::not_active(&stream.arn, status))
            }
        }
    }

    /// The stream's address, whether or not it is there.
    pub fn address(&self, caller: &Caller) -> Result<StreamArn, ApiError> {
        let name = self.name_of(caller)?;
        let name = StreamName::parse(&name).map_err(|e| ApiError::validation(e.to_string()))?;
        Ok(StreamArn {
            region: caller.region.clone(),
            account: caller.account,
            name,
        })
    }

    /// The name that the members agree on.
    fn name_of(&self, caller: &Caller) -> Result<Cow<'a, str>, ApiError> {
        let (name, arn) = match (self.name, self.arn) {
            (Some(name), None) => return Ok(Cow::Borrowed(name.as_str())),
            (name, Some(arn)) => (name, arn.as_str()),
            (None, None) => return Err(error::no_stream_named()),
        };
        let parsed = StreamArn::parse(arn).map_err(|_| error::bad_arn(arn))?;
        if name
            .as_ref()
            .is_some_and(|n| n.as_str() != parsed.name.as_str())
        {
            return Err(error::name_and_arn_disagree(&parsed));
        }
        if parsed.account != caller.account {
            return Err(error::foreign_account(caller, &parsed));
        }
        if parsed.region != caller.region {
            return Err(error::stream_not_found(caller, parsed.name.as_str()));
        }
        Ok(Cow::Owned(parsed.name.as_str().to_owned()))
    }
}
