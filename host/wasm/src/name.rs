//! What plugins are called.

use std::fmt;

use types::Invalid;

/// Characters of a plugin's name. A transform names its plugin as the function of a Lambda ARN,
/// which has as many (Lambda, CreateFunction, FunctionName).
pub const NAME_CHARS_MAX: usize = 64;

/// A plugin's name: that of its folder, or of its file without `.wasm`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PluginName(String);

impl PluginName {
    /// 1 to 64 characters of `[a-z0-9-]`: no two names look alike, and none is a path.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=NAME_CHARS_MAX).contains(&text.len());
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        match fits && text.bytes().all(allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid(format!(
                "plugin name '{}' is not 1 to {NAME_CHARS_MAX} characters of a-z, 0-9 and '-'",
                text.escape_default()
            ))),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lower_case_and_no_path() {
        for good in ["a", "parse-access-log", "v2", &"x".repeat(64)] {
            assert_eq!(PluginName::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "A",
            "a_b",
            "a/b",
            "..",
            "a.b",
            "é",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(PluginName::parse(bad).is_err(), "{bad}");
        }
    }
}
