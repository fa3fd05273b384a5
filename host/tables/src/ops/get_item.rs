//! GetItem: one item by its key
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html>).

use serde::{Deserialize, Serialize};
use wire::members::{Boolean, Map, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::conditions::{not_mixed, substitutes};
use super::shapes::CAPACITY;
use super::{address, error, legacy};
use crate::Tables;
use crate::attribute::GivenItem;
use crate::change;
use crate::expression::projection::Projection;
use crate::table::Table;
use crate::value::Item;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    table_name: Option<Text<'a>>,
    key: Option<GivenItem>,
    attributes_to_get: Option<Vec<Text<'a>>>,
    /// Every read is consistent here.
    #[serde(rename = "ConsistentRead")]
    _consistent_read: Option<Boolean>,
    return_consumed_capacity: Option<Text<'a>>,
    projection_expression: Option<Text<'a>>,
    expression_attribute_names: Option<Map<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<Item>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.optional(
            "ReturnConsumedCapacity",
            &self.return_consumed_capacity,
            CAPACITY,
        );
    }
}

/// Gives the item with a key; no member if there is none.
///
/// # Errors
/// ResourceNotFoundException, ValidationException.
pub async fn handle(tables: &Tables, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let address = address::table(&input.table_name, &call.caller)?;
    let expressions = [(
        "ProjectionExpression",
        input.projection_expression.is_some(),
    )];
    let older = [("AttributesToGet", input.attributes_to_get.is_some())];
    not_mixed(&older, &expressions)?;
    let mut substitutes = substitutes(input.expression_attribute_names, None, &expressions)?;
    let projection = match &input.projection_expression {
        Some(text) => {
            let projection = Projection::parse(text, &mut substitutes);
            Some(projection.map_err(error::expression)?)
        }
        None => None,
    };
    substitutes.all_used().map_err(error::expression)?;
    let key = key(input.key)?;
    let table = tables.table(&address)?;
    is_key_of(&key, &table)?;
    let row = table.keys.row_key(table.id, &key).map_err(error::key)?;
    let found = change::read(tables, &row).await.map_err(error::store)?;
    let item = match (projection, &input.attributes_to_get) {
        (Some(projection), _) => found.map(|item| projection.of_item(&item)),
        (None, Some(names)) => found.map(|item| legacy::named(&item, &texts(names))),
        (None, None) => found,
    };
    call.answer(&Output { item })
}

/// The key that is given.
///
/// # Errors
/// There is none, or a value of it is none.
pub fn key(given: Option<GivenItem>) -> Result<Item, ApiError> {
    let given = given.ok_or_else(|| {
        error::invalid("The parameter 'Key' is required but was not present in the request")
    })?;
    given.checked().map_err(error::invalid)
}

/// Refuses attributes that are not the key of the table's items and nothing else.
///
/// # Errors
/// ValidationException.
pub fn is_key_of(key: &Item, table: &Table) -> Result<(), ApiError> {
    if key.len() != table.keys.attributes().count() {
        return Err(error::invalid(
            "The number of conditions on the keys is invalid",
        ));
    }
    let mut attributes = table.keys.attributes();
    let is_key = attributes.all(|attribute| {
        let value = key.get(&attribute.name);
        value.is_some_and(|value| attribute.kind.is_of(value))
    });
    if is_key { Ok(()) } else { Err(error::no_key()) }
}

/// The names of a list of them.
pub fn texts(names: &[Text<'_>]) -> Vec<String> {
    names.iter().map(|name| name.as_str().to_owned()).collect()
}
