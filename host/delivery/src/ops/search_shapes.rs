//! The model's structures of an OpenSearch or Elasticsearch destination, as it is made and as it is
//! changed: they have the same members and the same limits.

use serde::Deserialize;
use wire::members::{Structure, Text};
use wire::shape::pattern::firehose as pattern;
use wire::shape::{Check, Fields, Shape, TextRule};

use super::request_shapes::{self, Members, RetryOptions};
use super::s3_shapes::{Changed, Logging, Made, Processing, S3};
use super::shapes::{HintsUpTo, Unserved};

const ROLE_ARN: TextRule = TextRule::chars(1, 512).matching(pattern::ROLE_ARN);
const DOMAIN_ARN: TextRule = TextRule::chars(1, 512).matching(pattern::DOMAIN_ARN);
const CLUSTER_ENDPOINT: TextRule = TextRule::chars(1, 512).matching(pattern::CLUSTER_ENDPOINT);
const INDEX_NAME: TextRule = TextRule::chars(1, 80).matching(pattern::LINE);
const TYPE_NAME: TextRule = TextRule::chars(0, 100).matching(pattern::LINE);
const ROTATION: TextRule =
    TextRule::one_of(&["NoRotation", "OneHour", "OneDay", "OneWeek", "OneMonth"]);
const BACKUP_MODE: TextRule = TextRule::one_of(&["FailedDocumentsOnly", "AllDocuments"]);
const ID_FORMAT: TextRule = TextRule::one_of(&["FIREHOSE_DEFAULT", "NO_DOCUMENT_ID"]);

/// `ElasticsearchBufferingHints` and `AmazonopensearchserviceBufferingHints`.
pub type Hints = HintsUpTo<100, 900>;

/// `DocumentIdOptions`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Ids<'a> {
    #[serde(borrow)]
    pub default_document_id_format: Option<Text<'a>>,
}

impl Shape for Ids<'_> {
    fn check(&self, check: &mut Check) {
        let format = &self.default_document_id_format;
        check.required("DefaultDocumentIdFormat", format, ID_FORMAT);
    }
}

/// `ElasticsearchDestinationConfiguration`, `AmazonopensearchserviceDestinationConfiguration`, and
/// the updates of both.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Search<'a> {
    #[serde(borrow, rename = "RoleARN")]
    pub role_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "DomainARN")]
    pub domain_arn: Option<Text<'a>>,
    #[serde(borrow)]
    pub cluster_endpoint: Option<Text<'a>>,
    #[serde(borrow)]
    pub index_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub type_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub index_rotation_period: Option<Text<'a>>,
    pub buffering_hints: Option<Structure<Hints>>,
    pub retry_options: Option<Structure<RetryOptions>>,
    #[serde(borrow)]
    pub s3_backup_mode: Option<Text<'a>>,
    #[serde(borrow)]
    pub processing_configuration: Option<Structure<Processing<'a>>>,
    #[serde(borrow)]
    pub cloud_watch_logging_options: Option<Structure<Logging<'a>>>,
    pub vpc_configuration: Option<Unserved>,
    #[serde(borrow)]
    pub document_id_options: Option<Structure<Ids<'a>>>,
    /// Of one that is made; one that is changed has the other.
    #[serde(borrow, rename = "S3Configuration")]
    pub s3_configuration: Option<Structure<Made<S3<'a>>>>,
    #[serde(borrow, rename = "S3Update")]
    pub s3_update: Option<Structure<Changed<S3<'a>>>>,
}

impl<'a> Search<'a> {
    /// What all destinations of requests are told.
    pub fn members(&self) -> Members<'_, 'a> {
        Members {
            hints: request_shapes::hints(&self.buffering_hints),
            logging: &self.cloud_watch_logging_options,
            processing: &self.processing_configuration,
            retry_options: &self.retry_options,
            secret: None,
            s3_configuration: &self.s3_configuration,
            s3_update: &self.s3_update,
        }
    }

    fn check_common(&self, check: &mut Check) {
        check.optional("DomainARN", &self.domain_arn, DOMAIN_ARN);
        check.optional("ClusterEndpoint", &self.cluster_endpoint, CLUSTER_ENDPOINT);
        check.optional("TypeName", &self.type_name, TYPE_NAME);
        let rotation = &self.index_rotation_period;
        check.optional("IndexRotationPeriod", rotation, ROTATION);
        check.optional("BufferingHints", &self.buffering_hints, Fields);
        self.members().check(check);
        check.optional("DocumentIdOptions", &self.document_id_options, Fields);
    }
}

impl Shape for Made<Search<'_>> {
    fn check(&self, check: &mut Check) {
        check.required("RoleARN", &self.0.role_arn, ROLE_ARN);
        check.required("IndexName", &self.0.index_name, INDEX_NAME);
        self.0.check_common(check);
        check.optional("S3BackupMode", &self.0.s3_backup_mode, BACKUP_MODE);
        self.0.members().check_made(check);
    }
}

impl Shape for Changed<Search<'_>> {
    fn check(&self, check: &mut Check) {
        check.optional("RoleARN", &self.0.role_arn, ROLE_ARN);
        check.optional("IndexName", &self.0.index_name, INDEX_NAME);
        self.0.check_common(check);
        self.0.members().check_changed(check);
    }
}
