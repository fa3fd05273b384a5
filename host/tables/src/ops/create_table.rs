//! CreateTable
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html>). A table
//! is ACTIVE at once.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use wire::members::{Boolean, Text};
use wire::shape::{Check, Shape, TextRule};
use wire::{Answer, ApiError, Call};

use super::definitions::{
    AttributeDefinition, Attributes, IndexMember, KeySchemaElement, ProvisionedThroughput, billing,
};
use super::describe::{Status, TableDescription, describe};
use super::{address, error};
use crate::Tables;
use crate::catalog::{NewIndex, NewTable};

/// The values of `BillingMode`.
pub const BILLING_MODE: TextRule = TextRule::one_of(&["PROVISIONED", "PAY_PER_REQUEST"]);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    table_name: Option<Text<'a>>,
    attribute_definitions: Option<Vec<AttributeDefinition<'a>>>,
    key_schema: Option<Vec<KeySchemaElement<'a>>>,
    global_secondary_indexes: Option<Vec<IndexMember<'a>>>,
    local_secondary_indexes: Option<Vec<Json>>,
    billing_mode: Option<Text<'a>>,
    provisioned_throughput: Option<ProvisionedThroughput>,
    stream_specification: Option<Switch>,
    tags: Option<Vec<Json>>,
    deletion_protection_enabled: Option<Boolean>,
    resource_policy: Option<Json>,
}

/// Something that may be on or off.
#[derive(Deserialize)]
struct Switch {
    #[serde(rename = "StreamEnabled")]
    is_on: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    table_description: TableDescription,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("BillingMode", &self.billing_mode, BILLING_MODE);
    }
}

/// Makes a table.
///
/// # Errors
/// ResourceInUseException, LimitExceededException, ValidationException.
pub async fn handle(tables: &Tables, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let address = address::table(&input.table_name, &call.caller)?;
    refuse(&input)?;
    let attributes = Attributes::parse(input.attribute_definitions)?;
    let keys = attributes.keys(input.key_schema)?;
    let indexes = input
        .global_secondary_indexes
        .unwrap_or_default()
        .into_iter();
    let indexes: Result<Vec<_>, _> = indexes.map(|index| attributes.index(index)).collect();
    let indexes = indexes?;
    attributes.all_used(indexes.iter().map(|index| &index.keys).chain([&keys]))?;
    distinct(&indexes)?;
    let new = NewTable {
        address: address.clone(),
        keys,
        indexes,
        billing: billing(input.billing_mode.as_ref(), input.provisioned_throughput)?,
        is_protected: input.deletion_protection_enabled == Some(Boolean(true)),
    };
    let created = tables.catalog.create(new).await;
    let table = created.map_err(|why| error::change(&address, why))?;
    call.answer(&Output {
        table_description: describe(tables, &table, Status::Kept).await?,
    })
}

/// Refuses what tables of this server do not have, by name.
fn refuse(input: &Input<'_>) -> Result<(), ApiError> {
    let streams = input.stream_specification.as_ref().and_then(|it| it.is_on) == Some(true);
    let refused = [
        (
            "LocalSecondaryIndexes",
            input.local_secondary_indexes.is_some(),
        ),
        ("StreamSpecification", streams),
        (
            "Tags",
            input.tags.as_ref().is_some_and(|tags| !tags.is_empty()),
        ),
        ("ResourcePolicy", input.resource_policy.is_some()),
    ];
    match refused.iter().find(|(_, is_asked)| *is_asked) {
        None => Ok(()),
        Some((member, _)) => Err(error::not_here(member)),
    }
}

fn distinct(indexes: &[NewIndex]) -> Result<(), ApiError> {
    for (place, index) in indexes.iter().enumerate() {
        if indexes
            .iter()
            .skip(place + 1)
            .any(|other| other.name == index.name)
        {
            let name = &index.name;
            return Err(error::invalid_values(format!(
                "Duplicate index name: {name}"
            )));
        }
    }
    Ok(())
}
