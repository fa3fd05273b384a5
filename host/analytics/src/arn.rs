//! The resource names of applications.

use std::fmt;

use types::{AccountId, Caller, Invalid, Region};

use crate::limits::APPLICATION_NAME_CHARS_MAX;

/// An application's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationName(String);

impl ApplicationName {
    /// 1 to 128 characters of `[a-zA-Z0-9_.-]`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=APPLICATION_NAME_CHARS_MAX).contains(&text.len());
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if fits && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid(format!(
                "'{text}' is not the name of an application"
            )))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApplicationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `arn:<partition>:kinesisanalytics:<region>:<account>:application/<name>`; the partition follows
/// from the region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApplicationArn {
    /// The owner and where it is.
    pub owner: Caller,
    /// Its name.
    pub name: ApplicationName,
}

impl ApplicationArn {
    /// Refuses the partition of another region: no application has such an ARN.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid(format!("'{text}' is not the ARN of an application"));
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or_else(invalid);
        let (scheme, partition, service) = (next()?, next()?, next()?);
        let region = Region::parse(next()?).map_err(|_| invalid())?;
        if scheme != "arn" || partition != region.partition() || service != "kinesisanalytics" {
            return Err(invalid());
        }
        let account = AccountId::parse(next()?).map_err(|_| invalid())?;
        let name = next()?.strip_prefix("application/").ok_or_else(invalid)?;
        Ok(Self {
            owner: Caller { account, region },
            name: ApplicationName::parse(name).map_err(|_| invalid())?,
        })
    }
}

impl fmt::Display for ApplicationArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Caller { account, region } = &self.owner;
        let (partition, name) = (region.partition(), &self.name);
        write!(
            f,
            "arn:{partition}:kinesisanalytics:{region}:{account}:application/{name}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_reads_back_as_it_is_written() {
        for text in [
            "arn:aws:kinesisanalytics:eu-west-1:000000000042:application/clicks",
            "arn:aws-cn:kinesisanalytics:cn-north-1:000000000042:application/a_b.c-1",
        ] {
            assert_eq!(ApplicationArn::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_the_arn_of_an_application_is_refused() {
        for text in [
            "",
            "clicks",
            "arn:aws:kinesisanalytics:eu-west-1:000000000042:clicks",
            "arn:aws:kinesisanalytics:eu-west-1:000000000042:application/",
            "arn:aws:kinesisanalytics:eu-west-1:000000000042:application/a/b",
            "arn:aws:kinesisanalytics:eu-west-1:42:application/clicks",
            "arn:aws-cn:kinesisanalytics:eu-west-1:000000000042:application/clicks",
            "arn:aws:kinesis:eu-west-1:000000000042:application/clicks",
        ] {
            assert!(ApplicationArn::parse(text).is_err(), "{text}");
        }
    }
}
