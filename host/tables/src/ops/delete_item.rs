//! DeleteItem: removes an item
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html>).

use serde::Deserialize;
use wire::members::{Map, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::conditions::{ConditionMembers, not_mixed, substitutes};
use super::legacy::Expected;
use super::returned::{Wanted, Written};
use super::shapes::{
    CAPACITY, COLLECTION_METRICS, CONDITIONAL_OPERATOR, Named, ON_FAILURE, RETURN_VALUES,
};
use super::{address, error, get_item};
use crate::Tables;
use crate::attribute::GivenItem;
use crate::change::Decision;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    table_name: Option<Text<'a>>,
    key: Option<GivenItem>,
    expected: Option<Named<Expected>>,
    conditional_operator: Option<Text<'a>>,
    condition_expression: Option<Text<'a>>,
    expression_attribute_names: Option<Map<'a>>,
    expression_attribute_values: Option<GivenItem>,
    return_values: Option<Text<'a>>,
    return_values_on_condition_check_failure: Option<Text<'a>>,
    return_consumed_capacity: Option<Text<'a>>,
    return_item_collection_metrics: Option<Text<'a>>,
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

/// Removes the item with a key, if it is there.
///
/// # Errors
/// ConditionalCheckFailedException, ResourceNotFoundException, ValidationException.
pub async fn handle(tables: &Tables, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let address = address::table(&input.table_name, &call.caller)?;
    let expressions = [("ConditionExpression", input.condition_expression.is_some())];
    let older = [
        ("Expected", input.expected.is_some()),
        ("ConditionalOperator", input.conditional_operator.is_some()),
    ];
    not_mixed(&older, &expressions)?;
    let mut substitutes = substitutes(
        input.expression_attribute_names,
        input.expression_attribute_values,
        &expressions,
    )?;
    let guard = ConditionMembers {
        expression: input.condition_expression.as_ref(),
        expected: input.expected,
        operator: input.conditional_operator.as_ref(),
        on_failure: input.return_values_on_condition_check_failure.as_ref(),
    };
    let guard = guard.read(&mut substitutes)?;
    substitutes.all_used().map_err(error::expression)?;
    let wanted = Wanted::of(&input.return_values).only_old()?;
    let key = get_item::key(input.key)?;
    let table = tables.table(&address)?;
    get_item::is_key_of(&key, &table)?;
    let changed = tables
        .change(&address, &key, |_, before| {
            guard.check(before)?;
            Ok(Decision::Remove)
        })
        .await?;
    call.answer(&Written {
        attributes: wanted.of_change(changed, &[]),
    })
}
