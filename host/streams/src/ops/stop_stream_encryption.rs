//! StopStreamEncryption.

use wire::{Answer, ApiError, Call};

use super::encryption::{Input, change};
use crate::Streams;
use crate::encryption::Asked;

/// Seals records no longer; those that were sealed stay so. It is durable as UPDATING when this
/// answers, and ACTIVE a moment later. The key that is named says nothing that is not known, so
/// that one that is gone, or not to be had, stops nobody.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let stream = input.stream().find_to_change(streams, &call.caller)?;
    input.check_type()?;
    change(streams, &stream, Asked::Stop).await?;
    Ok(Answer::empty())
}
