//! Registered consumers of a stream: their names and Amazon resource names.

use std::borrow::Borrow;
use std::fmt;

use crate::{Invalid, StreamArn, StreamName};

/// The name of a consumer within its stream: of the same characters as a stream's (the model's
/// ConsumerName).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsumerName(StreamName);

impl ConsumerName {
    /// Refuses what the model's length and pattern refuse.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        StreamName::parse(text).map(Self)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Names in a map are looked up by text, without making a name first.
impl Borrow<str> for ConsumerName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for ConsumerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `<ARN of the stream>/consumer/<name>:<seconds>`: a consumer that is registered anew under its
/// old name is another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerArn {
    /// The stream that it is registered with.
    pub stream: StreamArn,
    /// Its name there.
    pub name: ConsumerName,
    /// When it was registered, in seconds since 1970.
    pub created_s: u64,
}

/// What stands between the names of a stream and of its consumer.
const CONSUMER_PART: &str = "/consumer/";

impl ConsumerArn {
    /// Refuses what is not written as [`ConsumerArn`] writes itself.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid(format!("'{text}' is not the ARN of a consumer"));
        let (stream, consumer) = text.split_once(CONSUMER_PART).ok_or_else(invalid)?;
        let (name, created_s) = consumer.rsplit_once(':').ok_or_else(invalid)?;
        let arn = Self {
            stream: StreamArn::parse(stream).map_err(|_| invalid())?,
            name: ConsumerName::parse(name).map_err(|_| invalid())?,
            created_s: created_s.parse().map_err(|_| invalid())?,
        };
        // Digits can be written in several ways, of which one is the consumer's.
        if arn.to_string() == text {
            Ok(arn)
        } else {
            Err(invalid())
        }
    }
}

impl fmt::Display for ConsumerArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stream,
            name,
            created_s,
        } = self;
        write!(f, "{stream}{CONSUMER_PART}{name}:{created_s}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumers_arn_reads_back_as_it_is_written() {
        let text = "arn:aws:kinesis:eu-central-1:000000000000:stream/s/consumer/c-1.x_Y:1700000000";
        let arn = ConsumerArn::parse(text).unwrap();
        assert_eq!(arn.to_string(), text);
        assert_eq!(arn.name.as_str(), "c-1.x_Y");
        assert_eq!(arn.created_s, 1_700_000_000);
    }

    #[test]
    fn what_is_not_the_arn_of_a_consumer_is_refused() {
        let stream = "arn:aws:kinesis:eu-central-1:000000000000:stream/s";
        for bad in [
            "",
            "/consumer/c",
            "/consumer/c:",
            "/consumer/:1",
            "/consumer/c:01",
            "/consumer/c:+1",
            "/consumer/c:-1",
            "/consumer/c:1 ",
            "/consumer/c d:1",
            "/consumer/c/consumer/d:1",
            "/consumer/c:99999999999999999999",
        ] {
            assert!(
                ConsumerArn::parse(&format!("{stream}{bad}")).is_err(),
                "{bad}"
            );
        }
        assert!(
            ConsumerArn::parse("arn:aws:kinesis:eu-central-1:0:stream/s/consumer/c:1").is_err()
        );
    }
}
