//! Query: the items of one hash key, in the order of their range keys
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html>).

use bytes::Bytes;
use serde::Deserialize;
use store::key_after;
use wire::members::{Boolean, Integer, Map, Text};
use wire::shape::{Check, NumberRule, Shape};
use wire::{Answer, ApiError, Call};

use super::conditions::{not_mixed, substitutes};
use super::get_item::texts;
use super::legacy::{self, FilterCondition};
use super::results::{self, Range, Shown, Source, Wanted};
use super::shapes::{CAPACITY, CONDITIONAL_OPERATOR, INDEX_NAME, Named, SELECT};
use super::{address, error};
use crate::Tables;
use crate::attribute::GivenItem;
use crate::expression::condition::{self, Comparison, Condition};
use crate::expression::key_condition::{KeyCondition, RangeCondition};
use crate::expression::projection::Projection;
use crate::expression::{Kind, Substitutes};
use crate::key_order::{self, KeyValue, Place, after_all_with};
use crate::schema::{KeySchema, Projection as IndexProjection};
use crate::value::Value;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    table_name: Option<Text<'a>>,
    index_name: Option<Text<'a>>,
    select: Option<Text<'a>>,
    attributes_to_get: Option<Vec<Text<'a>>>,
    limit: Option<Integer>,
    consistent_read: Option<Boolean>,
    key_conditions: Option<Named<FilterCondition>>,
    query_filter: Option<Named<FilterCondition>>,
    conditional_operator: Option<Text<'a>>,
    scan_index_forward: Option<Boolean>,
    exclusive_start_key: Option<GivenItem>,
    return_consumed_capacity: Option<Text<'a>>,
    projection_expression: Option<Text<'a>>,
    filter_expression: Option<Text<'a>>,
    key_condition_expression: Option<Text<'a>>,
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
        check.optional("IndexName", &self.index_name, INDEX_NAME);
        check.optional("Limit", &self.limit, NumberRule::at_least(1));
        check.optional(
            "ReturnConsumedCapacity",
            &self.return_consumed_capacity,
            CAPACITY,
        );
        check.optional("Select", &self.select, SELECT);
    }
}

/// What AWS says where neither member is there.
const NO_CONDITION: &str = "Either the KeyConditions or KeyConditionExpression parameter must be \
                            specified in the request.";

/// Gives a page of the items that a key condition finds.
///
/// # Errors
/// ResourceNotFoundException, ValidationException.
pub async fn handle(tables: &Tables, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let index = input.index_name.as_ref();
    let address = address::index(&input.table_name, index.map(Text::as_str), &call.caller)?;
    let expressions = [
        (
            "KeyConditionExpression",
            input.key_condition_expression.is_some(),
        ),
        ("FilterExpression", input.filter_expression.is_some()),
        (
            "ProjectionExpression",
            input.projection_expression.is_some(),
        ),
    ];
    let older = [
        ("KeyConditions", input.key_conditions.is_some()),
        ("QueryFilter", input.query_filter.is_some()),
        ("AttributesToGet", input.attributes_to_get.is_some()),
        ("ConditionalOperator", input.conditional_operator.is_some()),
    ];
    not_mixed(&older, &expressions)?;
    let mut substitutes = substitutes(
        input.expression_attribute_names,
        input.expression_attribute_values,
        &expressions,
    )?;
    let table = tables.table(&address)?;
    let source = Source::of(&table, index)?;
    if index.is_some() && input.consistent_read == Some(Boolean(true)) {
        let text = "Consistent reads are not supported on global secondary indexes";
        return Err(error::invalid(text));
    }
    let keys = source.keys();
    let wanted = match (input.key_condition_expression, input.key_conditions) {
        (Some(text), _) => KeyCondition::parse(&text, keys, &mut substitutes),
        (None, Some(conditions)) => KeyCondition::of(legacy::conditions(conditions)?, keys),
        (None, None) => return Err(error::invalid(NO_CONDITION)),
    };
    let wanted = wanted.map_err(error::expression)?;
    let asks = Asks {
        select: input.select,
        names: input.attributes_to_get,
        projection: input.projection_expression,
    };
    let filter = match (input.filter_expression, input.query_filter) {
        (Some(text), _) => Some(filter(&text, keys, &mut substitutes)?),
        (None, Some(all)) => legacy::filter(all, input.conditional_operator.as_ref())?,
        (None, None) => None,
    };
    let shown = asks.shown(source, &mut substitutes)?;
    substitutes.all_used().map_err(error::expression)?;
    let range = range(source, &wanted, input.scan_index_forward)?;
    let range = match input.exclusive_start_key {
        Some(key) => {
            let key = key.checked().map_err(error::invalid)?;
            range.after(source.row_of_key(&key)?)?
        }
        None => range,
    };
    let wanted = Wanted {
        limit: results::limit(input.limit),
        filter,
        shown,
    };
    call.answer(&results::page(tables, source, range, wanted).await?)
}

/// A filter, which is not about the key.
fn filter(
    text: &str,
    keys: &KeySchema,
    substitutes: &mut Substitutes,
) -> Result<Condition, ApiError> {
    let filter = condition::parse(Kind::Filter, text, substitutes).map_err(error::expression)?;
    match filter.attributes().into_iter().find(|name| keys.has(name)) {
        None => Ok(filter),
        Some(name) => Err(error::invalid(format!(
            "Filter Expression can only contain non-primary key attributes: Primary key \
             attribute: {name}"
        ))),
    }
}

/// The members that say what of the items is given back.
pub struct Asks<'a> {
    /// In a word.
    pub select: Option<Text<'a>>,
    /// By name.
    pub names: Option<Vec<Text<'a>>>,
    /// By an expression.
    pub projection: Option<Text<'a>>,
}

impl Asks<'_> {
    /// What of the items is given back.
    ///
    /// # Errors
    /// The members contradict each other, or ask for what an index does not hold.
    pub fn shown(
        self,
        source: Source<'_>,
        substitutes: &mut Substitutes,
    ) -> Result<Shown, ApiError> {
        let select = self.select.as_ref().map(Text::as_str);
        let is_specific = self.names.is_some() || self.projection.is_some();
        if is_specific && select.is_some_and(|select| select != "SPECIFIC_ATTRIBUTES") {
            let (select, member) = (select.unwrap_or_default(), self.member());
            let what = format!("Cannot specify the {member} when choosing to get {select}");
            return Err(error::invalid(what));
        }
        let shown = match (select, self.projection, self.names) {
            (Some("COUNT"), ..) => Shown::Count,
            (Some("ALL_PROJECTED_ATTRIBUTES"), ..) if source.index.is_none() => {
                return Err(error::invalid_values(
                    "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
                ));
            }
            (Some("ALL_ATTRIBUTES"), ..) => {
                if let Some(index) = source.index
                    && index.projection != IndexProjection::All
                {
                    return Err(error::invalid_values(format!(
                        "Select type ALL_ATTRIBUTES is not supported for global secondary index \
                         {} because its projection type is not ALL",
                        index.name
                    )));
                }
                Shown::Whole
            }
            (_, Some(text), _) => {
                let projection = Projection::parse(&text, substitutes);
                Shown::Part(projection.map_err(error::expression)?)
            }
            (_, None, Some(names)) => Shown::Names(texts(&names)),
            (Some("SPECIFIC_ATTRIBUTES"), None, None) => {
                return Err(error::invalid(
                    "Must specify the AttributesToGet or ProjectionExpression when choosing to \
                     get SPECIFIC_ATTRIBUTES",
                ));
            }
            (_, None, None) => Shown::Whole,
        };
        held(source, &shown)?;
        Ok(shown)
    }

    fn member(&self) -> &'static str {
        if self.names.is_some() {
            "AttributesToGet"
        } else {
            "ProjectionExpression"
        }
    }
}

/// Refuses attributes that an index does not hold.
fn held(source: Source<'_>, shown: &Shown) -> Result<(), ApiError> {
    let Some(index) = source.index else {
        return Ok(());
    };
    let more: &[String] = match &index.projection {
        IndexProjection::All => return Ok(()),
        IndexProjection::KeysOnly => &[],
        IndexProjection::Include(names) => names,
    };
    let names: Vec<&str> = match shown {
        Shown::Count | Shown::Whole => return Ok(()),
        Shown::Part(projection) => projection.names().collect(),
        Shown::Names(names) => names.iter().map(String::as_str).collect(),
    };
    let is_held = |name: &str| {
        let is_key = index.keys.has(name) || source.table.keys.has(name);
        is_key || more.iter().any(|it| it == name)
    };
    let missing: Vec<&str> = names.into_iter().filter(|name| !is_held(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(error::invalid_values(format!(
        "Global secondary index {} does not project [{}]",
        index.name,
        missing.join(", ")
    )))
}

/// The rows that a key condition is about.
fn range(
    source: Source<'_>,
    wanted: &KeyCondition,
    is_forward: Option<Boolean>,
) -> Result<Range, ApiError> {
    let keys = source.keys();
    let checked = |value| keys.hash.checked(value).map_err(error::key);
    let has_more = keys.range.is_some() || source.index.is_some();
    let mut hash = source.id().to_be_bytes().to_vec();
    let place = if has_more {
        Place::InFront
    } else {
        Place::AtTheEnd
    };
    key_order::push(&mut hash, checked(&wanted.hash)?, place);
    let all_after = after_all_with(&hash).map(Bytes::from);
    let (from, to) = match (&keys.range, &wanted.range) {
        (None, _) if source.index.is_none() => {
            let row = Bytes::from(hash);
            (row.clone(), Some(key_after(&row)))
        }
        (None, _) | (_, RangeCondition::All) => (Bytes::from(hash), all_after),
        (Some(attribute), condition) => {
            let bounds = Bounds {
                hash: &hash,
                place: if source.index.is_some() {
                    Place::InFront
                } else {
                    Place::AtTheEnd
                },
            };
            let checked = |value| attribute.checked(value).map_err(error::key);
            let whole = (Bytes::from(hash.clone()), all_after);
            bounds.of(condition, whole, checked)?
        }
    };
    Ok(Range {
        from,
        to,
        is_backward: is_forward == Some(Boolean(false)),
    })
}

/// The ends of a part of the rows of a hash key.
struct Bounds<'a> {
    hash: &'a [u8],
    /// Where in the key the range key stands.
    place: Place,
}

impl Bounds<'_> {
    fn of<'v>(
        &self,
        condition: &'v RangeCondition,
        (first, all_after): (Bytes, Option<Bytes>),
        checked: impl Fn(&'v Value) -> Result<KeyValue<'v>, ApiError>,
    ) -> Result<(Bytes, Option<Bytes>), ApiError> {
        Ok(match condition {
            RangeCondition::All => (first, all_after),
            RangeCondition::Compare(how, value) => {
                let value = checked(value)?;
                match how {
                    Comparison::Equal => (self.first(value), self.after(value)),
                    Comparison::Less => (first, Some(self.first(value))),
                    Comparison::LessOrEqual => (first, self.after(value)),
                    Comparison::Greater => match self.after(value) {
                        Some(after) => (after, all_after),
                        None => (first.clone(), Some(first)),
                    },
                    Comparison::GreaterOrEqual => (self.first(value), all_after),
                    Comparison::NotEqual => {
                        return Err(error::invalid("Query key condition not supported"));
                    }
                }
            }
            RangeCondition::Between(low, high) => {
                (self.first(checked(low)?), self.after(checked(high)?))
            }
            RangeCondition::BeginsWith(value) => {
                let KeyValue::Bytes(beginning) = checked(value)? else {
                    return Err(error::invalid("Query key condition not supported"));
                };
                let mut row = self.hash.to_vec();
                key_order::push_beginning(&mut row, beginning, self.place);
                let after = after_all_with(&row).map(Bytes::from);
                (Bytes::from(row), after)
            }
        })
    }

    /// The first row with this range key, or where it would be.
    fn first(&self, value: KeyValue<'_>) -> Bytes {
        let mut row = self.hash.to_vec();
        key_order::push(&mut row, value, self.place);
        Bytes::from(row)
    }

    /// The first row after those with this range key.
    fn after(&self, value: KeyValue<'_>) -> Option<Bytes> {
        let row = self.first(value);
        match self.place {
            Place::AtTheEnd => Some(key_after(&row)),
            Place::InFront => after_all_with(&row).map(Bytes::from),
        }
    }
}
