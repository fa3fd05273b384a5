//! ListApplicationOperations.

use serde::{Deserialize, Serialize};
use types::Timestamp;
use wire::members::{Integer, Text, Time};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::describe_application_operation::SUCCESSFUL;
use super::model::V2;
use super::rules::{NAME, NEXT_TOKEN, OPERATION, OPERATION_STATUS, PAGE_LIMIT};
use super::shapes::required;
use super::{answers, error, find, page};
use crate::Analytics;
use crate::rows;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    limit: Option<Integer>,
    #[serde(borrow)]
    next_token: Option<Text<'a>>,
    #[serde(borrow)]
    operation: Option<Text<'a>>,
    #[serde(borrow)]
    operation_status: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        check.optional("Limit", &self.limit, PAGE_LIMIT);
        check.optional("NextToken", &self.next_token, NEXT_TOKEN);
        check.optional("Operation", &self.operation, OPERATION);
        check.optional("OperationStatus", &self.operation_status, OPERATION_STATUS);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    application_operation_info_list: Vec<Info>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    operation: String,
    operation_id: String,
    start_time: Time,
    end_time: Time,
    operation_status: &'static str,
}

/// Gives the operations on an application that are remembered, the newest first. All have gone
/// well: what does not changes nothing.
pub async fn handle(analytics: &Analytics, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.application_name)?;
    let (limit, from) = (page::limit(input.limit)?, page::token(&input.next_token)?);
    let application = find::<V2>(analytics, &call.caller, name)?;
    let all = rows::operations_of(&*analytics.ground.engine, application.id).await;
    let all = all.map_err(|error| error::store("read operations on an application", &error))?;
    let (operation, status) = (&input.operation, &input.operation_status);
    let mut found = all.into_iter().filter(|(number, kept)| {
        from.is_none_or(|from| *number <= from)
            && operation
                .as_ref()
                .is_none_or(|it| it.as_str() == kept.operation)
            && status.as_ref().is_none_or(|it| it.as_str() == SUCCESSFUL)
    });
    let infos = found.by_ref().take(limit).map(|(number, kept)| Info {
        operation: kept.operation,
        operation_id: answers::operation_id(number),
        start_time: Time(Timestamp(kept.at_ms)),
        end_time: Time(Timestamp(kept.at_ms)),
        operation_status: SUCCESSFUL,
    });
    call.answer(&Output {
        application_operation_info_list: infos.collect(),
        next_token: found.next().map(|(number, _)| number.to_string()),
    })
}
