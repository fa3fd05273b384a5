//! What DescribeAccountSettings and UpdateAccountSettings tell.

use serde::Serialize;
use types::Timestamp;
use wire::members::Time;

use crate::commitment::{Commitment, CommitmentStatus};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    minimum_throughput_billing_commitment: CommitmentView,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CommitmentView {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest_allowed_end_at: Option<Time>,
}

/// A commitment as it is at `now`; `None`: there never was one.
pub fn output(commitment: Option<Commitment>, now: Timestamp) -> Output {
    let status = commitment.map_or(CommitmentStatus::Disabled, |made| made.status(now));
    let has_ended = status == CommitmentStatus::Disabled;
    let lasting = commitment.filter(|_| !has_ended);
    let ended = commitment.filter(|_| has_ended);
    Output {
        minimum_throughput_billing_commitment: CommitmentView {
            status: status.as_str(),
            started_at: commitment.map(|made| Time(made.started_at)),
            ended_at: ended.and_then(|made| made.ends_at).map(Time),
            earliest_allowed_end_at: lasting.map(|made| Time(made.earliest_end())),
        },
    }
}
