//! How all operations change the configuration of an application: from the version that the client
//! knows to the next one, or not at all.

use std::sync::Arc;

use wire::members::{Integer, Text};
use wire::{ApiError, Requester};

use super::model::{V1, V2};
use super::{described, error, find, program};
use crate::Analytics;
use crate::application::{Application, Configuration, Lineage};
use crate::catalog::Replacement;
use crate::limits::{
    CONFIGURATION_BYTES_MAX, INPUTS_MAX, LOGGING_OPTIONS_MAX, OUTPUTS_MAX, REFERENCES_MAX,
    VERSION_MAX,
};
use crate::rows;

/// What the client says of the application that it wants to change.
pub struct Known<'a> {
    /// CurrentApplicationVersionId.
    pub version: Option<Integer>,
    /// ConditionalToken.
    pub token: Option<&'a str>,
}

impl<'a> Known<'a> {
    /// By its version alone.
    pub fn version(version: Option<Integer>) -> Self {
        Self {
            version,
            token: None,
        }
    }

    /// By its version or by a token for it.
    pub fn either(version: Option<Integer>, token: &'a Option<Text<'_>>) -> Self {
        Self {
            version,
            token: token.as_ref().map(Text::as_str),
        }
    }

    fn check(&self, application: &Application) -> Result<(), ApiError> {
        let (name, current) = (&application.arn.name, application.version);
        match (self.version, self.token) {
            (None, None) => Err(error::invalid_argument(
                "Either CurrentApplicationVersionId or ConditionalToken must be provided.",
            )),
            (Some(Integer(said)), _) if u64::try_from(said) != Ok(current) => {
                Err(error::concurrent(format!(
                    "The current version of application {name} is {current}, and the request is \
                     for version {said}."
                )))
            }
            (_, Some(said)) if said != described::token(application) => {
                Err(error::concurrent(format!(
                    "The ConditionalToken is not that of the current state of application {name}."
                )))
            }
            _ => Ok(()),
        }
    }
}

/// An application on its way to another version.
pub struct Edit<'a> {
    analytics: &'a Analytics,
    before: Arc<Application>,
    after: Application,
}

impl<'a> Edit<'a> {
    /// Begins to change the application of a name, if it is as the client knows it.
    pub fn begin<const MODEL: u16>(
        analytics: &'a Analytics,
        by: &Requester,
        name: &str,
        known: &Known<'_>,
    ) -> Result<Self, ApiError> {
        let before = find::<MODEL>(analytics, by, name)?;
        described::check_at_rest(analytics, &before)?;
        known.check(&before)?;
        if before.version >= VERSION_MAX {
            return Err(error::invalid_argument(format!(
                "Application {name} has had as many versions as an application may have."
            )));
        }
        let mut after = Application::clone(&before);
        after.version += 1;
        after.is_of_version_2 |= MODEL == V2;
        after.lineage = Lineage {
            updated_from: Some(before.version),
            ..Lineage::default()
        };
        Ok(Self {
            analytics,
            before,
            after,
        })
    }

    /// The application as it is.
    pub fn before(&self) -> &Application {
        &self.before
    }

    /// The application as it shall be.
    pub fn application(&mut self) -> &mut Application {
        &mut self.after
    }

    /// The configuration as it shall be.
    pub fn configuration(&mut self) -> &mut Configuration {
        &mut self.after.configuration
    }

    /// The id of the one thing that comes with this version.
    pub fn new_id(&self) -> String {
        new_id(self.after.version, 0)
    }

    /// Keeps the new version; the application as it is then.
    pub async fn keep(self, operation: &'static str) -> Result<Arc<Application>, ApiError> {
        check(&self.after.configuration)?;
        let (before, after) = (&self.before.configuration, &self.after.configuration);
        let is_same_program = before.code == after.code
            && before.inputs == after.inputs
            && before.references == after.references;
        if !is_same_program {
            program::check(self.analytics, after).await?;
        }
        let arn = self.before.arn.clone();
        let replaced = self.analytics.catalog.replace(Replacement {
            before: self.before,
            after: self.after,
            operation: Some(operation),
        });
        replaced.await.map_err(|error| error::change(error, &arn))
    }
}

/// The id of the `index`th thing of its kind that comes with a version.
pub fn new_id(version: u64, index: usize) -> String {
    format!("{version}.{}", index + 1)
}

/// Whether a configuration keeps the limits.
pub fn check(configuration: &Configuration) -> Result<(), ApiError> {
    let Configuration {
        inputs,
        outputs,
        references,
        logging,
        ..
    } = configuration;
    let limits = [
        (inputs.len(), INPUTS_MAX, "inputs"),
        (outputs.len(), OUTPUTS_MAX, "outputs"),
        (references.len(), REFERENCES_MAX, "reference data sources"),
        (
            logging.len(),
            LOGGING_OPTIONS_MAX,
            "CloudWatch logging options",
        ),
    ];
    if let Some((count, max, what)) = limits.into_iter().find(|(count, max, _)| count > max) {
        return Err(error::invalid_argument(format!(
            "An application cannot have more than {max} {what}, and would have {count}."
        )));
    }
    if !rows::fits(configuration) {
        return Err(error::invalid_argument(format!(
            "The configuration of an application cannot have more than {CONFIGURATION_BYTES_MAX} \
             bytes."
        )));
    }
    Ok(())
}

/// Refuses version 1 what version 2 has made or changed.
pub fn check_model<const MODEL: u16>(application: &Application) -> Result<(), ApiError> {
    if MODEL == V1 && application.is_of_version_2 {
        Err(error::of_version_2(application.arn.name.as_str()))
    } else {
        Ok(())
    }
}
