//! Amazon resource names of streams.

use std::fmt;

use crate::{AccountId, Invalid, Region, StreamName};

/// `arn:<partition>:kinesis:<region>:<account>:stream/<name>`; the partition follows from the
/// region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamArn {
    /// The region that the stream lives in.
    pub region: Region,
    /// The account that owns the stream.
    pub account: AccountId,
    /// The stream's name within account and region.
    pub name: StreamName,
}

impl StreamArn {
    /// Refuses the partition of another region: no stream has such an ARN.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid(format!("'{text}' is not the ARN of a stream"));
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or_else(invalid);
        let (scheme, partition, service) = (next()?, next()?, next()?);
        let region = Region::parse(next()?).map_err(|_| invalid())?;
        if scheme != "arn" || partition != region.partition() || service != "kinesis" {
            return Err(invalid());
        }
        let account = AccountId::parse(next()?).map_err(|_| invalid())?;
        let name = next()?.strip_prefix("stream/").ok_or_else(invalid)?;
        let name = StreamName::parse(name).map_err(|_| invalid())?;
        Ok(Self {
            region,
            account,
            name,
        })
    }
}

impl fmt::Display for StreamArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:{}:kinesis:{}:{}:stream/{}",
            self.region.partition(),
            self.region,
            self.account,
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_reads_back_as_it_is_written() {
        for text in [
            "arn:aws:kinesis:eu-central-1:000000000000:stream/clicks",
            "arn:aws-cn:kinesis:cn-north-1:000000000000:stream/clicks",
            "arn:aws-iso-b:kinesis:us-isob-east-1:000000000000:stream/clicks",
        ] {
            assert_eq!(StreamArn::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_the_arn_of_a_stream_is_refused() {
        for bad in [
            "",
            "clicks",
            "arn:aws:kinesis:eu-central-1:000000000000:stream/",
            "arn:aws:kinesis:eu-central-1:0:stream/clicks",
            "arn:aws:kinesis::000000000000:stream/clicks",
            "arn:aws:firehose:eu-central-1:000000000000:stream/clicks",
            "arn:aws:kinesis:eu-central-1:000000000000:stream/clicks/consumer/c:1",
            "arn:aws:kinesis:cn-north-1:000000000000:stream/clicks",
            "arn:aws-cn:kinesis:eu-central-1:000000000000:stream/clicks",
            "arn:awsome:kinesis:eu-central-1:000000000000:stream/clicks",
        ] {
            assert!(StreamArn::parse(bad).is_err(), "{bad}");
        }
    }
}
