//! What clients are told: DynamoDB's codes and texts. The one place where the errors of this crate
//! meet them.

use store::{CommitError, StoreError};
use wire::ApiError;

use crate::application::KEY;
use crate::catalog::{ChangeError, INCLUDED_MAX, INDEXES_MAX, TABLES_PER_ACCOUNT_MAX};
use crate::expression::Fault;
use crate::schema::{KeyFault, ROW_KEY_BYTES_MAX};
use crate::table::{Index, TableAddress};
use crate::value::Item;

const RESOURCE_NOT_FOUND: &str = "ResourceNotFoundException";
const RESOURCE_IN_USE: &str = "ResourceInUseException";
const LIMIT_EXCEEDED: &str = "LimitExceededException";
const THROTTLED: &str = "ThrottlingException";
/// What most texts about values begin with.
const INVALID: &str = "One or more parameter values were invalid: ";

/// What the request says is not allowed.
pub fn invalid(what: impl Into<String>) -> ApiError {
    ApiError::validation(what)
}

/// Values that do not fit each other or the table.
pub fn invalid_values(what: impl std::fmt::Display) -> ApiError {
    invalid(format!("{INVALID}{what}"))
}

/// An expression that is none, or cannot be applied.
pub fn expression(fault: Fault) -> ApiError {
    invalid(fault.0)
}

/// A fault of ours or of the disk, logged where it is turned into an answer.
pub fn store(error: StoreError) -> ApiError {
    match error {
        StoreError::Commit(error) => commit(&error),
        error => internal(&error),
    }
}

fn internal(error: &dyn std::fmt::Display) -> ApiError {
    tracing::error!(%error, "an operation on tables failed");
    ApiError::new("InternalServerError", "Internal server error").with_status(500)
}

/// A transaction that did not go through.
pub fn commit(error: &CommitError) -> ApiError {
    match error {
        CommitError::Busy => ApiError::new(THROTTLED, "Rate exceeded."),
        CommitError::DiskFull | CommitError::ReadOnly(_) => {
            tracing::warn!(%error, "a change of a table was not kept");
            ApiError::unavailable("The server keeps nothing new now.")
        }
        CommitError::TooLarge(_) => invalid(
            "Item size has exceeded the maximum allowed size: with its entries in all indexes it \
             is larger than what is kept at once",
        ),
        CommitError::Sealed(_)
        | CommitError::NoLog(_)
        | CommitError::Conflict { .. }
        | CommitError::Key { .. }
        | CommitError::Unknown(_)
        | CommitError::Store(_) => internal(error),
    }
}

/// Others wrote the same item again and again.
pub fn contended() -> ApiError {
    ApiError::new(THROTTLED, "The item is being changed by others. Try again.")
}

/// An operation on items of a table that is not there.
pub fn no_table() -> ApiError {
    ApiError::new(RESOURCE_NOT_FOUND, "Requested resource not found")
}

/// An operation on a table that is not there.
pub fn table_not_found(address: &TableAddress) -> ApiError {
    let name = &address.name;
    let text = format!("Requested resource not found: Table: {name} not found");
    ApiError::new(RESOURCE_NOT_FOUND, text)
}

/// A table that was not changed.
pub fn change(address: &TableAddress, error: ChangeError) -> ApiError {
    let name = &address.name;
    match error {
        ChangeError::TableExists => {
            ApiError::new(RESOURCE_IN_USE, format!("Table already exists: {name}"))
        }
        ChangeError::NoTable => table_not_found(address),
        ChangeError::TooManyTables => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "Subscriber limit exceeded: There is a limit of {TABLES_PER_ACCOUNT_MAX} tables \
                 per subscriber"
            ),
        ),
        ChangeError::TooManyIndexes => invalid_values(format!(
            "Number of GlobalSecondaryIndexes exceeds per-table limit of {INDEXES_MAX}"
        )),
        ChangeError::Protected => invalid(
            "Resource cannot be deleted as it is currently protected against deletion. Disable \
             deletion protection first.",
        ),
        ChangeError::TooManyIncluded => invalid_values(format!(
            "Number of NonKeyAttributes of all indexes exceeds the limit of {INCLUDED_MAX}"
        )),
        ChangeError::IndexExists => invalid("Attempting to create an index which already exists"),
        ChangeError::NoIndex => ApiError::new(RESOURCE_NOT_FOUND, "Requested resource not found"),
        ChangeError::Updating => ApiError::new(
            LIMIT_EXCEEDED,
            "Subscriber limit exceeded: Only 1 online index can be created or deleted \
             simultaneously per table",
        ),
        ChangeError::OfApplications => invalid_values(format!(
            "Table {name} has the key of applications of this server, the one attribute {KEY} of \
             bytes; they know of no indexes"
        )),
        ChangeError::Commit(error) => commit(&error),
        ChangeError::Closing => ApiError::unavailable("The server is shutting down."),
    }
}

/// An item's key that does not fit the table.
pub fn key(fault: KeyFault<'_>) -> ApiError {
    match fault {
        KeyFault::Missing(it) => invalid_values(format!("Missing the key {} in the item", it.name)),
        KeyFault::WrongType(it, found) => invalid_values(format!(
            "Type mismatch for key {} expected: {} actual: {found}",
            it.name,
            it.kind.as_str()
        )),
        KeyFault::Empty(it) => invalid(format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute \
             cannot contain an empty {} value. Key: {}",
            if it.kind.as_str() == "S" {
                "string"
            } else {
                "binary"
            },
            it.name
        )),
        KeyFault::TooLong => key_too_long(),
    }
}

/// A key that is longer than there is room for.
pub fn key_too_long() -> ApiError {
    invalid_values(format!(
        "Size of key exceeds what this server keeps, {ROW_KEY_BYTES_MAX} bytes with those of the \
         index that it is in"
    ))
}

/// Members that should be a key, and only that.
pub fn no_key() -> ApiError {
    invalid("The provided key element does not match the schema")
}

/// An attribute that does not fit an index.
pub fn index_key(index: &Index, fault: KeyFault<'_>) -> ApiError {
    let name = &index.name;
    match fault {
        KeyFault::WrongType(it, found) => invalid_values(format!(
            "Type mismatch for Index Key {} Expected: {} Actual: {found} IndexName: {name}",
            it.name,
            it.kind.as_str()
        )),
        KeyFault::Empty(it) => invalid(format!(
            "One or more parameter values are not valid. A value specified for a secondary index \
             key is not supported. The AttributeValue for a key attribute cannot contain an empty \
             {} value. IndexName: {name}, IndexKey: {}",
            if it.kind.as_str() == "S" {
                "string"
            } else {
                "binary"
            },
            it.name
        )),
        KeyFault::TooLong => key_too_long(),
        // An item without the attribute is not in the index.
        KeyFault::Missing(it) => internal(&format!("{name} has no {}", it.name)),
    }
}

/// An index that a table does not have.
pub fn no_index(name: &str) -> ApiError {
    invalid(format!(
        "The table does not have the specified index: {name}"
    ))
}

/// A condition that does not hold, with the item if it is asked for.
pub fn condition_failed(item: Option<&Item>) -> ApiError {
    let text = "The conditional request failed";
    let error = ApiError::new("ConditionalCheckFailedException", text);
    match item {
        Some(item) => error.with_detail("Item", item).unwrap_or_else(|why| why),
        None => error,
    }
}

/// A member that asks for what tables of this server do not have.
pub fn not_here(member: &str) -> ApiError {
    invalid_values(format!("{member} is not supported by this server"))
}
