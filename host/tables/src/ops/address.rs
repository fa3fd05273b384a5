//! From the member that names a table to its address, for those who may: the only way of the
//! operations to it. Whether a request may do what it asks for is decided before it learns
//! anything of the table, also that there is none.

use std::fmt;

use types::{AccountId, Caller, Region};
use wire::members::Text;
use wire::{ApiError, Requester, Target};

use super::error;
use crate::schema::TableName;
use crate::table::TableAddress;

/// What an index of a table is called in policies.
struct IndexArn<'a> {
    table: &'a TableAddress,
    index: &'a str,
}

impl fmt::Display for IndexArn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/index/{}", self.table, self.index)
    }
}

/// The address of the table that a member names, by its name or by its ARN, for a request that may
/// do there what it asks for.
///
/// # Errors
/// It names none, or a policy does not let the request.
pub fn table(name: &Option<Text<'_>>, by: &Requester) -> Result<TableAddress, ApiError> {
    let address = parse(name, by)?;
    by.permit(&Target::named(&address, address.owner.account))?;
    here(address, by)
}

/// The same for a request about an index of the table.
///
/// # Errors
/// As [`table`].
pub fn index(
    name: &Option<Text<'_>>,
    index: Option<&str>,
    by: &Requester,
) -> Result<TableAddress, ApiError> {
    let Some(index) = index else {
        return table(name, by);
    };
    let address = parse(name, by)?;
    let arn = IndexArn {
        table: &address,
        index,
    };
    by.permit(&Target::named(&arn, address.owner.account))?;
    here(address, by)
}

/// A request is for one region, and no other is looked into.
fn here(address: TableAddress, by: &Requester) -> Result<TableAddress, ApiError> {
    if address.owner.region == by.region {
        Ok(address)
    } else {
        Err(error::no_table())
    }
}

fn parse(name: &Option<Text<'_>>, by: &Requester) -> Result<TableAddress, ApiError> {
    let Some(name) = name else {
        return Err(error::invalid(
            "The parameter 'TableName' is required but was not present in the request",
        ));
    };
    if name.starts_with("arn:") {
        return parse_arn(name).ok_or_else(|| {
            let what = format!("Invalid table ARN: {}", name.as_str());
            error::invalid_values(what)
        });
    }
    Ok(TableAddress {
        owner: Caller::clone(by),
        name: TableName::parse(name).map_err(|why| error::invalid(why.0))?,
    })
}

fn parse_arn(arn: &str) -> Option<TableAddress> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "dynamodb", region, account, resource] = parts[..] else {
        return None;
    };
    let region = Region::parse(region).ok()?;
    let owner = Caller {
        account: AccountId::parse(account).ok()?,
        region,
    };
    let name = TableName::parse(resource.strip_prefix("table/")?).ok()?;
    (partition == owner.region.partition()).then_some(TableAddress { owner, name })
}
