//! What names a master key: an id, an alias, or the ARN of one of them.

use types::Caller;

use super::error::{KmsError, KmsFault};

/// What is said of a key of others, whether or not there is one.
pub(super) const NOT_YOURS: &str = "The ciphertext refers to a customer master key that does not \
                                    exist, does not exist in this region, or you are not allowed \
                                    to access.";

/// A name of a key of the caller's account and region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyName<'a> {
    /// The key's own id.
    Id(&'a str),
    /// One of its aliases, which begins with `alias/`.
    Alias(&'a str),
}

impl<'a> KeyName<'a> {
    /// Reads a name that `caller` gives.
    pub fn parse(text: &'a str, caller: &Caller) -> Result<Self, KmsError> {
        let resource = if text.starts_with("arn:") {
            resource_of(text, caller)?
        } else if text.starts_with("alias/") {
            text
        } else {
            return Ok(Self::Id(text));
        };
        match resource.strip_prefix("key/") {
            Some(id) => Ok(Self::Id(id)),
            None if resource.starts_with("alias/") => Ok(Self::Alias(resource)),
            None => Err(KmsError::new(
                KmsFault::NotFound,
                format!("Invalid arn {text}"),
            )),
        }
    }

    /// The ARN of the key by this name.
    pub fn arn(&self, caller: &Caller) -> String {
        let Caller { account, region } = caller;
        let partition = region.partition();
        let resource = match self {
            Self::Id(id) => format!("key/{id}"),
            Self::Alias(alias) => (*alias).to_owned(),
        };
        format!("arn:{partition}:kms:{region}:{account}:{resource}")
    }

    /// There is no key of this name.
    pub fn not_found(&self, caller: &Caller) -> KmsError {
        let arn = self.arn(caller);
        let message = match self {
            Self::Id(_) => format!("Key '{arn}' does not exist"),
            Self::Alias(_) => format!("Alias {arn} is not found."),
        };
        KmsError::new(KmsFault::NotFound, message)
    }
}

/// What an ARN names, if that is of the caller's account and region.
fn resource_of<'a>(arn: &'a str, caller: &Caller) -> Result<&'a str, KmsError> {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let [_, partition, "kms", region, account, resource] = parts[..] else {
        let message = format!("Invalid arn {arn}");
        return Err(KmsError::new(KmsFault::NotFound, message));
    };
    if region != caller.region.as_str() || partition != caller.region.partition() {
        let message = format!("Invalid arn {region}");
        return Err(KmsError::new(KmsFault::NotFound, message));
    }
    if account != caller.account.to_string() {
        return Err(KmsError::new(KmsFault::AccessDenied, NOT_YOURS));
    }
    Ok(resource)
}

#[cfg(test)]
mod tests {
    use types::{AccountId, Region};

    use super::*;

    fn caller() -> Caller {
        Caller {
            account: AccountId::parse("000000000042").unwrap(),
            region: Region::parse("eu-west-1").unwrap(),
        }
    }

    #[test]
    fn a_key_is_named_by_id_alias_and_either_arn() {
        let arn = "arn:aws:kms:eu-west-1:000000000042:";
        for (text, name) in [
            ("1234-ab", KeyName::Id("1234-ab")),
            ("alias/orders", KeyName::Alias("alias/orders")),
            (&format!("{arn}key/1234-ab"), KeyName::Id("1234-ab")),
            (&format!("{arn}alias/a:b"), KeyName::Alias("alias/a:b")),
        ] {
            let parsed = KeyName::parse(text, &caller());
            assert_eq!(parsed.as_ref(), Ok(&name), "{text}");
        }
        let arn = KeyName::Id("1").arn(&caller());
        assert_eq!(arn, "arn:aws:kms:eu-west-1:000000000042:key/1");
    }

    #[test]
    fn a_key_of_another_place_is_not_found_and_one_of_another_account_is_denied() {
        for (text, fault) in [
            (
                "arn:aws:kms:eu-west-2:000000000042:key/1",
                KmsFault::NotFound,
            ),
            (
                "arn:aws-cn:kms:eu-west-1:000000000042:key/1",
                KmsFault::NotFound,
            ),
            (
                "arn:aws:s3:eu-west-1:000000000042:key/1",
                KmsFault::NotFound,
            ),
            (
                "arn:aws:kms:eu-west-1:000000000042:grant/1",
                KmsFault::NotFound,
            ),
            ("arn:aws:kms", KmsFault::NotFound),
            (
                "arn:aws:kms:eu-west-1:000000000043:key/1",
                KmsFault::AccessDenied,
            ),
        ] {
            let refused = KeyName::parse(text, &caller()).unwrap_err();
            assert_eq!(refused.fault, fault, "{text}: {refused}");
        }
    }
}
