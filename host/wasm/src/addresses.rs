//! Which addresses calls may go to. Those of this machine, of private networks and of clouds' own
//! services are refused, whatever name leads there, unless an operator grants their range.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::Invalid;

use crate::printable::printable;

/// Characters of a range: an address of IPv6 and its length.
const RANGE_CHARS_MAX: usize = 64;

/// A range of addresses, as `10.0.0.0/8` or `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// An address with the number of bits that all of the range share; an address alone is a range
    /// of one.
    ///
    /// # Errors
    /// A sentence that says what a range is like.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let read = || {
            let (address, bits) = match text.split_once('/') {
                Some((address, bits)) => (address, Some(bits)),
                None => (text, None),
            };
            let first: IpAddr = address.parse().ok()?;
            let most = if first.is_ipv4() { 32 } else { 128 };
            let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
            let range = Self { first, bits };
            // With bits behind those that are shared it is unclear what is meant.
            let is_first = bits == 0 && first.is_unspecified() || range.starts_at(first);
            (bits <= most && is_first).then_some(range)
        };
        read().ok_or_else(|| {
            let shown = printable(text, RANGE_CHARS_MAX);
            Invalid(format!(
                "'{shown}' is no range of addresses, such as \"10.1.0.0/16\" or \"fd00::/8\""
            ))
        })
    }

    fn starts_at(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(it) => u32::from(it) & !mask_v4(self.bits) == 0,
            IpAddr::V6(it) => u128::from(it) & !mask_v6(self.bits) == 0,
        }
    }

    /// Whether an address is in it. One of IPv4 that is written as one of IPv6 is the one of IPv4.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(it)) => {
                (u32::from(first) ^ u32::from(it)) & mask_v4(self.bits) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(it)) => {
                (u128::from(first) ^ u128::from(it)) & mask_v6(self.bits) == 0
            }
            _ => false,
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

fn mask_v4(bits: u8) -> u32 {
    u32::MAX
        .checked_shl(32 - u32::from(bits.min(32)))
        .unwrap_or(0)
}

fn mask_v6(bits: u8) -> u128 {
    u128::MAX
        .checked_shl(128 - u32::from(bits.min(128)))
        .unwrap_or(0)
}

/// What an address is that is not one of the internet at large; `None`: it is.
pub fn address_kind(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(it) => kind_v4(it),
        IpAddr::V6(it) => kind_v6(it),
    }
}

/// The registry of addresses with a special purpose (RFC 6890 and what was added to it).
fn kind_v4(it: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = it.octets();
    match (a, b, c) {
        (0, ..) => Some("of this host"),
        (127, ..) => Some("a loopback address"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("a private address"),
        (100, 64..=127, _) => Some("an address of a provider's own network"),
        (169, 254, _) => Some("a link-local address, as those of cloud metadata are"),
        (192, 0, 0) | (192, 0, 2) | (198, 51, 100) | (203, 0, 113) | (192, 88, 99) => {
            Some("a reserved address")
        }
        (198, 18..=19, _) => Some("a reserved address"),
        (224..=255, ..) => Some("no address of one host"),
        _ => None,
    }
}

fn kind_v6(it: Ipv6Addr) -> Option<&'static str> {
    let segments = it.segments();
    let [first, second, ..] = segments;
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    if it.is_unspecified() {
        return Some("of this host");
    }
    if it.is_loopback() {
        return Some("a loopback address");
    }
    match first {
        0xfc00..=0xfdff => Some("a private address"),
        0xfe80..=0xfebf => Some("a link-local address, as those of cloud metadata are"),
        0xfec0..=0xfeff => Some("a private address"),
        0xff00.. => Some("no address of one host"),
        // Through these one of IPv4 is reached that lies in them: what it is counts.
        0x64 if second == 0xff9b && segments[2..6] == [0; 4] => {
            kind_v4(embedded(segments[6], segments[7]))
        }
        0x64 if second == 0xff9b => Some("a private address"),
        0x2002 => kind_v4(embedded(second, segments[2])),
        // Teredo, and the rest of a block for protocols.
        0x2001 if second < 0x200 => Some("a reserved address"),
        0x2001 if second == 0xdb8 => Some("a reserved address"),
        // The internet at large is 2000::/3.
        0x2000..=0x3fff => None,
        _ => Some("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_addresses_of_the_internet_at_large_are_called_without_a_grant() {
        for free in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "2606:4700::1111",
            "64:ff9b::808:808",
        ] {
            assert_eq!(address_kind(address(free)), None, "{free}");
        }
        for other in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(address_kind(address(other)).is_some(), "{other}");
        }
    }

    #[test]
    fn a_range_has_the_addresses_that_share_its_bits() {
        let range = |text: &str| AddressRange::parse(text).unwrap();
        assert!(range("10.1.0.0/16").contains(address("10.1.255.255")));
        assert!(range("10.1.0.0/16").contains(address("::ffff:10.1.0.1")));
        assert!(!range("10.1.0.0/16").contains(address("10.2.0.0")));
        assert!(range("127.0.0.1").contains(address("127.0.0.1")));
        assert!(!range("127.0.0.1").contains(address("127.0.0.2")));
        assert!(range("0.0.0.0/0").contains(address("127.0.0.1")));
        assert!(!range("0.0.0.0/0").contains(address("::1")));
        assert!(range("fd00::/8").contains(address("fdff::1")));
        assert!(!range("fd00::/8").contains(address("fc00::1")));
        assert_eq!(range("::1").to_string(), "::1/128");
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0/8",
            "::/129",
            "a.test",
            "10.0.0.0/-1",
        ] {
            assert!(AddressRange::parse(wrong).is_err(), "{wrong}");
        }
    }
}
