//! From a ResourceARN to what it names: a stream, or a consumer of one. A queue or a channel is not
//! there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use types::{AccountId, ConsumerArn, StreamArn};
use wire::iam::ResourcePolicy;
use wire::members::Text;
use wire::{ApiError, Requester, Target};

use super::shapes::StreamMembers;
use super::{address, error};
use crate::Streams;
use crate::catalog::{ConsumerChange, ConsumerEdit};
use crate::consumer::Consumer;
use crate::edit::{Edit, TagEdit};
use crate::stream::Stream;

/// What stands before a stream's name in an ARN.
const STREAM_PART: &str = ":stream/";
/// What stands between the names of a stream and of its consumer.
const CONSUMER_PART: &str = "/consumer/";

/// What can have labels.
pub enum Resource {
    /// A stream.
    Stream(Arc<Stream>),
    /// A consumer, and its stream.
    Consumer(Arc<Stream>, Arc<Consumer>),
}

impl Resource {
    /// What `arn` names, in any state of its life.
    pub fn find(streams: &Streams, by: &Requester, arn: &Text<'_>) -> Result<Self, ApiError> {
        if let Ok(consumer) = ConsumerArn::parse(arn) {
            let (stream, consumer) = address::consumer(streams, by, &consumer)?;
            return Ok(Self::Consumer(stream, consumer));
        }
        let arn = Some(stream_arn(by, arn)?);
        Ok(Self::Stream(members(&arn).find(streams, by)?))
    }

    /// The same, if it can be changed.
    pub fn find_to_change(
        streams: &Streams,
        by: &Requester,
        arn: &Text<'_>,
    ) -> Result<Self, ApiError> {
        match Self::find(streams, by, arn)? {
            Self::Stream(stream) => {
                let arn = Some(Text(Cow::Owned(stream.arn.to_string())));
                let stream = members(&arn).find_to_change(streams, by)?;
                Ok(Self::Stream(stream))
            }
            consumer @ Self::Consumer(..) => Ok(consumer),
        }
    }

    /// The stream that it is or belongs to.
    pub fn stream(&self) -> &StreamArn {
        match self {
            Self::Stream(stream) | Self::Consumer(stream, _) => &stream.arn,
        }
    }

    /// Its labels.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Stream(stream) => &stream.tags,
            Self::Consumer(_, consumer) => &consumer.tags,
        }
    }

    /// Who may use it beside its own account.
    pub fn policy(&self) -> Option<&ResourcePolicy> {
        match self {
            Self::Stream(stream) => stream.policy.as_deref(),
            Self::Consumer(_, consumer) => consumer.policy.as_deref(),
        }
    }

    /// Changes its labels. Returns when that is durable.
    pub async fn tag(self, streams: &Streams, edit: TagEdit) -> Result<(), ApiError> {
        self.change(streams, Edit::Tag(edit.clone()), ConsumerEdit::Tag(edit))
            .await
    }

    /// Says who may use it. Returns when that is durable.
    pub async fn set_policy(
        self,
        streams: &Streams,
        policy: Arc<ResourcePolicy>,
    ) -> Result<(), ApiError> {
        let edit = Edit::SetPolicy(Arc::clone(&policy));
        self.change(streams, edit, ConsumerEdit::SetPolicy(policy))
            .await
    }

    /// Says so no longer. Returns when that is durable.
    pub async fn remove_policy(self, streams: &Streams) -> Result<(), ApiError> {
        self.change(streams, Edit::RemovePolicy, ConsumerEdit::RemovePolicy)
            .await
    }

    /// Changes it, by what the change is of a stream and of a consumer.
    async fn change(
        self,
        streams: &Streams,
        of_stream: Edit,
        of_consumer: ConsumerEdit,
    ) -> Result<(), ApiError> {
        let arn = self.stream().clone();
        let catalog = &streams.catalog;
        let changed = match self {
            Self::Stream(_) => catalog.edit(arn.clone(), of_stream).await,
            Self::Consumer(_, consumer) => {
                let change = ConsumerChange::Edit(consumer.arn(&arn), of_consumer);
                catalog.change_consumer(arn.clone(), change).await
            }
        };
        changed.map_err(|error| error::change(error, &arn))
    }
}

/// The stream that an ARN names, or of which it names a consumer.
pub fn stream_named(arn: &str) -> Option<StreamArn> {
    match ConsumerArn::parse(arn) {
        Ok(consumer) => Some(consumer.stream),
        Err(_) => StreamArn::parse(arn).ok(),
    }
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
