//! Who asks: the root of an account, or one of its users.

use types::{AccountId, Invalid, Region};

/// Characters of a user's name (IAM, CreateUser).
const USER_NAME_CHARS_MAX: usize = 64;

/// A user's name within its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName(String);

impl UserName {
    /// 1 to 64 letters, digits and characters of `_+=,.@-`.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=USER_NAME_CHARS_MAX).contains(&text.len());
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        if fits && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid(format!(
                "'{text}' is not 1 to {USER_NAME_CHARS_MAX} letters, digits and '_+=,.@-'"
            )))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The account.
    pub account: AccountId,
    /// Its user; `None`: the root of the account.
    pub user: Option<UserName>,
}

impl Principal {
    /// Whose name resource policies and messages say, in the partition of a region.
    pub fn arn(&self, region: &Region) -> String {
        let (partition, account) = (region.partition(), self.account);
        match &self.user {
            Some(user) => format!("arn:{partition}:iam::{account}:user/{}", user.as_str()),
            None => format!("arn:{partition}:iam::{account}:root"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_named_as_iam_names_it() {
        let account = AccountId::parse("000000000042").unwrap();
        let user = Some(UserName::parse("a.b+c=d,e@f-g_1").unwrap());
        let region = |name| Region::parse(name).unwrap();
        assert_eq!(
            Principal { account, user }.arn(&region("eu-west-1")),
            "arn:aws:iam::000000000042:user/a.b+c=d,e@f-g_1"
        );
        let root = Principal {
            account,
            user: None,
        };
        assert_eq!(
            root.arn(&region("cn-north-1")),
            "arn:aws-cn:iam::000000000042:root"
        );
        for bad in ["", "a b", "a/b", "a*", "ü", &"a".repeat(65)] {
            assert!(UserName::parse(bad).is_err(), "{bad}");
        }
    }
}
