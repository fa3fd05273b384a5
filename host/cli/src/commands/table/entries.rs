//! Tables of applications, byte keys with byte values, for commands that read or fill them whole.

use std::sync::Arc;

use base64_simd::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::scan::Pages;
use super::shapes::Item;
use crate::client::{CallError, Client, Target};

/// The attributes of an application's tables.
const KEY: &str = "key";
const VALUE: &str = "value";
/// Entries that one answer may have.
const PAGE_ITEMS: usize = 1_000;
/// Bytes of keys and values that are read of a table; those of a larger one end there.
const READ_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Entries that are put at the same time: they become durable together.
const PUTS_AT_ONCE: usize = 16;

/// An entry of a table.
pub(crate) struct TableEntry {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// What changes with each write of it.
    pub(crate) version: u64,
}

/// What was read of a table.
#[derive(Default)]
pub(crate) struct TableEntries {
    /// In order of their keys.
    pub(crate) entries: Vec<TableEntry>,
    /// Whether these are all.
    pub(crate) is_whole: bool,
}

/// The first entries of a table that is an application's, `most` or as many as 64 MiB hold; `None`
/// where there is no such table.
pub(crate) async fn entries(
    client: &mut Client,
    table: &str,
    most: usize,
) -> Result<Option<TableEntries>, CallError> {
    let mut pages = Pages::new(table, None).map_err(CallError::Broken)?;
    let (mut entries, mut bytes) = (Vec::new(), 0);
    while entries.len() <= most && bytes <= READ_BYTES_MAX {
        let page = match pages.next(client, PAGE_ITEMS).await {
            Err(CallError::Refused { code, .. }) if code == "ResourceNotFoundException" => {
                return Ok(None);
            }
            page => page?,
        };
        let Some(page) = page else {
            let is_whole = true;
            return Ok(Some(TableEntries { entries, is_whole }));
        };
        for item in &page.items {
            let entry = entry(item).ok_or_else(|| {
                let why = format!("the table {table} is none of an application: key and value");
                CallError::Broken(format!("{why} are not bytes"))
            })?;
            bytes += entry.key.len() + entry.value.len();
            entries.push(entry);
        }
    }
    entries.truncate(most);
    let is_whole = false;
    Ok(Some(TableEntries { entries, is_whole }))
}

fn entry(item: &Item) -> Option<TableEntry> {
    let bytes = |name: &str| {
        let held = item.item.get(name)?.get("B").and_then(Value::as_str)?;
        STANDARD.decode_to_vec(held).ok()
    };
    Some(TableEntry {
        key: bytes(KEY)?,
        value: bytes(VALUE)?,
        version: item.version,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutItem<'a> {
    table_name: &'a str,
    item: Value,
}

/// Makes a table as applications have it, and puts entries into it. One that is there stays as it
/// is; whether it was not.
pub(crate) async fn make(
    target: &Arc<Target>,
    table: &str,
    entries: Vec<(Vec<u8>, Vec<u8>)>,
) -> Result<bool, CallError> {
    let input = json!({
        "TableName": table,
        "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "B"}],
        "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    });
    let mut client = Client::new(target);
    match client.call_dynamodb::<Value>("CreateTable", &input).await {
        Ok(_) => {}
        Err(CallError::Refused { code, .. }) if code == "ResourceInUseException" => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    let share = entries.len().div_ceil(PUTS_AT_ONCE).max(1);
    let mut puts = JoinSet::new();
    for entries in entries.chunks(share) {
        let (client, entries) = (Client::new(target), entries.to_vec());
        puts.spawn(put_all(client, table.to_owned(), entries));
    }
    while let Some(put) = puts.join_next().await {
        put.map_err(|error| CallError::Broken(format!("fill the table {table}: {error}")))??;
    }
    Ok(true)
}

async fn put_all(
    mut client: Client,
    table: String,
    entries: Vec<(Vec<u8>, Vec<u8>)>,
) -> Result<(), CallError> {
    let bytes = |bytes: &[u8]| json!({"B": STANDARD.encode_to_string(bytes)});
    for (key, value) in &entries {
        let input = PutItem {
            table_name: &table,
            item: json!({KEY: bytes(key), VALUE: bytes(value)}),
        };
        let _: Value = client.call_dynamodb("PutItem", &input).await?;
    }
    Ok(())
}
