//! Lets a call go on, unless there were too many of its operation in the last second.

use types::{Caller, StreamArn};
use wire::ApiError;

use super::error;
use crate::Streams;
use crate::calls::{AccountCalls, StreamCalls};

/// Counts a call of an account.
///
/// # Errors
/// LimitExceededException: the account has called the operation too often.
pub fn of_account(
    streams: &Streams,
    operation: AccountCalls,
    caller: &Caller,
) -> Result<(), ApiError> {
    let uptime = streams.clock.uptime();
    if !streams.options.throttle || streams.call_rates.of_account(operation, caller, uptime) {
        Ok(())
    } else {
        Err(error::calls::over_account(caller))
    }
}

/// Counts a call about a stream that was found.
///
/// # Errors
/// LimitExceededException: the operation was called too often about this stream, by whomever.
pub fn of_stream(
    streams: &Streams,
    operation: StreamCalls,
    stream: &StreamArn,
) -> Result<(), ApiError> {
    let uptime = streams.clock.uptime();
    if !streams.options.throttle || streams.call_rates.of_stream(operation, stream, uptime) {
        Ok(())
    } else {
        Err(error::calls::over_stream(stream))
    }
}
