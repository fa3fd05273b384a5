//! Scan: all items of a table or an index, or of a segment of it
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html>).

use bytes::Bytes;
use serde::Deserialize;
use store::Key;
use wire::members::{Boolean, Integer, Map, Text};
use wire::shape::{Check, NumberRule, Shape};
use wire::{Answer, ApiError, Call};

use super::conditions::{not_mixed, substitutes};
use super::legacy::{self, FilterCondition};
use super::query::Asks;
use super::results::{self, Range, Source, Wanted};
use super::shapes::{CAPACITY, CONDITIONAL_OPERATOR, INDEX_NAME, Named, SELECT};
use super::{address, error};
use crate::Tables;
use crate::attribute::GivenItem;
use crate::expression::Kind;
use crate::expression::condition;
use crate::pages::range_of;

/// Segments of a scan at most (the page above).
const SEGMENTS_MAX: i64 = 1_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    table_name: Option<Text<'a>>,
    index_name: Option<Text<'a>>,
    attributes_to_get: Option<Vec<Text<'a>>>,
    limit: Option<Integer>,
    select: Option<Text<'a>>,
    scan_filter: Option<Named<FilterCondition>>,
    conditional_operator: Option<Text<'a>>,
    exclusive_start_key: Option<GivenItem>,
    return_consumed_capacity: Option<Text<'a>>,
    total_segments: Option<Integer>,
    segment: Option<Integer>,
    projection_expression: Option<Text<'a>>,
    filter_expression: Option<Text<'a>>,
    expression_attribute_names: Option<Map<'a>>,
    expression_attribute_values: Option<GivenItem>,
    consistent_read: Option<Boolean>,
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
        check.optional(
            "Segment",
            &self.segment,
            NumberRule::within(0, SEGMENTS_MAX - 1),
        );
        check.optional("Select", &self.select, SELECT);
        check.optional(
            "TotalSegments",
            &self.total_segments,
            NumberRule::within(1, SEGMENTS_MAX),
        );
    }
}

/// Gives a page of all items.
///
/// # Errors
/// ResourceNotFoundException, ValidationException.
pub async fn handle(tables: &Tables, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let index = input.index_name.as_ref();
    let address = address::index(&input.table_name, index.map(Text::as_str), &call.caller)?;
    let expressions = [
        ("FilterExpression", input.filter_expression.is_some()),
        (
            "ProjectionExpression",
            input.projection_expression.is_some(),
        ),
    ];
    let older = [
        ("AttributesToGet", input.attributes_to_get.is_some()),
        ("ScanFilter", input.scan_filter.is_some()),
        ("ConditionalOperator", input.conditional_operator.is_some()),
    ];
    not_mixed(&older, &expressions)?;
    let mut substitutes = substitutes(
        input.expression_attribute_names,
        input.expression_attribute_values,
        &expressions,
    )?;
    let segment = segment(input.segment, input.total_segments)?;
    let table = tables.table(&address)?;
    let source = Source::of(&table, index)?;
    if index.is_some() && input.consistent_read == Some(Boolean(true)) {
        let text = "Consistent reads are not supported on global secondary indexes";
        return Err(error::invalid(text));
    }
    let filter = match (input.filter_expression, input.scan_filter) {
        (Some(text), _) => {
            let filter = condition::parse(Kind::Filter, &text, &mut substitutes);
            Some(filter.map_err(error::expression)?)
        }
        (None, Some(all)) => legacy::filter(all, input.conditional_operator.as_ref())?,
        (None, None) => None,
    };
    let asks = Asks {
        select: input.select,
        names: input.attributes_to_get,
        projection: input.projection_expression,
    };
    let shown = asks.shown(source, &mut substitutes)?;
    substitutes.all_used().map_err(error::expression)?;
    let range = segment.range(source.id());
    let range = match input.exclusive_start_key {
        Some(key) => {
            let key = key.checked().map_err(error::invalid)?;
            let row = source.row_of_key(&key)?;
            range.after(row).map_err(|_| outside())?
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

fn outside() -> ApiError {
    error::invalid(
        "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use \
         ExclusiveStartKey with correct Segment. TotalSegments and Segment must be those of the \
         page that it is from",
    )
}

/// A part of a table: the keys between two points of all that keys can be. So a table whose keys
/// begin alike lies in one segment, which is as right as any other division.
struct Segment {
    number: u64,
    total: u64,
}

fn segment(number: Option<Integer>, total: Option<Integer>) -> Result<Segment, ApiError> {
    let (number, total) = match (number, total) {
        (None, None) => (0, 1),
        (Some(Integer(number)), Some(Integer(total))) => (number, total),
        (Some(_), None) => {
            return Err(error::invalid(
                "The TotalSegments parameter is required but was not present in the request when \
                 Segment parameter is present",
            ));
        }
        (None, Some(_)) => {
            return Err(error::invalid(
                "The Segment parameter is required but was not present in the request when \
                 parameter TotalSegments is present",
            ));
        }
    };
    if number >= total {
        return Err(error::invalid(format!(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: \
             Segment: {number} is not less than TotalSegments: {total}"
        )));
    }
    // The shape has refused numbers below zero.
    let [number, total] = [number, total].map(i64::unsigned_abs);
    Ok(Segment { number, total })
}

impl Segment {
    fn range(&self, id: u64) -> Range {
        let (first, end) = range_of(id);
        let at = |number: u64| -> Key {
            let point = number * (1 << 32) / self.total;
            let point = point.to_be_bytes();
            Bytes::from([&first[..], point.get(4..).unwrap_or_default()].concat())
        };
        Range {
            from: if self.number == 0 {
                first.clone()
            } else {
                at(self.number)
            },
            to: if self.number + 1 == self.total {
                end
            } else {
                Some(at(self.number + 1))
            },
            is_backward: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_lie_side_by_side_and_are_all() {
        for total in [1_u64, 2, 3, 1_000, 1_000_000] {
            let mut end = Some(range_of(7).0);
            for number in [0, 1, 2, total / 2, total.saturating_sub(2), total - 1] {
                if number >= total {
                    continue;
                }
                let range = Segment { number, total }.range(7);
                let next = Segment {
                    number: number + 1,
                    total,
                };
                assert!(range.to.as_ref().is_none_or(|to| range.from < *to));
                if number + 1 < total {
                    assert_eq!(range.to, Some(next.range(7).from));
                }
                end = range.to;
            }
            assert_eq!(end, range_of(7).1);
        }
    }
}
