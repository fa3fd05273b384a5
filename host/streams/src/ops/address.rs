//! From the members that name a stream to the stream, for those who may: the only way of the
//! operations to it. Whether a request may do what it asks for is decided before it learns
//! anything of the stream, also that there is none.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use types::{Caller, ConsumerArn, ConsumerName, StreamArn, StreamName};
use wire::{ApiError, Requester, Target};

use super::error;
use super::shapes::StreamMembers;
use crate::Streams;
use crate::consumer::Consumer;
use crate::iterator::ShardIterator;
use crate::stream::{Status, Stream};

/// Where a stream is, or would be.
struct Address<'a> {
    owner: Cow<'a, Caller>,
    name: Cow<'a, str>,
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Caller { account, region }, name) = (&*self.owner, &self.name);
        let partition = region.partition();
        write!(
            f,
            "arn:{partition}:kinesis:{region}:{account}:stream/{name}"
        )
    }
}

impl Address<'_> {
    /// What is there, if the request may do there what it asks for.
    fn enter(&self, streams: &Streams, by: &Requester) -> Result<Option<Arc<Stream>>, ApiError> {
        // A request is for one region, and no other is looked into.
        let is_here = self.owner.region == by.region;
        let stream = if is_here {
            streams.directory.find(&self.owner, &self.name)
        } else {
            None
        };
        by.permit(&Target {
            arn: self,
            owner: self.owner.account,
            policy: stream.as_ref().and_then(|stream| stream.policy.as_deref()),
            tags: stream.as_ref().map(|stream| &stream.tags),
        })?;
        Ok(stream)
    }

    fn not_found(&self) -> ApiError {
        error::stream_not_found(&self.owner, &self.name)
    }
}

impl<'a> StreamMembers<'a> {
    /// The stream in any state of its life.
    pub fn find(&self, streams: &Streams, by: &Requester) -> Result<Arc<Stream>, ApiError> {
        let address = self.named(by)?;
        let stream = address.enter(streams, by)?;
        stream.ok_or_else(|| address.not_found())
    }

    /// The stream if it takes and gives records. To others AWS answers as if they were not there.
    pub fn find_active(&self, streams: &Streams, by: &Requester) -> Result<Arc<Stream>, ApiError> {
        let stream = self.find(streams, by)?;
        match stream.status {
            Status::Active | Status::Updating => Ok(stream),
            Status::Creating | Status::Deleting => {
                let owner = crate::directory::owner(&stream.arn);
                Err(error::stream_not_found(&owner, stream.arn.name.as_str()))
            }
        }
    }

    /// The stream if it can be changed.
    pub fn find_to_change(
        &self,
        streams: &Streams,
        by: &Requester,
    ) -> Result<Arc<Stream>, ApiError> {
        let stream = self.find(streams, by)?;
        match stream.status {
            Status::Active => Ok(stream),
            status @ (Status::Creating | Status::Deleting | Status::Updating) => {
                Err(error::not_active(&stream.arn, status))
            }
        }
    }

    /// The stream's address, and the stream if it is there.
    pub fn look_at(
        &self,
        streams: &Streams,
        by: &Requester,
    ) -> Result<(StreamArn, Option<Arc<Stream>>), ApiError> {
        let arn = self.arn(by)?;
        let stream = self.named(by)?.enter(streams, by)?;
        Ok((arn, stream))
    }

    /// The stream's address, whether or not anything is there.
    pub fn arn(&self, by: &Requester) -> Result<StreamArn, ApiError> {
        let Address { owner, name } = self.named(by)?;
        let name = StreamName::parse(&name).map_err(|e| ApiError::validation(e.to_string()))?;
        let Caller { account, region } = owner.into_owned();
        Ok(StreamArn {
            region,
            account,
            name,
        })
    }

    /// The address that the members agree on.
    fn named<'b>(&self, by: &'b Requester) -> Result<Address<'b>, ApiError>
    where
        'a: 'b,
    {
        let (name, arn) = match (self.name, self.arn) {
            (Some(name), None) => {
                return Ok(Address {
                    owner: Cow::Borrowed(by),
                    name: Cow::Borrowed(name.as_str()),
                });
            }
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
        Ok(Address {
            owner: Cow::Owned(crate::directory::owner(&parsed)),
            name: Cow::Owned(parsed.name.as_str().to_owned()),
        })
    }
}

/// What is at the address of a stream, such as one that shall be made.
pub fn look_at(
    streams: &Streams,
    by: &Requester,
    arn: &StreamArn,
) -> Result<Option<Arc<Stream>>, ApiError> {
    let address = Address {
        owner: Cow::Owned(crate::directory::owner(arn)),
        name: Cow::Borrowed(arn.name.as_str()),
    };
    address.enter(streams, by)
}

/// A consumer and its stream. What the request asks for is asked for of the consumer, also where
/// there is none.
pub fn consumer(
    streams: &Streams,
    by: &Requester,
    arn: &ConsumerArn,
) -> Result<(Arc<Stream>, Arc<Consumer>), ApiError> {
    let stream = streams.directory.at(&arn.stream);
    let stream = stream.filter(|_| arn.stream.region == by.region);
    let consumers = stream.as_ref().map(|stream| &stream.consumers);
    let found = consumers.and_then(|consumers| consumers.get(&arn.name));
    let found = found.filter(|consumer| consumer.arn(&arn.stream) == *arn);
    let found = found.cloned();
    by.permit(&Target {
        arn,
        owner: arn.stream.account,
        policy: found
            .as_ref()
            .and_then(|consumer| consumer.policy.as_deref()),
        tags: found.as_ref().map(|consumer| &consumer.tags),
    })?;
    let stream = stream.ok_or_else(|| error::no_stream(&arn.stream))?;
    let consumer = found.ok_or_else(|| error::consumers::not_found(arn))?;
    Ok((stream, consumer))
}

/// The consumer of that name. Of one that is not there the address is that of one that was
/// registered in 1970.
pub fn consumer_named(
    streams: &Streams,
    by: &Requester,
    stream: &StreamArn,
    name: &ConsumerName,
) -> Result<(Arc<Stream>, Arc<Consumer>), ApiError> {
    let there = streams.directory.at(stream);
    let there = there.filter(|_| stream.region == by.region);
    let found = there.and_then(|stream| stream.consumers.get(name).cloned());
    let absent = || ConsumerArn {
        stream: stream.clone(),
        name: name.clone(),
        created_s: 0,
    };
    let arn = found.map_or_else(absent, |consumer| consumer.arn(stream));
    consumer(streams, by, &arn).map_err(|error| {
        if error.denial().is_some() {
            // The address of one that is there says that it is, which is not for everybody.
            let denied = by.permit(&Target::named(&absent(), stream.account));
            return denied.err().unwrap_or(error);
        }
        let is_absent = arn.created_s == 0 && error.code() == "ResourceNotFoundException";
        if is_absent {
            error::consumers::none_of_name(stream, name)
        } else {
            error
        }
    })
}

/// The stream of an iterator that is still good.
pub fn of_iterator(
    streams: &Streams,
    by: &Requester,
    iterator: &ShardIterator,
) -> Result<Arc<Stream>, ApiError> {
    let address = Address {
        owner: Cow::Owned(Caller {
            account: iterator.account,
            region: by.region.clone(),
        }),
        name: Cow::Borrowed(iterator.name.as_str()),
    };
    let stream = address.enter(streams, by)?;
    let is_meant =
        |stream: &Arc<Stream>| stream.id == iterator.stream && stream.status.is_in_service();
    stream
        .filter(is_meant)
        .ok_or_else(|| error::iterator_without_stream(&address.owner, iterator))
}
