//! `plugin.toml`: what an author says of a plugin, and what it asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use types::Invalid;

use crate::application::{Application, Grants};
use crate::cpu_shares::lower;
use crate::limits::{Limits, MEBIBYTE};
use crate::name::PluginName;
use crate::role::Role;
use crate::rollout::Rollout;

/// A manifest. A bare component has the one of [`Manifest::bare`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Must be the folder's.
    pub name: PluginName,
    /// The author's version, for people; versions are told apart by their content.
    pub version: String,
    /// What `context.config` answers.
    pub config: BTreeMap<String, String>,
    /// The operator's limits, or less where the plugin asks for less.
    pub limits: Limits,
    /// What it asks to write to and to read.
    pub grants: Grants,
    /// The application that it is by itself.
    pub application: Option<Application>,
    /// How carefully a version takes the place of another.
    pub rollout: Rollout,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    name: String,
    version: String,
    #[serde(default)]
    config: BTreeMap<String, String>,
    #[serde(default)]
    limits: Asked,
    #[serde(default)]
    grants: Grants,
    application: Option<Application>,
    #[serde(default)]
    rollout: Rollout,
    /// What `millrace plugin build` goes by, which is no matter of the server's.
    #[serde(default, rename = "build")]
    _build: IgnoredAny,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    memory_mib: Option<usize>,
    batch_ms: Option<u64>,
    cpu_ms_per_second: Option<u32>,
}

impl Manifest {
    /// The manifest of a component without one.
    pub fn bare(name: PluginName, limits: Limits) -> Self {
        Self {
            name,
            version: String::new(),
            config: BTreeMap::new(),
            limits,
            grants: Grants::default(),
            application: None,
            rollout: Rollout::default(),
        }
    }

    /// Refuses what only a consumer may ask for.
    pub(crate) fn check_role(&self, role: Role) -> Result<(), String> {
        let asked = match role {
            Role::Consumer => None,
            Role::Transform if self.application.is_some() => Some("[application]"),
            Role::Transform => self.grants.of_consumers(),
        };
        let Some(asked) = asked else {
            return Ok(());
        };
        Err(format!(
            "plugin.toml: {asked} is for consumers, and the component is a transform"
        ))
    }

    /// Reads the manifest in the folder `name`.
    ///
    /// # Errors
    /// A sentence that names the line and the key.
    pub fn parse(text: &str, name: &PluginName, limits: Limits) -> Result<Self, Invalid> {
        Self::read(text, name, |asked| asked.within(limits))
    }

    /// Reads the manifest of a version that was taken once. It may ask for more than the operator
    /// allows by now: then it has what the operator allows.
    ///
    /// # Errors
    /// As [`Manifest::parse`].
    pub(crate) fn parse_kept(
        text: &str,
        name: &PluginName,
        limits: Limits,
    ) -> Result<Self, Invalid> {
        Self::read(text, name, |asked| Ok(asked.as_far_as(limits)))
    }

    fn read(
        text: &str,
        name: &PluginName,
        limits: impl FnOnce(&Asked) -> Result<Limits, Invalid>,
    ) -> Result<Self, Invalid> {
        let manifest: Text = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            Invalid(format!("plugin.toml line {line}: {}", error.message()))
        })?;
        if manifest.name != name.as_str() {
            return Err(Invalid(format!(
                "plugin.toml: name is '{}' and its folder is '{name}'",
                manifest.name.escape_default()
            )));
        }
        manifest.rollout.check()?;
        Ok(Self {
            name: name.clone(),
            version: manifest.version,
            config: manifest.config,
            limits: limits(&manifest.limits)?,
            grants: manifest.grants,
            application: manifest.application,
            rollout: manifest.rollout,
        })
    }
}

impl Asked {
    fn within(&self, mut limits: Limits) -> Result<Limits, Invalid> {
        if let Some(mebibytes) = self.memory_mib {
            let bytes = mebibytes.saturating_mul(MEBIBYTE);
            if bytes == 0 || bytes > limits.memory_bytes_max {
                let most = limits.memory_bytes_max / MEBIBYTE;
                return Err(Invalid(format!(
                    "plugin.toml: limits.memory_mib is {mebibytes}, not 1 to {most}, which the \
                     operator allows (memory_mib = {most})"
                )));
            }
            limits.memory_bytes_max = bytes;
        }
        if let Some(millis) = self.batch_ms {
            let most = limits.batch_time_max.as_millis();
            if millis == 0 || u128::from(millis) > most {
                return Err(Invalid(format!(
                    "plugin.toml: limits.batch_ms is {millis}, not 1 to {most}, which the \
                     operator allows (batch_ms = {most})"
                )));
            }
            limits.batch_time_max = Duration::from_millis(millis);
        }
        if let Some(millis) = self.cpu_ms_per_second {
            let most = limits.cpu_ms_per_second;
            if millis == 0 || lower(millis, most) != millis {
                let allowed = match most {
                    0 => "at least 1".to_owned(),
                    most => format!(
                        "1 to {most}, which the operator allows (cpu_ms_per_second = {most})"
                    ),
                };
                return Err(Invalid(format!(
                    "plugin.toml: limits.cpu_ms_per_second is {millis}, not {allowed}"
                )));
            }
            limits.cpu_ms_per_second = millis;
        }
        Ok(limits)
    }

    fn as_far_as(&self, mut limits: Limits) -> Limits {
        if let Some(mebibytes) = self.memory_mib {
            let bytes = mebibytes.saturating_mul(MEBIBYTE);
            limits.memory_bytes_max = limits.memory_bytes_max.min(bytes);
        }
        if let Some(millis) = self.batch_ms {
            limits.batch_time_max = limits.batch_time_max.min(Duration::from_millis(millis));
        }
        if let Some(millis) = self.cpu_ms_per_second {
            limits.cpu_ms_per_second = lower(limits.cpu_ms_per_second, millis);
        }
        limits
    }
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    before.bytes().filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use types::Timestamp;

    use super::*;
    use crate::application::Start;

    fn parse(text: &str) -> Result<Manifest, Invalid> {
        let name = PluginName::parse("a").unwrap();
        Manifest::parse(text, &name, Limits::default())
    }

    #[test]
    fn a_manifest_says_name_version_configuration_and_smaller_limits() {
        let text = "name = 'a'\nversion = '1'\n[config]\nmask = '*'\n\
                    [limits]\nmemory_mib = 8\nbatch_ms = 50\n";
        let manifest = parse(text).unwrap();
        assert_eq!(manifest.version, "1");
        assert_eq!(manifest.config["mask"], "*");
        assert_eq!(manifest.limits.memory_bytes_max, 8 * MEBIBYTE);
        assert_eq!(manifest.limits.batch_time_max, Duration::from_millis(50));
    }

    #[test]
    fn a_consumer_asks_for_tables_and_streams_and_says_what_it_consumes() {
        let text = "name = 'a'\nversion = '1'\n\
                    [grants]\ntables = ['words', 'a.b']\nemit = ['alerts']\n\
                    [application]\nstream = 'clicks'\nstart = '1970-01-01T00:00:01Z'\n\
                    account = '123456789012'\nregion = 'eu-west-1'\nversions = 'latest'\n";
        let manifest = parse(text).unwrap();
        let tables: Vec<&String> = manifest.grants.tables.iter().collect();
        assert_eq!(tables, ["a.b", "words"]);
        let emit: Vec<&str> = manifest.grants.emit.iter().map(|it| it.as_str()).collect();
        assert_eq!(emit, ["alerts"]);
        let application = manifest.application.clone().unwrap();
        assert_eq!(application.stream.as_str(), "clicks");
        assert_eq!(application.start, Start::At(Timestamp(1_000)));
        assert_eq!(application.region.unwrap().as_str(), "eu-west-1");
        assert!(manifest.check_role(Role::Consumer).is_ok());
        let why = manifest.check_role(Role::Transform).unwrap_err();
        assert!(why.contains("[application] is for consumers"), "{why}");
    }

    #[test]
    fn an_application_begins_with_the_oldest_record_and_anywhere_unless_told_otherwise() {
        let text = |start: &str| {
            format!("name = 'a'\nversion = '1'\n[application]\nstream = 'clicks'\n{start}")
        };
        for (start, wanted) in [
            ("", Start::TrimHorizon),
            ("start = 'TRIM_HORIZON'", Start::TrimHorizon),
            ("start = 'LATEST'", Start::Latest),
        ] {
            let application = parse(&text(start)).unwrap().application.unwrap();
            assert_eq!(application.start, wanted);
            assert_eq!((application.account, application.region), (None, None));
        }
    }

    #[test]
    fn a_kept_version_has_what_it_asks_for_as_far_as_that_is_allowed_by_now() {
        let name = PluginName::parse("a").unwrap();
        let text = "name = 'a'\nversion = '1'\n[limits]\nmemory_mib = 65\nbatch_ms = 50\n";
        assert!(parse(text).is_err());
        let manifest = Manifest::parse_kept(text, &name, Limits::default()).unwrap();
        assert_eq!(manifest.limits.memory_bytes_max, 64 * MEBIBYTE);
        assert_eq!(manifest.limits.batch_time_max, Duration::from_millis(50));
    }

    #[test]
    fn a_manifest_says_how_carefully_it_is_rolled_out() {
        let text = "name = 'a'\nversion = '1'\n[rollout]\ncanary_percent = 10\n\
                    failed_percent_max = 5\nrecords_min = 50\nshadow_records = 7\n\
                    shadow_failed_percent_max = 0\n";
        let wanted = Rollout {
            canary_percent: Some(10),
            failed_percent_max: Some(5),
            records_min: Some(50),
            shadow_records: Some(7),
            shadow_failed_percent_max: Some(0),
        };
        assert_eq!(parse(text).unwrap().rollout, wanted);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, named) in [
            (
                "name = 'a'\nversion = '1'\nworld = 'x'\n",
                "line 3: unknown field `world`",
            ),
            ("name = 'a'\n", "missing field `version`"),
            (
                "name = 'b'\nversion = '1'\n",
                "name is 'b' and its folder is 'a'",
            ),
            ("name = 'a'\nversion = 1\n", "line 2"),
            (
                "name = 'a'\nversion = '1'\n[limits]\nfuel = 1\n",
                "line 4: unknown field `fuel`",
            ),
            (
                "name = 'a'\nversion = '1'\n[limits]\nmemory_mib = 65\n",
                "not 1 to 64",
            ),
            (
                "name = 'a'\nversion = '1'\n[limits]\nbatch_ms = 0\n",
                "not 1 to 1000",
            ),
            (
                "name = 'a'\nversion = '1'\n[limits]\ncpu_ms_per_second = 0\n",
                "limits.cpu_ms_per_second is 0, not at least 1",
            ),
            (
                "name = 'a'\nversion = '1'\n[rollout]\nshare = 1\n",
                "line 4: unknown field `share`",
            ),
            (
                "name = 'a'\nversion = '1'\n[rollout]\ncanary_percent = 100\n",
                "rollout.canary_percent is 100, not 1 to 99",
            ),
            ("name", "line 1"),
            (
                "name = 'a'\nversion = '1'\n[grants]\nstreams = []\n",
                "line 4: unknown field `streams`",
            ),
            (
                "name = 'a'\nversion = '1'\n[grants]\ntables = ['ok-ay', 'a b']\n",
                "line 4: a table cannot be called 'a b'",
            ),
            (
                "name = 'a'\nversion = '1'\n[grants]\ntables = ['ab']\n",
                "line 4: a table's name has 2 characters, not 3 to 255",
            ),
            (
                "name = 'a'\nversion = '1'\n[grants]\nemit = ['one', 'one']\n",
                "line 4: 'one' stands there twice",
            ),
        ] {
            let Invalid(what) = parse(text).unwrap_err();
            assert!(what.contains(named), "{what}");
        }
    }

    #[test]
    fn what_is_wrong_of_an_application_is_named_with_its_line() {
        for (text, named) in [
            (
                "name = 'a'\nversion = '1'\n[application]\nstart = 'LATEST'\n",
                "missing field `stream`",
            ),
            (
                "name = 'a'\nversion = '1'\n[application]\nstream = 's'\nstart = 'NOW'\n",
                "line 5: 'NOW' is no start",
            ),
            (
                "name = 'a'\nversion = '1'\n[application]\nstream = 's'\naccount = '1'\n",
                "line 5: ",
            ),
            (
                "name = 'a'\nversion = '1'\n[application]\nstream = 's'\nversions = '1'\n",
                "line 5: unknown variant `1`",
            ),
        ] {
            let Invalid(what) = parse(text).unwrap_err();
            assert!(what.contains(named), "{what}");
        }
    }
}
