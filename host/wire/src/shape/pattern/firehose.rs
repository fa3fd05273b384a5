//! The patterns of delivery streams (service model `firehose-2015-08-04`).

use super::{Pattern, is_java_space, is_line_end, is_name_byte};

/// ARNs of roles.
pub const ROLE_ARN: Pattern = Pattern {
    text: r"arn:.*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+",
    matches: |text| {
        ends_like(text, ":iam::", |rest| {
            let path = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&b);
            after_account(rest, ":role/").is_some_and(|role| all(role, path))
        })
    },
};

/// ARNs of buckets.
pub const BUCKET_ARN: Pattern = Pattern {
    text: r"arn:.*:s3:::[\w\.\-]{1,255}",
    matches: |text| {
        ends_like(text, ":s3:::", |name| {
            name.len() <= 255 && all(name, is_name_byte)
        })
    },
};

/// ARNs of streams, as delivery streams name them.
pub const KINESIS_STREAM_ARN: Pattern = Pattern {
    text: r"arn:.*:kinesis:[a-zA-Z0-9\-]+:\d{12}:stream/[a-zA-Z0-9_.-]+",
    matches: |text| {
        ends_like(text, ":kinesis:", |rest| {
            let Some((region, rest)) = rest.split_once(':') else {
                return false;
            };
            all(region, |b| b.is_ascii_alphanumeric() || b == b'-')
                && after_account(rest, ":stream/").is_some_and(|name| all(name, is_name_byte))
        })
    },
};

/// ARNs of master keys and of their aliases.
pub const KMS_KEY_ARN: Pattern = Pattern {
    text: r"arn:.*:kms:[a-zA-Z0-9\-]+:\d{12}:key/[a-zA-Z_0-9+=,.@\-_/]+",
    matches: |text| {
        ends_like(text, ":kms:", |rest| {
            let Some((region, rest)) = rest.split_once(':') else {
                return false;
            };
            let named = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&b);
            let name = after_account(rest, ":key/");
            all(region, |b| b.is_ascii_alphanumeric() || b == b'-')
                && name.is_some_and(|name| all(name, named))
        })
    },
};

/// ARNs of secrets.
pub const SECRET_ARN: Pattern = Pattern {
    text: r"arn:.*:secretsmanager:[a-zA-Z0-9\-]+:\d{12}:secret:[a-zA-Z0-9\-/_+=.@!]+",
    matches: |text| {
        ends_like(text, ":secretsmanager:", |rest| {
            let Some((region, rest)) = rest.split_once(':') else {
                return false;
            };
            let named = |b: u8| b.is_ascii_alphanumeric() || b"-/_+=.@!".contains(&b);
            let name = after_account(rest, ":secret:");
            all(region, |b| b.is_ascii_alphanumeric() || b == b'-')
                && name.is_some_and(|name| all(name, named))
        })
    },
};

/// A text without any space.
pub const NO_SPACE: Pattern = Pattern {
    text: r"^\S+$",
    matches: |text| !text.is_empty() && !text.contains(is_java_space),
};

/// Any text on one line.
pub const LINE: Pattern = Pattern {
    text: ".*",
    matches: |text| !text.contains(is_line_end),
};

/// URLs of HTTP endpoints. Plain ones are only served where the operator of this server says so,
/// which is for the operation to look at.
pub const ENDPOINT_URL: Pattern = Pattern {
    text: "https://.*",
    matches: |text| {
        !text.contains(is_line_end) && (text.starts_with("https://") || text.starts_with("http://"))
    },
};

/// Addresses of clusters. Plain ones are only served where the operator of this server says so,
/// which is for the operation to look at.
pub const CLUSTER_ENDPOINT: Pattern = Pattern {
    text: "https:.*",
    matches: |text| {
        !text.contains(is_line_end) && (text.starts_with("https:") || text.starts_with("http:"))
    },
};

/// URLs of databases. Those of PostgreSQL are served wherever they are, which is for the operation
/// to look at.
pub const JDBC_URL: Pattern = Pattern {
    text: concat!(
        r"jdbc:(redshift|postgresql)://((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(redshift(-serverless)?)",
        r"\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+",
    ),
    matches: |text| {
        let begins = |with| text.starts_with(with);
        !text.contains(is_line_end) && (begins("jdbc:redshift://") || begins("jdbc:postgresql://"))
    },
};

/// ARNs of domains.
pub const DOMAIN_ARN: Pattern = Pattern {
    text: r"arn:.*:es:[a-zA-Z0-9\-]+:\d{12}:domain/[a-z][-0-9a-z]{2,27}",
    matches: |text| {
        ends_like(text, ":es:", |rest| {
            let Some((region, rest)) = rest.split_once(':') else {
                return false;
            };
            let name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            all(region, |b| b.is_ascii_alphanumeric() || b == b'-')
                && after_account(rest, ":domain/").is_some_and(|domain| {
                    let begins = domain.starts_with(|it: char| it.is_ascii_lowercase());
                    begins && (3..=28).contains(&domain.len()) && all(domain, name)
                })
        })
    },
};

/// Names of log groups.
pub const LOG_GROUP: Pattern = Pattern {
    text: r"[\.\-_/#A-Za-z0-9]*",
    matches: |text| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_/#".contains(&b))
    },
};

/// Names of log streams.
pub const LOG_STREAM: Pattern = Pattern {
    text: "[^:*]*",
    matches: |text| !text.contains([':', '*']),
};

/// Values of a processor's parameters: not only white space.
pub const PARAMETER_VALUE: Pattern = Pattern {
    text: r"^(?!\s*$).+",
    matches: |text| !text.contains(is_line_end) && !text.chars().all(is_java_space),
};

/// Endings of objects' names.
pub const FILE_EXTENSION: Pattern = Pattern {
    text: r"^$|\.[0-9a-z!\-_.*'()]+",
    matches: |text| {
        let allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!-_.*'()".contains(&b);
        text.is_empty()
            || text
                .strip_prefix('.')
                .is_some_and(|rest| all(rest, allowed))
    },
};

/// Names of time zones.
pub const TIME_ZONE: Pattern = Pattern {
    text: "^$|[a-zA-Z/_]+",
    matches: |text| {
        text.bytes()
            .all(|b| b.is_ascii_alphabetic() || b == b'/' || b == b'_')
    },
};

/// Versions of a configuration.
pub const VERSION_ID: Pattern = Pattern {
    text: "[0-9]+",
    matches: |text| all(text, |b| b.is_ascii_digit()),
};

/// Ids of destinations.
pub const DESTINATION_ID: Pattern = Pattern {
    text: "[a-zA-Z0-9-]+",
    matches: |text| all(text, |b| b.is_ascii_alphanumeric() || b == b'-'),
};

/// Keys of tags.
pub const TAG_KEY: Pattern = Pattern {
    text: r"^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$",
    matches: |text| !text.starts_with("aws:") && text.chars().all(is_tag_char),
};

/// Values of tags.
pub const TAG_VALUE: Pattern = Pattern {
    text: r"^[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$",
    matches: |text| text.chars().all(is_tag_char),
};

/// At least one byte, and each allowed.
fn all(text: &str, allowed: fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(allowed)
}

/// `arn:.*<mark><what matches rest>`: the last mark is as good as any, since none of the rests can
/// hold one.
fn ends_like(text: &str, mark: &str, rest: impl Fn(&str) -> bool) -> bool {
    let found = text
        .strip_prefix("arn:")
        .and_then(|text| text.rsplit_once(mark));
    found.is_some_and(|(before, after)| !before.contains(is_line_end) && rest(after))
}

/// What follows 12 digits and `mark`.
fn after_account<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let (account, rest) = text.split_at_checked(12)?;
    let digits = account.bytes().all(|b| b.is_ascii_digit());
    rest.strip_prefix(mark).filter(|_| digits)
}

/// More than the expression by the marks that count as letters in some scripts (Unicode's
/// Alphabetic), such as the vowels of Hindi: they are not in `\p{L}`.
fn is_tag_char(c: char) -> bool {
    let is_separator = matches!(
        c,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    );
    c.is_alphabetic() || c.is_numeric() || is_separator || "_.:/=+-@%".contains(c)
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
    fn arns_match_as_the_expressions_do() {
        expect(
            ROLE_ARN,
            &[
                "arn:aws:iam::000000000000:role/a",
                "arn:x:y:iam::123456789012:role/a/b+=,.@-_",
            ],
            &[
                "",
                "arn:aws:iam::00000000000:role/a",
                "arn:aws:iam::000000000000:role/",
                "arn:aws:iam::000000000000:user/a",
                "arn:aws:iam::000000000000:role/a b",
                "arn:a\nb:iam::000000000000:role/a",
            ],
        );
        expect(
            BUCKET_ARN,
            &["arn:aws:s3:::logs", "arn:aws:s3:::A_b.c-1"],
            &[
                "",
                "logs",
                "arn:aws:s3:::",
                "arn:aws:s3:::a/b",
                "arn:aws:s3::x:logs",
            ],
        );
        expect(
            SECRET_ARN,
            &[
                "arn:aws:secretsmanager:eu-west-1:000000000000:secret:a-b1c2d3",
                "arn:x:y:secretsmanager:eu-west-1:000000000000:secret:a/b+=.@!-_",
            ],
            &[
                "",
                "a",
                "arn:aws:secretsmanager:eu-west-1:000000000000:secret:",
                "arn:aws:secretsmanager:eu-west-1:000000000000:secret:a:b",
                "arn:aws:secretsmanager:eu-west-1:000000000000:secret:a b",
                "arn:aws:secretsmanager::000000000000:secret:a",
                "arn:aws:secretsmanager:eu-west-1:00000000000:secret:a",
            ],
        );
    }

    #[test]
    fn arns_of_keys_domains_and_streams_match_as_the_expressions_do() {
        expect(
            KMS_KEY_ARN,
            &[
                "arn:aws:kms:eu-west-1:000000000000:key/1234-ab",
                "arn:aws:kms:eu-west-1:000000000000:key/a/b+=,.@-_",
            ],
            &[
                "",
                "alias/a",
                "arn:aws:kms:eu-west-1:000000000000:alias/a",
                "arn:aws:kms:eu-west-1:000000000000:key/",
                "arn:aws:kms:eu-west-1:000000000000:grant/a",
                "arn:aws:kms::000000000000:key/a",
                "arn:aws:kms:eu-west-1:00000000000:key/a",
            ],
        );
        expect(
            DOMAIN_ARN,
            &["arn:aws:es:eu-west-1:000000000000:domain/logs-1"],
            &[
                "",
                "arn:aws:es:eu-west-1:000000000000:domain/1logs",
                "arn:aws:es:eu-west-1:000000000000:domain/lo",
                "arn:aws:es:eu_west:000000000000:domain/logs",
                "arn:aws:es:eu-west-1:00000000000:domain/logs",
                "arn:aws:es:eu-west-1:000000000000:domain/Logs",
            ],
        );
        let urls = ["https://a.example", "http://127.0.0.1:9200"];
        expect(CLUSTER_ENDPOINT, &urls, &["", "ftp://a", "https:a\n"]);
        expect(
            KINESIS_STREAM_ARN,
            &["arn:aws:kinesis:eu-west-1:000000000000:stream/clicks"],
            &[
                "arn:aws:kinesis::000000000000:stream/clicks",
                "arn:aws:kinesis:eu-west-1:000000000000:stream/",
                "arn:aws:kinesis:eu-west-1:000000000000:stream/a/b",
                "arn:aws:kinesis:eu-west-1:000000000000:topic/a",
            ],
        );
    }

    #[test]
    fn urls_of_databases_match_also_where_they_are_no_redshift() {
        let urls = [
            "jdbc:redshift://a.b.eu-west-1.redshift.amazonaws.com:5439/dev",
            "jdbc:postgresql://127.0.0.1:5432/dev?sslmode=disable",
        ];
        let others = ["", "postgresql://a:1/b", "jdbc:postgresql://a:1/b\n"];
        expect(JDBC_URL, &urls, &others);
    }

    #[test]
    fn words_match_as_the_expressions_do() {
        expect(LINE, &["", "a b/é"], &["a\n"]);
        expect(LOG_GROUP, &["", "/aws/a-b_c#1."], &["a b", "é"]);
        expect(LOG_STREAM, &["", "a b"], &["a:b", "*"]);
        expect(PARAMETER_VALUE, &["a", " a "], &["", "  ", "\t", "a\nb"]);
        expect(
            ENDPOINT_URL,
            &["https://a.example/b?c", "http://127.0.0.1:80/"],
            &["", "ftp://a.example", "https://a\nb"],
        );
        expect(FILE_EXTENSION, &["", ".json.gz"], &["json", ".", ".JSON"]);
        expect(TIME_ZONE, &["", "Europe/Berlin"], &["UTC+1", "a b"]);
        expect(VERSION_ID, &["1", "007"], &["", "v1", "-1"]);
        expect(
            DESTINATION_ID,
            &["destinationId-000000000001"],
            &["", "a_b"],
        );
        expect(TAG_KEY, &["", "team", "ключ 1"], &["aws:x", "a!"]);
        expect(TAG_VALUE, &["", "aws:x"], &["a;b"]);
    }
}
