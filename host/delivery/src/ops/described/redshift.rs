//! What DescribeDeliveryStream tells of a Redshift destination. The password is never told.

use serde::Serialize;

use super::secret::SecretDescription;
use super::{Logging, Processing, RetryOptions, S3Description, beside, logging, processing, s3};
use crate::delivery_stream::Destination;
use crate::redshift::{CopyTerms, Redshift};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RedshiftDescription {
    #[serde(rename = "RoleARN")]
    role_arn: String,
    #[serde(rename = "ClusterJDBCURL")]
    url: String,
    copy_command: CopyCommand,
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    retry_options: RetryOptions,
    #[serde(rename = "S3DestinationDescription")]
    s3_destination_description: S3Description,
    #[serde(skip_serializing_if = "Option::is_none")]
    processing_configuration: Option<Processing>,
    s3_backup_mode: &'static str,
    #[serde(
        rename = "S3BackupDescription",
        skip_serializing_if = "Option::is_none"
    )]
    s3_backup_description: Option<S3Description>,
    cloud_watch_logging_options: Logging,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets_manager_configuration: Option<SecretDescription>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CopyCommand {
    data_table_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_table_columns: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    copy_options: Option<String>,
}

/// The description of a database.
pub(super) fn redshift(destination: &Destination, redshift: &Redshift) -> RedshiftDescription {
    let CopyTerms {
        table,
        columns,
        options,
    } = redshift.copy.clone();
    RedshiftDescription {
        role_arn: destination.role_arn.clone(),
        url: redshift.url.clone(),
        copy_command: CopyCommand {
            data_table_name: table,
            data_table_columns: columns,
            copy_options: options,
        },
        username: redshift.user.clone(),
        retry_options: RetryOptions {
            duration_in_seconds: redshift.fallback.retry_seconds,
        },
        s3_destination_description: beside(destination, &redshift.fallback),
        processing_configuration: destination.processing.as_ref().map(processing),
        s3_backup_mode: super::source_backup_mode(destination),
        s3_backup_description: destination.backup.as_deref().map(s3),
        cloud_watch_logging_options: logging(destination.logging.clone()),
        secrets_manager_configuration: SecretDescription::of(destination),
    }
}
