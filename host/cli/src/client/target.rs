//! Which server is spoken to, and in whose name.

use clap::Args;
use hyper::Uri;
use wire::sigv4::SecretKey;

const ENDPOINT_DEFAULT: &str = "http://127.0.0.1:4567";
const REGION_DEFAULT: &str = "us-east-1";
/// What a server without credentials accepts, as it accepts any.
const ANY: &str = "any";

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
    /// What the arguments and the environment say.
    pub(crate) fn target(&self) -> Result<Target, String> {
        let endpoint = first([
            self.endpoint.clone(),
            variable("AWS_ENDPOINT_URL_KINESIS"),
            variable("AWS_ENDPOINT_URL"),
        ]);
        let region = first([
            self.region.clone(),
            variable("AWS_REGION"),
            variable("AWS_DEFAULT_REGION"),
        ]);
        let endpoint = endpoint.as_deref().unwrap_or(ENDPOINT_DEFAULT);
        let region = region.as_deref().unwrap_or(REGION_DEFAULT);
        let secret = variable("AWS_SECRET_ACCESS_KEY");
        let credentials = match (variable("AWS_ACCESS_KEY_ID"), secret) {
            (Some(key_id), Some(secret)) => Credentials {
                key_id,
                secret: SecretKey::new(secret),
                session_token: variable("AWS_SESSION_TOKEN"),
            },
            _ => Credentials::any(),
        };
        Target::new(endpoint, region, credentials)
    }
}

impl Credentials {
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
            return Err(wrong("does not begin with http://"));
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

/// A variable of the environment; one that is empty is none.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

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
