//! What clients are told: AWS's codes and texts. The one place where the errors of this crate
//! meet them.

pub mod calls;
pub mod consumers;
pub mod kms;
pub mod policies;

use store::{CommitError, StoreError};
use types::limits::{
    CLOSED_SHARDS_PER_ACCOUNT_MAX, MODE_SWITCHES_MAX, SCALINGS_PER_DAY_MAX,
    SHARDS_PER_STREAM_SCALED_MAX, STREAMS_CREATING_MAX, TAGS_PER_RESOURCE_MAX, WARM_MIBPS_MAX,
};
use types::{AccountId, Caller, SequenceNumber, ShardId, StreamArn, Timestamp};
use wire::ApiError;

use crate::catalog::{ChangeError, OverShards};
use crate::directory::owner;
use crate::edit::EditError;
use crate::iterator::ShardIterator;
use crate::page::PageError;
use crate::put::PutError;
use crate::resharding::Refused;
use crate::shard::Shard;
use crate::stream::{Status, Stream};

const RESOURCE_NOT_FOUND: &str = "ResourceNotFoundException";
const RESOURCE_IN_USE: &str = "ResourceInUseException";
const LIMIT_EXCEEDED: &str = "LimitExceededException";
/// The text of every fault that is not the client's, also within an answer of PutRecords.
pub const INTERNAL_FAILURE_TEXT: &str = "Internal service failure.";

/// A value that the model's constraints allow and the operation does not.
pub fn invalid_argument(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidArgumentException", message)
}

/// A fault of ours or of the disk, logged where it is turned into an answer.
pub fn internal(doing: &str, error: &dyn std::fmt::Display) -> ApiError {
    tracing::error!(%error, "{doing}");
    ApiError::internal(INTERNAL_FAILURE_TEXT)
}

pub fn stream_not_found(caller: &Caller, name: &str) -> ApiError {
    let account = caller.account;
    ApiError::new(
        RESOURCE_NOT_FOUND,
        format!("Stream {name} under account {account} not found."),
    )
}

/// The stream at an address is not there, or takes and gives nothing.
pub fn no_stream(stream: &StreamArn) -> ApiError {
    stream_not_found(&owner(stream), stream.name.as_str())
}

pub fn shard_not_found(stream: &StreamArn, shard: ShardId) -> ApiError {
    let StreamArn { account, name, .. } = stream;
    ApiError::new(
        RESOURCE_NOT_FOUND,
        format!("Shard {shard} in stream {name} under account {account} does not exist"),
    )
}

pub fn not_active(stream: &StreamArn, status: Status) -> ApiError {
    let StreamArn { account, name, .. } = stream;
    let status = status.as_str();
    ApiError::new(
        RESOURCE_IN_USE,
        format!("Stream {name} under account {account} not ACTIVE, instead in state {status}"),
    )
}

/// ListShards would answer while a stream is being changed, too.
pub fn shards_not_listed(stream: &StreamArn, status: Status) -> ApiError {
    let StreamArn { account, name, .. } = stream;
    let status = status.as_str();
    ApiError::new(
        RESOURCE_IN_USE,
        format!(
            "Stream {name} under account {account} not ACTIVE or UPDATING, instead in state \
             {status}"
        ),
    )
}

pub fn stream_exists(stream: &StreamArn) -> ApiError {
    let StreamArn { account, name, .. } = stream;
    ApiError::new(
        RESOURCE_IN_USE,
        format!("Stream {name} under account {account} already exists."),
    )
}

/// Text that no shard is called.
pub fn no_shard_named(stream: &StreamArn, text: &str) -> ApiError {
    let StreamArn { account, name, .. } = stream;
    ApiError::new(
        RESOURCE_NOT_FOUND,
        format!("Could not find shard {text} in stream {name} under account {account}."),
    )
}

pub fn no_stream_named() -> ApiError {
    invalid_argument("Either StreamARN or StreamName should be provided.")
}

pub fn bad_arn(arn: &str) -> ApiError {
    invalid_argument(format!("Invalid StreamARN: {arn}"))
}

pub fn bad_resource_arn(arn: &str) -> ApiError {
    invalid_argument(format!("Invalid ResourceARN: {arn}"))
}

/// A queue or a channel: there are none.
pub fn resource_not_found(account: AccountId, arn: &str) -> ApiError {
    ApiError::new(
        RESOURCE_NOT_FOUND,
        format!("Resource {arn} under account {account} not found."),
    )
}

pub fn name_and_arn_disagree(arn: &StreamArn) -> ApiError {
    invalid_argument(format!(
        "StreamName and StreamARN must name the same stream. StreamARN specified: {arn}"
    ))
}

pub fn rate_text(stream: &StreamArn, shard: &str) -> String {
    let StreamArn { account, name, .. } = stream;
    format!("Rate exceeded for shard {shard} in stream {name} under account {account}.")
}

pub fn over_rate(stream: &StreamArn, shard: &Shard) -> ApiError {
    ApiError::new(
        "ProvisionedThroughputExceededException",
        rate_text(stream, shard.id_text()),
    )
}

/// A record is larger than its stream takes. AWS reports it as a broken constraint of the member
/// at `path`.
pub fn record_too_large(stream: &Stream, path: &str) -> ApiError {
    let max = stream.record_bytes_max;
    ApiError::validation(format!(
        "1 validation error detected: Value at '{path}' failed to satisfy constraint: \
         Member must have length less than or equal to {max}"
    ))
}

pub fn warm_throughput_of_provisioned() -> ApiError {
    ApiError::validation(
        "WarmThroughputMiBps is only supported for streams with StreamMode ON_DEMAND.",
    )
}

/// AWS lets only accounts that pay for a minimum of throughput have it ready at all times.
pub fn not_committed() -> ApiError {
    ApiError::validation(
        "WarmThroughputMiBps is only supported for accounts with \
         MinimumThroughputBillingCommitment ENABLED.",
    )
}

pub fn over_warm_throughput(mibps: i64) -> ApiError {
    ApiError::new(
        LIMIT_EXCEEDED,
        format!(
            "WarmThroughputMiBps {mibps} exceeds the limit of {WARM_MIBPS_MAX} MiB/s for a stream."
        ),
    )
}

/// A commitment that was neither made nor ended.
pub fn not_settled(caller: &Caller, error: &CommitError) -> ApiError {
    let account = caller.account;
    match error {
        CommitError::Busy => calls::over_account(caller),
        CommitError::Sealed(_)
        | CommitError::NoLog(_)
        | CommitError::Conflict { .. }
        | CommitError::DiskFull
        | CommitError::TooLarge(_)
        | CommitError::ReadOnly(_)
        | CommitError::Key { .. }
        | CommitError::Unknown(_)
        | CommitError::Store(_) => internal(&format!("settle for {account}"), error),
    }
}

pub fn auto_of_provisioned() -> ApiError {
    invalid_argument(
        "RecordDistributionStrategy AUTO is only supported for streams with StreamMode ON_DEMAND.",
    )
}

/// Whether a record needs a partition key is a matter of its stream, so that the model does not
/// require one; the text is that of the model's constraint, which it was before.
pub fn no_partition_key(path: &str) -> ApiError {
    ApiError::validation(format!(
        "1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member \
         must not be null"
    ))
}

/// The answer to a request that is valid and has DryRun set.
pub fn dry_run() -> ApiError {
    ApiError::new(
        "DryRunOperationException",
        "The request was rejected because the DryRun parameter was specified.",
    )
}

pub fn invalid_iterator() -> ApiError {
    invalid_argument("Invalid ShardIterator.")
}

pub fn expired_iterator(issued_at: Timestamp, now: Timestamp) -> ApiError {
    ApiError::new(
        "ExpiredIteratorException",
        format!("Iterator expired. The iterator {}", too_old(issued_at, now)),
    )
}

/// `created at time Thu Jan 22 01:22:02 UTC 2015 while right now it is …`.
fn too_old(issued_at: Timestamp, now: Timestamp) -> String {
    format!(
        "was created at time {} while right now it is {} which is further in the future than the \
         tolerated delay of 300000 milliseconds.",
        issued_at.utc_text(),
        now.utc_text()
    )
}

pub fn page(error: PageError, now: Timestamp) -> ApiError {
    match error {
        PageError::Invalid => invalid_argument("Invalid NextToken."),
        PageError::Expired { issued_at } => ApiError::new(
            "ExpiredNextTokenException",
            format!("NextToken expired. The token {}", too_old(issued_at, now)),
        ),
    }
}

pub fn store(doing: &str, stream: &StreamArn, shard: &Shard, error: &StoreError) -> ApiError {
    match error {
        // The stream was deleted while it was read.
        StoreError::NoLog(_) => shard_not_found(stream, shard.facts().id),
        StoreError::Corrupt { .. }
        | StoreError::Unreadable { .. }
        | StoreError::Key { .. }
        | StoreError::Locked(_)
        | StoreError::Io { .. }
        | StoreError::Commit(_) => {
            let shard = shard.id_text();
            internal(&format!("{doing} {shard} of {stream}"), error)
        }
    }
}

/// The records that were asked for are damaged on the disk. The store has logged where; the
/// reader is told how to pass them.
pub fn unreadable(shard: &Shard, next: Option<SequenceNumber>) -> ApiError {
    let shard = shard.id_text();
    let way = match next {
        Some(number) => format!("the next one that can be read has SequenceNumber {number}"),
        None => "no later one can be read".to_owned(),
    };
    ApiError::internal(format!("Records of {shard} are damaged on disk; {way}."))
}

pub fn put(error: PutError, stream: &StreamArn) -> ApiError {
    match error {
        PutError::StreamGone => no_stream(stream),
        PutError::Blob(error) => error,
        PutError::Kms(error) => kms::refused(error),
        PutError::NoShard => internal(
            &format!("place a record in {stream}"),
            &"no open shard takes its hash key",
        ),
        PutError::TooLarge => internal(
            &format!("place a record in {stream}"),
            &"it is larger than a frame holds",
        ),
    }
}

/// The stream of an iterator is gone, or another one has its name.
pub fn iterator_without_stream(caller: &Caller, iterator: &ShardIterator) -> ApiError {
    let arn = StreamArn {
        region: caller.region.clone(),
        account: caller.account,
        name: iterator.name.clone(),
    };
    shard_not_found(&arn, iterator.shard)
}

/// The store did not keep a record, or does not know whether it did. Clients send it again.
pub fn not_kept() -> ApiError {
    ApiError::internal(INTERNAL_FAILURE_TEXT)
}

/// Says once for a call why records of it were not kept.
pub fn log_not_kept(stream: &StreamArn, error: &CommitError) {
    match error {
        // The client is told to slow down, which is all that needs doing.
        CommitError::Busy => {}
        CommitError::Sealed(_) | CommitError::NoLog(_) | CommitError::DiskFull => {
            tracing::warn!(%stream, %error, "records were not kept");
        }
        CommitError::Conflict { .. }
        | CommitError::TooLarge(_)
        | CommitError::ReadOnly(_)
        | CommitError::Key { .. }
        | CommitError::Unknown(_)
        | CommitError::Store(_) => tracing::error!(%stream, %error, "records were not kept"),
    }
}

/// A change of the stream at `arn` that was refused.
pub fn change(error: ChangeError, arn: &StreamArn) -> ApiError {
    let StreamArn { account, name, .. } = arn;
    match error {
        ChangeError::NotFound => ApiError::new(
            RESOURCE_NOT_FOUND,
            format!("Stream {name} under account {account} not found."),
        ),
        ChangeError::Exists => stream_exists(arn),
        ChangeError::NotActive(status) => not_active(arn, status),
        ChangeError::OtherMode => ApiError::validation(format!(
            "Stream {name} under account {account} is in ON_DEMAND capacity mode. Its shards are \
             changed by the service alone."
        )),
        ChangeError::Refused(refused) => resharding(refused, arn),
        ChangeError::OverScalings => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "UpdateShardCount was called for stream {name} under account {account} \
                 {SCALINGS_PER_DAY_MAX} times within 24 hours, which is the most."
            ),
        ),
        ChangeError::OverClosedShards => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "Account {account} would have more than {CLOSED_SHARDS_PER_ACCOUNT_MAX} closed \
                 shards. They go when their records have expired."
            ),
        ),
        ChangeError::OverEncryptionChanges => kms::over_changes(arn),
        ChangeError::Kms(error) => kms::refused(error),
        ChangeError::OverShards(over) => over_shards(&over, arn),
        ChangeError::OverStreams { limit } => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "This request would exceed the stream limit for the account {account}. Current \
                 stream count for the account: {limit}. Limit: {limit}."
            ),
        ),
        ChangeError::OverPolicies { limit } => policies::over_bytes(arn, limit),
        ChangeError::OverCreating => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "Account {account} has {STREAMS_CREATING_MAX} streams in CREATING, which is the \
                 most at a time."
            ),
        ),
        ChangeError::HasConsumers => consumers::held(arn),
        ChangeError::Consumer(error) => consumers::change(error, arn),
        ChangeError::Edit(error) => edit(error, arn),
        ChangeError::Commit(error) => commit(arn, &error),
        ChangeError::Closing => ApiError::unavailable("The server is shutting down."),
    }
}

fn edit(error: EditError, arn: &StreamArn) -> ApiError {
    let StreamArn { account, name, .. } = arn;
    match error {
        EditError::RetentionIsLonger { current, wanted } => invalid_argument(format!(
            "Requested retention period ({wanted} hours) for stream {name} can not be \
             shorter than existing retention period ({current} hours). Use DecreaseRetentionPeriod \
             API."
        )),
        EditError::RetentionIsShorter { current, wanted } => invalid_argument(format!(
            "Requested retention period ({wanted} hours) for stream {name} can not be \
             longer than existing retention period ({current} hours). Use IncreaseRetentionPeriod \
             API."
        )),
        EditError::OverTags => over_tags(arn),
        EditError::OverModeSwitches => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "Stream {name} under account {account} was switched between capacity modes \
                 {MODE_SWITCHES_MAX} times within 24 hours, which is the most."
            ),
        ),
        EditError::WarmThroughputOfProvisioned => warm_throughput_of_provisioned(),
        EditError::AutoOfProvisioned => auto_of_provisioned(),
        EditError::NoPolicy => policies::none(&arn.to_string()),
    }
}

/// More labels than a stream can have.
pub fn over_tags(arn: &StreamArn) -> ApiError {
    let StreamArn { account, name, .. } = arn;
    invalid_argument(format!(
        "Failed to add tags to stream {name} under account {account} because a given stream cannot \
         have more than {TAGS_PER_RESOURCE_MAX} tags associated with it."
    ))
}

fn resharding(refused: Refused, arn: &StreamArn) -> ApiError {
    let StreamArn { account, name, .. } = arn;
    match refused {
        Refused::NoShard(shard) => no_shard_named(arn, &shard.to_string()),
        Refused::IsClosed(shard) => invalid_argument(format!(
            "Shard {shard} in stream {name} under account {account} has already been merged or \
             split, and thus is not eligible for merging or splitting."
        )),
        Refused::HashKeyOutside { shard, range, at } => invalid_argument(format!(
            "NewStartingHashKey {at} used in SplitShard() on shard {shard} in stream {name} under \
             account {account} is not both greater than one plus the shard's StartingHashKey {} \
             and less than the shard's EndingHashKey {}.",
            range.first, range.last
        )),
        Refused::NotAdjacent(shard, adjacent) => invalid_argument(format!(
            "Shards {shard} and {adjacent} in stream {name} under account {account} are not an \
             adjacent pair of shards eligible for merging"
        )),
        Refused::OverDouble { current, target } => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "UpdateShardCount cannot scale up over double your current open shard count. \
                 Current open shard count: {current} Target shard count: {target}"
            ),
        ),
        Refused::UnderHalf { current, target } => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "UpdateShardCount cannot scale down below half your current open shard count. \
                 Current open shard count: {current} Target shard count: {target}"
            ),
        ),
        Refused::OverStream { current, target } => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "Target shard count or number of open shards cannot be greater than \
                 {SHARDS_PER_STREAM_SCALED_MAX}. Current open shard count: {current} Target shard \
                 count: {target}"
            ),
        ),
    }
}

fn over_shards(over: &OverShards, arn: &StreamArn) -> ApiError {
    let OverShards {
        current,
        limit,
        wanted,
        ..
    } = over;
    let account = arn.account;
    let place = match &over.region {
        Some(region) => format!("{account} in {region}"),
        None => account.to_string(),
    };
    ApiError::new(
        LIMIT_EXCEEDED,
        format!(
            "This request would exceed the shard limit for the account {place}. Current shard \
             count for the account: {current}. Limit: {limit}. Number of additional shards that \
             would have resulted from this request: {wanted}. Refer to the AWS Service Limits page \
             (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current \
             limits and how to request higher limits."
        ),
    )
}

fn commit(arn: &StreamArn, error: &CommitError) -> ApiError {
    match error {
        CommitError::Busy => ApiError::new(LIMIT_EXCEEDED, "Rate exceeded."),
        CommitError::Sealed(_)
        | CommitError::NoLog(_)
        | CommitError::Conflict { .. }
        | CommitError::DiskFull
        | CommitError::TooLarge(_)
        | CommitError::ReadOnly(_)
        | CommitError::Key { .. }
        | CommitError::Unknown(_)
        | CommitError::Store(_) => internal(&format!("change {arn}"), error),
    }
}
