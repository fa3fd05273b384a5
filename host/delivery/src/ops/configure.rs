//! From the members of an S3 destination to the destination that is kept.

use types::{Caller, Invalid};
use wire::ApiError;
use wire::members::{Boolean, Structure, Text};

use super::error::invalid_argument;
use super::s3_shapes::{ExtendedS3, Logging, Members, S3, one_of};
use super::shapes::within;
use super::{conversion, partitioning, processing};
use crate::Delivery;
use crate::compression::Compression;
use crate::delivery_stream::{Destination, INTERVAL_SECONDS_DEFAULT, SIZE_MIB_DEFAULT};

/// A destination as `S3DestinationConfiguration` or `S3DestinationUpdate` says, over `before`.
pub fn s3(before: Option<&Destination>, said: &S3<'_>) -> Result<Destination, ApiError> {
    let mut destination = before.cloned().unwrap_or_else(Destination::blank);
    basic(&mut destination, &said.members())?;
    checked(destination)
}

/// A destination as `ExtendedS3DestinationConfiguration` or `ExtendedS3DestinationUpdate` says,
/// over `before`.
pub fn extended_s3(
    delivery: &Delivery,
    caller: &Caller,
    before: Option<&Destination>,
    said: &ExtendedS3<'_>,
) -> Result<Destination, ApiError> {
    let mut destination = before.cloned().unwrap_or_else(Destination::blank);
    basic(&mut destination, &said.members())?;
    if let Some(Structure(said)) = &said.data_format_conversion_configuration {
        conversion::set(&mut destination, said)?;
    }
    if let Some(Structure(said)) = &said.dynamic_partitioning_configuration {
        partitioning::set(&mut destination, said, before.is_none())?;
    }
    if let (None, None, Some(size)) = (
        before,
        &said.buffering_hints,
        conversion::size_mib_default(&destination)
            .or_else(|| partitioning::size_mib_default(&destination)),
    ) {
        destination.size_mib = size;
    }
    if let Some(extension) = &said.file_extension {
        let extension = extension.as_str();
        destination.file_extension = (!extension.is_empty()).then(|| extension.to_owned());
    }
    if let Some(zone) = &said.custom_time_zone {
        destination.custom_time_zone = Some(zone.as_str().to_owned());
    }
    if let Some(Structure(configuration)) = &said.processing_configuration {
        let role = destination.role_arn.clone();
        processing::set(delivery, caller, &mut destination, (&role, configuration))?;
    }
    let backup = SourceBackup {
        mode: said.s3_backup_mode.as_ref(),
        bucket: one_of(&said.s3_backup_configuration, &said.s3_backup_update),
    };
    set_backup(&mut destination, backup)?;
    checked(destination)
}

/// What is said of where records go as they came in, too.
#[derive(Clone, Copy)]
pub struct SourceBackup<'s, 'a> {
    /// `S3BackupMode`.
    pub mode: Option<&'s Text<'a>>,
    /// The bucket.
    pub bucket: Option<&'s S3<'a>>,
}

/// Reads where records go as they came in, too. What is said of that bucket while nothing goes
/// there is checked, and counts for nothing.
///
/// # Errors
/// InvalidArgumentException: what is not served, no bucket, and the way back.
pub fn set_backup(
    destination: &mut Destination,
    said: SourceBackup<'_, '_>,
) -> Result<(), ApiError> {
    let is_enabled = match said.mode.map(Text::as_str) {
        None => destination.backup.is_some(),
        Some("Enabled") => true,
        Some(_) if destination.backup.is_some() => {
            // The model's words on S3BackupMode of an update.
            return Err(invalid_argument(
                "S3BackupMode Enabled cannot be changed to Disabled.",
            ));
        }
        Some(_) => false,
    };
    let backup = destination.backup.as_deref();
    let mut backup = backup.cloned().unwrap_or_else(Destination::blank);
    if let Some(s3) = said.bucket {
        basic(&mut backup, &s3.members())?;
        let checked = check(&backup);
        checked.map_err(|Invalid(why)| invalid_argument(format!("In the backup, {why}")))?;
    }
    if !is_enabled {
        return Ok(());
    }
    if backup.bucket_arn.is_empty() || backup.role_arn.is_empty() {
        return Err(invalid_argument(
            "S3BackupMode Enabled needs a BucketARN and a RoleARN of the backup.",
        ));
    }
    destination.backup = Some(Box::new(backup));
    Ok(())
}

/// Reads what all descriptions of a bucket have in common.
///
/// # Errors
/// InvalidArgumentException: what is not served.
pub fn basic(destination: &mut Destination, said: &Members<'_, '_>) -> Result<(), ApiError> {
    let owned = |text: &Text<'_>| text.as_str().to_owned();
    if let Some(arn) = said.role_arn {
        destination.role_arn = owned(arn);
    }
    if let Some(arn) = said.bucket_arn {
        destination.bucket_arn = owned(arn);
    }
    if let Some(prefix) = said.prefix {
        destination.prefix = Some(owned(prefix));
    }
    if let Some(prefix) = said.error_output_prefix {
        // Empty is as good as none, as in what AWS's console sends.
        destination.error_output_prefix = Some(owned(prefix)).filter(|prefix| !prefix.is_empty());
    }
    if let Some(Structure(hints)) = said.buffering_hints {
        destination.size_mib = within(hints.size, SIZE_MIB_DEFAULT)?;
        destination.interval_seconds = within(hints.interval, INTERVAL_SECONDS_DEFAULT)?;
    }
    if let Some(format) = said.compression_format {
        // The shape lets no other word through.
        let unknown =
            || invalid_argument(format!("CompressionFormat {} is unknown.", format.as_str()));
        destination.compression = Compression::parse(format.as_str()).ok_or_else(unknown)?;
    }
    if let Some(Structure(encryption)) = said.encryption_configuration
        && encryption.kms.is_some()
    {
        return Err(invalid_argument("KMSEncryptionConfig is not supported."));
    }
    if let Some(Structure(options)) = said.cloud_watch_logging_options {
        destination.logging = Some(logging(options));
    }
    Ok(())
}

/// `CloudWatchLoggingOptions` as they are kept: enabled, group, stream.
pub fn logging(said: &Logging<'_>) -> (bool, Option<String>, Option<String>) {
    let owned = |text: &Text<'_>| text.as_str().to_owned();
    let enabled = matches!(said.enabled, Some(Boolean(true)));
    let group = said.log_group_name.as_ref().map(owned);
    (enabled, group, said.log_stream_name.as_ref().map(owned))
}

/// A destination that can be meant.
///
/// # Errors
/// InvalidArgumentException: a name of a bucket or a prefix that cannot be, partitions that cannot
/// be found, or a conversion that is not whole.
pub fn checked(destination: Destination) -> Result<Destination, ApiError> {
    check(&destination).map_err(|Invalid(why)| invalid_argument(why))?;
    partitioning::check(&destination)?;
    conversion::check(&destination)?;
    Ok(destination)
}

/// Only here: what was kept before a rule is kept.
fn check(destination: &Destination) -> Result<(), Invalid> {
    let plan = destination.plan()?;
    plan.prefixes.check_paths(&plan.zone)
}
