//! The configuration file's text.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use types::AccountId;
use wire::sigv4::SecretKey;

use super::{Config, Credential, delivery_limits, sections};

/// Characters of an access key id (IAM, AccessKey).
const ACCESS_KEY_ID_CHARS_MAX: usize = 128;
/// Minutes of clock skew that can be asked for: what AWS's generic rule allows.
const CLOCK_SKEW_MINUTES_MAX: u64 = 15;

const KEYS: &str = "listen, data, plugins, throttle, clock_skew_minutes, [limits], \
                    [plugin_limits], [delivery_limits], [s3] and [[credentials]]";
const LIMIT_KEYS: &str = "connections_max, connections_per_address_max, request_bytes_max, \
                          in_flight_bytes_max, streams_per_account_max and shards_per_account_max";
const CREDENTIAL_KEYS: &str = "access_key_id, secret_access_key and account";

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) what: String,
}

/// A value with the name that it goes by in messages and the text that it came from.
pub(super) struct Entry<'a> {
    text: &'a str,
    pub(super) key: &'a str,
    value: &'a Spanned<DeValue<'a>>,
}

pub(super) fn parse(text: &str) -> Result<Config, Wrong> {
    let root = DeTable::parse(text).map_err(|error| Wrong {
        line: line_of(text, error.span().unwrap_or_default()),
        what: error.message().to_owned(),
    })?;
    let mut config = Config::default();
    for (key, value) in root.get_ref() {
        let entry = Entry {
            text,
            key: key.get_ref(),
            value,
        };
        match entry.key {
            "listen" => {
                config.listen = entry
                    .string()?
                    .parse()
                    .map_err(|_| entry.wrong("is not an address with a port"))?;
            }
            "data" => config.data = PathBuf::from(entry.string()?),
            "plugins" => config.plugins = Some(PathBuf::from(entry.string()?)),
            "throttle" => config.throttle = entry.boolean()?,
            "clock_skew_minutes" => {
                let minutes = entry.number(1, CLOCK_SKEW_MINUTES_MAX)?;
                config.clock_skew_max = Duration::from_secs(minutes * 60);
            }
            "limits" => limits(&entry, &mut config)?,
            "plugin_limits" => config.plugin_limits = sections::plugin_limits(&entry)?,
            "delivery_limits" => {
                config.delivery_limits = delivery_limits::delivery_limits(&entry)?;
            }
            "s3" => config.s3 = Some(sections::s3(&entry)?),
            "credentials" => config.credentials = credentials(&entry)?,
            _ => return Err(unknown(text, key, "", KEYS)),
        }
    }
    let checked = delivery_limits::check(&config.delivery_limits, &config.plugin_limits);
    // It stands between sections, each of which may be missing.
    checked.map_err(|what| Wrong { line: 1, what })?;
    Ok(config)
}

fn limits(entry: &Entry<'_>, config: &mut Config) -> Result<(), Wrong> {
    let limits = &mut config.limits;
    for (key, value) in entry.table("[limits]")? {
        let entry = Entry {
            text: entry.text,
            key: key.get_ref(),
            value,
        };
        let limit = match entry.key {
            "connections_max" => &mut limits.connections_max,
            "connections_per_address_max" => &mut limits.connections_per_address_max,
            "request_bytes_max" => &mut limits.request_bytes_max,
            "in_flight_bytes_max" => &mut limits.in_flight_bytes_max,
            "streams_per_account_max" => &mut limits.streams_per_account_max,
            "shards_per_account_max" => &mut limits.shards_per_account_max,
            _ => return Err(unknown(entry.text, key, " in [limits]", LIMIT_KEYS)),
        };
        let number = entry.number(1, u64::from(u32::MAX))?;
        *limit = usize::try_from(number).map_err(|_| entry.wrong("is too large"))?;
    }
    Ok(())
}

fn credentials(entry: &Entry<'_>) -> Result<Vec<Credential>, Wrong> {
    let shape = "is not a list of sections: write [[credentials]]";
    let sections = entry
        .value
        .get_ref()
        .as_array()
        .ok_or_else(|| entry.wrong(shape))?;
    let mut credentials: Vec<Credential> = Vec::new();
    for section in sections {
        let section = Entry {
            text: entry.text,
            key: entry.key,
            value: section,
        };
        let new = credential(&section)?;
        let known = credentials
            .iter()
            .any(|c| c.access_key_id == new.access_key_id);
        if known {
            let what = "has an access_key_id that an earlier [[credentials]] has, too";
            return Err(section.wrong(what));
        }
        credentials.push(new);
    }
    Ok(credentials)
}

fn credential(section: &Entry<'_>) -> Result<Credential, Wrong> {
    let (mut id, mut secret, mut account) = (None, None, None);
    for (key, value) in section.table("[[credentials]]")? {
        let entry = Entry {
            text: section.text,
            key: key.get_ref(),
            value,
        };
        match entry.key {
            "access_key_id" => id = Some(access_key_id(&entry)?),
            "secret_access_key" => secret = Some(secret_access_key(&entry)?),
            "account" => {
                let parsed = AccountId::parse(entry.string()?);
                account = Some(parsed.map_err(|_| entry.wrong("is not 12 digits in quotes"))?);
            }
            _ => {
                let place = " in [[credentials]]";
                return Err(unknown(entry.text, key, place, CREDENTIAL_KEYS));
            }
        }
    }
    let missing = |key: &str| section.wrong(&format!("has no {key}"));
    Ok(Credential {
        access_key_id: id.ok_or_else(|| missing("access_key_id"))?,
        secret_access_key: secret.ok_or_else(|| missing("secret_access_key"))?,
        account: account.ok_or_else(|| missing("account"))?,
    })
}

fn access_key_id(entry: &Entry<'_>) -> Result<String, Wrong> {
    let id = entry.string()?;
    let fits = (1..=ACCESS_KEY_ID_CHARS_MAX).contains(&id.len());
    match fits && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        true => Ok(id.to_owned()),
        false => Err(entry.wrong("is not 1 to 128 letters, digits and '_'")),
    }
}

fn secret_access_key(entry: &Entry<'_>) -> Result<SecretKey, Wrong> {
    match entry.string()? {
        "" => Err(entry.wrong("is empty")),
        secret => Ok(SecretKey::new(secret)),
    }
}

impl<'a> Entry<'a> {
    pub(super) fn string(&self) -> Result<&'a str, Wrong> {
        let value = self.value.get_ref();
        value.as_str().ok_or_else(|| self.wrong("is not a string"))
    }

    pub(super) fn boolean(&self) -> Result<bool, Wrong> {
        let value = self.value.get_ref();
        value
            .as_bool()
            .ok_or_else(|| self.wrong("is not true or false"))
    }

    pub(super) fn number(&self, min: u64, max: u64) -> Result<u64, Wrong> {
        let integer = self.value.get_ref().as_integer();
        let number = integer.and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok());
        number
            .filter(|n| (min..=max).contains(n))
            .ok_or_else(|| self.wrong(&format!("is not a whole number from {min} to {max}")))
    }

    /// The entries of a section of which all keys are among `keys`.
    pub(super) fn entries(&self, section: &str, keys: &str) -> Result<Vec<Self>, Wrong> {
        let known = keys.split([',', ' ']).filter(|word| *word != "and");
        let mut entries = Vec::new();
        for (key, value) in self.table(section)? {
            if !known.clone().any(|known| known == key.get_ref().as_ref()) {
                return Err(unknown(self.text, key, &format!(" in {section}"), keys));
            }
            entries.push(Entry {
                text: self.text,
                key: key.get_ref(),
                value,
            });
        }
        Ok(entries)
    }

    fn table(&self, section: &str) -> Result<&'a DeTable<'a>, Wrong> {
        let value = self.value.get_ref();
        value
            .as_table()
            .ok_or_else(|| self.wrong(&format!("is not a section: write {section}")))
    }

    pub(super) fn wrong(&self, what: &str) -> Wrong {
        Wrong {
            line: line_of(self.text, self.value.span()),
            what: format!("'{}' {what}", self.key),
        }
    }
}

fn unknown(text: &str, key: &Spanned<impl AsRef<str>>, place: &str, known: &str) -> Wrong {
    Wrong {
        line: line_of(text, key.span()),
        what: format!(
            "unknown key '{}'{place}; known are {known}",
            key.get_ref().as_ref()
        ),
    }
}

fn line_of(text: &str, span: Range<usize>) -> usize {
    let before = text.as_bytes().iter().take(span.start);
    before.filter(|b| **b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = r#"
[[credentials]]
access_key_id = "AKIDEXAMPLE"
secret_access_key = "hush-hush"
account = "000000000042"
"#;

    #[test]
    fn an_empty_file_is_the_default() {
        let config = parse("").unwrap();
        assert_eq!(config.listen, Config::default().listen);
        assert!(config.throttle && config.credentials.is_empty());
    }

    #[test]
    fn every_key_is_read() {
        let text = format!(
            "listen = \"0.0.0.0:80\"\ndata = \"d\"\nplugins = \"p\"\nthrottle = false\n\
             clock_skew_minutes = 15\n[limits]\nconnections_max = 7\n\
             connections_per_address_max = 6\nrequest_bytes_max = 5\nin_flight_bytes_max = 0x4\n\
             streams_per_account_max = 3\nshards_per_account_max = 2\n{CREDENTIALS}"
        );
        let config = parse(&text).unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:80");
        assert_eq!(config.data, PathBuf::from("d"));
        assert_eq!(config.plugins, Some(PathBuf::from("p")));
        assert!(!config.throttle);
        assert_eq!(config.clock_skew_max, Duration::from_secs(900));
        assert_eq!(config.limits.connections_max, 7);
        assert_eq!(config.limits.connections_per_address_max, 6);
        assert_eq!(config.limits.request_bytes_max, 5);
        assert_eq!(config.limits.in_flight_bytes_max, 4);
        assert_eq!(config.limits.streams_per_account_max, 3);
        assert_eq!(config.limits.shards_per_account_max, 2);
        let credential = &config.credentials[0];
        assert_eq!(credential.access_key_id, "AKIDEXAMPLE");
        assert_eq!(credential.account.to_string(), "000000000042");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_no_value() {
        let twice = format!("{CREDENTIALS}{CREDENTIALS}");
        let cases = [
            ("a = 1", 1, "unknown key 'a'"),
            ("\n\nthrotle = true", 3, "unknown key 'throtle'"),
            ("[limit]\nx = 1", 1, "unknown key 'limit'"),
            (
                "[limits]\n\nconections = 1",
                3,
                "unknown key 'conections' in [limits]",
            ),
            (
                "[limits]\nconnections_max = 0",
                2,
                "'connections_max' is not a whole number",
            ),
            (
                "[limits]\nconnections_max = -1",
                2,
                "'connections_max' is not a whole number",
            ),
            (
                "[delivery_limits]\nmemory_mib = 600\nstream_memory_mib = 301",
                1,
                "half of the memory for deliveries at most",
            ),
            (
                "[delivery_limits]\nmemory_mib = 100",
                1,
                "stream_memory_mib in [delivery_limits] is less than 238",
            ),
            ("[plugin_limits]\noutput_mib = 256", 1, "less than 498"),
            ("[delivery_limits]\nthreads = 1", 2, "from 2 to 1024"),
            ("clock_skew_minutes = 16", 1, "from 1 to 15"),
            ("clock_skew_minutes = 1.5", 1, "from 1 to 15"),
            (
                "listen = \"hush-hush\"",
                1,
                "'listen' is not an address with a port",
            ),
            ("listen = 4567", 1, "'listen' is not a string"),
            ("throttle = \"no\"", 1, "'throttle' is not true or false"),
            ("limits = 1", 1, "write [limits]"),
            ("[credentials]\naccount = \"1\"", 1, "write [[credentials]]"),
            ("credentials = [1]", 1, "write [[credentials]]"),
            (
                "[[credentials]]\nsecret = \"hush-hush\"",
                2,
                "unknown key 'secret'",
            ),
            (
                "[[credentials]]\nsecret_access_key = 42",
                2,
                "is not a string",
            ),
            ("[[credentials]]\nsecret_access_key = \"\"", 2, "is empty"),
            (
                "[[credentials]]\naccess_key_id = \"a b\"",
                2,
                "'access_key_id' is not 1 to 128",
            ),
            (
                "[[credentials]]\naccount = \"hush-hush\"",
                2,
                "'account' is not 12 digits",
            ),
            (
                "[[credentials]]\naccount = \"000000000000\"",
                1,
                "has no access_key_id",
            ),
            (&twice, 7, "an earlier [[credentials]] has"),
            ("throttle = true\nthrottle = true", 2, "duplicate key"),
            ("a = \"hush-hush", 1, ""),
            ("throttle\n", 1, ""),
        ];
        for (text, line, what) in cases {
            let wrong = parse(text).unwrap_err();
            assert_eq!(wrong.line, line, "{text}: {}", wrong.what);
            assert!(wrong.what.contains(what), "{text}: {}", wrong.what);
            assert!(!wrong.what.contains("hush-hush"), "{}", wrong.what);
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let config = parse(CREDENTIALS).unwrap();
        assert!(!format!("{config:?}").contains("hush-hush"));
    }
}
