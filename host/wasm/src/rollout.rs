//! `[rollout]` of a manifest: how carefully a version takes the place of another; and what the
//! operator says to that.

use serde::Deserialize;
use types::Invalid;

/// Records of which the outcome must be known before a share of failed ones means something, unless
/// the manifest says otherwise.
const RECORDS_MIN_DEFAULT: u64 = 1_000;
/// Records of a shadow run. More take a while, in which the version before goes on.
pub const SHADOW_RECORDS_MAX: u32 = 100_000;

/// What an author asks for. What is not there is not done, unless the operator says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// The share of lanes, in percent, that go by a newly deployed version until an operator
    /// promotes it.
    pub canary_percent: Option<u8>,
    /// The share of failed records, in percent, above which the version before is put in force
    /// again.
    pub failed_percent_max: Option<u8>,
    /// Records of which the outcome must be known before.
    pub records_min: Option<u64>,
    /// Retained records that go through the version in force and the new one before a swap.
    pub shadow_records: Option<u32>,
    /// The share of those, in percent, that may fail in the new one. Above it is refused.
    pub shadow_failed_percent_max: Option<u8>,
}

/// What the operator says for all plugins. An author may be stricter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolloutRules {
    /// The share of failed records, in percent, that no version may pass; `None`: authors decide.
    pub failed_percent_max: Option<u8>,
    /// Records of a shadow run where the manifest says nothing.
    pub shadow_records: u32,
    /// Whether pages show the bytes of records whose outcome differs in a shadow run. Else they
    /// show sizes and hashes.
    pub shadow_samples: bool,
}

/// When the version before is put in force again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrialTerms {
    /// The share of failed records, in percent, that may not be passed.
    pub(crate) failed_percent_max: u8,
    /// Records of which the outcome must be known before.
    pub(crate) records_min: u64,
}

impl Rollout {
    /// Checks what a manifest says.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        let within = |key: &str, value: Option<u8>, min: u8, max: u8| match value {
            Some(value) if !(min..=max).contains(&value) => Err(Invalid(format!(
                "plugin.toml: rollout.{key} is {value}, not {min} to {max}"
            ))),
            _ => Ok(()),
        };
        within("canary_percent", self.canary_percent, 1, 99)?;
        within("failed_percent_max", self.failed_percent_max, 0, 99)?;
        let shadow = self.shadow_failed_percent_max;
        within("shadow_failed_percent_max", shadow, 0, 99)?;
        match self {
            Self {
                records_min: Some(0),
                ..
            } => Err(Invalid("plugin.toml: rollout.records_min is 0".to_owned())),
            Self {
                shadow_records: Some(records),
                ..
            } if *records > SHADOW_RECORDS_MAX => Err(Invalid(format!(
                "plugin.toml: rollout.shadow_records is {records}, more than {SHADOW_RECORDS_MAX}"
            ))),
            _ => Ok(()),
        }
    }

    /// When the version before is put in force again, if ever. The stricter share counts.
    pub(crate) fn trial(&self, rules: &RolloutRules) -> Option<TrialTerms> {
        let shares = [self.failed_percent_max, rules.failed_percent_max];
        Some(TrialTerms {
            failed_percent_max: shares.into_iter().flatten().min()?,
            records_min: self.records_min.unwrap_or(RECORDS_MIN_DEFAULT),
        })
    }

    /// Records of a shadow run; 0: there is none.
    pub(crate) fn shadow_records(&self, rules: &RolloutRules) -> u32 {
        self.shadow_records.unwrap_or(rules.shadow_records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_share_of_author_and_operator_counts() {
        let share = |authors, operators| {
            let rollout = Rollout {
                failed_percent_max: authors,
                ..Rollout::default()
            };
            let rules = RolloutRules {
                failed_percent_max: operators,
                ..RolloutRules::default()
            };
            let trial = rollout.trial(&rules);
            trial.map(|terms| terms.failed_percent_max)
        };
        assert_eq!(share(None, None), None);
        assert_eq!(share(Some(5), None), Some(5));
        assert_eq!(share(None, Some(7)), Some(7));
        assert_eq!(share(Some(5), Some(7)), Some(5));
        assert_eq!(share(Some(50), Some(7)), Some(7));
    }

    #[test]
    fn a_share_that_is_none_is_named() {
        let nothing = Rollout::default();
        assert_eq!(nothing.check(), Ok(()));
        for (wrong, named) in [
            (
                Rollout {
                    canary_percent: Some(100),
                    ..nothing
                },
                "rollout.canary_percent is 100, not 1 to 99",
            ),
            (
                Rollout {
                    failed_percent_max: Some(100),
                    ..nothing
                },
                "rollout.failed_percent_max is 100, not 0 to 99",
            ),
            (
                Rollout {
                    records_min: Some(0),
                    ..nothing
                },
                "rollout.records_min is 0",
            ),
            (
                Rollout {
                    shadow_records: Some(SHADOW_RECORDS_MAX + 1),
                    ..nothing
                },
                "rollout.shadow_records is 100001, more than 100000",
            ),
            (
                Rollout {
                    shadow_failed_percent_max: Some(200),
                    ..nothing
                },
                "rollout.shadow_failed_percent_max is 200, not 0 to 99",
            ),
        ] {
            let Invalid(why) = wrong.check().unwrap_err();
            assert!(why.contains(named), "{why}");
        }
    }
}
