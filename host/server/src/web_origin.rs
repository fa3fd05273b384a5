//! Where a web page comes from, as browsers write it in `Origin`.

use http::uri::Authority;

/// A scheme, a host and a port (RFC 6454): what a browser tells pages apart by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    scheme: String,
    host: String,
    /// `None` for a scheme that has no usual port, when none is written.
    port: Option<u16>,
}

impl WebOrigin {
    /// Reads `scheme://host` or `scheme://host:port`. Anything else is `None`, also `null`, which
    /// browsers send for pages that have no origin of their own.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if !is_scheme || authority.contains(['@', '*']) {
            return None;
        }
        let authority: Authority = authority.parse().ok()?;
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return None;
        }
        let port = port(&authority, &scheme)?;
        Some(Self { scheme, host, port })
    }

    /// Whether a request to `host` stays within this origin: the page came from the very server
    /// that it calls. The scheme is not compared, because a proxy may speak TLS for us.
    pub(crate) fn is_at(&self, host: &Authority) -> bool {
        let same_host = self.host.eq_ignore_ascii_case(host.host());
        same_host && port(host, &self.scheme).is_some_and(|port| port == self.port)
    }
}

/// The port that is written, or else the scheme's usual one. `None`: what is written is no port.
fn port(authority: &Authority, scheme: &str) -> Option<Option<u16>> {
    if let Some(port) = authority.port_u16() {
        return Some(Some(port));
    }
    if authority.as_str().len() != authority.host().len() {
        return None;
    }
    Some(match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        let origin = |text| WebOrigin::parse(text).unwrap();
        assert_eq!(origin("https://a.example"), origin("HTTPS://A.example:443"));
        assert_ne!(origin("https://a.example"), origin("http://a.example"));
        assert_ne!(origin("http://a.example"), origin("http://a.example:8080"));
        assert_eq!(origin("http://[::1]:80"), origin("http://[::1]"));
        assert_eq!(origin("tauri://localhost"), origin("tauri://localhost"));
        for none in [
            "",
            "null",
            "*",
            "https://",
            "https://*",
            "https://*.example",
            "a.example",
            "//a.example",
            "1ttp://a.example",
            "https://a.example/",
            "https://a.example/x",
            "https://a.example?x",
            "https://a.example:x",
            "https://a.example:",
            "https://a.example:65536",
            "https://user@a.example",
            "https://a.example https://b.example",
        ] {
            assert_eq!(WebOrigin::parse(none), None, "{none}");
        }
    }

    #[test]
    fn a_page_of_the_server_itself_is_known_by_its_host_and_port() {
        let origin = |text| WebOrigin::parse(text).unwrap();
        let host = |text: &str| text.parse::<Authority>().unwrap();
        assert!(origin("http://localhost:4567").is_at(&host("LOCALHOST:4567")));
        assert!(origin("https://kinesis.example").is_at(&host("kinesis.example")));
        assert!(origin("http://kinesis.example").is_at(&host("kinesis.example:80")));
        assert!(!origin("http://localhost:3000").is_at(&host("localhost:4567")));
        assert!(!origin("http://localhost").is_at(&host("localhost:4567")));
        assert!(!origin("http://127.0.0.1:4567").is_at(&host("localhost:4567")));
    }
}
