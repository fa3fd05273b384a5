//! Which server is spoken to, and in whose name.

use std::env::VarError;

use clap::Args;
use hyper::Uri;
use wire::sigv4::SecretKey;

const ENDPOINT_DEFAULT: &str = "http://127.0.0.1:4567";
const REGION_DEFAULT: &str = "us-east-1";
/// A key id and a secret for a server without credentials, which accepts any.
const ANY: &str = "any";
const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// Where to find the server. Credentials are those of the environment: AWS_ACCESS_KEY_ID,
/// AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
#[derive(Args)]
pub(crate) struct TargetArgs {
    /// The server's URL [default: AWS_ENDPOINT_URL_KINESIS, AWS_ENDPOINT_URL or
    /// http://127.0.0.1:4567]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The region of the streams [default: AWS_REGION, AWS_DEFAULT_REGION or us-east-1]
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
}

/// A server, and who calls it.
pub(crate) struct Target {
    endpoint: String,
    authority: String,
    region: String,
    credentials: Credentials,
}

/// The key that signs.
pub(crate) struct Credentials {
    pub(crate) key_id: String,
    pub(crate) secret: SecretKey,
    pub(crate) session_token: Option<String>,
}

impl TargetArgs {
    /// Whether the arguments name a server, and not the environment alone.
    pub(crate) fn is_given(&self) -> bool {
        self.endpoint.is_some() || self.region.is_some()
    }

    /// What the arguments and the environment say.
    pub(crate) fn target(&self) -> Result<Target, String> {
        let endpoint = first([
            self.endpoint.clone(),
            variable("AWS_ENDPOINT_URL_KINESIS")?,
            variable("AWS_ENDPOINT_URL")?,
        ]);
        let region = first([
            self.region.clone(),
            variable("AWS_REGION")?,
            variable("AWS_DEFAULT_REGION")?,
        ]);
        let endpoint = endpoint.as_deref().unwrap_or(ENDPOINT_DEFAULT);
        let region = region.as_deref().unwrap_or(REGION_DEFAULT);
        let (key_id, secret) = (variable(KEY_ID)?, variable(SECRET)?);
        let credentials = Credentials::of(key_id, secret, variable(SESSION_TOKEN)?)?;
        Target::new(endpoint, region, credentials)
    }
}

impl Credentials {
    /// What the environment says; without a key, those of [`Credentials::any`].
    fn of(
        key_id: Option<String>,
        secret: Option<String>,
        session_token: Option<String>,
    ) -> Result<Self, String> {
        let half = |there: &str, missing: &str| Err(format!("{there} is set and {missing} is not"));
        match (key_id, secret) {
            (Some(key_id), Some(secret)) => Ok(Self {
                key_id,
                secret: SecretKey::new(secret),
                session_token,
            }),
            (None, None) => Ok(Self::any()),
            (Some(_), None) => half(KEY_ID, SECRET),
            (None, Some(_)) => half(SECRET, KEY_ID),
        }
    }

    /// For a server that accepts any.
    pub(crate) fn any() -> Self {
        Self {
            key_id: ANY.to_owned(),
            secret: SecretKey::new(ANY),
            session_token: None,
        }
    }
}

impl Target {
    pub(crate) fn new(
        endpoint: &str,
        region: &str,
        credentials: Credentials,
    ) -> Result<Self, String> {
        let wrong = |what: &str| format!("endpoint '{endpoint}' {what}");
        let uri: Uri = endpoint.parse().map_err(|_| wrong("is not a URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong(
                "does not begin with http://: name the server's port that speaks no TLS",
            ));
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(wrong("has a path; it must not"));
        }
        let host = uri.host().ok_or_else(|| wrong("names no host"))?;
        let authority = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            authority,
            region: region.to_owned(),
            credentials,
        })
    }

    /// A server of this process that accepts anybody.
    pub(crate) fn local(address: std::net::SocketAddr) -> Result<Self, String> {
        let endpoint = format!("http://{address}");
        Self::new(&endpoint, REGION_DEFAULT, Credentials::any())
    }

    /// The URL without a slash at its end.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }
}

/// The first that is there.
fn first<const N: usize>(candidates: [Option<String>; N]) -> Option<String> {
    candidates.into_iter().flatten().next()
}

/// A variable of the environment; an empty one counts as not set.
fn variable(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With half of a key, requests were signed with any other and refused for that.
    #[test]
    fn a_key_of_which_one_half_is_missing_is_not_taken_for_none() {
        let some = || Some("x".to_owned());
        let credentials = |key_id, secret| Credentials::of(key_id, secret, None);
        assert_eq!(credentials(some(), some()).unwrap().key_id, "x");
        assert_eq!(credentials(None, None).unwrap().key_id, ANY);
        for (half, missing) in [
            (credentials(some(), None), SECRET),
            (credentials(None, some()), KEY_ID),
        ] {
            let why = half.err().unwrap();
            assert!(why.ends_with(&format!("{missing} is not")), "{why}");
        }
    }

    #[test]
    fn an_endpoint_is_an_http_url_without_a_path() {
        let target = |endpoint| Target::new(endpoint, "r", Credentials::any());
        assert_eq!(
            target("http://localhost").unwrap().authority(),
            "localhost:80"
        );
        let with_slash = target("http://[::1]:4567/").unwrap();
        assert_eq!(with_slash.authority(), "[::1]:4567");
        assert_eq!(with_slash.endpoint(), "http://[::1]:4567");
        for bad in [
            "",
            "localhost:1",
            "https://localhost",
            "http://h/path",
            "http://h/?q",
        ] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }
}
