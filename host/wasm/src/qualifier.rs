//! What stands behind a function's name: the number of a version, or an alias.

use std::fmt;

use types::Invalid;

/// Characters of an alias (Lambda model, Alias).
pub const ALIAS_CHARS_MAX: usize = 128;

/// A name that an operator gives to a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AliasName(String);

impl AliasName {
    /// 1 to 128 letters, digits, `-` and `_`, and not digits alone: those are a version's number
    /// (Lambda model, Alias: `(?!^[0-9]+$)([a-zA-Z0-9-_]+)`). None begins with a `-`, as a command
    /// would take that for an option.
    ///
    /// # Errors
    /// A sentence that says the rule.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let fits = (1..=ALIAS_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed);
        let is_number = text.bytes().all(|b| b.is_ascii_digit());
        if fits && !is_number && !text.starts_with('-') {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid(format!(
            "an alias is 1 to {ALIAS_CHARS_MAX} letters, digits, '-' and '_', begins with no '-' \
             and is not a number"
        )))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A version other than the one in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Qualifier {
    /// The version of this number.
    Number(u64),
    /// The version that this alias stands for at the moment.
    Alias(AliasName),
}

impl Qualifier {
    /// Reads what Lambda takes for a version or an alias. `$LATEST` is neither: it says as much as
    /// no qualifier.
    ///
    /// # Errors
    /// A sentence that says the rule.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Self::Alias(AliasName::parse(text)?));
        }
        let number = text.parse().ok().filter(|_| !text.starts_with('0'));
        let number = number.ok_or_else(|| Invalid(format!("there is no version {text}")))?;
        Ok(Self::Number(number))
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "version {number}"),
            Self::Alias(alias) => write!(f, "alias {alias}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qualifier_is_a_number_or_a_name_that_lambda_takes_for_an_alias() {
        assert_eq!(Qualifier::parse("12"), Ok(Qualifier::Number(12)));
        for alias in ["live", "v2", "2-live", "_", &"x".repeat(128)] {
            let wanted = Qualifier::Alias(AliasName::parse(alias).unwrap());
            assert_eq!(Qualifier::parse(alias), Ok(wanted));
        }
        for bad in [
            "",
            "0",
            "01",
            "a b",
            "-a",
            "$LATEST",
            "a.b",
            "99999999999999999999",
            &"x".repeat(129),
        ] {
            assert!(Qualifier::parse(bad).is_err(), "{bad}");
        }
        assert!(AliasName::parse("12").is_err());
    }
}
