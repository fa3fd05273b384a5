//! The resource names that delivery streams have and refer to.

use std::fmt;
use std::ops::RangeInclusive;

use types::{AccountId, Caller, Invalid, Region};
use wasm::PluginName;

/// Characters of a delivery stream's name (model, DeliveryStreamName).
pub const DELIVERY_STREAM_NAME_CHARS_MAX: usize = 64;
/// Characters of a bucket's name (S3, bucket naming rules).
const BUCKET_CHARS: RangeInclusive<usize> = 3..=63;
/// Characters of a function's version or alias (Lambda model, Qualifier).
const QUALIFIER_CHARS: RangeInclusive<usize> = 1..=128;

/// A delivery stream's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryStreamName(String);

impl DeliveryStreamName {
    /// 1 to 64 characters of `[a-zA-Z0-9_.-]`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=DELIVERY_STREAM_NAME_CHARS_MAX).contains(&text.len());
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if fits && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid(format!(
                "'{text}' is not the name of a delivery stream"
            )))
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

/// `arn:<partition>:firehose:<region>:<account>:deliverystream/<name>`; the partition follows from
/// the region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryStreamArn {
    /// The owner and where it is.
    pub owner: Caller,
    /// Its name.
    pub name: DeliveryStreamName,
}

impl DeliveryStreamArn {
    /// Refuses the partition of another region: no delivery stream has such an ARN.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid(format!("'{text}' is not the ARN of a delivery stream"));
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or_else(invalid);
        let (scheme, partition, service) = (next()?, next()?, next()?);
        let region = Region::parse(next()?).map_err(|_| invalid())?;
        if scheme != "arn" || partition != region.partition() || service != "firehose" {
            return Err(invalid());
        }
        let account = AccountId::parse(next()?).map_err(|_| invalid())?;
        let name = next()?.strip_prefix("deliverystream/");
        let name = name.ok_or_else(invalid)?;
        Ok(Self {
            owner: Caller { account, region },
            name: DeliveryStreamName::parse(name).map_err(|_| invalid())?,
        })
    }
}

impl fmt::Display for DeliveryStreamArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Caller { account, region } = &self.owner;
        let (partition, name) = (region.partition(), &self.name);
        write!(
            f,
            "arn:{partition}:firehose:{region}:{account}:deliverystream/{name}"
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
        if partition.starts_with("aws") && !partition.contains(':') {
            Self::parse(name).ok_or_else(invalid)
        } else {
            Err(invalid())
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
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A function, named by `arn:<partition>:lambda:<region>:<account>:function:<name>`, with or
/// without a version or alias behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionArn {
    /// The account and the region of the function.
    pub owner: Caller,
    /// The plugin of that name.
    pub plugin: PluginName,
    /// The version or alias, if the ARN names one other than [`FunctionArn::NEWEST`].
    pub qualifier: Option<String>,
}

impl FunctionArn {
    /// The qualifier that says as much as none: the version in force.
    pub const NEWEST: &str = "$LATEST";

    /// Names are those that Lambda takes.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid(format!("'{text}' is not the ARN of a function"));
        let mut parts = text.split(':');
        let mut next = || parts.next().ok_or_else(invalid);
        let (scheme, partition, service) = (next()?, next()?, next()?);
        let region = Region::parse(next()?).map_err(|_| invalid())?;
        let account = AccountId::parse(next()?).map_err(|_| invalid())?;
        let (kind, name) = (next()?, next()?);
        let qualifier = parts.next();
        let fits = scheme == "arn"
            && partition == region.partition()
            && service == "lambda"
            && kind == "function"
            && qualifier.is_none_or(is_qualifier)
            && parts.next().is_none();
        if !fits {
            return Err(invalid());
        }
        Ok(Self {
            owner: Caller { account, region },
            plugin: PluginName::parse(name).map_err(|_| invalid())?,
            qualifier: qualifier
                .filter(|qualifier| *qualifier != Self::NEWEST)
                .map(str::to_owned),
        })
    }
}

/// Whether Lambda takes this for the name of a version or an alias.
fn is_qualifier(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let is_name = QUALIFIER_CHARS.contains(&text.len()) && text.bytes().all(allowed);
    is_name || text == FunctionArn::NEWEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(account: &str, region: &str) -> Caller {
        Caller {
            account: AccountId::parse(account).unwrap(),
            region: Region::parse(region).unwrap(),
        }
    }

    #[test]
    fn a_delivery_stream_is_in_the_partition_of_its_region() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
        ] {
            let arn = DeliveryStreamArn {
                owner: owner("000000000042", region),
                name: DeliveryStreamName::parse("clicks").unwrap(),
            };
            let wanted =
                format!("arn:{partition}:firehose:{region}:000000000042:deliverystream/clicks");
            assert_eq!(arn.to_string(), wanted);
            assert_eq!(DeliveryStreamArn::parse(&wanted).unwrap(), arn);
            let elsewhere = wanted.replace(partition, "aws-elsewhere");
            assert!(DeliveryStreamArn::parse(&elsewhere).is_err());
            assert!(DeliveryStreamArn::parse(&format!("{wanted}/x")).is_err());
        }
    }

    #[test]
    fn a_bucket_is_named_by_its_arn() {
        let bucket = BucketName::parse_arn("arn:aws:s3:::my.logs-1").unwrap();
        assert_eq!(bucket.as_str(), "my.logs-1");
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
    fn a_function_is_read_as_the_plugin_that_its_arn_names() {
        let arn = "arn:aws:lambda:eu-west-1:000000000042:function:parse-access-log";
        let function = FunctionArn::parse(arn).unwrap();
        assert_eq!(function.owner, owner("000000000042", "eu-west-1"));
        assert_eq!(function.plugin.as_str(), "parse-access-log");
        assert_eq!(function.qualifier, None);
        for (behind, qualifier) in [
            ("$LATEST", None),
            ("7", Some("7")),
            ("A_b-c", Some("A_b-c")),
        ] {
            let function = FunctionArn::parse(&format!("{arn}:{behind}")).unwrap();
            assert_eq!(function.qualifier.as_deref(), qualifier);
        }
        for good in [
            "arn:aws-cn:lambda:cn-north-1:000000000042:function:a",
            "arn:aws-us-gov:lambda:us-gov-west-1:000000000042:function:a",
        ] {
            assert!(FunctionArn::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_is_not_the_arn_of_a_function_is_not_read_as_one() {
        for bad in [
            "",
            "parse-access-log",
            "arn:aws:lambda:eu-west-1:000000000042:function:",
            "arn:aws:lambda:eu-west-1:000000000042:function:a:b:c",
            "arn:aws:lambda:eu-west-1:000000000042:function:a:",
            "arn:aws:lambda:eu-west-1:000000000042:function:a:b.c",
            "arn:aws:lambda:eu-west-1:000000000042:function:a:$NEWEST",
            "arn:aws:lambda:eu-west-1:000000000042:layer:a",
            "arn:aws:lambda:eu-west-1:000000000042:function:../a",
            "arn:aws:lambda:eu-west-1:000000000042:function:a b",
            "arn:aws:lambda::000000000042:function:a",
            "arn:aws:lambda:eu-west-1:42:function:a",
            "arn:aws-cn:lambda:eu-west-1:000000000042:function:a",
            "arn:aws:s3:eu-west-1:000000000042:function:a",
        ] {
            assert!(FunctionArn::parse(bad).is_err(), "{bad}");
        }
    }
}
