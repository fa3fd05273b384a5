//! Tables as people look at them: which there are, and their items in the order of their keys, each
//! with its version, so that a change can be told.

use bytes::Bytes;
use serde::Serialize;
use store::key_after;
use types::Caller;
use wire::{ApiError, Requester, Target};

use crate::key_order::{self, KeyValue, Place, after_all_with};
use crate::number::Number;
use crate::ops::error;
use crate::pages::{RowPages, range_of};
use crate::rows;
use crate::schema::{KeyAttribute, KeyType, TableName};
use crate::table::{Table, TableAddress};
use crate::table_ids::ITEMS;
use crate::tables::Tables;
use crate::value::{Item, Value};

/// Items of a page at most, and by default.
pub const PAGE_ITEMS_MAX: usize = 1_000;
/// Bytes of the items of a page, one item more at most. The page ends there.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Tables that are listed at most; an account has no more.
const LISTED_MAX: usize = crate::catalog::TABLES_PER_ACCOUNT_MAX;

/// A table in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableSummary {
    name: String,
    status: &'static str,
    key: Vec<String>,
    indexes: Vec<String>,
    created_at_ms: u64,
}

/// Some items of a table.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemPage {
    /// The names of the attributes that are the key.
    key: Vec<String>,
    items: Vec<KeptItem>,
    /// What the next page begins after; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// An item as it is kept.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptItem {
    /// What names it within its table, for as long as that is there.
    id: String,
    item: Item,
    /// Another one after each change of the item, and a greater one.
    version: u64,
}

/// Which items are looked at.
#[derive(Clone, Debug, Default)]
pub struct Looked<'a> {
    /// Those whose hash key begins so, in hexadecimal digits.
    pub prefix: Option<&'a str>,
    /// Those after this one: [`ItemPage`]'s `next`.
    pub after: Option<&'a str>,
    /// How many at most.
    pub limit: Option<usize>,
}

impl Tables {
    /// Lets a request look at a table, or refuses it.
    ///
    /// # Errors
    /// A policy does not let it.
    pub fn permit(&self, by: &Requester, name: &str) -> Result<(), ApiError> {
        let Caller { account, region } = &**by;
        let partition = region.partition();
        let arn = format!("arn:{partition}:dynamodb:{region}:{account}:table/{name}");
        by.permit(&Target::named(&arn, *account))
    }

    /// The tables of a caller, in order of their names.
    pub fn summaries(&self, owner: &Caller) -> Vec<TableSummary> {
        let tables = self.directory.list(owner, None, LISTED_MAX);
        let summaries = tables.iter().map(|table| TableSummary {
            name: table.address.name.as_str().to_owned(),
            status: if table.is_updating() {
                "UPDATING"
            } else {
                "ACTIVE"
            },
            key: key_names(table),
            indexes: table
                .indexes
                .iter()
                .map(|it| it.name.as_str().to_owned())
                .collect(),
            created_at_ms: table.created_at.0,
        });
        summaries.collect()
    }

    /// Items of a table in the order of their keys. None: there is no such table.
    ///
    /// # Errors
    /// What is looked at is none of the table's keys, or the store cannot be read.
    pub async fn browse(
        &self,
        owner: &Caller,
        name: &str,
        looked: Looked<'_>,
    ) -> Result<Option<ItemPage>, ApiError> {
        let Some(table) = self.named(owner, name) else {
            return Ok(None);
        };
        let (from, to) = range(&table, &looked)?;
        let limit = looked.limit.unwrap_or(PAGE_ITEMS_MAX).min(PAGE_ITEMS_MAX);
        let mut pages = RowPages::new(&*self.engine, ITEMS, from, to);
        let mut page = ItemPage {
            key: key_names(&table),
            items: Vec::new(),
            next: None,
        };
        let mut bytes = 0;
        loop {
            let rows = pages.next(PAGE_BYTES_MAX).await.map_err(error::store)?;
            if rows.is_empty() {
                return Ok(Some(page));
            }
            for (key, row) in rows {
                if page.items.len() >= limit || bytes >= PAGE_BYTES_MAX {
                    page.next = page.items.last().map(|last| last.id.clone());
                    return Ok(Some(page));
                }
                bytes += row.value.len();
                page.items.push(KeptItem {
                    id: hex(key.get(size_of::<u64>()..).unwrap_or_default()),
                    item: rows::read_item(&row.value).map_err(error::store)?,
                    version: row.version.0,
                });
            }
        }
    }

    /// The item with a key whose parts are given in hexadecimal digits. None: there is no such
    /// table or no such item.
    ///
    /// # Errors
    /// That is no key of the table, or the store cannot be read.
    pub async fn look_up(
        &self,
        owner: &Caller,
        name: &str,
        key: &[&str],
    ) -> Result<Option<ItemPage>, ApiError> {
        let Some(table) = self.named(owner, name) else {
            return Ok(None);
        };
        let attributes: Vec<&KeyAttribute> = table.keys.attributes().collect();
        if attributes.len() != key.len() {
            return Err(error::invalid(format!(
                "The key of {name} has {} parts, not {}.",
                attributes.len(),
                key.len()
            )));
        }
        let parts = attributes.iter().zip(key).map(|(attribute, digits)| {
            let value = value(attribute, &bytes_of(digits)?)?;
            Ok((attribute.name.clone(), value))
        });
        let key = Item(parts.collect::<Result<_, ApiError>>()?);
        let row = table.keys.row_key(table.id, &key).map_err(error::key)?;
        let found = self.engine.get(ITEMS, &row).await.map_err(error::store)?;
        let Some(found) = found else {
            return Ok(None);
        };
        Ok(Some(ItemPage {
            key: key_names(&table),
            items: vec![KeptItem {
                id: hex(row.get(size_of::<u64>()..).unwrap_or_default()),
                item: rows::read_item(&found.value).map_err(error::store)?,
                version: found.version.0,
            }],
            next: None,
        }))
    }

    fn named(&self, owner: &Caller, name: &str) -> Option<std::sync::Arc<Table>> {
        let address = TableAddress {
            owner: owner.clone(),
            // What is no name is the name of no table.
            name: TableName::parse(name).ok()?,
        };
        self.directory.find(&address)
    }
}

fn key_names(table: &Table) -> Vec<String> {
    table.keys.attributes().map(|it| it.name.clone()).collect()
}

fn range(table: &Table, looked: &Looked<'_>) -> Result<(Bytes, Option<Bytes>), ApiError> {
    let (mut from, mut to) = range_of(table.id);
    if let Some(prefix) = looked.prefix {
        let beginning = bytes_of(prefix)?;
        let mut row = table.id.to_be_bytes().to_vec();
        let place = if table.keys.range.is_some() {
            Place::InFront
        } else {
            Place::AtTheEnd
        };
        if table.keys.hash.kind == KeyType::N {
            let name = &table.keys.hash.name;
            return Err(error::invalid(format!(
                "{name} is a number and begins with nothing."
            )));
        }
        key_order::push_beginning(&mut row, &beginning, place);
        to = after_all_with(&row).map(Bytes::from);
        from = Bytes::from(row);
    }
    if let Some(after) = looked.after {
        let row = [&table.id.to_be_bytes()[..], &bytes_of(after)?].concat();
        from = key_after(&Bytes::from(row)).max(from);
    }
    Ok((from, to))
}

/// The value of a key's attribute that was given as bytes: of a number, its digits.
fn value(attribute: &KeyAttribute, bytes: &[u8]) -> Result<Value, ApiError> {
    let text = || {
        let text = str::from_utf8(bytes);
        text.map_err(|_| error::invalid(format!("{} is text.", attribute.name)))
    };
    let value = match attribute.kind {
        KeyType::B => Value::B(bytes.to_vec()),
        KeyType::S => Value::S(text()?.to_owned()),
        KeyType::N => Value::N(Number::parse(text()?).map_err(|why| error::invalid(why.0))?),
    };
    match KeyValue::of(&value) {
        Some(key) if !key.is_empty() => Ok(value),
        _ => Err(error::invalid(format!("{} is empty.", attribute.name))),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

fn bytes_of(digits: &str) -> Result<Vec<u8>, ApiError> {
    let wrong = || error::invalid("A key is given in pairs of hexadecimal digits.");
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return Err(wrong());
    }
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = str::from_utf8(pair).map_err(|_| wrong())?;
        u8::from_str_radix(pair, 16).map_err(|_| wrong())
    });
    pairs.collect()
}
