//! UpdateItem: changes some attributes of an item, or makes it of its key and them
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>).

use serde::Deserialize;
use wire::members::{Map, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::conditions::{ConditionMembers, not_mixed, substitutes};
use super::legacy::{AttributeUpdate, Expected};
use super::returned::{Wanted, Written};
use super::shapes::{
    CAPACITY, COLLECTION_METRICS, CONDITIONAL_OPERATOR, Named, ON_FAILURE, RETURN_VALUES,
};
use super::{address, error, get_item, legacy};
use crate::Tables;
use crate::attribute::GivenItem;
use crate::change::Decision;
use crate::expression::update::{self, Update};
use crate::schema::KeySchema;
use crate::value::{ITEM_BYTES_MAX, Item};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    table_name: Option<Text<'a>>,
    key: Option<GivenItem>,
    attribute_updates: Option<Named<AttributeUpdate>>,
    expected: Option<Named<Expected>>,
    conditional_operator: Option<Text<'a>>,
    return_values: Option<Text<'a>>,
    return_values_on_condition_check_failure: Option<Text<'a>>,
    return_consumed_capacity: Option<Text<'a>>,
    return_item_collection_metrics: Option<Text<'a>>,
    update_expression: Option<Text<'a>>,
    condition_expression: Option<Text<'a>>,
    expression_attribute_names: Option<Map<'a>>,
    expression_attribute_values: Option<GivenItem>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.optional(
            "ConditionalOperator",
            &self.conditional_operator,
            CONDITIONAL_OPERATOR,
        );
        check.optional(
            "ReturnConsumedCapacity",
            &self.return_consumed_capacity,
            CAPACITY,
        );
        let metrics = &self.return_item_collection_metrics;
        check.optional("ReturnItemCollectionMetrics", metrics, COLLECTION_METRICS);
        check.optional("ReturnValues", &self.return_values, RETURN_VALUES);
        let on_failure = &self.return_values_on_condition_check_failure;
        check.optional(
            "ReturnValuesOnConditionCheckFailure",
            on_failure,
            ON_FAILURE,
        );
    }
}

/// Changes an item.
///
/// # Errors
/// ConditionalCheckFailedException, ResourceNotFoundException, ValidationException.
pub async fn handle(tables: &Tables, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let address = address::table(&input.table_name, &call.caller)?;
    let expressions = [
        ("UpdateExpression", input.update_expression.is_some()),
        ("ConditionExpression", input.condition_expression.is_some()),
    ];
    let older = [
        ("AttributeUpdates", input.attribute_updates.is_some()),
        ("Expected", input.expected.is_some()),
        ("ConditionalOperator", input.conditional_operator.is_some()),
    ];
    not_mixed(&older, &expressions)?;
    let mut substitutes = substitutes(
        input.expression_attribute_names,
        input.expression_attribute_values,
        &expressions,
    )?;
    let update = match (&input.update_expression, input.attribute_updates) {
        (Some(text), _) => update::parse(text, &mut substitutes).map_err(error::expression)?,
        (None, Some(all)) => legacy::update(all)?,
        (None, None) => Update::default(),
    };
    let guard = ConditionMembers {
        expression: input.condition_expression.as_ref(),
        expected: input.expected,
        operator: input.conditional_operator.as_ref(),
        on_failure: input.return_values_on_condition_check_failure.as_ref(),
    };
    let guard = guard.read(&mut substitutes)?;
    substitutes.all_used().map_err(error::expression)?;
    let wanted = Wanted::of(&input.return_values);
    let key = get_item::key(input.key)?;
    let table = tables.table(&address)?;
    get_item::is_key_of(&key, &table)?;
    leaves_key(&update, &table.keys)?;
    let changed = tables
        .change(&address, &key, |table, before| {
            guard.check(before)?;
            leaves_key(&update, &table.keys)?;
            updated(before.unwrap_or(&key), &update)
        })
        .await?;
    call.answer(&Written {
        attributes: wanted.of_change(changed, &update.returned()),
    })
}

/// Refuses an update of an attribute of the key.
fn leaves_key(update: &Update, keys: &KeySchema) -> Result<(), ApiError> {
    let paths = update.paths();
    match paths.iter().find(|path| keys.has(&path.attribute)) {
        None => Ok(()),
        Some(path) => Err(error::invalid_values(format!(
            "Cannot update attribute {}. This attribute is part of the key",
            path.attribute
        ))),
    }
}

fn updated(before: &Item, update: &Update) -> Result<Decision, ApiError> {
    let after = update.applied(before).map_err(error::expression)?;
    if after.is_too_deep() {
        return Err(error::invalid(
            "Nesting Levels have exceeded supported limits",
        ));
    }
    if after.size() > ITEM_BYTES_MAX {
        let text = "Item size to update has exceeded the maximum allowed size";
        return Err(error::invalid(text));
    }
    Ok(Decision::Put(after))
}
