//! DescribeTable
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html>).

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
    table: TableDescription,
}

impl Shape for Input<'_> {
    fn check(&self, _: &mut Check) {}
}

/// Says what a table is.
///
/// # Errors
/// ResourceNotFoundException, ValidationException.
pub async fn handle(tables: &Tables, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let address = address::table(&input.table_name, &call.caller)?;
    let table = tables.directory.find(&address);
    let table = table.ok_or_else(|| error::table_not_found(&address))?;
    call.answer(&Output {
        table: describe(tables, &table, Status::Kept).await?,
    })
}
