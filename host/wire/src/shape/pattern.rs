//! The model's patterns: the text that clients see, beside a function that decides exactly what
//! that text matches. There are few and they do not change, so an engine for regular expressions
//! would be more to read and slower; all of these take linear time.

pub mod analytics;
pub mod firehose;

use std::fmt;

/// A regular expression of the model, which must match the whole text.
#[derive(Clone, Copy)]
pub struct Pattern {
    text: &'static str,
    matches: fn(&str) -> bool,
}

impl Pattern {
    /// The expression as the model writes it.
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// Whether the expression matches all of `text`.
    pub fn matches(&self, text: &str) -> bool {
        (self.matches)(text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// Names of streams, shards and consumers.
pub const NAME: Pattern = Pattern {
    text: "[a-zA-Z0-9_.-]+",
    matches: |text| !text.is_empty() && text.bytes().all(is_name_byte),
};

/// ARNs of streams.
pub const STREAM_ARN: Pattern = Pattern {
    text: r"arn:aws.*:kinesis:.*:\d{12}:stream/\S+",
    matches: is_stream_arn,
};

/// ARNs of all that can have tags: streams, their consumers, queues and channels.
pub const RESOURCE_ARN: Pattern = Pattern {
    text: r"arn:aws.*:kinesis:.*:\d{12}:.*(stream|channel|queue)/\S+",
    matches: is_resource_arn,
};

/// ARNs of registered consumers.
pub const CONSUMER_ARN: Pattern = Pattern {
    text: r"^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+",
    matches: is_consumer_arn,
};

/// Ids of streams.
pub const STREAM_ID: Pattern = Pattern {
    text: "[a-z0-9]{20}-[a-z0-9]{3}",
    matches: |text| {
        let bytes = text.as_bytes();
        let fits = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        bytes.len() == 24
            && bytes.iter().enumerate().all(|(at, b)| match at {
                20 => *b == b'-',
                _ => fits(b),
            })
    },
};

/// Hash keys: a decimal of at most 39 digits without leading zeros.
pub const HASH_KEY: Pattern = Pattern {
    text: r"0|([1-9]\d{0,38})",
    matches: |text| is_decimal(text, 39),
};

/// Sequence numbers: a decimal of at most 129 digits without leading zeros.
pub const SEQUENCE_NUMBER: Pattern = Pattern {
    text: r"0|([1-9]\d{0,128})",
    matches: |text| is_decimal(text, 129),
};

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

fn is_decimal(text: &str, digits_max: usize) -> bool {
    let canonical = text == "0" || !text.starts_with('0');
    canonical
        && (1..=digits_max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first `:kinesis:` is as good as any: what follows it may hold another.
fn is_stream_arn(text: &str) -> bool {
    let Some((partition, rest)) = text
        .strip_prefix("arn:aws")
        .and_then(|rest| rest.split_once(":kinesis:"))
    else {
        return false;
    };
    // `.` stops at a line's end and `\S` at white space; each is looked for once, so that a text
    // with many candidates costs no more than one with few.
    let line_end = rest.find(is_line_end).unwrap_or(rest.len());
    let name_start = rest.rfind(is_java_space).map_or(0, |at| at + 1);
    !partition.contains(is_line_end)
        && rest.match_indices(STREAM_PART).any(|(at, _)| {
            let name = at + STREAM_PART.len();
            at.checked_sub(ACCOUNT_PART_LEN).is_some_and(|account| {
                account <= line_end
                    && name_start <= name
                    && name < rest.len()
                    && rest.as_bytes().get(account..at).is_some_and(is_account)
            })
        })
}

/// `^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+`, of
/// the whole text. From its end: digits, the consumer's name and the stream's are of characters
/// that end where the next part begins.
fn is_consumer_arn(text: &str) -> bool {
    let Some((partition, rest)) = text
        .strip_prefix("arn:aws")
        .and_then(|rest| rest.split_once(":kinesis:"))
    else {
        return false;
    };
    let names = || {
        let (rest, created) = rest.rsplit_once(':')?;
        let (rest, consumer) = rest.rsplit_once('/')?;
        let (rest, stream) = rest.strip_suffix("/consumer")?.rsplit_once('/')?;
        let owner = rest.strip_suffix("stream")?;
        Some((owner, stream, consumer, created))
    };
    let Some((owner, stream, consumer, created)) = names() else {
        return false;
    };
    let is_name = |name: &str| NAME.matches(name);
    let account_len = ACCOUNT_PART_LEN + 1;
    let is_account_part = |part: &[u8]| matches!(part, [head @ .., b':'] if is_account(head));
    !partition.contains(is_line_end)
        && !owner.contains(is_line_end)
        && owner.as_bytes().windows(account_len).any(is_account_part)
        && is_name(stream)
        && is_name(consumer)
        && !created.is_empty()
        && created.bytes().all(|byte| byte.is_ascii_digit())
}

/// As in [`is_stream_arn`], and of several accounts and kinds the first account and any kind behind
/// it are as good as others: between them may be anything but a line's end.
fn is_resource_arn(text: &str) -> bool {
    let Some((partition, rest)) = text
        .strip_prefix("arn:aws")
        .and_then(|rest| rest.split_once(":kinesis:"))
    else {
        return false;
    };
    let account_len = ACCOUNT_PART_LEN + 1;
    let is_account_part = |part: &[u8]| matches!(part, [head @ .., b':'] if is_account(head));
    let accounts = rest.as_bytes().windows(account_len);
    let Some(account) = accounts.into_iter().position(is_account_part) else {
        return false;
    };
    let line_end = rest.find(is_line_end).unwrap_or(rest.len());
    let name_start = rest.rfind(is_java_space).map_or(0, |at| at + 1);
    !partition.contains(is_line_end)
        && rest.match_indices('/').any(|(at, _)| {
            let kind = RESOURCE_KINDS
                .iter()
                .find(|kind| rest[..at].ends_with(*kind));
            kind.is_some_and(|kind| {
                let start = at - kind.len();
                account + account_len <= start
                    && start <= line_end
                    && name_start <= at + 1
                    && at + 1 < rest.len()
            })
        })
}

/// The kinds of resources in ARNs.
const RESOURCE_KINDS: [&str; 3] = ["stream", "channel", "queue"];
/// What comes before the name in the ARN of a stream.
const STREAM_PART: &str = ":stream/";
/// A colon and the 12 digits of an account.
const ACCOUNT_PART_LEN: usize = 13;

fn is_account(bytes: &[u8]) -> bool {
    matches!(bytes, [b':', digits @ ..]
        if digits.len() == ACCOUNT_PART_LEN - 1 && digits.iter().all(u8::is_ascii_digit))
}

/// What Java's `.` does not match.
fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What Java's `\s` matches.
fn is_java_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn expect(pattern: Pattern, matching: &[&str], others: &[&str]) {
        for text in matching {
            assert!(pattern.matches(text), "{pattern:?} matches {text:?}");
        }
        for text in others {
            assert!(
                !pattern.matches(text),
                "{pattern:?} does not match {text:?}"
            );
        }
    }

    #[test]
    fn names_are_plain_and_not_empty() {
        expect(
            NAME,
            &["a", "A-z_0.9", &"x".repeat(1000)],
            &["", "a b", "a/b", "é", "a\n", "٣"],
        );
    }

    #[test]
    fn arns_of_consumers_end_with_a_stream_a_consumer_and_a_number() {
        let good = "arn:aws:kinesis:eu-west-1:000000000042:stream/s/consumer/c:1";
        expect(
            CONSUMER_ARN,
            &[
                good,
                "arn:aws-cn:kinesis::000000000042:stream/s_.-1/consumer/c_.-2:00",
                "arn:aws:kinesis:a b:000000000042:any:thing/stream/s/consumer/c:1",
                "arn:aws:kinesis:a:kinesis:x:000000000042:upstream/s/consumer/c:1",
            ],
            &[
                "",
                "arn:aws:kinesis:eu-west-1:000000000042:stream/s",
                "arn:aws:kinesis:eu-west-1:000000000042:stream/s/consumer/c",
                "arn:aws:kinesis:eu-west-1:000000000042:stream/s/consumer/c:",
                "arn:aws:kinesis:eu-west-1:000000000042:stream/s/consumer/:1",
                "arn:aws:kinesis:eu-west-1:000000000042:stream//consumer/c:1",
                "arn:aws:kinesis:eu-west-1:000000000042:stream/s/consumer/c:1x",
                "arn:aws:kinesis:eu-west-1:000000000042:stream/s/t/consumer/c:1",
                "arn:aws:kinesis:eu-west-1:00000000042:stream/s/consumer/c:1",
                "arn:aws:kinesis:eu\nwest:000000000042:stream/s/consumer/c:1",
                "arn:aws:firehose:eu-west-1:000000000042:stream/s/consumer/c:1",
                &format!(" {good}"),
                &format!("{good} "),
            ],
        );
    }

    #[test]
    fn decimals_have_no_leading_zero_and_a_limit() {
        let (long, longer) = ("1".repeat(39), "1".repeat(40));
        expect(
            HASH_KEY,
            &["0", "1", "10", &long],
            &["", "00", "01", "-1", "+1", "1 ", "1a", "٣", &longer],
        );
        let (long, longer) = ("9".repeat(129), "9".repeat(130));
        expect(SEQUENCE_NUMBER, &["0", &long], &["", "0x", "01", &longer]);
    }

    #[test]
    fn ids_of_streams_have_a_fixed_form() {
        expect(
            STREAM_ID,
            &["abcdefghij0123456789-xyz"],
            &[
                "",
                "abcdefghij0123456789_xyz",
                "abcdefghij0123456789-xy",
                "abcdefghij0123456789-xyzz",
                "Abcdefghij0123456789-xyz",
                "abcdefghij012345678é-xyz",
            ],
        );
    }

    #[test]
    fn arns_of_streams_match_as_the_expression_does() {
        expect(
            STREAM_ARN,
            &[
                "arn:aws:kinesis:eu-central-1:000000000000:stream/clicks",
                "arn:aws-cn:kinesis:eu-central-1:000000000000:stream/clicks",
                "arn:aws:kinesis::000000000000:stream/é",
                "arn:aws:x:kinesis:a:kinesis:b:000000000000:stream/c",
                "arn:aws:kinesis:kinesis:r:000000000000:stream/c",
                "arn:aws:kinesis:r:1:stream/x:000000000000:stream/c",
                "arn:aws:kinesis:r:000000000000:stream/c:stream/",
                "arn:aws:kinesis:a b:000000000000:stream/c",
            ],
            &[
                "",
                "arn:aws:kinesis:r:000000000000:stream/",
                "arn:aws:kinesis:r:00000000000:stream/c",
                "arn:aws:kinesis:r:0000000000000:stream/c",
                "arn:aws:kinesis:000000000000:stream/c",
                "arn:aws:kinesis:r:000000000000:stream/a b",
                "arn:aws:kinesis:r:000000000000:stream/c\n",
                "arn:aws:kinesis:r\n:000000000000:stream/c",
                "arn:aws\u{2028}:kinesis:r:000000000000:stream/c",
                "arn:aws:firehose:r:000000000000:stream/c",
                "arn:aws:kinesis:r:00000000000٣:stream/c",
                ":arn:aws:kinesis:r:000000000000:stream/c",
            ],
        );
    }

    #[test]
    fn arns_of_resources_match_as_the_expression_does() {
        expect(
            RESOURCE_ARN,
            &[
                "arn:aws:kinesis:eu-central-1:000000000000:stream/clicks",
                "arn:aws:kinesis:eu-central-1:000000000000:stream/clicks/consumer/c:1",
                "arn:aws:kinesis:eu-central-1:000000000000:queue/q",
                "arn:aws:kinesis:eu-central-1:000000000000:channel/c",
                "arn:aws:kinesis::000000000000:é upstream/é",
                "arn:aws:kinesis:a b:000000000000:x/y stream/c",
                "arn:aws:kinesis:r:000000000000:000000000000:queue/c",
                "arn:aws:x:kinesis:a:kinesis:b:000000000000:stream/c",
            ],
            &[
                "",
                "arn:aws:kinesis:r:000000000000:stream/",
                "arn:aws:kinesis:r:000000000000:streams/c",
                "arn:aws:kinesis:r:000000000000:topic/c",
                "arn:aws:kinesis:r:000000000000stream/c",
                "arn:aws:kinesis:r:00000000000:stream/c",
                "arn:aws:kinesis:000000000000:stream/c",
                "arn:aws:kinesis:r:000000000000:stream/a b",
                "arn:aws:kinesis:r:000000000000:stream/c\n",
                "arn:aws:kinesis:r:000000000000:\nstream/c",
                "arn:aws:kinesis:r\n:000000000000:stream/c",
                "arn:aws\u{2028}:kinesis:r:000000000000:stream/c",
                "arn:aws:firehose:r:000000000000:stream/c",
                "arn:aws:kinesis:r:00000000000٣:stream/c",
                "arn:aws:kinesis:stream/c:000000000000:",
            ],
        );
    }

    #[test]
    fn a_long_text_of_candidates_takes_no_longer_than_any_other() {
        // With a search for each candidate this would be 10^12 steps.
        let text = format!(
            "arn:aws:kinesis:{} ",
            ":000000000000:stream/".repeat(100_000)
        );
        assert!(!STREAM_ARN.matches(&text));
        assert!(!RESOURCE_ARN.matches(&text));
    }
}
