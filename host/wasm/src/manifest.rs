//! `plugin.toml`: what an author says of a plugin, and what it asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use types::Invalid;

use crate::limits::{Limits, MEBIBYTE};
use crate::name::PluginName;

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
    /// What `millrace plugin build` goes by, which is no matter of the server's.
    #[serde(default, rename = "build")]
    _build: IgnoredAny,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    memory_mib: Option<usize>,
    batch_ms: Option<u64>,
}

impl Manifest {
    /// The manifest of a component without one.
    pub fn bare(name: PluginName, limits: Limits) -> Self {
        Self {
            name,
            version: String::new(),
            config: BTreeMap::new(),
            limits,
        }
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
        Ok(Self {
            name: name.clone(),
            version: manifest.version,
            config: manifest.config,
            limits: limits(&manifest.limits)?,
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
        limits
    }
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    before.bytes().filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_kept_version_has_what_it_asks_for_as_far_as_that_is_allowed_by_now() {
        let name = PluginName::parse("a").unwrap();
        let text = "name = 'a'\nversion = '1'\n[limits]\nmemory_mib = 65\nbatch_ms = 50\n";
        assert!(parse(text).is_err());
        let manifest = Manifest::parse_kept(text, &name, Limits::default()).unwrap();
        assert_eq!(manifest.limits.memory_bytes_max, 64 * MEBIBYTE);
        assert_eq!(manifest.limits.batch_time_max, Duration::from_millis(50));
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
            ("name", "line 1"),
        ] {
            let Invalid(what) = parse(text).unwrap_err();
            assert!(what.contains(named), "{what}");
        }
    }
}
