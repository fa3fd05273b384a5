//! DeleteTable: a table is gone at once; the room that its items took comes back later
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html>).

use serde::{Deserialize, Serialize};
use wire::members::Text;
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::describe::{Status, TableDescription, describe};
use super::{address, error};
use crate::Tables;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    table_name: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    table_description: TableDescription,
}

impl Shape for Input<'_> {
    fn check(&self, _: &mut Check) {}
}

/// Deletes a table and all its items.
///
/// # Errors
/// ResourceNotFoundException, ValidationException.
pub async fn handle(tables: &Tables, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let address = address::table(&input.table_name, &call.caller)?;
    let deleted = tables.catalog.delete(address.clone()).await;
    let table = deleted.map_err(|why| error::change(&address, why))?;
    call.answer(&Output {
        table_description: describe(tables, &table, Status::Deleting).await?,
    })
}
