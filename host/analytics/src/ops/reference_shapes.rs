//! Reference data as the model has it, and what is kept of it.

use serde::Deserialize;
use wire::ApiError;
use wire::members::{Structure, Text};
use wire::shape::{Check, Fields, Shape};

use super::model::V1;
use super::rules::{FILE_KEY, ID, RESOURCE_ARN, TABLE_NAME, rules};
use super::shapes::{SourceSchema, owned, required, role};
use super::{error, resources, schema};
use crate::application::Reference;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NewReference<'a, const MODEL: u16> {
    #[serde(borrow)]
    table_name: Option<Text<'a>>,
    #[serde(borrow, rename = "S3ReferenceDataSource")]
    s3: Option<Structure<S3Reference<'a, MODEL>>>,
    #[serde(borrow)]
    reference_schema: Option<Structure<SourceSchema<'a, MODEL>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct S3Reference<'a, const MODEL: u16> {
    #[serde(borrow, rename = "BucketARN")]
    bucket_arn: Option<Text<'a>>,
    #[serde(borrow)]
    file_key: Option<Text<'a>>,
    #[serde(borrow, rename = "ReferenceRoleARN")]
    role_arn: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReferenceUpdate<'a, const MODEL: u16> {
    #[serde(borrow)]
    pub reference_id: Option<Text<'a>>,
    #[serde(borrow)]
    table_name_update: Option<Text<'a>>,
    #[serde(borrow, rename = "S3ReferenceDataSourceUpdate")]
    s3: Option<Structure<S3ReferenceUpdate<'a, MODEL>>>,
    #[serde(borrow)]
    reference_schema_update: Option<Structure<SourceSchema<'a, MODEL>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct S3ReferenceUpdate<'a, const MODEL: u16> {
    #[serde(borrow, rename = "BucketARNUpdate")]
    bucket_arn: Option<Text<'a>>,
    #[serde(borrow)]
    file_key_update: Option<Text<'a>>,
    #[serde(borrow, rename = "ReferenceRoleARNUpdate")]
    role_arn: Option<Text<'a>>,
}

impl<const MODEL: u16> Shape for NewReference<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("TableName", &self.table_name, TABLE_NAME);
        check.optional("S3ReferenceDataSource", &self.s3, Fields);
        check.required("ReferenceSchema", &self.reference_schema, Fields);
    }
}

impl<const MODEL: u16> Shape for S3Reference<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        if MODEL == V1 {
            check.required("BucketARN", &self.bucket_arn, RESOURCE_ARN);
            check.required("FileKey", &self.file_key, FILE_KEY);
            check.required("ReferenceRoleARN", &self.role_arn, rules(MODEL).role);
        } else {
            check.optional("BucketARN", &self.bucket_arn, RESOURCE_ARN);
            check.optional("FileKey", &self.file_key, FILE_KEY);
        }
    }
}

impl<const MODEL: u16> Shape for ReferenceUpdate<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("ReferenceId", &self.reference_id, ID);
        check.optional("TableNameUpdate", &self.table_name_update, TABLE_NAME);
        check.optional("S3ReferenceDataSourceUpdate", &self.s3, Fields);
        let schema = &self.reference_schema_update;
        check.optional("ReferenceSchemaUpdate", schema, Fields);
    }
}

impl<const MODEL: u16> Shape for S3ReferenceUpdate<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.optional("BucketARNUpdate", &self.bucket_arn, RESOURCE_ARN);
        check.optional("FileKeyUpdate", &self.file_key_update, FILE_KEY);
        if MODEL == V1 {
            let role = rules(MODEL).role;
            check.optional("ReferenceRoleARNUpdate", &self.role_arn, role);
        }
    }
}

impl<const MODEL: u16> NewReference<'_, MODEL> {
    /// What is kept of it under this id.
    pub fn kept(&self, id: String) -> Result<Reference, ApiError> {
        let said = self.s3.as_ref();
        let bucket = said.and_then(|it| owned(&it.bucket_arn));
        let key = said.and_then(|it| owned(&it.file_key));
        let (Some(bucket_arn), Some(key)) = (bucket, key) else {
            return Err(error::invalid_argument(
                "A reference data source must have an S3ReferenceDataSource with BucketARN and \
                 FileKey.",
            ));
        };
        Ok(Reference {
            id,
            table: required(&self.table_name)?.as_str().to_owned(),
            bucket_arn,
            key,
            role_arn: said.and_then(|it| role::<MODEL>(&it.role_arn)),
            schema: schema::kept(required(&self.reference_schema)?)?,
        })
    }
}

impl<const MODEL: u16> ReferenceUpdate<'_, MODEL> {
    /// Changes what is said of it.
    pub fn apply(&self, reference: &mut Reference) -> Result<(), ApiError> {
        if let Some(table) = &self.table_name_update {
            reference.table = table.as_str().to_owned();
        }
        if let Some(said) = &self.s3 {
            resources::replace(&mut reference.bucket_arn, owned(&said.bucket_arn));
            resources::replace(&mut reference.key, owned(&said.file_key_update));
            let role = role::<MODEL>(&said.role_arn);
            resources::replace_role(&mut reference.role_arn, role);
        }
        if let Some(said) = &self.reference_schema_update {
            reference.schema = schema::kept(said)?;
        }
        Ok(())
    }
}
