//! The patterns of applications of SQL (service models `kinesisanalytics-2015-08-14` and
//! `kinesisanalyticsv2-2018-05-23`).

use super::{Pattern, is_java_space, is_line_end, is_name_byte};

/// Digits of an account.
const ACCOUNT_DIGITS: usize = 12;
/// Characters of an application's name.
const NAME_CHARS_MAX: usize = 128;

/// ARNs of anything.
pub const ARN: Pattern = Pattern {
    text: "arn:.*",
    matches: |text| {
        text.strip_prefix("arn:")
            .is_some_and(|rest| !rest.contains(is_line_end))
    },
};

/// ARNs of roles, as version 1 takes them.
pub const ROLE_ARN: Pattern = Pattern {
    text: r"arn:aws:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
    matches: |text| {
        let path = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&b);
        let account = text.strip_prefix("arn:aws:iam::");
        let role = account.and_then(|rest| after_digits(rest, ACCOUNT_DIGITS));
        let role = role.and_then(|rest| rest.strip_prefix(":role"));
        role.is_some_and(|role| !role.is_empty() && role.bytes().all(path))
    },
};

/// ARNs of applications, as version 1 takes them.
pub const APPLICATION_ARN: Pattern = Pattern {
    text: r"arn:aws:kinesisanalytics:[a-z]{2}-[a-z]+-\d{1}+:\d{12}+:application/[a-zA-Z0-9_.-]{1,128}",
    matches: |text| {
        let rest = text.strip_prefix("arn:aws:kinesisanalytics:");
        let Some((region, rest)) = rest.and_then(|rest| rest.split_once(':')) else {
            return false;
        };
        let name = after_digits(rest, ACCOUNT_DIGITS);
        let name = name.and_then(|rest| rest.strip_prefix(":application/"));
        is_region(region)
            && name.is_some_and(|name| {
                (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(is_name_byte)
            })
    },
};

/// The one encoding.
pub const UTF_8: Pattern = Pattern {
    text: "UTF-8",
    matches: |text| text == "UTF-8",
};

/// Names of in-application streams and of columns, as version 2 takes them.
pub const SQL_NAME: Pattern = Pattern {
    text: r"[^-\s<>&]*",
    matches: |text| !text.contains(|c| matches!(c, '-' | '<' | '>' | '&') || is_java_space(c)),
};

/// Paths into JSON, as version 2 takes them.
pub const ROW_PATH: Pattern = Pattern {
    text: r"^(?=^\$)(?=^\S+$).*$",
    matches: |text| text.starts_with('$') && !text.contains(|c| is_java_space(c) || is_line_end(c)),
};

/// Tokens for the state of an application.
pub const TOKEN: Pattern = Pattern {
    text: "[a-zA-Z0-9-_+/=]+",
    matches: |text| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_+/=".contains(&b);
        !text.is_empty() && text.bytes().all(fits)
    },
};

/// What follows so many digits.
fn after_digits(text: &str, count: usize) -> Option<&str> {
    let (digits, rest) = text.split_at_checked(count)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(rest)
}

/// `[a-z]{2}-[a-z]+-\d`.
fn is_region(text: &str) -> bool {
    let lower = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase());
    let mut parts = text.split('-');
    let (Some(continent), Some(side), Some(number), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    continent.len() == 2
        && lower(continent)
        && !side.is_empty()
        && lower(side)
        && number.len() == 1
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_of_version_1_lie_in_the_one_partition() {
        for good in [
            "arn:aws:iam::000000000042:role/a",
            "arn:aws:iam::000000000042:role/path/a+=,.@-_",
            "arn:aws:iam::000000000042:rolea",
            "arn:aws:iam::000000000042:role/",
        ] {
            assert!(ROLE_ARN.matches(good), "{good}");
        }
        for bad in [
            "",
            "arn:aws-cn:iam::000000000042:role/a",
            "arn:aws:iam::42:role/a",
            "arn:aws:iam::000000000042:user/a",
            "arn:aws:iam::000000000042:role",
            "arn:aws:iam::000000000042:role/a b",
            "arn:aws:iam::000000000042:role/a\n",
        ] {
            assert!(!ROLE_ARN.matches(bad), "{bad}");
        }
    }

    #[test]
    fn applications_of_version_1_lie_in_regions_of_three_parts() {
        let arn = |region: &str| {
            format!("arn:aws:kinesisanalytics:{region}:000000000042:application/a.b-c_1")
        };
        assert!(APPLICATION_ARN.matches(&arn("eu-central-1")));
        for region in [
            "us-gov-west-1",
            "eu-central-12",
            "e-central-1",
            "eu--1",
            "eu-central",
        ] {
            assert!(!APPLICATION_ARN.matches(&arn(region)), "{region}");
        }
        let longest = "a".repeat(NAME_CHARS_MAX);
        let of = |name: &str| {
            APPLICATION_ARN.matches(&format!(
                "arn:aws:kinesisanalytics:eu-west-1:000000000042:application/{name}"
            ))
        };
        assert!(of(&longest));
        assert!(!of(&format!("{longest}a")) && !of("") && !of("a/b"));
    }

    #[test]
    fn names_paths_and_tokens_have_no_spaces() {
        assert!(SQL_NAME.matches("") && SQL_NAME.matches("a.b$ключ"));
        for bad in ["a-b", "a b", "a<b", "a>b", "a&b", "a\n"] {
            assert!(!SQL_NAME.matches(bad), "{bad}");
        }
        assert!(ROW_PATH.matches("$") && ROW_PATH.matches("$.a[0:]"));
        for bad in ["", "a", "$ a", "$\n"] {
            assert!(!ROW_PATH.matches(bad), "{bad}");
        }
        assert!(TOKEN.matches("aA9-_+/="));
        assert!(!TOKEN.matches("") && !TOKEN.matches("a b"));
        assert!(ARN.matches("arn:") && !ARN.matches("arn:a\n") && !ARN.matches("a"));
        assert!(UTF_8.matches("UTF-8") && !UTF_8.matches("utf-8"));
    }
}
