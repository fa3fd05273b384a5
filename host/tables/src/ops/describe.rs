//! A table as the operations on tables describe it
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html>).

use serde::Serialize;
use wire::ApiError;
use wire::members::Time;

use super::error;
use crate::Tables;
use crate::pages::{RowPages, range_of};
use crate::schema::{KeySchema, Projection};
use crate::table::{Billing, Index, Table, Throughput};
use crate::table_ids::{INDEX_ITEMS, ITEMS};

/// Rows of a table or an index that are counted while it is described, and their bytes: some
/// milliseconds of reading. Of a larger one as many are told; DynamoDB's numbers are up to six
/// hours old.
const COUNTED_ROWS_MAX: u64 = 1_000;
const COUNTED_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyElement {
    attribute_name: String,
    key_type: &'static str,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "PascalCase")]
struct AttributeDefinition {
    attribute_name: String,
    attribute_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Provisioned {
    number_of_decreases_today: u64,
    read_capacity_units: u64,
    write_capacity_units: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BillingModeSummary {
    billing_mode: &'static str,
    last_update_to_pay_per_request_date_time: Time,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProjectionShape {
    projection_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    non_key_attributes: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct IndexDescription {
    index_name: String,
    key_schema: Vec<KeyElement>,
    projection: ProjectionShape,
    index_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    backfilling: Option<bool>,
    provisioned_throughput: Provisioned,
    index_size_bytes: u64,
    item_count: u64,
    index_arn: String,
}

/// The description itself.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TableDescription {
    attribute_definitions: Vec<AttributeDefinition>,
    table_name: String,
    key_schema: Vec<KeyElement>,
    table_status: &'static str,
    creation_date_time: Time,
    provisioned_throughput: Provisioned,
    table_size_bytes: u64,
    item_count: u64,
    table_arn: String,
    table_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_mode_summary: Option<BillingModeSummary>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    global_secondary_indexes: Vec<IndexDescription>,
    deletion_protection_enabled: bool,
}

/// Where a table is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As its indexes say.
    Kept,
    /// It was deleted.
    Deleting,
}

/// Items and their bytes.
#[derive(Clone, Copy, Default)]
struct Size {
    items: u64,
    bytes: u64,
}

/// Describes a table.
///
/// # Errors
/// The store cannot be read.
pub async fn describe(
    tables: &Tables,
    table: &Table,
    status: Status,
) -> Result<TableDescription, ApiError> {
    let size = match status {
        Status::Kept => size(tables, ITEMS, table.id).await?,
        Status::Deleting => Size::default(),
    };
    let mut indexes = Vec::new();
    for index in &table.indexes {
        let size = match status {
            Status::Kept => self::size(tables, INDEX_ITEMS, index.id).await?,
            Status::Deleting => Size::default(),
        };
        indexes.push(describe_index(table, index, size, status));
    }
    let keys = table
        .indexes
        .iter()
        .map(|index| &index.keys)
        .chain([&table.keys]);
    let attributes = keys
        .flat_map(KeySchema::attributes)
        .map(|attribute| AttributeDefinition {
            attribute_name: attribute.name.clone(),
            attribute_type: attribute.kind.as_str(),
        });
    let attributes: std::collections::BTreeSet<_> = attributes.collect();
    Ok(TableDescription {
        attribute_definitions: attributes.into_iter().collect(),
        table_name: table.address.name.as_str().to_owned(),
        key_schema: key_schema(&table.keys),
        table_status: match status {
            Status::Deleting => "DELETING",
            Status::Kept if table.is_updating() => "UPDATING",
            Status::Kept => "ACTIVE",
        },
        creation_date_time: Time(table.created_at),
        provisioned_throughput: match table.billing {
            Billing::PayPerRequest => provisioned(Throughput::default()),
            Billing::Provisioned(units) => provisioned(units),
        },
        table_size_bytes: size.bytes,
        item_count: size.items,
        table_arn: table.address.to_string(),
        table_id: table_id(table),
        billing_mode_summary: match table.billing {
            Billing::PayPerRequest => Some(BillingModeSummary {
                billing_mode: "PAY_PER_REQUEST",
                last_update_to_pay_per_request_date_time: Time(table.created_at),
            }),
            Billing::Provisioned(_) => None,
        },
        global_secondary_indexes: indexes,
        deletion_protection_enabled: table.is_protected,
    })
}

fn describe_index(table: &Table, index: &Index, size: Size, status: Status) -> IndexDescription {
    let (projection_type, non_key_attributes) = match &index.projection {
        Projection::All => ("ALL", None),
        Projection::KeysOnly => ("KEYS_ONLY", None),
        Projection::Include(names) => ("INCLUDE", Some(names.clone())),
    };
    IndexDescription {
        index_name: index.name.as_str().to_owned(),
        key_schema: key_schema(&index.keys),
        projection: ProjectionShape {
            projection_type,
            non_key_attributes,
        },
        index_status: match status {
            Status::Deleting => "DELETING",
            Status::Kept if index.is_active => "ACTIVE",
            Status::Kept => "CREATING",
        },
        backfilling: (!index.is_active).then_some(true),
        provisioned_throughput: provisioned(index.throughput),
        index_size_bytes: size.bytes,
        item_count: size.items,
        index_arn: format!("{}/index/{}", table.address, index.name),
    }
}

fn key_schema(keys: &KeySchema) -> Vec<KeyElement> {
    let types = ["HASH", "RANGE"].into_iter();
    let elements = keys
        .attributes()
        .zip(types)
        .map(|(attribute, key_type)| KeyElement {
            attribute_name: attribute.name.clone(),
            key_type,
        });
    elements.collect()
}

fn provisioned(units: Throughput) -> Provisioned {
    Provisioned {
        number_of_decreases_today: 0,
        read_capacity_units: units.read,
        write_capacity_units: units.write,
    }
}

/// An id in the form of AWS's: its number, which no other table has.
fn table_id(table: &Table) -> String {
    let (id, made) = (table.id, table.created_at.0);
    format!(
        "{:08x}-{:04x}-4000-8000-{id:012x}",
        made >> 16 & 0xffff_ffff,
        made & 0xffff
    )
}

/// What is in a table or an index, counted up to a bound.
async fn size(tables: &Tables, rows: store::TableId, id: u64) -> Result<Size, ApiError> {
    let (from, to) = range_of(id);
    let mut pages = RowPages::new(&*tables.engine, rows, from, to);
    let mut size = Size::default();
    while size.items < COUNTED_ROWS_MAX && size.bytes < COUNTED_BYTES_MAX {
        let page = pages.next(1024 * 1024).await.map_err(error::store)?;
        if page.is_empty() {
            break;
        }
        for (_, row) in page {
            let item = crate::rows::read_item(&row.value).map_err(error::store)?;
            size.items += 1;
            size.bytes += item.size() as u64;
        }
    }
    Ok(size)
}
