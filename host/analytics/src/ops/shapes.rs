//! Shapes that several operations share: names, labels, roles and schemas.

use std::collections::BTreeMap;

use serde::Deserialize;
use wire::ApiError;
use wire::members::{Integer, LIST_MEMBERS_KEPT, List, Structure, Text};
use wire::shape::{Check, Fields, ListRule, Shape, TextRule};

use super::model::V1;
use super::rules::{FORMAT, RESOURCE_ARN, rules};

pub const TAG_KEY: TextRule = TextRule::chars(1, 128);
const TAG_VALUE: TextRule = TextRule::chars(0, 256);
pub const TAGS: ListRule<Fields> = ListRule::of(1, 200, Fields);
pub const TAG_KEYS: ListRule<TextRule> = ListRule::of(1, 200, TAG_KEY);
/// A list that the model does not bound. One that is longer than any that is kept is refused.
pub const SOME: ListRule<Fields> = ListRule::of(0, LIST_MEMBERS_KEPT, Fields);
const COLUMNS: ListRule<Fields> = ListRule::of(1, 1000, Fields);

/// A member that the shape requires, and whose absence its check has refused.
pub fn required<T>(member: &Option<T>) -> Result<&T, ApiError> {
    member
        .as_ref()
        .ok_or_else(|| ApiError::internal("A required member was not looked for."))
}

/// A number that the shape keeps within what `T` holds.
pub fn number<T: TryFrom<i64>>(Integer(number): Integer) -> Result<T, ApiError> {
    T::try_from(number).map_err(|_| ApiError::internal("A number was not held to its constraint."))
}

/// A text as it is kept.
pub fn owned(text: &Option<Text<'_>>) -> Option<String> {
    text.as_ref().map(|text| text.as_str().to_owned())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag<'a> {
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    #[serde(borrow)]
    pub value: Option<Text<'a>>,
}

impl Shape for Tag<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Key", &self.key, TAG_KEY);
        check.optional("Value", &self.value, TAG_VALUE);
    }
}

/// Tags as they are kept; one without a value has an empty one, and of two with one key the last
/// counts.
pub fn tags(list: &List<Structure<Tag<'_>>>) -> Result<BTreeMap<String, String>, ApiError> {
    let tags = list.iter().map(|Structure(tag)| {
        let value = tag.value.as_ref().map_or("", Text::as_str);
        Ok((required(&tag.key)?.as_str().to_owned(), value.to_owned()))
    });
    tags.collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SourceSchema<'a, const MODEL: u16> {
    #[serde(borrow)]
    pub record_format: Option<Structure<RecordFormat<'a, MODEL>>>,
    #[serde(borrow)]
    pub record_encoding: Option<Text<'a>>,
    #[serde(borrow)]
    pub record_columns: Option<List<Structure<RecordColumn<'a, MODEL>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecordFormat<'a, const MODEL: u16> {
    #[serde(borrow)]
    pub record_format_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub mapping_parameters: Option<Structure<MappingParameters<'a, MODEL>>>,
}

#[derive(Deserialize)]
pub struct MappingParameters<'a, const MODEL: u16> {
    #[serde(borrow, rename = "JSONMappingParameters")]
    pub json: Option<Structure<JsonParameters<'a, MODEL>>>,
    #[serde(borrow, rename = "CSVMappingParameters")]
    pub csv: Option<Structure<CsvParameters<'a, MODEL>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JsonParameters<'a, const MODEL: u16> {
    #[serde(borrow)]
    pub record_row_path: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CsvParameters<'a, const MODEL: u16> {
    #[serde(borrow)]
    pub record_row_delimiter: Option<Text<'a>>,
    #[serde(borrow)]
    pub record_column_delimiter: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecordColumn<'a, const MODEL: u16> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub mapping: Option<Text<'a>>,
    #[serde(borrow)]
    pub sql_type: Option<Text<'a>>,
}

/// A change of a schema: what is said takes the place of what was.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SchemaUpdate<'a, const MODEL: u16> {
    #[serde(borrow)]
    pub record_format_update: Option<Structure<RecordFormat<'a, MODEL>>>,
    #[serde(borrow)]
    pub record_encoding_update: Option<Text<'a>>,
    #[serde(borrow)]
    pub record_column_updates: Option<List<Structure<RecordColumn<'a, MODEL>>>>,
}

impl<const MODEL: u16> Shape for SourceSchema<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("RecordFormat", &self.record_format, Fields);
        let encoding = &self.record_encoding;
        check.optional("RecordEncoding", encoding, rules(MODEL).encoding);
        check.required("RecordColumns", &self.record_columns, COLUMNS);
    }
}

impl<const MODEL: u16> Shape for SchemaUpdate<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.optional("RecordFormatUpdate", &self.record_format_update, Fields);
        let encoding = &self.record_encoding_update;
        check.optional("RecordEncodingUpdate", encoding, rules(MODEL).encoding);
        let columns = &self.record_column_updates;
        check.optional("RecordColumnUpdates", columns, COLUMNS);
    }
}

impl<const MODEL: u16> Shape for RecordFormat<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("RecordFormatType", &self.record_format_type, FORMAT);
        check.optional("MappingParameters", &self.mapping_parameters, Fields);
    }
}

impl<const MODEL: u16> Shape for MappingParameters<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.optional("JSONMappingParameters", &self.json, Fields);
        check.optional("CSVMappingParameters", &self.csv, Fields);
    }
}

impl<const MODEL: u16> Shape for JsonParameters<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        let path = rules(MODEL).row_path;
        check.required("RecordRowPath", &self.record_row_path, path);
    }
}

impl<const MODEL: u16> Shape for CsvParameters<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        let delimiter = rules(MODEL).delimiter;
        check.required("RecordRowDelimiter", &self.record_row_delimiter, delimiter);
        let column = &self.record_column_delimiter;
        check.required("RecordColumnDelimiter", column, delimiter);
    }
}

impl<const MODEL: u16> Shape for RecordColumn<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("Name", &self.name, rules(MODEL).column_name);
        check.optional("Mapping", &self.mapping, rules(MODEL).mapping);
        check.required("SqlType", &self.sql_type, rules(MODEL).sql_type);
    }
}

/// An ARN with a role, where version 1 has one beside each resource: inputs, outputs, functions.
#[derive(Deserialize)]
pub struct Resource<'a, const MODEL: u16> {
    #[serde(borrow, rename = "ResourceARN")]
    pub arn: Option<Text<'a>>,
    #[serde(borrow, rename = "RoleARN")]
    role_arn: Option<Text<'a>>,
}

/// A change of the same.
#[derive(Deserialize)]
pub struct ResourceUpdate<'a, const MODEL: u16> {
    #[serde(borrow, rename = "ResourceARNUpdate")]
    pub arn: Option<Text<'a>>,
    #[serde(borrow, rename = "RoleARNUpdate")]
    role_arn: Option<Text<'a>>,
}

impl<const MODEL: u16> Resource<'_, MODEL> {
    /// The ARN and the role, as they are kept.
    pub fn kept(&self) -> Result<(String, Option<String>), ApiError> {
        let arn = required(&self.arn)?.as_str().to_owned();
        Ok((arn, role::<MODEL>(&self.role_arn)))
    }
}

impl<const MODEL: u16> ResourceUpdate<'_, MODEL> {
    /// The ARN and the role, where they are said.
    pub fn said(&self) -> (Option<String>, Option<String>) {
        (owned(&self.arn), role::<MODEL>(&self.role_arn))
    }
}

/// A role beside a resource, which version 2 does not know.
pub fn role<const MODEL: u16>(said: &Option<Text<'_>>) -> Option<String> {
    if MODEL == V1 { owned(said) } else { None }
}

impl<const MODEL: u16> Shape for Resource<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("ResourceARN", &self.arn, RESOURCE_ARN);
        if MODEL == V1 {
            check.required("RoleARN", &self.role_arn, rules(MODEL).role);
        }
    }
}

impl<const MODEL: u16> Shape for ResourceUpdate<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        if MODEL == V1 {
            check.optional("ResourceARNUpdate", &self.arn, RESOURCE_ARN);
            check.optional("RoleARNUpdate", &self.role_arn, rules(MODEL).role);
        } else {
            check.required("ResourceARNUpdate", &self.arn, RESOURCE_ARN);
        }
    }
}
