//! The model's structures of a Redshift destination, as it is made and as it is changed.

use serde::Deserialize;
use wire::members::{Structure, Text};
use wire::shape::pattern::firehose as pattern;
use wire::shape::{Check, Fields, Shape, TextRule};

use super::request_shapes::{Members, RetryOptions, Secret};
use super::s3_shapes::{BACKUP_MODE, Changed, Logging, Made, Processing, S3};

const ROLE_ARN: TextRule = TextRule::chars(1, 512).matching(pattern::ROLE_ARN);
const JDBC_URL: TextRule = TextRule::chars(1, 512).matching(pattern::JDBC_URL);
const TABLE_NAME: TextRule = TextRule::chars(1, 512).matching(pattern::LINE);
const TABLE_COLUMNS: TextRule = TextRule::chars(0, 10_240).matching(pattern::LINE);
const COPY_OPTIONS: TextRule = TextRule::chars(0, 10_240).matching(pattern::LINE);
const USERNAME: TextRule = TextRule::chars(1, 512).matching(pattern::LINE);
const PASSWORD: TextRule = TextRule::chars(6, 512).matching(pattern::LINE);

/// `CopyCommand`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CopyCommand<'a> {
    #[serde(borrow)]
    pub data_table_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub data_table_columns: Option<Text<'a>>,
    #[serde(borrow)]
    pub copy_options: Option<Text<'a>>,
}

impl Shape for CopyCommand<'_> {
    fn check(&self, check: &mut Check) {
        check.required("DataTableName", &self.data_table_name, TABLE_NAME);
        check.optional("DataTableColumns", &self.data_table_columns, TABLE_COLUMNS);
        check.optional("CopyOptions", &self.copy_options, COPY_OPTIONS);
    }
}

/// `RedshiftDestinationConfiguration` and `RedshiftDestinationUpdate`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Redshift<'a> {
    #[serde(borrow, rename = "RoleARN")]
    pub role_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "ClusterJDBCURL")]
    pub url: Option<Text<'a>>,
    #[serde(borrow)]
    pub copy_command: Option<Structure<CopyCommand<'a>>>,
    #[serde(borrow)]
    pub username: Option<Text<'a>>,
    #[serde(borrow)]
    pub password: Option<Text<'a>>,
    pub retry_options: Option<Structure<RetryOptions>>,
    #[serde(borrow)]
    pub processing_configuration: Option<Structure<Processing<'a>>>,
    #[serde(borrow)]
    pub s3_backup_mode: Option<Text<'a>>,
    #[serde(borrow)]
    pub cloud_watch_logging_options: Option<Structure<Logging<'a>>>,
    #[serde(borrow)]
    pub secrets_manager_configuration: Option<Structure<Secret<'a>>>,
    /// Of one that is made; one that is changed has the others.
    #[serde(borrow, rename = "S3Configuration")]
    pub s3_configuration: Option<Structure<Made<S3<'a>>>>,
    #[serde(borrow, rename = "S3BackupConfiguration")]
    pub s3_backup_configuration: Option<Structure<Made<S3<'a>>>>,
    #[serde(borrow, rename = "S3Update")]
    pub s3_update: Option<Structure<Changed<S3<'a>>>>,
    #[serde(borrow, rename = "S3BackupUpdate")]
    pub s3_backup_update: Option<Structure<Changed<S3<'a>>>>,
}

impl<'a> Redshift<'a> {
    /// What all destinations of requests are told. How long records wait for others is told with
    /// the bucket.
    pub fn members(&self) -> Members<'_, 'a> {
        Members {
            hints: None,
            logging: &self.cloud_watch_logging_options,
            processing: &self.processing_configuration,
            retry_options: &self.retry_options,
            secret: self.secrets_manager_configuration.as_ref(),
            s3_configuration: &self.s3_configuration,
            s3_update: &self.s3_update,
        }
    }

    fn check_common(&self, check: &mut Check) {
        check.optional("Username", &self.username, USERNAME);
        check.optional("Password", &self.password, PASSWORD);
        self.members().check(check);
        check.optional("S3BackupMode", &self.s3_backup_mode, BACKUP_MODE);
        let secrets = &self.secrets_manager_configuration;
        check.optional("SecretsManagerConfiguration", secrets, Fields);
    }
}

impl Shape for Made<Redshift<'_>> {
    fn check(&self, check: &mut Check) {
        check.required("RoleARN", &self.0.role_arn, ROLE_ARN);
        check.required("ClusterJDBCURL", &self.0.url, JDBC_URL);
        check.required("CopyCommand", &self.0.copy_command, Fields);
        self.0.check_common(check);
        self.0.members().check_made(check);
        let backup = &self.0.s3_backup_configuration;
        check.optional("S3BackupConfiguration", backup, Fields);
    }
}

impl Shape for Changed<Redshift<'_>> {
    fn check(&self, check: &mut Check) {
        check.optional("RoleARN", &self.0.role_arn, ROLE_ARN);
        check.optional("ClusterJDBCURL", &self.0.url, JDBC_URL);
        check.optional("CopyCommand", &self.0.copy_command, Fields);
        self.0.check_common(check);
        self.0.members().check_changed(check);
        check.optional("S3BackupUpdate", &self.0.s3_backup_update, Fields);
    }
}
