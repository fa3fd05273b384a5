//! The model's constraints on members that several operations share, and what differs between the
//! versions of the model. Those of one operation stand in its own file.

use wire::shape::pattern::{self, analytics};
use wire::shape::{NumberRule, TextRule};

use super::model::V1;
use crate::limits::APPLICATION_NAME_CHARS_MAX;

pub const NAME: TextRule = TextRule::chars(1, APPLICATION_NAME_CHARS_MAX).matching(pattern::NAME);
pub const DESCRIPTION: TextRule = TextRule::chars(0, 1024);
pub const VERSION_ID: NumberRule = NumberRule::within(1, 999_999_999);
pub const TOKEN: TextRule = TextRule::chars(1, 512).matching(analytics::TOKEN);
pub const NEXT_TOKEN: TextRule = TextRule::chars(1, 512);
pub const PAGE_LIMIT: NumberRule = NumberRule::within(1, 50);
pub const ID: TextRule = TextRule::chars(1, 50).matching(pattern::NAME);
pub const CODE: TextRule = TextRule::chars(0, 102_400);
pub const RESOURCE_ARN: TextRule = TextRule::chars(1, 2048).matching(analytics::ARN);
pub const TABLE_NAME: TextRule = TextRule::chars(1, 32);
pub const FILE_KEY: TextRule = TextRule::chars(1, 1024);
pub const FORMAT: TextRule = TextRule::one_of(&["JSON", "CSV"]);
pub const PARALLELISM: NumberRule = NumberRule::within(1, 64);
pub const STARTING_POSITION: TextRule =
    TextRule::one_of(&["NOW", "TRIM_HORIZON", "LAST_STOPPED_POINT"]);

pub const SNAPSHOT_NAME: TextRule = TextRule::chars(1, 256).matching(pattern::NAME);
pub const OPERATION: TextRule = TextRule::chars(1, 64);
pub const OPERATION_STATUS: TextRule =
    TextRule::one_of(&["IN_PROGRESS", "CANCELLED", "SUCCESSFUL", "FAILED"]);

/// The constraints that the versions do not share.
pub struct Rules {
    pub role: TextRule,
    pub application_arn: TextRule,
    pub stream_name: TextRule,
    pub column_name: TextRule,
    pub mapping: TextRule,
    pub sql_type: TextRule,
    pub encoding: TextRule,
    pub delimiter: TextRule,
    pub row_path: TextRule,
}

/// The constraints of a version.
pub const fn rules(model: u16) -> Rules {
    if model == V1 {
        Rules {
            role: TextRule::chars(1, 2048).matching(analytics::ROLE_ARN),
            application_arn: TextRule::chars(1, 2048).matching(analytics::APPLICATION_ARN),
            stream_name: TextRule::chars(1, 32),
            column_name: TextRule::ANY,
            mapping: TextRule::ANY,
            sql_type: TextRule::chars(1, usize::MAX),
            encoding: TextRule::ANY.matching(analytics::UTF_8),
            delimiter: TextRule::chars(1, usize::MAX),
            row_path: TextRule::chars(1, usize::MAX),
        }
    } else {
        Rules {
            role: RESOURCE_ARN,
            application_arn: RESOURCE_ARN,
            stream_name: TextRule::chars(1, 32).matching(analytics::SQL_NAME),
            column_name: TextRule::chars(1, 256).matching(analytics::SQL_NAME),
            mapping: TextRule::chars(0, 65_535),
            sql_type: TextRule::chars(1, 100),
            encoding: TextRule::chars(5, 5).matching(analytics::UTF_8),
            delimiter: TextRule::chars(1, 1024),
            row_path: TextRule::chars(1, 65_535).matching(analytics::ROW_PATH),
        }
    }
}
