//! DescribeAccountSettings.

use serde::Deserialize;
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::{account_settings, calls, error};
use crate::Streams;
use crate::calls::AccountCalls;

#[derive(Deserialize)]
struct Input {}

impl Shape for Input {
    fn check(&self, _: &mut Check) {}
}

/// Tells what the account has settled for its streams of a region.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let Input {} = call.parse()?;
    calls::of_account(streams, AccountCalls::DescribeAccountSettings, &call.caller)?;
    let commitment = streams.commitment(&call.caller).await;
    let commitment =
        commitment.map_err(|error| error::internal("read an account's settings", &error))?;
    call.answer(&account_settings::output(commitment, streams.now()))
}
