//! The configuration file's text.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use super::entry::{Entry, Wrong, line_of};
use super::{
    Config, ConfigError, credentials, delivery_limits, egress, glue, kms, plugin_grants, plugins,
    secrets, sections,
};
use crate::limits::Limits;
use crate::web_origin::WebOrigin;

/// Minutes of clock skew that can be asked for: what AWS's generic rule allows.
const CLOCK_SKEW_MINUTES_MAX: u64 = 15;
/// How many requests of the largest size must fit into the memory for all. Bodies that come in may
/// have 15 parts of 32 of it, and one account may have as much at work. With four that is room for
/// one of the largest requests and many small ones beside it; with two, not even for one.
const IN_FLIGHT_REQUESTS_MIN: usize = 4;
/// Origins of web pages that can be named: each request that has an `Origin` is compared with all.
const CORS_ORIGINS_MAX: usize = 64;

/// How the parser begins what it says of a key that is there already. It points to the key and
/// does not say which it is.
const KEY_FAULTS: [&str; 2] = ["duplicate key", "cannot extend value"];

const KEYS: &str = "listen, tls_listen, data, plugins, plugin_accounts, throttle, \
                    clock_skew_minutes, cors_origins, [plugins], [limits], [plugin_limits], \
                    [delivery_limits], [metrics], [s3], [egress], [glue], [tls], \
                    [kms], [[secrets]], [[plugin_grants]] and [[credentials]]";
const LIMIT_KEYS: &str = "connections_max, connections_per_address_max, request_bytes_max, \
                          in_flight_bytes_max, streams_per_account_max, shards_per_account_max, \
                          lanes_per_account_max and policy_bytes_per_account_max";

impl Config {
    /// Reads a configuration file. Blocks. What the file does not say keeps its default.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let in_file = |line, what| ConfigError {
            file: path.to_owned(),
            line,
            what,
        };
        let text = std::fs::read_to_string(path).map_err(|e| in_file(None, e.to_string()))?;
        let mut config = parse(&text).map_err(|wrong| in_file(wrong.line, wrong.what))?;
        config.file = Some(path.to_owned());
        Ok(config)
    }
}

fn parse(text: &str) -> Result<Config, Wrong> {
    let root = DeTable::parse(text).map_err(|error| malformed(text, &error))?;
    let mut config = Config::default();
    for entry in Entry::of_file(text, root.get_ref(), KEYS)? {
        match entry.key {
            "listen" => config.listen = address(&entry)?,
            "tls_listen" => config.tls_listen = Some(address(&entry)?),
            "data" => config.data = PathBuf::from(entry.string()?),
            "plugins" => plugins::plugins(&entry, &mut config)?,
            "plugin_accounts" => config.plugin_accounts = plugins::accounts(&entry)?,
            "throttle" => config.throttle = entry.boolean()?,
            "clock_skew_minutes" => {
                let minutes = entry.number(1, CLOCK_SKEW_MINUTES_MAX)?;
                config.clock_skew_max = Duration::from_secs(minutes * 60);
            }
            "cors_origins" => config.cors_origins = cors_origins(&entry)?,
            "limits" => limits(&entry, &mut config.limits)?,
            "plugin_limits" => config.plugin_limits = sections::plugin_limits(&entry)?,
            "delivery_limits" => {
                config.delivery_limits = delivery_limits::delivery_limits(&entry)?;
            }
            "metrics" => config.metrics_token = Some(sections::metrics_token(&entry)?),
            "s3" => config.s3 = Some(sections::s3(&entry)?),
            "glue" => config.glue = glue::glue(&entry)?,
            "egress" => config.egress_allow = egress::egress(&entry)?,
            "tls" => config.tls = Some(sections::tls(&entry)?),
            "kms" => config.kms = kms::kms(&entry)?,
            "secrets" => config.secrets = secrets::secrets(&entry)?,
            "plugin_grants" => {
                plugin_grants::plugin_grants(&entry, &mut config)?;
            }
            "credentials" => config.credentials = credentials::credentials(&entry)?,
            _ => return Err(entry.unread()),
        }
    }
    let checked = delivery_limits::check(&config.delivery_limits, &config.plugin_limits);
    // The two sections contradict each other, and either may be missing.
    checked.map_err(|what| Wrong { line: None, what })?;
    Ok(config)
}

fn address(entry: &Entry<'_>) -> Result<SocketAddr, Wrong> {
    let address = entry.string()?.parse();
    address.map_err(|_| entry.wrong("is not an address with a port"))
}

/// What is no TOML. Of the file's text only a key is repeated: values may be secrets.
fn malformed(text: &str, error: &toml::de::Error) -> Wrong {
    let mut what = error.message().to_owned();
    let span = error.span();
    let is_of_a_key = KEY_FAULTS.iter().any(|fault| what.starts_with(fault));
    if is_of_a_key && let Some(key) = span.clone().and_then(|span| text.get(span)) {
        let key = key.trim_matches(['"', '\'']);
        what.push_str(&format!(" '{key}'"));
    }
    Wrong {
        line: span.map(|span| line_of(text, span)),
        what,
    }
}

fn cors_origins(entry: &Entry<'_>) -> Result<Vec<WebOrigin>, Wrong> {
    let list = entry.list("cors_origins = [\"https://app.example\"]")?;
    if list.len() > CORS_ORIGINS_MAX {
        return Err(entry.wrong(&format!("names more than {CORS_ORIGINS_MAX} origins")));
    }
    let origin = |element: &Entry<'_>| {
        let origin = WebOrigin::parse(element.string()?);
        origin.ok_or_else(|| {
            element.wrong(
                "has an element that is not an origin, such as https://app.example or \
                 http://localhost:3000: a scheme, a host and a port, and nothing after them",
            )
        })
    };
    list.iter().map(origin).collect()
}

fn limits(section: &Entry<'_>, limits: &mut Limits) -> Result<(), Wrong> {
    for entry in section.entries("[limits]", LIMIT_KEYS)? {
        let limit = match entry.key {
            "connections_max" => &mut limits.connections_max,
            "connections_per_address_max" => &mut limits.connections_per_address_max,
            "request_bytes_max" => &mut limits.request_bytes_max,
            "in_flight_bytes_max" => &mut limits.in_flight_bytes_max,
            "streams_per_account_max" => &mut limits.streams_per_account_max,
            "shards_per_account_max" => &mut limits.shards_per_account_max,
            "lanes_per_account_max" => &mut limits.lanes_per_account_max,
            "policy_bytes_per_account_max" => &mut limits.policy_bytes_per_account_max,
            _ => return Err(entry.unread()),
        };
        *limit = entry.count(1, u64::from(u32::MAX))?;
    }
    if limits.in_flight_bytes_max / IN_FLIGHT_REQUESTS_MIN < limits.request_bytes_max {
        let what = "has an in_flight_bytes_max that is not four times its request_bytes_max";
        return Err(section.wrong(what));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use types::Timestamp;

    use super::*;

    const CREDENTIALS: &str = "\n[[credentials]]\naccess_key_id = \"AKIDEXAMPLE\"\n\
                               secret_access_key = \"hush-hush\"\n\
                               account = \"000000000042\"\n";

    #[test]
    fn an_empty_file_is_the_default() {
        let config = parse("").unwrap();
        assert_eq!(config.listen, Config::default().listen);
        assert!(config.throttle && config.credentials.is_empty());
    }

    const POLICY: &str =
        r#"{"Statement": {"Effect": "Allow", "Action": "kinesis:*", "Resource": "*"}}"#;

    #[test]
    fn a_credential_may_have_a_user_with_a_policy_and_an_end() {
        let text = format!(
            "{CREDENTIALS}user = \"ann\"\npolicy = '''{POLICY}'''\n\
             session_token = \"hush-hush-hush-hush\"\nexpires = \"1970-01-01T00:00:01Z\"\n"
        );
        let config = parse(&text).unwrap();
        let [credential] = &config.credentials[..] else {
            panic!("one credential");
        };
        let user = credential.identity.principal.user.as_ref().unwrap();
        assert_eq!(user.as_str(), "ann");
        assert!(credential.identity.policy.is_some());
        let session = credential.session.as_ref().unwrap();
        assert!(session.token.is_text(b"hush-hush-hush-hush"));
        assert_eq!(session.expires_at, Timestamp(1_000));
        assert!(!format!("{config:?}").contains("hush-hush"));
    }

    #[test]
    fn a_policy_stands_in_the_section_or_in_a_file_and_needs_a_user() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.json");
        std::fs::write(&path, POLICY).unwrap();
        let file = format!("policy_file = \"{}\"\n", path.display());
        let config = parse(&format!("{CREDENTIALS}user = \"ann\"\n{file}")).unwrap();
        assert!(config.credentials[0].identity.policy.is_some());
        let inline = format!("policy = '''{POLICY}'''\n");
        for (text, what) in [
            (format!("{CREDENTIALS}{file}"), "has a policy and no user"),
            (
                format!("{CREDENTIALS}user = \"ann\"\n{file}{inline}"),
                "has both a policy and a policy_file",
            ),
        ] {
            let wrong = parse(&text).unwrap_err();
            assert_eq!(wrong.line, Some(2), "{}", wrong.what);
            assert!(wrong.what.contains(what), "{}", wrong.what);
        }
        std::fs::write(&path, " ".repeat(20 * 1024 + 1)).unwrap();
        let wrong = parse(&format!("{CREDENTIALS}user = \"ann\"\n{file}")).unwrap_err();
        assert!(wrong.what.contains("Cannot exceed quota"), "{}", wrong.what);
    }

    #[test]
    fn every_key_is_read() {
        let text = format!(
            "listen = \"0.0.0.0:80\"\ntls_listen = \"0.0.0.0:443\"\ndata = \"d\"\n\
             plugins = \"p\"\nthrottle = false\nclock_skew_minutes = 15\n\
             cors_origins = [\"https://App.example:443\", \"http://localhost:3000\"]\n\
             [limits]\nconnections_max = 7\n\
             connections_per_address_max = 6\nrequest_bytes_max = 5\nin_flight_bytes_max = 0x40\n\
             streams_per_account_max = 3\nshards_per_account_max = 2\n\
             lanes_per_account_max = 8\npolicy_bytes_per_account_max = 9\n\
             [metrics]\ntoken = \"0123456789abcdef\"\n\
             [tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n{CREDENTIALS}"
        );
        let config = parse(&text).unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:80");
        assert_eq!(config.tls_listen, Some(([0, 0, 0, 0], 443).into()));
        let tls = config.tls.unwrap();
        assert_eq!(tls.certificate, PathBuf::from("c.pem"));
        assert_eq!(tls.key, PathBuf::from("k.pem"));
        assert_eq!(config.data, PathBuf::from("d"));
        assert_eq!(config.plugins, Some(PathBuf::from("p")));
        assert!(!config.throttle);
        assert_eq!(config.clock_skew_max, Duration::from_secs(900));
        assert_eq!(config.limits.connections_max, 7);
        assert_eq!(config.limits.connections_per_address_max, 6);
        assert_eq!(config.limits.request_bytes_max, 5);
        assert_eq!(config.limits.in_flight_bytes_max, 0x40);
        assert_eq!(
            config.cors_origins,
            ["https://app.example", "http://localhost:3000"].map(|o| WebOrigin::parse(o).unwrap())
        );
        assert!(config.metrics_token.is_some());
        assert_eq!(config.limits.streams_per_account_max, 3);
        assert_eq!(config.limits.shards_per_account_max, 2);
        assert_eq!(config.limits.lanes_per_account_max, 8);
        assert_eq!(config.limits.policy_bytes_per_account_max, 9);
        let credential = &config.credentials[0];
        assert_eq!(credential.access_key_id, "AKIDEXAMPLE");
        assert_eq!(
            credential.identity.principal.account.to_string(),
            "000000000042"
        );
    }

    #[test]
    fn plugins_are_a_directory_or_a_section_with_one() {
        let key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let config = parse(&format!(
            "[plugins]\ndirectory = \"p\"\nsignatures = \"warn\"\ntrusted_keys = [\"{key}\"]\n\
             failed_percent_max = 5\nshadow_records = 100\nshadow_samples = true\n"
        ));
        let config = config.unwrap();
        assert_eq!(config.plugins, Some(PathBuf::from("p")));
        assert_eq!(config.plugin_signatures.mode, wasm::SignatureMode::Warn);
        let trusted = wasm::TrustedKey::parse(key).unwrap();
        assert_eq!(config.plugin_signatures.trusted, [trusted]);
        let rollout = wasm::RolloutRules {
            failed_percent_max: Some(5),
            shadow_records: 100,
            shadow_samples: true,
        };
        assert_eq!(config.plugin_rollout, rollout);
    }

    /// What is written, the line that is named, and words of what is said.
    const WRONG: &[(&str, usize, &str)] = &[
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
        ("[delivery_limits]\nthreads = 1", 2, "from 2 to 1024"),
        (
            "[delivery_limits]\nthreads = 3\nslow_threads = 3",
            1,
            "of 3 threads, 3 cannot be for slow plugins",
        ),
        ("clock_skew_minutes = 16", 1, "from 1 to 15"),
        ("clock_skew_minutes = 1.5", 1, "from 1 to 15"),
        (
            "listen = \"hush-hush\"",
            1,
            "'listen' is not an address with a port",
        ),
        ("listen = 4567", 1, "'listen' is not a string"),
        (
            "[plugins]\nsignatures = \"always\"",
            2,
            "is not \"off\", \"warn\" or \"require\"",
        ),
        (
            "[plugins]\nsignatures = \"require\"",
            1,
            "asks for signatures and has no trusted_keys",
        ),
        (
            "[plugins]\ntrusted_keys = [\"hush-hush\"]",
            2,
            "an element that is no key: a key of ed25519 is 32 bytes in base64",
        ),
        ("[plugins]\nfailed_percent_max = 100", 2, "from 0 to 99"),
        ("plugin_accounts = [42]", 1, "is not a string"),
        ("plugin_accounts = [\"42\"]", 1, "is not 12 digits"),
        ("[plugins]\nkeys = 1", 2, "unknown key 'keys' in [plugins]"),
        (
            "tls_listen = \"hush-hush\"",
            1,
            "'tls_listen' is not an address with a port",
        ),
        ("[tls]\nkey = \"hush-hush\"", 1, "has no certificate"),
        ("[tls]\ncertificate = \"c.pem\"", 1, "has no key"),
        ("[glue]\n", 1, "has no directory and no endpoint"),
        ("[glue]\ndirectory = \"\"", 2, "is empty"),
        ("[glue]\nendpoint = \"hush-hush\"", 2, "is not a URL"),
        (
            "[glue]\nendpoint = \"https://a\"\naccess_key_id = \"hush-hush\"",
            1,
            "has no secret_access_key",
        ),
        (
            "[glue]\ndirectory = \"a\"\nsecret_access_key = \"hush-hush\"",
            1,
            "has a directory and what is for an endpoint",
        ),
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
        (
            "[[credentials]]\nuser = \"hush-hush/a\"",
            2,
            "'user' is not 1 to 64 letters",
        ),
        (
            "[[credentials]]\npolicy = \"{}\"",
            2,
            "'policy' is not a policy that can be kept to: Missing required field Statement.",
        ),
        (
            "[[credentials]]\npolicy_file = \"hush-hush\"",
            2,
            "'policy_file' cannot be read",
        ),
        (
            "[[credentials]]\nsession_token = \"hush-hush\"",
            2,
            "'session_token' is not 16 to 4096",
        ),
        (
            "[[credentials]]\nexpires = \"tomorrow\"",
            2,
            "'expires' is not a moment in UTC",
        ),
        (
            "[[credentials]]\nexpires = \"2027-01-31T12:00:00Z\"",
            1,
            "has expires and no session_token",
        ),
        (
            "[[credentials]]\nsession_token = \"hush-hush-hush-hush\"",
            1,
            "has a session_token and no expires",
        ),
        (
            "cors_origins = \"https://a\"",
            1,
            "is not a list: write cors_origins",
        ),
        (
            "cors_origins = [\n\"https://a\",\n\"*\"]",
            3,
            "not an origin",
        ),
        ("cors_origins = [\"https://a/\"]", 1, "not an origin"),
        (
            "[metrics]\ntoken = \"hush-hush\"",
            2,
            "'token' is not at least 16",
        ),
        (
            "[metrics]\ntokens = \"hush-hush\"",
            2,
            "unknown key 'tokens' in [metrics]",
        ),
        ("[metrics]\n", 1, "has no token"),
        (
            "[limits]\nrequest_bytes_max = 1000\nin_flight_bytes_max = 3999",
            1,
            "not four times",
        ),
        (
            "throttle = true\nthrottle = true",
            2,
            "duplicate key 'throttle'",
        ),
        ("a = \"hush-hush", 1, ""),
        ("throttle\n", 1, ""),
    ];

    /// Keys that are not what they look like; the line is the last one each time. An empty key was
    /// once taken for the last limit of its section.
    const ODD_KEYS: &[(&str, &str)] = &[
        ("\"\" = 1", "unknown key ''; known are listen"),
        ("[limits]\n\"\" = 1", "unknown key '' in [limits]"),
        (
            "[plugin_limits]\n'' = 1",
            "unknown key '' in [plugin_limits]",
        ),
        ("[delivery_limits]\n'' = 2", "unknown key '' in [delivery"),
        ("[metrics]\n'' = \"hush-hush-hush-hush\"", "unknown key ''"),
        ("[s3]\n'' = true", "unknown key '' in [s3]"),
        ("[[credentials]]\n'' = \"000000000042\"", "unknown key ''"),
        ("limits.'' = 1", "unknown key '' in [limits]"),
        ("['']", "unknown key ''"),
        ("[limits]\nand = 1", "unknown key 'and' in [limits]"),
        ("[limits]\n' ' = 1", "unknown key ' ' in [limits]"),
        ("[limits]\n' connections_max' = 1", "unknown key ' conn"),
        (
            "[limits]\n'connections_max,' = 1",
            "unknown key 'connections_max,'",
        ),
        ("'[limits]' = 1", "unknown key '[limits]'"),
        ("Listen = \"0.0.0.0:80\"", "unknown key 'Listen'"),
        (
            "limits.conections = 1",
            "unknown key 'conections' in [limits]",
        ),
        (
            "limits.connections_max.a = 1",
            "'connections_max' is not a whole",
        ),
        ("listen.a = 1", "'listen' is not a string"),
        (
            "[limits.connections_max]",
            "'connections_max' is not a whole",
        ),
        ("[limits.''.connections_max]", "unknown key '' in [limits]"),
        ("[credentials.account]", "'credentials' is not a list"),
        ("[limits]\n[limits]", "duplicate key 'limits'"),
        (
            "[s3]\nregion = 1\n\"region\" = \"hush-hush\"",
            "duplicate key 'region'",
        ),
        (
            "listen = \"hush-hush\"\nlisten.a = 1",
            "dotted key 'listen'",
        ),
        ("[limits]\n'' = 1\n'' = 1", "duplicate key ''"),
        ("limits = { a = 1, a = 2 }", "duplicate key 'a'"),
    ];

    #[test]
    fn a_key_that_is_not_among_the_known_ones_is_never_taken_for_one_of_them() {
        for (text, what) in ODD_KEYS {
            let wrong = parse(text).unwrap_err();
            let line = text.lines().count();
            assert_eq!(wrong.line, Some(line), "{text}: {}", wrong.what);
            assert!(wrong.what.contains(what), "{text}: {}", wrong.what);
            assert!(!wrong.what.contains("hush-hush"), "{}", wrong.what);
        }
        // TOML writes one key in several ways.
        let config = parse("limits.\"connections_max\" = 7\n'limits'.request_bytes_max = 5");
        let limits = config.unwrap().limits;
        assert_eq!((limits.connections_max, limits.request_bytes_max), (7, 5));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_no_value() {
        let twice = format!("{CREDENTIALS}{CREDENTIALS}");
        let twice = (twice.as_str(), 7, "an earlier [[credentials]] has");
        for (text, line, what) in WRONG.iter().copied().chain([twice]) {
            let wrong = parse(text).unwrap_err();
            assert_eq!(wrong.line, Some(line), "{text}: {}", wrong.what);
            assert!(wrong.what.contains(what), "{text}: {}", wrong.what);
            assert!(!wrong.what.contains("hush-hush"), "{}", wrong.what);
        }
    }

    #[test]
    fn sections_that_contradict_each_other_are_wrong_on_no_single_line() {
        for (text, what) in [
            (
                "[delivery_limits]\nmemory_mib = 100",
                "stream_memory_mib in [delivery_limits] is less than 256",
            ),
            ("[plugin_limits]\noutput_mib = 256", "less than 516"),
        ] {
            let wrong = parse(text).unwrap_err();
            assert_eq!(wrong.line, None, "{text}");
            assert!(wrong.what.contains(what), "{text}: {}", wrong.what);
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let token = "[metrics]\ntoken = \"hush-hush-hush-hush\"\n";
        let config = parse(&format!("{token}{CREDENTIALS}")).unwrap();
        assert!(!format!("{config:?}").contains("hush-hush"));
    }
}
