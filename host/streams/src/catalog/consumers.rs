//! Consumers of streams: registered, labelled and deregistered by one transaction each, with the
//! stream's row, so that an outcome that is unknown can be looked up by it.

use std::sync::Arc;

use store::{Expect, Purpose, TableWrite, Transaction};
use types::limits::TAGS_PER_RESOURCE_MAX;
use types::{ConsumerArn, ConsumerName, StreamArn};
use wire::iam::ResourcePolicy;

use super::{CatalogTask, ChangeError};
use crate::consumer::{Consumer, Consumers};
use crate::edit::{EditError, TagEdit};
use crate::rows;
use crate::stream::Stream;

/// What becomes of a consumer.
#[derive(Clone, Debug)]
pub enum ConsumerChange {
    /// It is registered, if its stream has fewer than so many.
    Register(Consumer, usize),
    /// Something of it changes.
    Edit(ConsumerArn, ConsumerEdit),
    /// It is gone.
    Deregister(ConsumerArn),
}

/// What can be changed of a consumer.
#[derive(Clone, Debug)]
pub enum ConsumerEdit {
    /// The owner's labels.
    Tag(TagEdit),
    /// Who may use it.
    SetPolicy(Arc<ResourcePolicy>),
    /// Nobody else may any more.
    RemovePolicy,
}

impl ConsumerEdit {
    fn apply(self, consumer: &mut Consumer) {
        match self {
            Self::Tag(edit) => edit.apply(&mut consumer.tags),
            Self::SetPolicy(policy) => consumer.policy = Some(policy),
            Self::RemovePolicy => consumer.policy = None,
        }
    }
}

/// Why a consumer is not changed.
#[derive(Clone, Debug)]
pub enum ConsumerError {
    /// The stream has one of that name.
    Exists(ConsumerName),
    /// The stream has none with that address.
    NotFound(ConsumerArn),
    /// The stream has as many as it may.
    OverConsumers {
        /// How many that is.
        limit: usize,
    },
}

impl CatalogTask {
    pub(super) async fn change_consumer(
        &mut self,
        arn: &StreamArn,
        change: ConsumerChange,
    ) -> Result<(), ChangeError> {
        let stream = self.ground.directory.at(arn).ok_or(ChangeError::NotFound)?;
        if !stream.status.is_in_service() {
            return Err(ChangeError::NotActive(stream.status));
        }
        let purpose = change.purpose();
        let mut consumers = Consumers::clone(&stream.consumers);
        let write = change.apply(&stream, &mut consumers)?;
        let mut after = Stream::clone(&stream);
        after.consumers = Arc::new(consumers);
        self.check_room_for_policies(&stream, &after)?;
        let parts = Transaction {
            writes: vec![write],
            ..Transaction::default()
        };
        let expect = Expect::Version(stream.version);
        self.replace_expecting((after, expect), parts, purpose)
            .await?;
        Ok(())
    }
}

impl CatalogTask {
    /// Whether the account may keep what the policies of a stream and of its consumers become.
    pub(super) fn check_room_for_policies(
        &self,
        before: &Stream,
        after: &Stream,
    ) -> Result<(), ChangeError> {
        let (old, new) = (before.policy_bytes(), after.policy_bytes());
        if new <= old {
            return Ok(());
        }
        let limit = self.ground.limits.policy_bytes_max;
        let all = self.ground.directory.policy_bytes(after.arn.account);
        if all + (new - old) <= limit {
            Ok(())
        } else {
            Err(ChangeError::OverPolicies { limit })
        }
    }
}

impl ConsumerChange {
    /// What takes something away may go through on a disk that is short of room.
    fn purpose(&self) -> Purpose {
        match self {
            Self::Deregister(_)
            | Self::Edit(_, ConsumerEdit::Tag(TagEdit::Remove(_)) | ConsumerEdit::RemovePolicy) => {
                Purpose::MakeRoom
            }
            Self::Register(..)
            | Self::Edit(_, ConsumerEdit::Tag(TagEdit::Add(_)) | ConsumerEdit::SetPolicy(_)) => {
                Purpose::Keep
            }
        }
    }

    /// Changes the consumers of `stream`, and says what to write for it.
    fn apply(self, stream: &Stream, consumers: &mut Consumers) -> Result<TableWrite, ChangeError> {
        match self {
            Self::Register(consumer, limit) => {
                if consumers.contains_key(&consumer.name) {
                    return Err(ConsumerError::Exists(consumer.name).into());
                }
                if consumers.len() >= limit {
                    return Err(ConsumerError::OverConsumers { limit }.into());
                }
                let write = keep(stream, consumers, consumer)?;
                Ok(write)
            }
            Self::Edit(arn, edit) => {
                let mut consumer = Consumer::clone(find(stream, consumers, &arn)?);
                edit.apply(&mut consumer);
                keep(stream, consumers, consumer)
            }
            Self::Deregister(arn) => {
                find(stream, consumers, &arn)?;
                consumers.remove(&arn.name);
                Ok(rows::consumers::removal(stream, &arn.name))
            }
        }
    }
}

fn keep(
    stream: &Stream,
    consumers: &mut Consumers,
    consumer: Consumer,
) -> Result<TableWrite, ChangeError> {
    if consumer.tags.len() > TAGS_PER_RESOURCE_MAX {
        return Err(EditError::OverTags.into());
    }
    let write = rows::consumers::write(stream, &consumer)?;
    consumers.insert(consumer.name.clone(), Arc::new(consumer));
    Ok(write)
}

fn find<'a>(
    stream: &Stream,
    consumers: &'a Consumers,
    arn: &ConsumerArn,
) -> Result<&'a Arc<Consumer>, ConsumerError> {
    let consumer = consumers.get(&arn.name);
    let consumer = consumer.filter(|consumer| consumer.arn(&stream.arn) == *arn);
    consumer.ok_or_else(|| ConsumerError::NotFound(arn.clone()))
}

impl From<ConsumerError> for ChangeError {
    fn from(error: ConsumerError) -> Self {
        Self::Consumer(error)
    }
}
