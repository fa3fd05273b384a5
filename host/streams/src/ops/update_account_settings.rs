//! UpdateAccountSettings.

use serde::Deserialize;
use wire::members::{Structure, Text};
use wire::shape::{Check, Fields, Shape, TextRule};
use wire::{Answer, ApiError, Call};

use super::{account_settings, calls, error, required};
use crate::Streams;
use crate::calls::AccountCalls;

const STATUS: TextRule = TextRule::one_of(&["ENABLED", "DISABLED"]);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    minimum_throughput_billing_commitment: Option<Structure<Commitment<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Commitment<'a> {
    #[serde(borrow)]
    status: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required(
            "MinimumThroughputBillingCommitment",
            &self.minimum_throughput_billing_commitment,
            Fields,
        );
    }
}

impl Shape for Commitment<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Status", &self.status, STATUS);
    }
}

/// Commits the account to a minimum of throughput, or ends that as soon as it may end: a day after
/// it began.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(streams, AccountCalls::UpdateAccountSettings, &call.caller)?;
    let commitment = &input.minimum_throughput_billing_commitment;
    let commitment = required("MinimumThroughputBillingCommitment", commitment)?;
    let enable = required("Status", &commitment.status)?.as_str() == "ENABLED";
    let settled = streams.commit_account(&call.caller, enable).await;
    let settled = settled.map_err(|error| error::not_settled(&call.caller, &error))?;
    call.answer(&account_settings::output(settled, streams.now()))
}
