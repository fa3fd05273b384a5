//! The members of several operations about a stream's capacity mode and what belongs to it.

use serde::Deserialize;
use types::Caller;
use types::limits::WARM_MIBPS_MAX;
use wire::ApiError;
use wire::members::{Integer, Structure, Text};
use wire::shape::{Check, NumberRule, Shape, TextRule};

use super::{error, required};
use crate::Streams;
use crate::mode::{Distribution, Mode, OnDemand};

const STREAM_MODE: TextRule = TextRule::one_of(&["PROVISIONED", "ON_DEMAND"]);
pub const WARM_THROUGHPUT: NumberRule = NumberRule::at_least(0);
pub const DISTRIBUTION: TextRule = TextRule::one_of(&["AUTO", "USER_PARTITION_KEY"]);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamModeDetails<'a> {
    #[serde(borrow)]
    stream_mode: Option<Text<'a>>,
}

impl Shape for StreamModeDetails<'_> {
    fn check(&self, check: &mut Check) {
        check.required("StreamMode", &self.stream_mode, STREAM_MODE);
    }
}

/// The mode that is named, with nothing set that belongs to it.
pub fn mode(details: &Structure<StreamModeDetails<'_>>) -> Result<Mode, ApiError> {
    match required("StreamMode", &details.stream_mode)?.as_str() {
        "PROVISIONED" => Ok(Mode::Provisioned),
        "ON_DEMAND" => Ok(Mode::OnDemand(OnDemand::default())),
        other => Err(error::internal("read a checked mode", &other)),
    }
}

/// The way that is named in which records find their shards.
pub fn distribution(strategy: &Text<'_>) -> Result<Distribution, ApiError> {
    match strategy.as_str() {
        "AUTO" => Ok(Distribution::Auto),
        "USER_PARTITION_KEY" => Ok(Distribution::UserPartitionKey),
        other => Err(error::internal("read a checked strategy", &other)),
    }
}

/// What a stream in this mode shall be able to take, if the account has committed itself.
pub async fn warm_mibps(
    streams: &Streams,
    caller: &Caller,
    Integer(mibps): Integer,
) -> Result<u32, ApiError> {
    let committed = streams.is_committed(caller).await;
    if !committed.map_err(|error| error::internal("read an account's settings", &error))? {
        return Err(error::not_committed());
    }
    match u32::try_from(mibps) {
        Ok(mibps) if mibps <= WARM_MIBPS_MAX => Ok(mibps),
        _ => Err(error::over_warm_throughput(mibps)),
    }
}
