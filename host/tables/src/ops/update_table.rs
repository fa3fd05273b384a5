//! UpdateTable: makes and deletes an index, and changes how the table is paid for and whether it
//! can be deleted
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html>).

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use wire::members::{Boolean, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::create_table::BILLING_MODE;
use super::definitions::{
    AttributeDefinition, Attributes, IndexMember, ProvisionedThroughput, billing,
};
use super::describe::{Status, TableDescription, describe};
use super::{address, error};
use crate::Tables;
use crate::catalog::Alteration;
use crate::schema::TableName;
use crate::upkeep;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    table_name: Option<Text<'a>>,
    attribute_definitions: Option<Vec<AttributeDefinition<'a>>>,
    billing_mode: Option<Text<'a>>,
    provisioned_throughput: Option<ProvisionedThroughput>,
    global_secondary_index_updates: Option<Vec<IndexUpdate<'a>>>,
    deletion_protection_enabled: Option<Boolean>,
    stream_specification: Option<Json>,
    replica_updates: Option<Json>,
    table_class: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexUpdate<'a> {
    #[serde(borrow)]
    create: Option<IndexMember<'a>>,
    delete: Option<IndexName<'a>>,
    update: Option<Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexName<'a> {
    #[serde(borrow)]
    index_name: Option<Text<'a>>,
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

/// Changes a table. A new index of a small table is filled before the answer; one of a larger table
/// is CREATING until it is.
///
/// # Errors
/// ResourceNotFoundException, LimitExceededException, ValidationException.
pub async fn handle(tables: &Tables, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let address = address::table(&input.table_name, &call.caller)?;
    let refused = [
        ("StreamSpecification", input.stream_specification.is_some()),
        ("ReplicaUpdates", input.replica_updates.is_some()),
        ("TableClass", input.table_class.is_some()),
    ];
    if let Some((member, _)) = refused.iter().find(|(_, is_asked)| *is_asked) {
        return Err(error::not_here(member));
    }
    let mut alteration = Alteration {
        is_protected: input.deletion_protection_enabled.map(|Boolean(is)| is),
        ..Alteration::default()
    };
    if input.billing_mode.is_some() || input.provisioned_throughput.is_some() {
        let wanted = billing(input.billing_mode.as_ref(), input.provisioned_throughput)?;
        alteration.billing = Some(wanted);
    }
    let updates = input.global_secondary_index_updates.unwrap_or_default();
    if !updates.is_empty() {
        let attributes = Attributes::parse(input.attribute_definitions)?;
        change_indexes(updates, &attributes, &mut alteration)?;
    }
    if alteration.is_nothing() {
        return Err(error::invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, \
             GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
        ));
    }
    let is_new = alteration.create.is_some();
    let altered = tables.catalog.alter(address.clone(), alteration).await;
    let mut table = altered.map_err(|why| error::change(&address, why))?;
    if is_new {
        upkeep::fill_if_small(tables, &table)
            .await
            .map_err(error::store)?;
        table = tables.directory.find(&address).unwrap_or(table);
    }
    call.answer(&Output {
        table_description: describe(tables, &table, Status::Kept).await?,
    })
}

/// One index is made or deleted at a time.
fn change_indexes(
    updates: Vec<IndexUpdate<'_>>,
    attributes: &Attributes,
    alteration: &mut Alteration,
) -> Result<(), ApiError> {
    if updates.len() > 1 {
        return Err(ApiError::new(
            "LimitExceededException",
            "Subscriber limit exceeded: Only 1 online index can be created or deleted \
             simultaneously per table",
        ));
    }
    for update in updates {
        match update {
            IndexUpdate {
                create: Some(index),
                delete: None,
                update: None,
            } => alteration.create = Some(attributes.index(index)?),
            IndexUpdate {
                create: None,
                delete: Some(index),
                update: None,
            } => {
                let name = index.index_name.as_deref().unwrap_or_default();
                let name = TableName::parse(name).map_err(|why| error::invalid(why.0))?;
                alteration.delete = Some(name);
            }
            // Units mean nothing here.
            IndexUpdate {
                create: None,
                delete: None,
                update: Some(_),
            } => return Err(error::not_here("GlobalSecondaryIndexUpdates.Update")),
            _ => {
                return Err(error::invalid_values(
                    "Each update of GlobalSecondaryIndexUpdates is one of Create, Delete and \
                     Update",
                ));
            }
        }
    }
    Ok(())
}
