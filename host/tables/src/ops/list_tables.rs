//! ListTables
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html>).

use serde::{Deserialize, Serialize};
use wire::members::{Integer, Text};
use wire::shape::{Check, NumberRule, Shape};
use wire::{Answer, ApiError, Call};

use super::error;
use crate::Tables;
use crate::schema::TableName;

/// Names of an answer at most, and by default (the page above).
const NAMES_MAX: usize = 100;
const LIMIT: NumberRule = NumberRule::within(1, 100);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    exclusive_start_table_name: Option<Text<'a>>,
    limit: Option<Integer>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    table_names: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_evaluated_table_name: Option<String>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("Limit", &self.limit, LIMIT);
    }
}

/// Names the caller's tables, in order.
///
/// # Errors
/// ValidationException.
pub async fn handle(tables: &Tables, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let after = input
        .exclusive_start_table_name
        .as_deref()
        .map(TableName::parse);
    let after = after.transpose().map_err(|why| error::invalid(why.0))?;
    let limit = super::results::limit(input.limit).unwrap_or(NAMES_MAX);
    let found = tables
        .directory
        .list(&call.caller, after.as_ref(), limit + 1);
    let names = found
        .iter()
        .map(|table| table.address.name.as_str().to_owned());
    let mut names: Vec<String> = names.collect();
    let has_more = names.len() > limit;
    names.truncate(limit);
    call.answer(&Output {
        last_evaluated_table_name: names.last().filter(|_| has_more).cloned(),
        table_names: names,
    })
}
