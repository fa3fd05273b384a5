//! Dead letters of a delivery stream: the objects of failed records below its error prefix. They
//! are listed, shown, delivered once more and discarded.
//!
//! ```text
//! listing    objects of the error prefix, each read and held against what is noted of it
//! object     which keys are those of a delivery stream
//! reading    an object becomes failed records, a stretch at a time
//! line       a line of it becomes one
//! replay     records go into the log of replays; how far is noted in the same commit
//! notes      what was replayed and discarded
//! room       for as many of them as there may be
//! ```
//!
//! An object stays as it is and where it is: what became of it is a note, by its key and a digest
//! of what it holds. The lane of replays delivers what lies in its log as any other lane does.

mod limits;
mod line;
mod listing;
pub(crate) mod notes;
mod object;
mod reading;
mod replay;
mod room;
mod text;

use std::fmt;
use std::sync::Arc;

use store::{CommitError, StoreError};
use streams::turns::{AccountTurn, AccountTurns};
use types::{Caller, StreamArn};
use wasm::ContentHash;

pub use self::listing::{LetterObject, LetterPage, LetterRecord, LetterText, Wanted};
pub use self::replay::Replayed;
use crate::Delivery;
use crate::delivery_stream::{DeliveryStream, Origin, Status};
use crate::objects::{Found, ObjectError};
use crate::running::Running;

use self::limits::CALLS_AT_ONCE_MAX;

/// Why nothing, or not all, became of dead letters.
#[derive(Clone, Debug)]
pub enum LetterError {
    /// There is no such delivery stream or object, or not any more.
    NotFound(String),
    /// It cannot be done with what was asked for.
    Refused(String),
    /// It can be done later: others are at work, or something has to be done before.
    Busy(String),
    /// The bucket does not give or take what it should.
    Bucket(ObjectError),
    /// What is kept of it cannot be read or changed.
    Store(String),
}

impl From<StoreError> for LetterError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<ObjectError> for LetterError {
    fn from(error: ObjectError) -> Self {
        Self::Bucket(error)
    }
}

impl LetterError {
    /// Why a change was not kept.
    fn of_commit(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { .. } => {
                Self::Busy("it was changed by somebody else at the same time".to_owned())
            }
            CommitError::Sealed(_) | CommitError::NoLog(_) => {
                Self::NotFound("The delivery stream was deleted.".to_owned())
            }
            CommitError::Busy | CommitError::DiskFull => Self::Busy(error.to_string()),
            CommitError::Key { .. } => Self::Refused(format!("What waits is sealed, and {error}.")),
            CommitError::TooLarge(_)
            | CommitError::ReadOnly(_)
            | CommitError::Unknown(_)
            | CommitError::Store(_) => Self::Store(error.to_string()),
        }
    }
}

impl fmt::Display for LetterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(what) | Self::Refused(what) => f.write_str(what),
            Self::Busy(why) => write!(f, "Not now, but it can be done in a moment: {why}."),
            Self::Bucket(error) => write!(f, "The bucket does not give it: {error}."),
            Self::Store(error) => write!(f, "The dead letter was not changed: {error}."),
        }
    }
}

impl std::error::Error for LetterError {}

/// Where the records of a delivery stream come from, and what they go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Its name.
    pub name: String,
    /// The stream that it reads; `None` where records are put to it directly.
    pub source: Option<StreamArn>,
    /// The plugin that it names.
    pub plugin: Option<String>,
}

impl Way {
    fn of(stream: &DeliveryStream) -> Self {
        let transform = stream.destination.transform.as_ref();
        Self {
            name: stream.arn.name.as_str().to_owned(),
            source: match &stream.origin {
                Origin::Stream { arn, .. } => Some(arn.clone()),
                Origin::DirectPut { .. } => None,
            },
            plugin: transform.map(|transform| transform.plugin.clone()),
        }
    }
}

/// Who works with dead letters at a time: no account can keep all others waiting.
pub(crate) struct LetterCalls(AccountTurns);

impl Default for LetterCalls {
    fn default() -> Self {
        Self(AccountTurns::new(CALLS_AT_ONCE_MAX))
    }
}

impl LetterCalls {
    async fn turn(&self, caller: &Caller) -> Result<AccountTurn, LetterError> {
        let turn = self.0.take(caller.account).await;
        turn.map_err(|_| LetterError::Busy("the server ends".to_owned()))
    }
}

impl Delivery {
    /// Objects of failed records of a delivery stream, in the order of their keys.
    ///
    /// # Errors
    /// When there is no such delivery stream, or its bucket does not say.
    pub async fn dead_letters(
        &self,
        caller: &Caller,
        name: &str,
        wanted: Wanted<'_>,
    ) -> Result<LetterPage, LetterError> {
        let running = self.with_letters(caller, name)?;
        let _turn = self.letter_calls.turn(caller).await?;
        listing::list(self, &running, wanted).await
    }

    /// The first records of an object, at most so many.
    ///
    /// # Errors
    /// When it is none of the delivery stream's, or cannot be read.
    pub async fn dead_letter(
        &self,
        caller: &Caller,
        name: &str,
        (object, limit): (&str, Option<usize>),
    ) -> Result<LetterText, LetterError> {
        let running = self.with_letters(caller, name)?;
        let _turn = self.letter_calls.turn(caller).await?;
        let found = self.letter_object(&running, object).await?;
        listing::show(self, &running, (&found, limit)).await
    }

    /// Delivers the records of an object once more: through the version in force when each is
    /// delivered, or through one that is named. Those that were given before are not given again.
    /// Of a large object only some may be done: then it goes on when it is asked again.
    ///
    /// # Errors
    /// When nothing was done.
    pub async fn replay_dead_letter(
        &self,
        caller: &Caller,
        name: &str,
        (object, version): (&str, Option<ContentHash>),
    ) -> Result<Replayed, LetterError> {
        let running = self.active_with_letters(caller, name)?;
        let _turn = self.letter_calls.turn(caller).await?;
        let found = self.letter_object(&running, object).await?;
        replay::replay(self, &running, (&found, version)).await
    }

    /// Notes that an object needs no more attention.
    ///
    /// # Errors
    /// When it was not noted.
    pub async fn discard_dead_letter(
        &self,
        caller: &Caller,
        name: &str,
        object: &str,
    ) -> Result<(), LetterError> {
        let running = self.active_with_letters(caller, name)?;
        let _turn = self.letter_calls.turn(caller).await?;
        let found = self.letter_object(&running, object).await?;
        replay::discard(self, &running, &found).await
    }

    /// Where the records of each delivery stream of a caller come from and what they go through, in
    /// order of the names.
    pub fn ways(&self, caller: &Caller) -> Vec<Way> {
        let all = self.directory.of(caller, None);
        let mut ways: Vec<Way> = all
            .iter()
            .map(|running| Way::of(&running.stream()))
            .collect();
        ways.sort_by(|a, b| a.name.cmp(&b.name));
        ways
    }

    fn with_letters(&self, caller: &Caller, name: &str) -> Result<Arc<Running>, LetterError> {
        self.find(caller, name).ok_or_else(|| {
            LetterError::NotFound(format!("There is no such delivery stream {name}."))
        })
    }

    fn active_with_letters(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Arc<Running>, LetterError> {
        let running = self.with_letters(caller, name)?;
        active(&running)?;
        Ok(running)
    }

    /// An object of failed records of a delivery stream, as it is at the moment.
    async fn letter_object(&self, running: &Running, key: &str) -> Result<Found, LetterError> {
        if !object::is_of(self, running, key) {
            return Err(LetterError::Refused(format!(
                "{key:?} is not the name of an object of failed records of this delivery stream. \
                 `list` shows those that there are."
            )));
        }
        let bucket = running.stream().plan.bucket.clone();
        let found = self.tools.objects.find(&bucket, key).await?;
        found.ok_or_else(|| gone(key))
    }
}

/// The delivery stream as it is now.
///
/// # Errors
/// It is not ACTIVE.
fn active(running: &Running) -> Result<Arc<DeliveryStream>, LetterError> {
    let stream = running.stream();
    match stream.status {
        Status::Active => Ok(stream),
        status => Err(LetterError::Refused(format!(
            "The delivery stream {} is not ACTIVE, but {}.",
            stream.arn.name,
            status.as_str()
        ))),
    }
}

/// An object is not there any more.
fn gone(key: &str) -> LetterError {
    LetterError::NotFound(format!("The object {key:?} is not there, or not any more."))
}
