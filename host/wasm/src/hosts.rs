//! Which hosts a plugin may call: patterns, as a manifest asks for them and an operator grants
//! them.

use std::fmt;

use types::Invalid;

use crate::printable::printable;

/// Characters of a host's name (RFC 1035: 255 octets on the wire, 253 as text).
pub(crate) const HOST_CHARS_MAX: usize = 253;
/// What a pattern begins with that stands for all names below another one.
const ANY_BELOW: &str = "*.";

/// `host:port`, where the host is a name, an address (one of IPv6 in brackets), or `*.` and a name:
/// any name below that one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPattern {
    /// In lower case, with its brackets if it has some; without `*.`.
    host: String,
    is_below: bool,
    port: u16,
}

impl HostPattern {
    /// # Errors
    /// A sentence that says what a pattern is like.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        Self::read(text).ok_or_else(|| {
            let shown = printable(text, HOST_CHARS_MAX);
            Invalid(format!(
                "'{shown}' is no host with a port, such as \"api.example.com:443\", \
                 \"*.example.com:443\" or \"[2001:db8::1]:8080\""
            ))
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port > 0)?;
        let (host, is_below) = match host.strip_prefix(ANY_BELOW) {
            Some(host) => (host, true),
            None => (host, false),
        };
        let host = host.to_ascii_lowercase();
        let is_address = host.starts_with('[');
        let is_good = match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_name(&host),
        };
        (is_good && !(is_below && is_address)).then_some(Self {
            host,
            is_below,
            port,
        })
    }

    /// Whether it stands for all that another one stands for.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let is_below = self.is_below
            && other
                .host
                .strip_suffix(&self.host)
                .is_some_and(|above| above.ends_with('.'));
        self == other || (is_below && self.port == other.port)
    }

    /// Whether it stands for this host, which is in lower case, and this port.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        let is_it = if self.is_below {
            let above = host.strip_suffix(&self.host);
            let label = above.and_then(|above| above.strip_suffix('.'));
            label.is_some_and(|label| !label.is_empty())
        } else {
            host == self.host
        };
        is_it && port == self.port
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = if self.is_below { ANY_BELOW } else { "" };
        write!(f, "{below}{}:{}", self.host, self.port)
    }
}

/// Whether a text in lower case is a host's name or an address of IPv4 as four numbers, and nothing
/// that some resolver would take for an address in another shape, such as `0x7f.1` or `2130706433`.
pub(crate) fn is_name(host: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    // No top-level domain is a number (RFC 3696, section 2).
    let may_be_a_number = last
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_digit());
    let is_good = (1..=HOST_CHARS_MAX).contains(&host.len()) && host.split('.').all(is_label);
    is_good && (!may_be_a_number || host.parse::<std::net::Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        HostPattern::parse(text).unwrap()
    }

    #[test]
    fn a_pattern_stands_for_its_host_and_port_alone() {
        let one = pattern("API.example.com:443");
        assert_eq!(one.to_string(), "api.example.com:443");
        assert!(one.matches("api.example.com", 443));
        for (host, port) in [
            ("api.example.com", 80),
            ("example.com", 443),
            ("xapi.example.com", 443),
            ("api.example.com.evil.test", 443),
        ] {
            assert!(!one.matches(host, port), "{host}:{port}");
        }
        assert!(pattern("[2001:db8::1]:8080").matches("[2001:db8::1]", 8080));
        assert!(pattern("10.0.0.7:80").matches("10.0.0.7", 80));
    }

    #[test]
    fn a_star_stands_for_names_below_and_not_for_the_name_itself() {
        let below = pattern("*.example.com:443");
        assert!(below.matches("a.example.com", 443) && below.matches("a.b.example.com", 443));
        for host in [
            "example.com",
            ".example.com",
            "aexample.com",
            "a.example.org",
        ] {
            assert!(!below.matches(host, 443), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_with_a_port_is_no_pattern() {
        for wrong in [
            "",
            "example.com",
            "example.com:",
            "example.com:0",
            "example.com:+80",
            "example.com:65536",
            ":80",
            "*:443",
            "*.*.com:443",
            "a..b:80",
            "a b:80",
            "http://example.com:80",
            "user@example.com:80",
            "[::1:80",
            "[10.0.0.1]:80",
            "*.[::1]:80",
            "::1:80",
            "2130706433:80",
            "0x7f.1:80",
            "127.1:80",
            "0177.0.0.1:80",
            "1.2.3.4.5:80",
        ] {
            assert!(HostPattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
