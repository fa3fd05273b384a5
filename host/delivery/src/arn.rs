//! The resource names that delivery streams have and refer to.

use std::fmt;

use types::{AccountId, Caller, Invalid, Region};
use wasm::PluginName;

/// Characters of a delivery stream's name (model, DeliveryStreamName).
pub const DELIVERY_STREAM_NAME_CHARS_MAX: usize = 64;
/// Characters of a bucket's name (S3, bucket naming rules).
const BUCKET_CHARS: std::ops::RangeInclusive<usize> = 3..=63;

/// A delivery stream's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryStreamName(String);

impl DeliveryStreamName {
    /// 1 to 64 characters of `[a-zA-Z0-9_.-]`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=DELIVERY_STREAM_NAME_CHARS_MAX).contains(&text.len());
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        match fits && text.bytes().all(allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid(format!(
                "'{text}' is not the name of a delivery stream"
            ))),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryStreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `arn:aws:firehose:<region>:<account>:deliverystream/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryStreamArn {
    /// The owner and where it is.
    pub owner: Caller,
    /// Its name.
    pub name: DeliveryStreamName,
}

impl fmt::Display for DeliveryStreamArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Caller { account, region } = &self.owner;
        let name = &self.name;
        write!(
            f,
            "arn:aws:firehose:{region}:{account}:deliverystream/{name}"
        )
    }
}

/// A bucket, named by `arn:aws:s3:::<bucket>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketName(String);

impl BucketName {
    /// The bucket of an ARN. The name is 3 to 63 characters of `[a-z0-9.-]` that begin and end
    /// with a letter or a digit.
    pub fn parse_arn(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid(format!("'{text}' is not the ARN of a bucket"));
        let rest = text.strip_prefix("arn:").ok_or_else(invalid)?;
        let (partition, name) = rest.split_once(":s3:::").ok_or_else(invalid)?;
        match partition.starts_with("aws") && !partition.contains(':') {
            true => Self::parse(name).ok_or_else(invalid),
            false => Err(invalid()),
        }
    }

    /// A bucket by its name alone.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
        let (first, last) = (name.bytes().next()?, name.bytes().next_back()?);
        let ends = first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric();
        let fits = BUCKET_CHARS.contains(&name.len()) && !name.contains("..");
        (ends && fits && name.bytes().all(allowed)).then(|| Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `arn:aws:s3:::<bucket>`.
    pub fn arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.0)
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The function of `arn:aws:lambda:<region>:<account>:function:<name>`, with or without a version
/// or alias behind it: the plugin of that name.
pub fn parse_function_arn(text: &str, caller: &Caller) -> Result<PluginName, Invalid> {
    let invalid = || Invalid(format!("'{text}' is not the ARN of a function"));
    let mut parts = text.split(':');
    let mut next = || parts.next().ok_or_else(invalid);
    let (scheme, partition, service) = (next()?, next()?, next()?);
    let (region, account) = (next()?, next()?);
    let (kind, name) = (next()?, next()?);
    let qualifier = parts.next();
    let fits = scheme == "arn"
        && partition.starts_with("aws")
        && service == "lambda"
        && kind == "function"
        && qualifier.is_none_or(|qualifier| !qualifier.is_empty())
        && parts.next().is_none();
    if !fits {
        return Err(invalid());
    }
    let region = Region::parse(region).map_err(|_| invalid())?;
    let account = AccountId::parse(account).map_err(|_| invalid())?;
    if (Caller { account, region }) != *caller {
        return Err(Invalid(format!(
            "'{text}' is not a function of the caller's account and region"
        )));
    }
    PluginName::parse(name).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        Caller {
            account: AccountId::parse("000000000042").unwrap(),
            region: Region::parse("eu-west-1").unwrap(),
        }
    }

    #[test]
    fn a_bucket_is_named_by_its_arn() {
        let bucket = BucketName::parse_arn("arn:aws:s3:::my.logs-1").unwrap();
        assert_eq!(bucket.as_str(), "my.logs-1");
        assert_eq!(bucket.arn(), "arn:aws:s3:::my.logs-1");
        assert!(BucketName::parse_arn("arn:aws-cn:s3:::logs").is_ok());
        for bad in [
            "",
            "logs",
            "arn:aws:s3:::",
            "arn:aws:s3:::a",
            "arn:aws:s3:::-ab",
            "arn:aws:s3:::ab.",
            "arn:aws:s3:::Logs",
            "arn:aws:s3:::a..b",
            "arn:aws:s3:::a/b",
            "arn:aws:s3:::..",
            "arn:x:s3:::logs",
            "arn:aws:x:s3:::logs",
            "arn:aws:s3:us-east-1::logs",
        ] {
            assert!(BucketName::parse_arn(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_functions_name_is_that_of_a_plugin_of_the_caller() {
        let parse = |text: &str| parse_function_arn(text, &caller());
        let arn = "arn:aws:lambda:eu-west-1:000000000042:function:parse-access-log";
        assert_eq!(parse(arn).unwrap().as_str(), "parse-access-log");
        assert!(parse(&format!("{arn}:$LATEST")).is_ok());
        for bad in [
            "",
            "parse-access-log",
            "arn:aws:lambda:eu-west-1:000000000042:function:",
            "arn:aws:lambda:eu-west-1:000000000042:function:a:b:c",
            "arn:aws:lambda:eu-west-1:000000000042:function:a:",
            "arn:aws:lambda:eu-west-1:000000000042:layer:a",
            "arn:aws:lambda:eu-west-1:000000000042:function:../a",
            "arn:aws:lambda:eu-west-2:000000000042:function:a",
            "arn:aws:lambda:eu-west-1:000000000043:function:a",
            "arn:aws:s3:eu-west-1:000000000042:function:a",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
