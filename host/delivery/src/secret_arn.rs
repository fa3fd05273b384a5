//! Secrets as destinations name them: by the ARN that Secrets Manager would have for them.

use std::fmt;

use types::{AccountId, Invalid, Region};

/// Characters of a secret's name (Secrets Manager, CreateSecret).
const NAME_CHARS_MAX: usize = 512;
/// Characters that Secrets Manager adds to a name in an ARN, after a hyphen (developer guide of
/// Secrets Manager, "Secret name").
const ADDED_CHARS: usize = 6;

/// What a secret is called, as Secrets Manager takes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ManagedSecretName(String);

impl ManagedSecretName {
    /// 1 to 512 letters, digits and `/_+=.@!-`: those of Secrets Manager, and `!`, which stands in
    /// names that its services give.
    ///
    /// # Errors
    /// A sentence that says so.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/_+=.@!-".contains(&b);
        if (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid(format!(
            "the name of a secret is 1 to {NAME_CHARS_MAX} letters, digits and '/_+=.@!-'"
        )))
    }

    /// The same without what Secrets Manager adds in an ARN, if that may stand there.
    pub fn without_what_is_added(&self) -> Option<Self> {
        let end = self.0.len().checked_sub(ADDED_CHARS)?;
        let (name, added) = (self.0.get(..end)?, self.0.get(end..)?);
        let name = name.strip_suffix('-').filter(|name| !name.is_empty())?;
        let is_added = added.bytes().all(|b| b.is_ascii_alphanumeric());
        is_added.then(|| Self(name.to_owned()))
    }
}

impl fmt::Display for ManagedSecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `arn:<partition>:secretsmanager:<region>:<account>:secret:<name>`; the partition follows from
/// the region. Behind the name may stand what Secrets Manager adds to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretArn {
    /// Whose it is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// What stands behind `secret:`.
    pub name: ManagedSecretName,
}

impl SecretArn {
    /// # Errors
    /// A sentence that says that it is none.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid(format!("'{text}' is not the ARN of a secret"));
        let parts: Vec<&str> = text.splitn(7, ':').collect();
        let [
            "arn",
            partition,
            "secretsmanager",
            region,
            account,
            "secret",
            name,
        ] = parts[..]
        else {
            return Err(invalid());
        };
        let region = Region::parse(region).map_err(|_| invalid())?;
        if partition != region.partition() {
            return Err(invalid());
        }
        Ok(Self {
            account: AccountId::parse(account).map_err(|_| invalid())?,
            region,
            name: ManagedSecretName::parse(name).map_err(|_| invalid())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ManagedSecretName {
        ManagedSecretName::parse(text).unwrap()
    }

    #[test]
    fn a_secret_is_named_by_its_arn_with_and_without_what_is_added_to_it() {
        let arn = "arn:aws:secretsmanager:eu-west-1:000000000042:secret:splunk/prod-a1B2c3";
        let secret = SecretArn::parse(arn).unwrap();
        assert_eq!(secret.account.to_string(), "000000000042");
        assert_eq!(secret.region.to_string(), "eu-west-1");
        assert_eq!(secret.name, name("splunk/prod-a1B2c3"));
        for (text, without) in [
            ("splunk/prod-a1B2c3", Some("splunk/prod")),
            ("a-bcdefg", Some("a")),
            ("a-bcdef", None),
            ("a-bcdefgh", None),
            ("a-bcde.g", None),
            ("-bcdefg", None),
            ("bcdefg", None),
            ("a", None),
        ] {
            assert_eq!(
                name(text).without_what_is_added(),
                without.map(name),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_the_arn_of_a_secret_is_not_read_as_one() {
        for bad in [
            "",
            "splunk",
            "arn:aws:secretsmanager:eu-west-1:000000000042:secret:",
            "arn:aws:secretsmanager:eu-west-1:000000000042:secret:a b",
            "arn:aws:secretsmanager:eu-west-1:000000000042:secret:a:b",
            "arn:aws:secretsmanager:eu-west-1:000000000042:key:a",
            "arn:aws:secretsmanager:eu-west-1:42:secret:a",
            "arn:aws:secretsmanager::000000000042:secret:a",
            "arn:aws-cn:secretsmanager:eu-west-1:000000000042:secret:a",
            "arn:aws:kms:eu-west-1:000000000042:secret:a",
        ] {
            assert!(SecretArn::parse(bad).is_err(), "{bad}");
        }
        assert!(ManagedSecretName::parse(&"x".repeat(513)).is_err());
    }
}
