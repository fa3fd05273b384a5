//! What plugins are called.

use std::fmt;

use types::Invalid;

use crate::printable::printable;

/// Characters of a plugin's name. A transform names its plugin as the function of a Lambda ARN,
/// which has as many (Lambda, CreateFunction, FunctionName).
pub const NAME_CHARS_MAX: usize = 64;

/// A plugin's name: that of its folder, or of its file without `.wasm`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PluginName(String);

impl PluginName {
    /// 1 to 64 letters, digits, `-` and `_`, as Lambda names functions: none is a path. None begins
    /// with a `-`, as a command would take that for an option.
    ///
    /// # Errors
    /// A sentence that says which of these rules is not kept.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let fits = (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed);
        let rule = if text.starts_with('-') {
            "a plugin's name does not begin with '-'".to_owned()
        } else if fits {
            return Ok(Self(text.to_owned()));
        } else {
            format!("a plugin's name is 1 to {NAME_CHARS_MAX} letters, digits, '-' and '_'")
        };
        let shown = printable(text, NAME_CHARS_MAX);
        Err(Invalid(format!("{rule}, and '{shown}' is none")))
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
    fn a_name_is_one_that_lambda_takes_and_no_path() {
        for good in [
            "a",
            "parse-access-log",
            "v2",
            "Parse_Log",
            "_",
            &"x".repeat(64),
        ] {
            assert_eq!(PluginName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a/b", "..", "a.b", "é", "a\n", &"x".repeat(65)] {
            let Invalid(why) = PluginName::parse(bad).unwrap_err();
            assert!(
                why.contains("1 to 64 letters, digits, '-' and '_'"),
                "{why}"
            );
            assert!(!why.contains('\n'), "{why}");
        }
        let Invalid(why) = PluginName::parse("-v").unwrap_err();
        assert_eq!(
            why,
            "a plugin's name does not begin with '-', and '-v' is none"
        );
    }
}
