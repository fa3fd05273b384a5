//! The operations of Kinesis Data Analytics: one file each, with its shape, its checks, its work
//! and its answer, in both versions of the service's model (`model`). What they share: the shapes
//! on the way in, `edit` for what changes a configuration, `described` and `error` on the way out.

pub mod add_application_cloud_watch_logging_option;
pub mod add_application_input;
pub mod add_application_input_processing_configuration;
pub mod add_application_output;
pub mod add_application_reference_data_source;
pub mod create_application;
pub mod create_application_snapshot;
pub mod delete_application;
pub mod delete_application_cloud_watch_logging_option;
pub mod delete_application_input_processing_configuration;
pub mod delete_application_output;
pub mod delete_application_reference_data_source;
pub mod delete_application_snapshot;
pub mod describe_application;
pub mod describe_application_operation;
pub mod describe_application_snapshot;
pub mod describe_application_version;
pub mod discover_input_schema;
pub mod flink_only;
pub mod list_application_operations;
pub mod list_application_snapshots;
pub mod list_application_versions;
pub mod list_applications;
pub mod list_tags_for_resource;
pub mod model;
pub mod rollback_application;
pub mod start_application;
pub mod stop_application;
pub mod tag_resource;
pub mod untag_resource;
pub mod update_application;

mod answers;
mod code_shapes;
mod described;
mod described_parts;
mod edit;
mod error;
mod input_shapes;
mod logging_shapes;
mod output_shapes;
mod page;
mod program;
mod reference_shapes;
mod resources;
mod rules;
mod schema;
mod shapes;

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::{ApiError, Requester, Target};

use crate::Analytics;
use crate::application::{Application, Phase};
use crate::arn::{ApplicationArn, ApplicationName};
use crate::directory::Listed;

/// The address of a name of this caller.
fn address(by: &Requester, name: &str) -> Result<ApplicationArn, ApiError> {
    Ok(ApplicationArn {
        owner: types::Caller::clone(by),
        name: ApplicationName::parse(name).map_err(|e| ApiError::validation(e.to_string()))?,
    })
}

/// What is at an address, if the request may do there what it asks for: this is decided before it
/// learns anything of it, also that there is nothing.
fn enter(
    analytics: &Analytics,
    by: &Requester,
    arn: &ApplicationArn,
) -> Result<Option<Listed>, ApiError> {
    let listed = analytics.directory.find(arn);
    by.permit(&Target {
        tags: listed.as_ref().and_then(labels),
        ..Target::named(arn, arn.owner.account)
    })?;
    Ok(listed)
}

fn labels(listed: &Listed) -> Option<&BTreeMap<String, String>> {
    match listed {
        Listed::Application(application) => Some(&application.tags),
        Listed::Unreadable(_) => None,
    }
}

/// The application of that name of this caller, in any state of its life but the last, if this
/// version of the model may look at it.
fn find<const MODEL: u16>(
    analytics: &Analytics,
    by: &Requester,
    name: &str,
) -> Result<Arc<Application>, ApiError> {
    let application = find_at(analytics, by, &address(by, name)?)?;
    edit::check_model::<MODEL>(&application)?;
    Ok(application)
}

fn find_at(
    analytics: &Analytics,
    by: &Requester,
    arn: &ApplicationArn,
) -> Result<Arc<Application>, ApiError> {
    match enter(analytics, by, arn)? {
        Some(Listed::Application(application)) => Ok(application),
        Some(Listed::Unreadable(unreadable)) => Err(error::unreadable(&unreadable)),
        None => Err(error::not_found(by, arn.name.as_str())),
    }
}

/// The application that an ARN names, whose labels are to be told or changed.
fn find_by_arn(
    analytics: &Analytics,
    by: &Requester,
    text: &str,
) -> Result<Arc<Application>, ApiError> {
    let invalid = |_| error::invalid_argument(format!("{text} is not the ARN of an application."));
    let arn = ApplicationArn::parse(text).map_err(invalid)?;
    if arn.owner != **by {
        // It is asked for all the same, so that nobody learns what others have.
        by.permit(&Target::named(&arn, arn.owner.account))?;
        return Err(error::not_found(by, arn.name.as_str()));
    }
    find_at(analytics, by, &arn)
}

/// Refuses to change an application that is being deleted.
fn check_not_deleting(application: &Application) -> Result<(), ApiError> {
    match application.phase {
        Phase::Ready | Phase::Running => Ok(()),
        Phase::Deleting => Err(error::in_use(application.arn.name.as_str(), "DELETING")),
    }
}
