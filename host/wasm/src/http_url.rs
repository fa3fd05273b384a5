//! The address of a call over HTTP, taken apart strictly: what two readers could understand in two
//! ways is refused.

use std::fmt;

use crate::hosts::is_name;

/// Characters of a URL; a longer one is refused.
const URL_CHARS_MAX: usize = 8 * 1024;
const PORT_HTTP: u16 = 80;
const PORT_HTTPS: u16 = 443;

/// `http://` or `https://`, a host, a port, and a path with its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    is_https: bool,
    /// In lower case; an address of IPv6 with its brackets.
    host: String,
    port: u16,
    /// Begins with a `/`.
    path_and_query: String,
}

impl HttpUrl {
    /// Takes an address apart.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > URL_CHARS_MAX {
            return Err(format!("a URL of more than {URL_CHARS_MAX} characters"));
        }
        // Of what is not printable, and of what some take for a `/`, nothing good comes.
        let is_odd =
            |byte: u8| !byte.is_ascii_graphic() || matches!(byte, b'\\' | b'"' | b'<' | b'>');
        if text.bytes().any(is_odd) {
            return Err("a URL with characters that must be written as %XX".to_owned());
        }
        let lower = text.to_ascii_lowercase();
        let (is_https, rest) = if lower.starts_with("https://") {
            (true, &text["https://".len()..])
        } else if lower.starts_with("http://") {
            (false, &text["http://".len()..])
        } else {
            return Err("a URL that begins with neither http:// nor https://".to_owned());
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err("a URL with a user or a password in it".to_owned());
        }
        let (host, port) = host_and_port(authority, is_https)?;
        let path_and_query = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            is_https,
            host,
            port,
            path_and_query,
        })
    }

    /// Where a redirect from here leads.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn redirected(&self, location: &str) -> Result<Self, String> {
        let is_whole = location.contains("://") && !location.starts_with(['/', '?']);
        if is_whole {
            return Self::parse(location);
        }
        let scheme = if self.is_https { "https" } else { "http" };
        if location.starts_with("//") {
            return Self::parse(&format!("{scheme}:{location}"));
        }
        let path = self.path_and_query.split('?').next().unwrap_or_default();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let target = match location.chars().next() {
            Some('/') => location.to_owned(),
            Some('?') => format!("{path}{location}"),
            _ => format!("{folder}/{location}"),
        };
        Self::parse(&format!("{scheme}://{}{target}", self.authority()))
    }

    /// Whether it is spoken to over TLS.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// A name or an address, in lower case; one of IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What is asked for there; begins with a `/`.
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// Host and port, as the header `host` has them: the port only where it is not the usual one.
    pub fn authority(&self) -> String {
        let usual = if self.is_https { PORT_HTTPS } else { PORT_HTTP };
        if self.port == usual {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether both are of one server.
    pub(crate) fn is_of_same_server(&self, other: &Self) -> bool {
        (self.is_https, &self.host, self.port) == (other.is_https, &other.host, other.port)
    }
}

impl fmt::Display for HttpUrl {
    /// Without the path, which may hold what is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn host_and_port(authority: &str, is_https: bool) -> Result<(String, u16), String> {
    let no_host = || "a URL whose host is neither a name nor a plain address".to_owned();
    let authority = authority.to_ascii_lowercase();
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or_else(no_host)?;
            let address: std::net::Ipv6Addr = address.parse().map_err(|_| no_host())?;
            (
                format!("[{address}]"),
                port.strip_prefix(':').or(match port {
                    "" => Some(""),
                    _ => None,
                }),
            )
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (authority, Some("")),
        },
    };
    let name = host.strip_suffix('.').unwrap_or(&host);
    if !host.starts_with('[') && !is_name(name) {
        return Err(no_host());
    }
    let no_port = || "a URL with no port from 1 to 65535".to_owned();
    let port = match port.ok_or_else(no_port)? {
        "" if is_https => PORT_HTTPS,
        "" => PORT_HTTP,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map_err(|_| no_port())?
        }
        _ => return Err(no_port()),
    };
    if port == 0 {
        return Err(no_port());
    }
    Ok((name.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (bool, String, u16, String) {
        let url = HttpUrl::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        (url.is_https, url.host, url.port, url.path_and_query)
    }

    #[test]
    fn a_url_is_a_scheme_a_host_a_port_and_a_path() {
        for (text, wanted) in [
            ("http://a.test", (false, "a.test", 80, "/")),
            (
                "HTTPS://A.test:8443/x?y=1#z",
                (true, "a.test", 8443, "/x?y=1"),
            ),
            ("https://a.test?y", (true, "a.test", 443, "/?y")),
            ("http://10.0.0.1:8080/", (false, "10.0.0.1", 8080, "/")),
            ("http://[::1]:80/", (false, "[::1]", 80, "/")),
            ("http://[0:0::1]/", (false, "[::1]", 80, "/")),
            ("http://a.test./x", (false, "a.test", 80, "/x")),
        ] {
            let (is_https, host, port, path) = wanted;
            assert_eq!(
                parts(text),
                (is_https, host.to_owned(), port, path.to_owned())
            );
        }
    }

    #[test]
    fn what_could_be_understood_in_two_ways_is_no_url() {
        for wrong in [
            "",
            "ftp://a.test/",
            "http:/a.test",
            "http://",
            "http:///x",
            "http://user@a.test/",
            "http://a.test:80@169.254.169.254/",
            "http://a.test\\@b.test/",
            "http://a.test/\r\nhost: b.test",
            "http://a.test/ x",
            "http://a.test:0/",
            "http://a.test:99999/",
            "http://a.test:8a/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://127.1/",
            "http://017700000001/",
            "http://1.2.3.4.5/",
            "http://[::1/",
            "http://[::1]x/",
            "http://[fe80::1%25eth0]/",
            "http://a..test/",
            "http://ä.test/",
            "http://%31.test/",
        ] {
            assert!(HttpUrl::parse(wrong).is_err(), "{wrong}");
        }
        assert!(HttpUrl::parse(&format!("http://a.test/{}", "x".repeat(9_000))).is_err());
    }

    #[test]
    fn a_redirect_leads_on_from_where_it_stands() {
        let from = HttpUrl::parse("https://a.test:8443/one/two?q=1").unwrap();
        for (location, wanted) in [
            ("/x", (true, "a.test", 8443, "/x")),
            ("three", (true, "a.test", 8443, "/one/three")),
            ("?r=2", (true, "a.test", 8443, "/one/two?r=2")),
            ("//b.test/x", (true, "b.test", 443, "/x")),
            ("http://b.test/", (false, "b.test", 80, "/")),
            (
                "/x?to=http://b.test/",
                (true, "a.test", 8443, "/x?to=http://b.test/"),
            ),
        ] {
            let url = from.redirected(location).unwrap();
            let (is_https, host, port, path) = wanted;
            assert_eq!(
                (url.is_https, &*url.host, url.port, &*url.path_and_query),
                (is_https, host, port, path)
            );
        }
        for wrong in [
            "ftp://b.test/",
            "http://u:p@b.test/",
            "//169.254.169.254@b.test/",
        ] {
            assert!(from.redirected(wrong).is_err(), "{wrong}");
        }
    }
}
