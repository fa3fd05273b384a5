//! StartStreamEncryption.

use wire::{Answer, ApiError, Call};

use super::encryption::{Input, change};
use super::{error, required};
use crate::Streams;
use crate::directory::owner;
use crate::encryption::Asked;

/// Seals records from now on with a data key of their own that a master key wraps; of a stream that
/// is encrypted, with another one. It is durable as UPDATING when this answers, and ACTIVE a moment
/// later. With the key that is in force nothing changes.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let stream = input.stream().find_to_change(streams, &call.caller)?;
    input.check_type()?;
    let named = required("KeyId", &input.key_id)?.as_str();
    let owner = owner(&stream.arn);
    let found = streams.kms().find(&*streams.engine, named, &owner);
    let asked = Asked::Start {
        master: found.await.map_err(error::kms::refused)?,
        named: named.to_owned(),
    };
    change(streams, &stream, asked).await?;
    Ok(Answer::empty())
}
